"""Objects keep their tracks, and tracks their votes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.streaming import Answer, ReadObject, Tracking
from shared.inference.tracking import MOST_SAID, UNSEEN_FRAMES, Tracker

EVERY = Tracking(vote=True)


def plate(x: float, text: str = "AB1", confidence: float | None = 0.9, y: float = 50) -> ReadObject:
    return ReadObject((x, y, x + 100, y + 30), 0.9, {"reader": Answer(text, "D", confidence)})


def tracks(found: tuple[ReadObject, ...]) -> list[int | None]:
    return [one.track for one in found]


def test_an_object_that_moves_keeps_its_track() -> None:
    tracker = Tracker(EVERY)
    seen = [tracker.follow(frame, [plate(10 + 8 * frame)]) for frame in range(30)]
    assert [tracks(found) for found in seen] == [[1]] * 30


def test_an_object_that_is_missed_for_a_while_keeps_its_track() -> None:
    tracker = Tracker(EVERY)
    for frame in range(10):
        tracker.follow(frame, [plate(10 + 20 * frame)])
    for frame in range(10, 15):
        assert tracker.follow(frame, []) == ()
    assert tracks(tracker.follow(15, [plate(10 + 20 * 15)])) == [1]


def test_an_object_that_is_long_gone_is_another() -> None:
    tracker = Tracker(EVERY)
    tracker.follow(0, [plate(10)])
    for frame in range(1, UNSEEN_FRAMES + 2):
        tracker.follow(frame, [])
    assert tracks(tracker.follow(UNSEEN_FRAMES + 2, [plate(10)])) == [2]


def test_two_that_cross_keep_their_tracks() -> None:
    tracker = Tracker(EVERY)
    for frame in range(40):
        right, left = plate(10 + 10 * frame, "RIGHT"), plate(410 - 10 * frame, "LEFT", y=70)
        found = tracker.follow(frame, [right, left])
    by_text = {one.answers["reader"].text: one.track for one in found}
    assert by_text == {"RIGHT": 1, "LEFT": 2}


def test_between_frames_a_box_goes_on_as_it_went() -> None:
    tracker = Tracker(Tracking(interval=4))
    tracker.follow(0, [plate(100)])
    tracker.follow(4, [plate(140)])
    (carried,) = tracker.carry(6, 1280, 720)
    assert carried.is_tracked
    assert carried.box == pytest.approx((160, 50, 260, 80))
    assert carried.answers["reader"].text == "AB1"


def test_what_was_not_found_last_is_not_carried_on() -> None:
    tracker = Tracker(Tracking(interval=2))
    tracker.follow(0, [plate(100)])
    tracker.follow(2, [])
    assert tracker.carry(3, 1280, 720) == ()


def test_a_box_is_carried_to_the_edge_of_the_frame_and_no_further() -> None:
    tracker = Tracker(Tracking(interval=2))
    tracker.follow(0, [plate(1100)])
    tracker.follow(2, [plate(1160)])
    (carried,) = tracker.carry(3, 1280, 720)
    assert carried.box == pytest.approx((1190, 50, 1280, 80))
    assert tracker.carry(7, 1280, 720) == ()


def test_a_track_that_is_seen_for_weeks_keeps_a_bounded_number_of_readings() -> None:
    tracker = Tracker(Tracking(vote=True))
    for frame in range(3 * MOST_SAID):
        tracker.follow(frame, [plate(10, "AB1", 1.0)])
        (seen,) = tracker.follow(frame, [plate(10, f"misread {frame}", 0.01)])
    assert seen.vote["reader"].text == "AB1"
    (track,) = tracker._tracks
    assert len(track.votes["reader"]) <= MOST_SAID


def test_a_source_that_begins_anew_has_other_objects() -> None:
    tracker = Tracker(EVERY)
    for frame in range(5):
        tracker.follow(frame, [plate(10 + 8 * frame)])
    assert tracks(tracker.follow(0, [plate(42)])) == [2]


def test_the_vote_is_with_those_who_are_sure() -> None:
    tracker = Tracker(EVERY)
    for frame, (text, confidence) in enumerate((("AB1", 0.95), ("A81", 0.3), ("A81", 0.3))):
        (seen,) = tracker.follow(frame, [plate(10, text, confidence)])
    vote = seen.vote["reader"]
    assert (vote.text, vote.country, vote.frames) == ("AB1", "D", 3)
    assert vote.confidence == pytest.approx(0.95 / 1.55)


@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 1000), st.sampled_from("AB"), st.floats(0, 1)), max_size=4),
        max_size=12,
    ),
    st.booleans(),
)
def test_whatever_is_found(frames: list[list[tuple[float, str, float]]], vote: bool) -> None:
    """Each object has a track of its own in its frame, and votes are shares."""
    tracker = Tracker(Tracking(vote=vote))
    for number, found in enumerate(frames):
        objects = [plate(x, text, confidence) for x, text, confidence in found]
        told = tracker.follow(number, objects)
        boxes = [one.box for one in objects]
        assert [one.box for one in told] == boxes
        assert len(set(tracks(told))) == len(objects)
        for one in told:
            assert bool(one.vote) == vote
            for own in one.vote.values():
                assert 0 <= own.confidence <= 1
