"""Outputs are read and scored as each task defines it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.dataset import Sample
from shared.contract.model import InputSpec, Network
from shared.runtime.preprocess import Placement
from shared.runtime.tasks import METRICS, decode_reading, iou, means, predict_and_score, reading_scores

HERE = Placement(1.0, 1.0, 0.0, 0.0)
numbers = st.floats(-1000, 1000)
boxes = st.tuples(numbers, numbers, numbers, numbers).map(lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3])))


def network(task: str, outputs: dict[str, Any], layout: str = "NHWC") -> Network:
    shape = (1, 10, 10, 3) if layout == "NHWC" else (1, 3, 10, 10)
    return Network("net", task, "", "g.pb", "0" * 64, InputSpec("image", shape, layout), outputs, {})


@given(boxes, boxes)
def test_iou_is_a_symmetric_share(a: Any, b: Any) -> None:
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
    ("b", "value"), [((0, 0, 10, 10), 1), ((5, 0, 15, 10), 1 / 3), ((0, 0, 5, 5), 0.25), ((10, 0, 20, 10), 0), ((8, 8, 2, 2), 0)]
)
def test_iou_by_hand(b: Any, value: float) -> None:
    """Known boxes have their known IoU; a box that only touches, or is turned inside out, has none."""
    assert iou((0, 0, 10, 10), b) == pytest.approx(value)


ALPHABET = "ABC12"
readings = st.text(ALPHABET, max_size=6)


def scores_for(classes: list[int], count: int) -> np.ndarray:
    """Outputs whose best class at each position is given."""
    rows = np.full((len(classes), count), 0.1, np.float32)
    rows[np.arange(len(classes)), classes] = 0.9
    return rows


def reader(decoder: str, blank: int | None, tensors: list[str], country: bool = False) -> Network:
    symbols: dict[str, Any] = {"tensors": tensors, "decoder": decoder, "alphabet": ALPHABET}
    if blank is not None:
        symbols["blank"] = blank
    outputs: dict[str, Any] = {"symbols": symbols}
    if country:
        outputs["country"] = {"tensor": "country", "names": ["D", "GB"]}
    return network("reading", outputs)


def class_of(symbol: str, blank: int) -> int:
    index = ALPHABET.index(symbol)
    return index if index < blank else index + 1


@given(readings, st.none() | st.integers(0, len(ALPHABET)), st.booleans(), st.integers(0, 2))
def test_heads(text: str, blank: int | None, one_tensor: bool, start: int) -> None:
    """With a head for each position the reading is the best classes without blanks, in one tensor or many."""
    at = len(ALPHABET) if blank is None else blank
    classes = [at] * start + [class_of(s, at) for s in text] + [at] * (8 - start - len(text))
    rows = scores_for(classes, len(ALPHABET) + 1)
    if one_tensor:
        net, outputs = reader("heads", blank, ["s"]), {"s": rows[None]}
    else:
        names = [f"s{i}" for i in range(len(rows))]
        net, outputs = reader("heads", blank, names), {n: r[None] for n, r in zip(names, rows)}
    assert decode_reading(net, outputs) == (text, None)


@given(readings, st.none() | st.integers(0, len(ALPHABET)), st.integers(1, 3), st.integers(0, 2))
def test_ctc(text: str, blank: int | None, repeat: int, gap: int) -> None:
    """CTC merges repeats and drops blanks; a blank keeps two equal symbols apart."""
    at = len(ALPHABET) if blank is None else blank
    classes: list[int] = [at] * gap
    for i, symbol in enumerate(text):
        between = max(gap, 1) if i and text[i - 1] == symbol else gap
        classes += [at] * between + [class_of(symbol, at)] * repeat
    classes = classes or [at]
    assert decode_reading(reader("ctc", blank, ["s"]), {"s": scores_for(classes, len(ALPHABET) + 1)[None]})[0] == text


def test_ctc_merges_repeats_that_heads_keep() -> None:
    """The same outputs are one symbol to CTC and two to heads."""
    outputs = {"s": scores_for([0, 0, 5], 6)[None]}
    assert decode_reading(reader("ctc", 5, ["s"]), outputs)[0] == "A"
    assert decode_reading(reader("heads", 5, ["s"]), outputs)[0] == "AA"


def test_country() -> None:
    """The country is the best class of its head."""
    outputs = {"s": scores_for([0, 5], 6)[None], "country": np.array([[0.2, 0.8]])}
    assert decode_reading(reader("heads", None, ["s"], country=True), outputs) == ("A", "GB")


@pytest.mark.parametrize(
    ("prediction", "country", "scores"),
    [
        (("AB1", "D"), "D", {"exact": 1.0, "country": 1.0}),
        (("AB2", "D"), "D", {"exact": 0.0, "country": 1.0}),
        (("AB1", "GB"), "D", {"exact": 1.0, "country": 0.0}),
        (("AB", None), "D", {"exact": 0.0}),
        (("AB1", "D"), None, {"exact": 1.0}),
        (("AB1", "D"), "", {"exact": 1.0}),
    ],
)
def test_reading_scores(prediction: Any, country: str | None, scores: dict[str, float]) -> None:
    """A reading is exact only as a whole; the country counts where both sides have one."""
    assert reading_scores(prediction, Sample("a", Path("a"), reading="AB1", country=country)) == scores


def test_detection_is_scored() -> None:
    """A detection scores its IoU, nothing where it missed, and all where there was nothing to find."""
    net = network("detection", {"box": {"tensor": "b", "unit": "pixels"}, "score": {"tensor": "s", "minimum": 0.5}})
    sample = Sample("a", Path("a"), box=(0, 0, 10, 10))
    found = {"b": np.array([[0, 0, 5, 10]]), "s": np.array([0.9])}
    missed = {"b": np.array([[0, 0, 5, 10]]), "s": np.array([0.1])}
    empty = Sample("a", Path("a"))
    assert predict_and_score(net, found, HERE, sample) == {"prediction": [0, 0, 5, 10], "scores": {"iou": 0.5}}
    assert predict_and_score(net, missed, HERE, sample) == {"prediction": None, "scores": {"iou": 0.0}}
    assert predict_and_score(net, missed, HERE, empty) == {"prediction": None, "scores": {"iou": 1.0}}
    assert predict_and_score(net, found, HERE, empty)["scores"] == {"iou": 0.0}


@given(st.integers(0, 2), st.sampled_from(["x", "y", "z"]))
def test_classification_is_scored(best: int, label: str) -> None:
    """A class is right when its name is the label."""
    net = network("classification", {"classes": {"tensor": "c", "names": ["x", "y", "z"]}})
    row = predict_and_score(net, {"c": scores_for([best], 3)}, HERE, Sample("a", Path("a"), label=label))
    assert row == {"prediction": "xyz"[best], "scores": {"accuracy": float("xyz"[best] == label)}}


@given(st.lists(st.dictionaries(st.sampled_from(["exact", "country"]), st.floats(0, 1)), max_size=10))
def test_means_are_over_those_that_have_it(scores: list[dict[str, float]]) -> None:
    """The mean of a metric is over the samples that have it, and a metric that no sample has is left out."""
    found = means(scores)
    for name in ("exact", "country"):
        have = [s[name] for s in scores if name in s]
        assert (name in found) is bool(have)
        if have:
            assert found[name] == pytest.approx(sum(have) / len(have))


def test_every_task_has_its_metric() -> None:
    """Each task that model.json may name has a main metric."""
    assert set(METRICS) == {"detection", "reading", "classification", "segmentation"}
    assert all(METRICS.values())
