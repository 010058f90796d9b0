"""The readings of a video's frames are scored as `score_frame` says, and two runs are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.streaming import Answer, FrameReading, ReadObject, TrueFrame, TrueObject, Vote
from shared.harness.clip_scoring import (
    Differences,
    count_different,
    quality_of_frames,
    score_frame,
    truth_of,
)

Box = tuple[float, float, float, float]


def box_at(x: float) -> Box:
    """A box of 100 by 20."""
    return x, 50.0, x + 100.0, 70.0


def found(x: float, text: str | None = "AB12", country: str | None = "D", **more: object) -> ReadObject:
    answers = {} if text is None else {"reader": Answer(text, country)}
    return replace(ReadObject(box_at(x), answers=answers), **more)  # type: ignore[arg-type]


def true(x: float, text: str | None = "AB12", country: str | None = "D", is_whole: bool = True) -> TrueObject:
    return TrueObject(box_at(x), text, country, is_whole)


def read(*objects: ReadObject, frame: int = 7) -> FrameReading:
    return FrameReading("clip.mp4", frame, frame / 25, tuple(objects))


def scores_of(read_objects: Sequence[ReadObject], true_objects: Sequence[TrueObject]) -> dict[str, float]:
    return dict(score_frame(read(*read_objects), TrueFrame(7, tuple(true_objects)), "reader").scores)


@pytest.mark.parametrize(
    ("read_objects", "true_objects", "exact", "country", "boxes"),
    [
        ([], [], 1.0, None, None),
        ([found(0)], [true(0)], 1.0, 1.0, 1.0),
        ([found(0, "AB13", "F")], [true(0)], 0.0, 0.0, 1.0),
        ([found(0, "AB13")], [true(0)], 0.0, 1.0, 1.0),
        ([found(0, None)], [true(0)], 0.0, 0.0, 1.0),
        ([], [true(0)], 0.0, 0.0, 0.0),
        ([found(0)], [], 0.0, None, None),
        ([found(45)], [true(0)], 1.0, 1.0, 0.0),
        ([found(60)], [true(0)], 0.0, 0.0, 0.0),
        ([found(0), found(300)], [true(0)], 0.5, 1.0, 1.0),
        ([found(0)], [true(0), true(300)], 0.5, 0.5, 0.5),
        ([found(300, "X1"), found(0)], [true(0), true(300, "X1")], 1.0, 1.0, 1.0),
        ([found(0), found(2)], [true(0)], 0.5, 1.0, 1.0),
        ([found(0, "?")], [true(0, is_whole=False)], 1.0, None, None),
        ([], [true(0, is_whole=False)], 1.0, None, None),
        ([found(0, "?"), found(300)], [true(0, is_whole=False), true(300)], 1.0, 1.0, 1.0),
        ([found(0, "?")], [true(0, None, None)], 1.0, None, 1.0),
        ([found(0)], [true(0, "AB12", None)], 1.0, None, 1.0),
    ],
)
def test_scores_by_hand(
    read_objects: list[ReadObject],
    true_objects: list[TrueObject],
    exact: float,
    country: float | None,
    boxes: float | None,
) -> None:
    """Each score of known frames is the one that the description gives; what cannot be said is missing."""
    expected = {"exact": exact, "country": country, "boxes": boxes}
    known = {name: value for name, value in expected.items() if value is not None}
    assert scores_of(read_objects, true_objects) == pytest.approx(known)


def test_a_sample_is_named_after_its_frame_and_says_what_was_read() -> None:
    """The id sorts as the frames do; the prediction is what was read, or nothing."""
    sample = score_frame(read(found(0), found(300, "X1"), found(600, None)), TrueFrame(7), "reader")
    assert (sample.id, sample.prediction) == ("000007", "AB12 X1")
    assert score_frame(read(), TrueFrame(7), "reader").prediction is None


def test_the_vote_is_scored_where_there_is_one() -> None:
    """What the frames of a track say together beats what this one says."""
    vote = {"reader": Vote("AB12", "D", 0.9, 5)}
    sample = score_frame(read(found(0, "AB1Z", "F", vote=vote)), TrueFrame(7, (true(0),)), "reader")
    assert (sample.scores["exact"], sample.scores["country"], sample.prediction) == (1.0, 1.0, "AB12")


def test_a_network_without_a_head_for_the_country_is_not_scored_on_it() -> None:
    sample = score_frame(read(found(0, "AB12", None)), TrueFrame(7, (true(0),)), "reader", has_country=False)
    assert sample.scores == {"exact": 1.0, "boxes": 1.0}


places = st.sampled_from([0.0, 3.0, 40.0, 300.0, 320.0])
symbols = st.sampled_from(["A", "B"])
some_found = st.lists(st.builds(found, places, st.none() | symbols, st.none() | symbols), max_size=4)
some_true = st.lists(
    st.builds(true, places, st.none() | symbols, st.none() | symbols, st.booleans()), max_size=4
)


@given(some_found, some_true)
def test_scores_are_shares(read_objects: list[ReadObject], true_objects: list[TrueObject]) -> None:
    """Whatever is found and true, every score is a share."""
    scores = scores_of(read_objects, true_objects)
    assert set(scores) <= {"exact", "country", "boxes"}
    assert all(0 <= value <= 1 for value in scores.values())


@given(st.lists(st.tuples(some_found, some_true), min_size=1, max_size=5))
def test_each_metric_is_the_mean_of_its_samples(
    frames: list[tuple[list[ReadObject], list[TrueObject]]],
) -> None:
    """The quality of a stream is what the host checks it for."""
    samples = []
    for number, (read_objects, true_objects) in enumerate(frames):
        truth = TrueFrame(number, tuple(true_objects))
        samples.append(score_frame(read(*read_objects, frame=number), truth, "reader"))
    quality = quality_of_frames(samples)
    assert quality.main == "exact"
    for name, value in quality.metrics.items():
        scores = list(quality.scores(name).values())
        assert value == pytest.approx(sum(scores) / len(scores))


@given(st.sets(st.sampled_from([0.0, 200.0, 400.0, 600.0])), symbols)
def test_a_run_is_right_by_its_own_readings(xs: set[float], text: str) -> None:
    """What is made of a run's readings has that run read every frame right."""
    reading = read(*(found(x, text) for x in sorted(xs)))
    truth = truth_of([reading], "reader")
    assert set(truth) == {7}
    scores = score_frame(reading, truth[7], "reader").scores
    assert set(scores.values()) == {1.0}


