"""Many objects are worth what COCO's own program says, and what they lose has an honest interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockyard.judge.mean_ap_drop import mean_ap_drop, resampled_mean_ap
from dockyard.judge.quality_changes import drop_of
from dockyard.run.mean_ap import evaluated
from shared.contract.coco import TrueObject
from shared.contract.dataset import Sample
from shared.contract.measurement import MEAN_AP, MEAN_AP_50, ObjectTruth, Quality, SampleScore
from shared.contract.outputs import BoxClasses, BoxOutput, DetectionOutputs, ObjectsOutput, Task
from shared.harness.detection_scoring import average_precision
from shared.harness.scoring import score
from shared.inference.decoding import FoundObjects, ScoredBox
from tests.unit.test_scoring import network

Row = tuple[float, ...]

BOX = (0.0, 0.0, 10.0, 10.0)
FAR = (50.0, 50.0, 70.0, 70.0)


def quality(images: Sequence[tuple[Sequence[Row], Sequence[Row]]], classes: int = 2) -> Quality:
    """The quality of images, each with what was found and what is true."""
    samples = [
        SampleScore(str(number), {"ap": 0.5}, tuple(found)) for number, (found, _) in enumerate(images)
    ]
    truth = {str(number): tuple(true) for number, (_, true) in enumerate(images)}
    names = tuple(map(str, range(classes)))
    bare = Quality(MEAN_AP, {}, tuple(samples), truth=ObjectTruth(names, truth))
    return replace(bare, metrics=evaluated(bare).metrics)


def found(box: Row, sure: float, number: int = 0) -> Row:
    return (*box, sure, float(number))


def true(box: Row, number: int = 0, crowd: int = 0) -> Row:
    return (*box, float(number), float(crowd))


def test_by_hand() -> None:
    """All right is 1, one of two 51 of 101 recalls; a surer wrong one halves; a loose box counts at half."""
    right = ([found(BOX, 0.9)], [true(BOX)])
    assert quality([right]).metrics == {MEAN_AP: pytest.approx(1), MEAN_AP_50: pytest.approx(1)}
    half = ([found(BOX, 0.9)], [true(BOX), true(FAR)])
    assert quality([half]).value == pytest.approx(51 / 101)
    beside = ([found(FAR, 0.95), found(BOX, 0.9)], [true(BOX)])
    assert quality([beside]).value == pytest.approx(0.5)
    loose = ([found((0, 0, 10, 7), 0.9)], [true(BOX)])  # IoU 0.7: right at 0.5, 0.55, ..., 0.7
    assert quality([loose]).metrics == {MEAN_AP: pytest.approx(0.5), MEAN_AP_50: pytest.approx(1)}


def test_classes_are_averaged_and_crowds_left_out() -> None:
    """A class without an object does not count; what lies in a crowd is neither right nor wrong."""
    images = [
        ([found(BOX, 0.9), found(FAR, 0.95)], [true(BOX), true(FAR, crowd=1)]),
        ([found(BOX, 0.9, 1)], [true(BOX, 1), true(FAR, 1)]),
    ]
    assert quality(images, 3).value == pytest.approx((1 + 51 / 101) / 2)


boxes = st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 12)] * 2).map(
    lambda b: (float(b[0]), float(b[1]), float(b[0] + b[2]), float(b[1] + b[3]))
)
truths = st.builds(true, boxes, st.integers(0, 1), st.sampled_from([0, 0, 0, 1]))
answers = st.builds(found, boxes, st.sampled_from([0.2, 0.4, 0.6, 0.8]), st.integers(0, 1))
images = st.lists(st.tuples(st.lists(answers, max_size=5), st.lists(truths, max_size=4)), max_size=5)
WITH_ONE = ([found(BOX, 0.5)], [true(BOX)])


@settings(max_examples=60)
@given(images, st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_a_resample_is_what_cocos_program_says(
    drawn: list[tuple[list[Row], list[Row]]], times: list[int]
) -> None:
    """Images drawn several times are worth what COCO's program says of so many copies."""
    every = [*drawn, WITH_ONE]
    counts = [*times[: len(drawn)], 1]
    copies = [image for image, count in zip(every, counts, strict=True) for _ in range(count)]
    resampled = resampled_mean_ap(evaluated(quality(every)).classes, np.asarray([counts], np.int32))
    assert resampled[0] == pytest.approx(quality(copies).value, abs=1e-9)


def test_a_drop_and_its_interval() -> None:
    """A drop of mAP lies in its interval; against itself there is none; a subset is paired by its images."""
    generator = np.random.default_rng(3)
    images, worse = [], []
    for _ in range(40):
        box = (*generator.uniform(0, 20, 2), *generator.uniform(30, 60, 2))
        shift = generator.normal(0, 1, 4)
        rows = [found(tuple(np.add(box, factor * shift)), 0.9) for factor in (1, 3)]
        images.append(([rows[0]], [true(box)]))
        worse.append(([rows[1]], [true(box)]))
    reference, variant = quality(images), quality(worse)
    drop = drop_of(reference, variant)
    assert drop.estimate == pytest.approx(reference.value - variant.value)
    assert 0 < drop.low < drop.estimate < drop.high < 1
    assert drop == mean_ap_drop(reference, variant)
    own = drop_of(reference, reference)
    assert (own.estimate, own.low, own.high) == (0, 0, 0)
    part = quality(worse[:10])
    assert drop_of(reference, part).estimate == pytest.approx(quality(images[:10]).value - part.value)


def test_the_score_of_one_image() -> None:
    """An image scores 1 where all is found and no surer one is wrong, less for what is missed or invented."""
    objects = [TrueObject(BOX, "a"), TrueObject(FAR, "b")]
    both = [ScoredBox(BOX, 0.9, "a"), ScoredBox(FAR, 0.8, "b")]
    invented = ScoredBox((80, 0, 90, 9), 0.85, "a")
    assert average_precision(both, objects, has_names=True) == 1
    assert average_precision([*both, invented], objects, has_names=True) == 1
    assert average_precision(both[:1], objects, has_names=True) == 0.5
    assert average_precision([invented, *both], objects, has_names=True) == pytest.approx((2 / 3 + 2 / 3) / 2)
    swapped = [replace(one, name="b") for one in both]
    assert average_precision(swapped, objects, has_names=True) == pytest.approx(0.25)
    assert average_precision(swapped, objects, has_names=False) == 1
    assert average_precision([invented], [], has_names=True) == pytest.approx(0.15)
    assert average_precision([], [], has_names=True) == 1
    crowd = TrueObject((70, 0, 100, 20), "a", is_crowd=True)
    assert average_precision([invented], [crowd], has_names=True) == 1
    assert average_precision([invented, *both], [*objects, crowd], has_names=True) == 1


def test_what_was_found_is_told() -> None:
    """A sample names its objects as numbers: box, score, class; nothing where nothing was found."""
    outputs = DetectionOutputs(BoxOutput("b"), objects=ObjectsOutput(None, BoxClasses(("a", "b"), "c")))
    net = network(Task.DETECTION, outputs)
    sample = Sample("x", Path("x"), objects=(TrueObject(BOX, "b"),))
    told = score(net, FoundObjects((ScoredBox((0.004, 0, 10, 10), 0.123456, "b"),)), sample)
    assert told == SampleScore("x", {"ap": 1.0}, ((0.0, 0, 10, 10, 0.12346, 1.0),))
    assert score(net, None, sample) == SampleScore("x", {"ap": 0.0})
