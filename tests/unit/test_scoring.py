"""What was found is held against what is true as each task defines it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.dataset import Sample
from shared.contract.measurement import SampleScore
from shared.contract.model import DataLocation, InputSpec, Network
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
from shared.harness.scoring import METRICS, iou, quality_of, score, set_metrics
from shared.inference.decoding import FoundClass, FoundText, predict
from shared.inference.preprocess import Box, Placement

numbers = st.floats(-1000, 1000)


def ordered(v: Box) -> Box:
    """The box of two corners."""
    return min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3])


boxes = st.tuples(numbers, numbers, numbers, numbers).map(ordered)


@given(boxes, boxes)
def test_iou_is_symmetric(a: Any, b: Any) -> None:
    """IoU lies between 0 and 1 and does not depend on the order."""
    value = iou(a, b)
    assert 0 <= value <= 1 + 1e-9
    assert value == pytest.approx(iou(b, a))


@given(boxes)
def test_iou_of_itself(a: Any) -> None:
    """A box covers itself wholly, and one without area covers nothing."""
    area = (a[2] - a[0]) * (a[3] - a[1])
    assert iou(a, a) == pytest.approx(1.0 if area > 0 else 0.0)


@given(boxes, st.floats(0.5, 20), st.floats(-50, 50), st.floats(-50, 50))
def test_iou_ignores_scale_and_place(a: Any, factor: float, x: float, y: float) -> None:
    """Scaling and moving both boxes leaves their IoU."""
    a = (a[0], a[1], a[0] + 50 + abs(a[2]), a[1] + 50)
    b = (a[0] + 10, a[1] - 10, a[2], a[3])

    def moved(box: Any) -> Any:
        return tuple(v * factor + d for v, d in zip(box, (x, y, x, y)))

    assert iou(moved(a), moved(b)) == pytest.approx(iou(a, b), abs=1e-6)


@pytest.mark.parametrize(
    ("b", "value"),
    [
        ((0, 0, 10, 10), 1),
        ((5, 0, 15, 10), 1 / 3),
        ((0, 0, 5, 5), 0.25),
        ((10, 0, 20, 10), 0),
        ((8, 8, 2, 2), 0),
    ],
)
def test_iou_by_hand(b: Any, value: float) -> None:
    """Known boxes have their known IoU; a box that only touches, or is turned inside out, has none."""
    assert iou((0, 0, 10, 10), b) == pytest.approx(value)


HERE = Placement(1.0, 1.0, 0.0, 0.0)


def network(task: Task, outputs: Outputs) -> Network:
    spec = InputSpec("image", (1, 10, 10, 3))
    return Network("net", task, "", "g.pb", "0" * 64, spec, outputs, DataLocation())


READER = network(
    Task.TEXT_RECOGNITION,
    TextOutputs(SymbolsOutput(("s",), "AB12"), NamedClasses("country", ("D", "GB"))),
)


@pytest.mark.parametrize(
    ("found", "country", "scores", "prediction"),
    [
        (FoundText("AB1", "D"), "D", {"exact": 1.0, "country": 1.0}, "AB1 D"),
        (FoundText("AB2", "D"), "D", {"exact": 0.0, "country": 1.0}, "AB2 D"),
        (FoundText("AB1", "GB"), "D", {"exact": 1.0, "country": 0.0}, "AB1 GB"),
        (FoundText("AB"), "D", {"exact": 0.0}, "AB"),
        (FoundText("AB1", "D"), None, {"exact": 1.0}, "AB1 D"),
        (FoundText("AB1", "D"), "", {"exact": 1.0}, "AB1 D"),
        (None, "D", {"exact": 0.0, "country": 0.0}, None),
        (None, "", {"exact": 0.0}, None),
    ],
)
def test_texts_are_scored(
    found: FoundText | None, country: str | None, scores: dict[str, float], prediction: str | None
) -> None:
    """A text is exact only as a whole; the country counts where both have one; nothing read is wrong."""
    sample = Sample("a", Path("a"), reading="AB1", country=country)
    assert score(READER, found, sample) == SampleScore("a", scores, prediction)


def test_detection_is_scored() -> None:
    """A detection scores its IoU, nothing where it missed, and all where there was nothing to find."""
    outputs = DetectionOutputs(BoxOutput("b", unit="pixels"), ScoreOutput("s", minimum=0.5))
    net = network(Task.DETECTION, outputs)
    sample, empty = Sample("a", Path("a"), box=(0, 0, 10, 10)), Sample("a", Path("a"))
    box = np.array([[0, 0, 5, 10]])
    found = predict(net, {"b": box, "s": np.array([0.9])}, HERE)
    missed = predict(net, {"b": box, "s": np.array([0.1])}, HERE)
    assert missed is None
    assert score(net, found, sample) == SampleScore("a", {"iou": 0.5}, (0, 0, 5, 10))
    assert score(net, missed, sample) == SampleScore("a", {"iou": 0.0})
    assert score(net, missed, empty) == SampleScore("a", {"iou": 1.0})
    assert score(net, found, empty).scores == {"iou": 0.0}


@given(st.sampled_from(["x", "y", "z"]), st.sampled_from(["x", "y", "z"]))
def test_classification_is_scored(name: str, label: str) -> None:
    """A class is right when its name is the label; none is wrong."""
    outputs = ClassificationOutputs(NamedClasses("c", ("x", "y", "z")))
    net, sample = network(Task.CLASSIFICATION, outputs), Sample("a", Path("a"), label=label)
    expected = SampleScore("a", {"accuracy": float(name == label)}, name)
    assert score(net, FoundClass(name), sample) == expected
    assert score(net, None, sample) == SampleScore("a", {"accuracy": 0.0})


metrics = st.dictionaries(st.sampled_from(["exact", "country"]), st.floats(0, 1))


@given(st.lists(metrics, min_size=1, max_size=10))
def test_means_are_over_those_that_have_it(scores: list[dict[str, float]]) -> None:
    """The mean of a metric is over the samples that have it; a metric that no sample has is left out."""
    found = set_metrics([SampleScore(str(number), each) for number, each in enumerate(scores)])
    for name in ("exact", "country"):
        have = [each[name] for each in scores if name in each]
        assert (name in found) is bool(have)
        if have:
            assert found[name] == pytest.approx(sum(have) / len(have))


def test_every_task_has_its_metric() -> None:
    """Each task that model.json may name has a main metric, which a split's quality names."""
    assert set(METRICS) == set(Task)
    assert all(METRICS.values())
    detector = network(Task.DETECTION, DetectionOutputs(BoxOutput("b")))
    assert quality_of(detector, [SampleScore("a", {"iou": 0.5})]).value == 0.5
