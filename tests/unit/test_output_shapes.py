"""An output whose shape its task cannot read, or would read as what it is not, is told with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.model import DataLocation, InputSpec, Network
from shared.contract.output_shapes import unreadable
from shared.contract.outputs import (
    BoxOutput,
    DetectionOutputs,
    MaskOutput,
    Outputs,
    ScoreOutput,
    SegmentationOutputs,
    Task,
)

NHWC = InputSpec("image", (1, 64, 64, 3))
NCHW = InputSpec("image", (1, 3, 64, 64), "NCHW")
SOFTMAX, SIGMOID = MaskOutput("mask"), MaskOutput("mask", "sigmoid")


def told(outputs: Outputs, shapes: dict[str, Any], spec: InputSpec = NHWC) -> str:
    """What is wrong, or nothing."""
    network = Network("net", Task(outputs.kind), "", "g.pb", "0" * 64, spec, outputs, DataLocation())
    found = unreadable(network, shapes)
    return "" if found is None else f"{found.key}: {found.what}; {found.advice}"


@pytest.mark.parametrize(
    ("mask", "shape", "spec", "message"),
    [
        (SOFTMAX, (1, 64, 64, 2), NHWC, ""),
        (SOFTMAX, (-1, -1, -1, 2), NHWC, ""),
        (SOFTMAX, (1, 2, 32, 32), NCHW, ""),
        (SIGMOID, (1, 1, 64, 64), NCHW, ""),
        (SOFTMAX, (1, 64, 64), NHWC, "has the shape [1, 64, 64], and a mask has four axes"),
        (SIGMOID, (64, 64), NHWC, "a mask has four axes"),
        (SOFTMAX, (1, 64, 64, 2), NCHW, "has the shape [1, 64, 64, 2], which is NHWC, not NCHW"),
        (SIGMOID, (1, 1, 64, 64), NHWC, "which is NCHW, not NHWC"),
        (SOFTMAX, (1, 64, 64, 1), NHWC, 'write "kind": "sigmoid"'),
        (SIGMOID, (1, 64, 64, 2), NHWC, 'write "kind": "softmax"'),
    ],
)
def test_masks(mask: MaskOutput, shape: tuple[int, ...], spec: InputSpec, message: str) -> None:
    """A mask needs an axis of channels, in the layout of the input, as many as its kind has."""
    found = told(SegmentationOutputs(mask), {"mask": shape}, spec)
    assert (message in found) if message else found == ""


@pytest.mark.parametrize(
    ("outputs", "shapes", "message"),
    [
        (DetectionOutputs(BoxOutput("box")), {"box": (1, 4)}, ""),
        (DetectionOutputs(BoxOutput("box")), {"box": (-1, -1, -1)}, ""),
        (DetectionOutputs(BoxOutput("box")), {}, ""),
        (DetectionOutputs(BoxOutput("box"), ScoreOutput(column=4)), {"box": (1, 100, 6)}, ""),
        (
            DetectionOutputs(BoxOutput("box"), ScoreOutput(column=4)),
            {"box": (1, 100, 4)},
            "score.column: the output 'box' has 4 column(s), and outputs.score.column reads column 5",
        ),
        (DetectionOutputs(BoxOutput("box", first=1)), {"box": (1, 4)}, "outputs.box.first reads column 5"),
        (DetectionOutputs(BoxOutput("b"), ScoreOutput("s")), {"b": (1, 9, 4), "s": (1, 9)}, ""),
        (DetectionOutputs(BoxOutput("b"), ScoreOutput("s")), {"b": (1, 9, 4), "s": (1, -1)}, ""),
        (
            DetectionOutputs(BoxOutput("b"), ScoreOutput("s")),
            {"b": (1, 9, 4), "s": (1, 9, 3)},
            "'s' has 27 number(s), and outputs.score.tensor is for 9",
        ),
    ],
)
def test_boxes(outputs: DetectionOutputs, shapes: dict[str, Any], message: str) -> None:
    """A tensor of boxes has the columns that model.json reads, and each box a score."""
    found = told(outputs, shapes)
    assert (message in found) if message else found == ""


sizes = st.lists(st.integers(-1, 70), max_size=5).map(tuple)


@given(sizes, st.sampled_from([NHWC, NCHW]), st.sampled_from([SOFTMAX, SIGMOID]))
def test_any_shape_of_a_mask(shape: tuple[int, ...], spec: InputSpec, mask: MaskOutput) -> None:
    """Whatever the sizes, there is a sentence or nothing, never another error."""
    assert isinstance(told(SegmentationOutputs(mask), {"mask": shape}, spec), str)


@given(sizes, sizes, st.integers(0, 9))
def test_any_shape_of_boxes(box: tuple[int, ...], score: tuple[int, ...], column: int) -> None:
    """Whatever the sizes, there is a sentence or nothing, never another error."""
    for found in (ScoreOutput("s"), ScoreOutput(column=column)):
        outputs = DetectionOutputs(BoxOutput("b", first=column), found)
        assert isinstance(told(outputs, {"b": box, "s": score}), str)
