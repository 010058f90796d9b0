"""The objects of an image are counted as right, misread, missed or invented, each once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.measurement import ObjectCounts, SampleScore, sum_of_counts
from shared.contract.streaming import Answer, ReadObject, TrueObject, Vote
from shared.harness.object_scoring import quality_of_objects, score_objects

Box = tuple[float, float, float, float]


def box_at(x: float) -> Box:
    """A box of 100 by 20."""
    return x, 50.0, x + 100.0, 70.0


def found(x: float, text: str | None = "AB12", country: str | None = "D") -> ReadObject:
    return ReadObject(box_at(x), answers={} if text is None else {"reader": Answer(text, country)})


def true(x: float, text: str | None = "AB12", country: str | None = "D", is_whole: bool = True) -> TrueObject:
    return TrueObject(box_at(x), text, country, is_whole)


def scored(read: Sequence[ReadObject], truth: Sequence[TrueObject], has_country: bool = True) -> SampleScore:
    return score_objects("images/0.png", read, truth, "reader", has_country)


@pytest.mark.parametrize(
    ("read", "truth", "counts"),
    [
        ([], [], ObjectCounts()),
        ([found(0)], [true(0)], ObjectCounts(right=1)),
        ([found(0, "AB13")], [true(0)], ObjectCounts(misread=1)),
        ([found(0, None)], [true(0)], ObjectCounts(misread=1)),
        ([], [true(0)], ObjectCounts(missed=1)),
        ([found(0)], [], ObjectCounts(invented=1)),
        # An IoU of 0.5 is enough: a third of the width apart; a little more is another place.
        ([found(33)], [true(0)], ObjectCounts(right=1)),
        ([found(34)], [true(0)], ObjectCounts(missed=1, invented=1)),
        # Two boxes of one object: the surer takes it.
        ([found(0), found(10)], [true(0)], ObjectCounts(right=1, invented=1)),
        ([found(10, "X"), found(0)], [true(0)], ObjectCounts(misread=1, invented=1)),
        ([found(300, "B"), found(0, "A")], [true(0, "A"), true(300, "B")], ObjectCounts(right=2)),
        ([found(300, "A"), found(0, "B")], [true(0, "A"), true(300, "B")], ObjectCounts(misread=2)),
        # What cannot be read, or nobody said, neither counts nor costs; nor does what lies in it.
        ([found(0)], [true(0, is_whole=False)], ObjectCounts()),
        ([found(0)], [true(0, None)], ObjectCounts()),
        ([], [true(0, None), true(300, is_whole=False)], ObjectCounts()),
        ([found(0), found(40)], [true(0), true(0, is_whole=False)], ObjectCounts(right=1)),
        ([found(60)], [true(0, is_whole=False)], ObjectCounts(invented=1)),
    ],
)
def test_each_object_counts_once(
    read: list[ReadObject], truth: list[TrueObject], counts: ObjectCounts
) -> None:
    assert scored(read, truth).counts == counts


def test_what_was_voted_counts_before_what_was_read_of_the_frame() -> None:
    one = ReadObject(box_at(0), answers={"reader": Answer("X")}, vote={"reader": Vote("AB12", "D", 0.9, 3)})
    assert scored([one], [true(0)]).counts == ObjectCounts(right=1)


def test_an_images_scores_and_what_was_read_in_it() -> None:
    sample = scored([found(0), found(300, "X", "F")], [true(0), true(300), true(600, country=None)])
    assert sample.scores == {"exact": pytest.approx(2 / 5), "country": 0.5}
    assert sample.prediction == "AB12, X"
    assert scored([], []).prediction is None
    assert set(scored([found(0)], [true(0)], has_country=False).scores) == {"exact"}


def test_the_metrics_are_those_of_all_objects_together() -> None:
    """An image with four plates weighs as four: 3 of 5 found are right, 3 of 6 that are there."""
    counts = [ObjectCounts(right=3, misread=1), ObjectCounts(missed=2), ObjectCounts(invented=1)]
    samples = [SampleScore(str(n), {"exact": one.exact}, counts=one) for n, one in enumerate(counts)]
    quality = quality_of_objects(samples)
    assert list(quality.metrics) == ["exact", "precision", "recall"]
    assert quality.metrics == pytest.approx({"precision": 3 / 5, "recall": 3 / 6, "exact": 6 / 11})
    assert quality.value == quality.metrics["exact"]


counts = st.builds(ObjectCounts, *[st.integers(0, 5)] * 4)


@given(st.lists(counts, max_size=8))
def test_the_three_shares_hold_together(images: list[ObjectCounts]) -> None:
    """Exact is the harmonic mean of precision and recall, and all lie within 0 and 1."""
    whole = sum_of_counts(images)
    assert whole.found - whole.invented == whole.true - whole.missed
    precision, recall = whole.precision, whole.recall
    assert all(0 <= share <= 1 for share in whole.metrics.values())
    if whole.found and whole.true and whole.right:
        assert whole.exact == pytest.approx(2 * precision * recall / (precision + recall))


places = st.lists(st.tuples(st.integers(0, 6).map(lambda n: n * 50.0), st.sampled_from("AB")), max_size=5)


@given(places, places)
def test_nothing_is_counted_twice(read: list[tuple[float, str]], truth: list[tuple[float, str]]) -> None:
    there = [true(*one) for one in truth]
    sample = scored([found(*one) for one in read], there)
    assert sample.counts is not None
    assert (sample.counts.found, sample.counts.true) == (len(read), len(truth))