def test_a_box_beyond_the_frame_is_cut_off_in_what_counts_as_true() -> None:
    """A truth file has no negative places; what lies wholly outside is not there."""
    reading = read(
        replace(found(0), box=(-10.0, -5.0, 90.0, 15.0)), replace(found(0), box=(-9.0, 0.0, -1.0, 9.0))
    )
    assert [one.box for one in truth_of([reading], "reader")[7].objects] == [(0.0, 0.0, 90.0, 15.0)]


def test_differences_of_two_runs() -> None:
    """Each kind of difference names its frames; a pixel, and the order of the objects, are none."""
    voted = {"reader": Vote("AB12", "D", 0.9, 5)}
    ours = [
        read(found(0), found(300), frame=0),
        read(found(0), frame=1),
        read(found(0), frame=2),
        read(found(0), frame=3),
        read(found(0), frame=4),
        read(found(0, vote=voted), frame=5),
        read(frame=6),
    ]
    theirs = [
        read(found(301), found(0.5), frame=0),
        read(found(0), found(300), frame=1),
        read(found(2), frame=2),
        read(found(0, "AB1Z"), frame=3),
        read(found(0, "AB12", "F"), frame=4),
        read(found(0, vote={"reader": replace(voted["reader"], text="X")}), frame=5),
        read(frame=7),
    ]
    found_differences = count_different(ours, theirs)
    assert found_differences == Differences(8, (6, 7), objects=(1, 2), texts=(3, 5), countries=(4,))
    assert found_differences.different == (1, 2, 3, 4, 5, 6, 7)
    assert count_different(ours, ours).different == ()
