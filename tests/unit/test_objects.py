"""All objects of a frame: every box once, the surest first, and what is read in each.

What failed arithmetic gives is in test_decoding.py.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.model import DataLocation, InputSpec, Network, Pipeline, PipelineNode
from shared.contract.outputs import (
    BoxOutput,
    ClassificationOutputs,
    DetectionOutputs,
    NamedClasses,
    Outputs,
    ScoreOutput,
    SymbolsOutput,
    Task,
    TextOutputs,
)
from shared.contract.streaming import stream_problem
from shared.inference.boxes import iou
from shared.inference.decoding import (
    SAME_OBJECT,
    FoundBox,
    FoundText,
    ScoredBox,
    confidence_of,
    decode_box,
    decode_boxes,
)
from shared.inference.objects import read_objects
from shared.inference.pipeline import Clock, LoadedNode, run_pipeline
from shared.inference.preprocess import Placement
from tests.fakes import FakeSession

SIZE = (24, 32)
AS_IT_IS = Placement(1.0, 1.0, 0.0, 0.0)
BOXES = DetectionOutputs(BoxOutput("box", unit="pixels"), ScoreOutput("score", minimum=0.5))
UNSCORED = DetectionOutputs(BoxOutput("box", unit="pixels"), None)
TEXT = TextOutputs(SymbolsOutput(("s",), "AB"))
CLASSES = ClassificationOutputs(NamedClasses("c", ("a", "b")))
ALONE, PAIR = (2.0, 3.0, 12.0, 9.0), (18.0, 10.0, 30.0, 20.0)


def detected(*rows: tuple[tuple[float, ...], float]) -> dict[str, Any]:
    """The outputs of a detector: boxes with their scores."""
    boxes, scores = zip(*rows, strict=True)
    return {"box": np.array([boxes]), "score": np.array(scores)}


def decoded(*rows: tuple[tuple[float, ...], float]) -> list[ScoredBox]:
    return decode_boxes(BOXES, SIZE, detected(*rows), AS_IT_IS)


def test_every_box_from_the_minimum_on_the_surest_first() -> None:
    found = decoded((ALONE, 0.6), (PAIR, 0.9), ((0, 0, 4, 4), 0.49))
    assert found == [ScoredBox(PAIR, 0.9), ScoredBox(ALONE, 0.6)]


def test_boxes_of_one_object_are_one() -> None:
    """Of those that overlap by more than half the surest stays; half is not more than half."""
    assert decoded((ALONE, 0.6), ((2, 3, 12, 8), 0.8)) == [ScoredBox((2, 3, 12, 8), 0.8)]
    half = (2.0, 3.0, 7.0, 9.0)
    assert decoded((ALONE, 0.8), (half, 0.6)) == [ScoredBox(ALONE, 0.8), ScoredBox(half, 0.6)]


def test_without_scores_the_first_row_counts() -> None:
    outputs = {"box": np.array([[ALONE, PAIR]])}
    assert decode_boxes(UNSCORED, SIZE, outputs, AS_IT_IS) == [ScoredBox(ALONE, None)]


corners = st.tuples(st.floats(0, 20), st.floats(0, 20), st.floats(1, 12), st.floats(1, 12))
rows = st.lists(st.tuples(corners, st.floats(0, 1)), max_size=12)


@given(rows)
def test_whatever_a_detector_puts_out(given_rows: list[tuple[tuple[float, ...], float]]) -> None:
    """No two boxes are of one object, none is unsure, the first is the one of a single image."""
    made = [((x, y, x + width, y + height), score) for (x, y, width, height), score in given_rows]
    if not made:
        return
    found = decoded(*made)
    scores = [one.score or 0.0 for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(score >= 0.5 for score in scores)
    for number, one in enumerate(found):
        assert all(iou(one.box, other.box) <= SAME_OBJECT for other in found[:number])
    best = decode_box(BOXES, SIZE, detected(*made), AS_IT_IS)
    assert best == (found[0].box if found else None)


def network(outputs: Outputs) -> Network:
    tasks = {
        DetectionOutputs: Task.DETECTION,
        TextOutputs: Task.TEXT_RECOGNITION,
        ClassificationOutputs: Task.CLASSIFICATION,
    }
    spec = InputSpec("i", (1, *SIZE, 3), channels="BGR")
    return Network("net", tasks[type(outputs)], "", "g", "0" * 64, spec, outputs, DataLocation())


def node(name: str, outputs: Outputs, answer: Any, source: str = "image") -> LoadedNode:
    made = network(outputs)
    return LoadedNode(PipelineNode(name, "net", source, 0.1), made, FakeSession(answer, made.input))


def brightness(image: Any) -> dict[str, Any]:
    """A reader that says A of what is bright and B of what is dark, a little surer of the one."""
    is_bright = float(image.mean()) > 128
    row = [0.7, 0.2, 0.1] if is_bright else [0.1, 0.8, 0.1]
    return {"s": np.array([[row]])}


def picture() -> Any:
    """Bright where ALONE is, dark elsewhere."""
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[1:11, :15] = 255
    return pixels


def test_each_object_has_its_own_answer() -> None:
    nodes = [
        node("detector", BOXES, detected((PAIR, 0.9), (ALONE, 0.6))),
        node("reader", TEXT, brightness, "detector"),
        node("kind", CLASSES, {"c": np.array([[0.25, 0.75]])}, "detector"),
    ]
    clock = Clock()
    dark, bright = read_objects(nodes, picture(), clock)
    assert (dark.box, dark.score, dark.answers["reader"].text) == (PAIR, 0.9, "B")
    assert (bright.box, bright.score, bright.answers["reader"].text) == (ALONE, 0.6, "A")
    assert bright.answers["reader"].confidence == pytest.approx(0.7)
    assert (bright.answers["kind"].text, bright.answers["kind"].confidence) == ("b", 0.75)
    steps = [step for one in nodes for step in one.node.steps]
    assert sorted(clock.steps) == sorted(steps)


def test_a_frame_without_objects() -> None:
    nodes = [node("detector", BOXES, detected((ALONE, 0.1))), node("reader", TEXT, brightness, "detector")]
    assert read_objects(nodes, picture(), Clock()) == ()


@given(rows.filter(bool))
def test_the_surest_object_of_a_frame_is_that_of_a_single_image(
    given_rows: list[tuple[tuple[float, ...], float]],
) -> None:
    made = [((x, y, x + width, y + height), score) for (x, y, width, height), score in given_rows]
    nodes = [node("detector", BOXES, detected(*made)), node("reader", TEXT, brightness, "detector")]
    found = read_objects(nodes, picture(), Clock())
    single = run_pipeline(nodes, bytes(cv2.imencode(".png", picture())[1]), "picture").predictions
    if found:
        assert single["detector"] == FoundBox(found[0].box)
        assert single["reader"] == FoundText(found[0].answers["reader"].text)
    else:
        assert (single["detector"], single["reader"]) == (None, None)


def test_how_sure_a_text_is_is_how_sure_all_of_it_is() -> None:
    probabilities = {"s": np.array([[[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]])}
    assert confidence_of(TEXT, probabilities) == pytest.approx(0.72)


def test_what_is_no_probability_is_made_one() -> None:
    logits = {"s": np.log(np.array([[[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]]])) + 3}
    assert confidence_of(TEXT, logits) == pytest.approx(0.72)


NETWORKS = {"box": network(BOXES), "text": network(TEXT), "class": network(CLASSES)}
FINDS, READS = PipelineNode("find", "box", "image", 0.0), PipelineNode("read", "text", "find", 0.1)


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ((FINDS, READS), ""),
        ((FINDS, READS, PipelineNode("kind", "class", "find", 0.0)), ""),
        ((FINDS,), ""),
        ((PipelineNode("read", "text", "image", 0.0),), "'read', is no detector"),
        ((FINDS, PipelineNode("again", "box", "find", 0.0)), "'again' neither reads a text nor names"),
        ((FINDS, PipelineNode("all", "class", "image", 0.0)), "'all' is given 'image', not what 'find'"),
    ],
)
def test_which_pipelines_read_a_stream(nodes: tuple[PipelineNode, ...], problem: str) -> None:
    said = stream_problem(Pipeline("p", "", nodes, DataLocation()), NETWORKS)
    assert (problem in said) if problem else not said
