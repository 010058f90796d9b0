"""A stream: every frame gives one line, each source's in their order, whatever runs at the same time."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.streaming import FrameReading, Tracking
from shared.inference import stream as stream_module
from shared.inference.frames import Frame, SourceCounts
from shared.inference.pipeline import LoadedNode
from shared.inference.stream import AHEAD, run_stream
from tests.unit.test_pipeline import BOX, READ, TEXT, found, node

OFF = Tracking()


class Grey:
    """A picture of one grey, which says which frame it is of."""

    height, width = 24, 32

    def __init__(self, value: int) -> None:
        self._value = value

    def bgr(self) -> Any:
        return np.full((self.height, self.width, 3), self._value, np.uint8)


class Numbers:
    """A source of so many frames; each waits as its pace says before it is there."""

    def __init__(
        self, name: str, count: int, is_live: bool = False, pace_s: Callable[[int], float] = lambda _: 0.0
    ) -> None:
        self.name, self.is_live, self.counts = name, is_live, SourceCounts()
        self.yielded = 0
        self._count, self._pace_s = count, pace_s

    def frames(self) -> Iterator[Frame]:
        for number in range(self._count):
            time.sleep(self._pace_s(number))
            self.yielded += 1
            yield Frame(self.name, number, number / 25, "", time.perf_counter_ns(), Grey(number % 256))

    def close(self) -> None:
        """It holds nothing."""


class Broken(Numbers):
    """A source whose third frame cannot be had."""

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            if frame.number == 2:
                raise OSError("the cable was pulled")
            yield frame


def nodes(delay: Callable[[], float] = lambda: 0.0) -> Sequence[LoadedNode]:
    """A detector that finds one box after a while, and a reader that reads AB in it."""

    def detect(_: Any) -> dict[str, Any]:
        time.sleep(delay())
        return found(2, 3, 12, 9)

    return [node("detector", BOX, detect), node("reader", TEXT, READ, "detector")]


def read(
    sources: Sequence[Numbers], workers: int = 2, delay: Callable[[], float] = lambda: 0.0, **more: Any
) -> list[FrameReading]:
    readings: list[FrameReading] = []
    every = [nodes(delay) for _ in range(workers)]
    totals = run_stream(sources, every, lambda reading, _: readings.append(reading), OFF, **more)
    assert totals.frames == len(readings) == len(totals.latency_ns)
    return readings


@settings(deadline=None, max_examples=25)
@given(
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    workers=st.integers(1, 5),
    delays=st.lists(st.sampled_from([0.0, 0.0005, 0.003]), min_size=1, max_size=7),
)
def test_every_frame_gives_one_line_in_its_order(
    counts: list[int], workers: int, delays: list[float]
) -> None:
    turns = iter(range(10**6))
    sources = [Numbers(str(number), count) for number, count in enumerate(counts)]
    readings = read(sources, workers, lambda: delays[next(turns) % len(delays)])
    for source, count in zip(sources, counts, strict=True):
        own = [reading.frame for reading in readings if reading.source == source.name]
        assert own == list(range(count))


def test_what_is_read_does_not_depend_on_the_workers() -> None:
    one_by_one = read([Numbers("a", 20)], 1, one_by_one=True)
    side_by_side = read([Numbers("a", 20)], 4)
    expected = [one.objects for one in one_by_one]
    assert [one.objects for one in side_by_side] == expected
    (seen,) = side_by_side[3].objects
    assert (seen.box, seen.score, seen.answers["reader"].text) == ((2, 3, 12, 9), 0.9, "AB")


def test_a_file_waits_for_room() -> None:
    """No more frames are decoded than wait and are at work, however slow the networks are."""
    source = Numbers("a", 40)
    ahead: list[int] = []

    def told(reading: FrameReading, _: Frame) -> None:
        ahead.append(source.yielded - reading.frame)

    run_stream([source], [nodes(lambda: 0.002)] * 1, told, OFF)
    assert max(ahead) <= AHEAD + 3


def test_of_a_live_source_the_newest_frames_win() -> None:
    source = Numbers("camera", 60, is_live=True)
    readings = read([source], 1, lambda: 0.005)
    assert len(readings) + source.counts.dropped == 60
    assert source.counts.dropped > 0
    assert readings[-1].frame == 59
    numbers = [one.frame for one in readings]
    assert numbers == sorted(numbers)


def test_frames_of_a_live_source_are_not_old_when_they_are_taken() -> None:
    """However slow the networks are, one waits for each worker, and no more."""
    behind: list[int] = []

    class Camera(Numbers):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                yield replace(frame, picture=Seen(frame.number))

    class Seen(Grey):
        def bgr(self) -> Any:
            behind.append(source.yielded - 1 - self._value)
            return super().bgr()

    source = Camera("camera", 150, True, lambda _: 0.001)
    read([source], 1, lambda: 0.01)
    assert median(behind) <= 2


def test_several_sources_share_the_workers_evenly() -> None:
    """When the shortest way through four files of one length is half done, all are."""
    readings = read([Numbers(str(number), 30) for number in range(4)], 2, lambda: 0.002)
    half = readings[:60]
    counts = Counter(one.source for one in half)
    assert len(counts) == 4
    assert max(counts.values()) - min(counts.values()) <= AHEAD


def test_a_worker_does_not_run_far_ahead_of_a_slow_frame() -> None:
    slow = iter([0.3])
    source = Numbers("a", 200)
    begun = time.perf_counter()
    most = 0

    def told(reading: FrameReading, _: Frame) -> None:
        nonlocal most
        if reading.frame == 0:
            most = source.yielded

    run_stream([source], [nodes(lambda: next(slow, 0.0)) for _ in range(2)], told, OFF)
    assert most <= stream_module.EARLY * 2 + AHEAD + 4
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("one_by_one", [True, False])
def test_an_error_of_a_source_ends_the_stream_and_is_told(one_by_one: bool) -> None:
    with pytest.raises(OSError, match="cable"):
        read([Broken("a", 9), Numbers("b", 1000)], 2, one_by_one=one_by_one)
    assert not _streaming()


def test_an_error_of_a_network_ends_the_stream_and_is_told() -> None:
    def fail(_: Any) -> dict[str, Any]:
        raise ValueError("out of memory")

    broken = [node("detector", BOX, fail)]
    with pytest.raises(ValueError, match="out of memory"):
        run_stream([Numbers("a", 10**6)], [broken, broken], lambda *_: None, OFF)
    assert not _streaming()


@pytest.mark.parametrize("one_by_one", [True, False])
def test_an_interrupt_ends_the_stream(one_by_one: bool) -> None:
    def told(reading: FrameReading, _: Frame) -> None:
        if reading.frame == 3:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    before = threading.active_count()
    source = Numbers("a", 10**6, pace_s=lambda _: 0.001)
    with pytest.raises(KeyboardInterrupt):
        run_stream([source], [nodes(), nodes()], told, OFF, one_by_one=one_by_one)
    assert threading.active_count() == before
    assert source.yielded < 10**6


def test_an_error_of_the_reader_of_lines_ends_the_stream() -> None:
    def full(*_: Any) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_stream([Numbers("a", 10**6)], [nodes(), nodes()], full, OFF)
    assert not _streaming()


def _streaming() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "_guarded" in thread.name]


def test_frames_between_have_the_objects_of_their_tracks() -> None:
    readings: list[FrameReading] = []
    calls: list[int] = []

    def detect(_: Any) -> dict[str, Any]:
        calls.append(1)
        return found(2, 3, 12, 9)

    workers = [[node("detector", BOX, detect), node("reader", TEXT, READ, "detector")] for _ in range(3)]
    tracking = Tracking(interval=3, vote=True)
    run_stream([Numbers("a", 10)], workers, lambda reading, _: readings.append(reading), tracking)
    assert [one.frame for one in readings] == list(range(10))
    assert len(calls) == 4
    between = [number % 3 != 0 for number in range(10)]
    assert [one.objects[0].is_tracked for one in readings] == between
    assert {one.objects[0].track for one in readings} == {1}
    assert readings[-1].objects[0].vote["reader"].text == "AB"
    assert readings[-1].objects[0].vote["reader"].frames == 4


def test_objects_go_on_by_the_numbers_of_frames() -> None:
    """Where frames before one were dropped, what moves is as much farther as they are many."""
    readings: list[FrameReading] = []

    class Gaps(Numbers):
        def frames(self) -> Iterator[Frame]:
            taken = (0, 1, 2, 3, 4, 7)
            return (frame for frame in super().frames() if frame.number in taken)

    def detect(image: Any) -> dict[str, Any]:
        number = float(image[0, 0, 0, 0])
        return found(2 + number, 3, 12 + number, 9)

    tracking = Tracking(interval=2)
    nodes_of_one = [node("detector", BOX, detect)]
    run_stream([Gaps("a", 9)], [nodes_of_one], lambda one, _: readings.append(one), tracking)
    last = readings[-1]
    assert (last.frame, last.objects[0].is_tracked) == (7, True)
    assert last.objects[0].box == pytest.approx((9, 3, 19, 9))


def test_times_add_up() -> None:
    """Steps of one frame after the other are the whole time, but for what lies between them."""
    totals = run_stream([Numbers("a", 20)], [nodes(lambda: 0.002)], lambda *_: None, OFF, one_by_one=True)
    assert sum(totals.steps_ns.values()) <= totals.seconds * 1e9
    assert sum(totals.steps_ns.values()) >= 0.8 * totals.seconds * 1e9
    assert totals.steps_ns["detector"] >= 20 * 2e6
