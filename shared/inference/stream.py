"""Frames of several sources through a pipeline: read side by side, told in their order.

A thread for each source decodes ahead, as far as its short queue lets it; worker threads take the frames in
turn from the sources, read them, and tell what they have read as soon as all before it is told. Nothing is
kept that is not at work or in a queue, so memory stays as it is however long a video is.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from time import perf_counter_ns, process_time_ns
from typing import Callable, Deque, Dict, Iterator, List, Optional, Sequence, Tuple

from shared.contract.streaming import (
    COLOUR,
    DECODE,
    TRACK,
    WAIT,
    FrameReading,
    ReadObject,
    StreamTotals,
    Tracking,
)
from shared.inference.frames import Frame, Source, SourceCounts
from shared.inference.objects import read_objects
from shared.inference.pipeline import Clock, LoadedNode
from shared.inference.tracking import Tracker

AHEAD = 4
"""Decoded frames of a source that wait for a worker, at most; 1.4 MB each at 1280x720. Of a live source as
many as there are workers where those are fewer: a worker takes the oldest, which should not be old.
"""

EARLY = 4
"""Frames that were read before their turn and wait for it, at most, for each worker."""

OnReading = Callable[[FrameReading, Frame], None]
"""Is given each line with its frame, those of one source in their order, one at a time."""

Nodes = Sequence[LoadedNode]


def run_stream(
    sources: Sequence[Source],
    workers: Sequence[Nodes],
    on_reading: OnReading,
    tracking: Tracking,
    *,
    one_by_one: bool = False,
    latencies: Optional[int] = None,
) -> StreamTotals:
    """Read sources to their end. Nothing is left running, whatever is raised meanwhile.

    Args:
        workers: for each the nodes that it runs, which no other calls.
        one_by_one: the first worker alone, in this thread, which decodes too: the sequential pipeline.
        latencies: how many are kept, the newest: a camera is read for weeks. None keeps all.

    Raises:
        BaseException: what a source, a network or `on_reading` raised; the frames before are told.
    """
    teller = _Teller(sources, on_reading, tracking, len(workers), latencies)
    started, cpu = perf_counter_ns(), process_time_ns()
    if one_by_one:
        _run_one_by_one(sources, workers[0], teller)
    else:
        _run_side_by_side(sources, workers, teller)
    return teller.totals((perf_counter_ns() - started) / 1e9, (process_time_ns() - cpu) / 1e9)


@dataclass(frozen=True)
class _Taken:
    """A frame at work.

    Attributes:
        source: its number.
        place: of the frame in the order of those taken of its source.
        taken_ns: when a worker took it.
    """

    source: int
    place: int
    frame: Frame
    taken_ns: int


@dataclass(frozen=True)
class _Read:
    """What was read of a frame; no objects where it did not go through the networks."""

    taken: _Taken
    objects: Optional[Sequence[ReadObject]]
    clock: Clock
    done_ns: int


@dataclass
class _Line:
    """One source's frames on the way to their lines.

    Attributes:
        next_place: of the frame that is told next.
        early: frames whose turn has not come, by their places.
    """

    tracker: Tracker
    next_place: int = 0
    early: Dict[int, _Read] = field(default_factory=dict)


class _Teller:
    """Tells what was read, the frames of each source in their order, and adds up what it took."""

    def __init__(
        self,
        sources: Sequence[Source],
        on_reading: OnReading,
        tracking: Tracking,
        workers: int,
        latencies: Optional[int],
    ) -> None:
        self._sources, self._on_reading, self._tracking = sources, on_reading, tracking
        self._lines = [_Line(Tracker(tracking)) for _ in sources]
        self._most_early = EARLY * max(workers, tracking.interval)
        self._turn = threading.Condition()
        self._is_over = False
        self._frames = 0
        self._latency_ns: Deque[int] = deque(maxlen=latencies)
        self._steps_ns: Dict[str, int] = {}
        # Of its own: whoever takes the lines may be slow, and no decoder waits for that.
        self._adding = threading.Lock()

    def is_looked_at(self, taken: _Taken) -> bool:
        """Tell whether a frame goes through the networks."""
        return taken.place % self._tracking.interval == 0

    def add(self, step: str, nanoseconds: int) -> None:
        """Add the time of a step."""
        with self._adding:
            self._steps_ns[step] = self._steps_ns.get(step, 0) + nanoseconds

    def tell(self, read: _Read) -> None:
        """Tell what was read of a frame when its turn has come, and of those that waited for it.

        Whoever is too far ahead of a frame that takes long waits for it here.
        """
        line = self._lines[read.taken.source]
        with self._turn:
            while read.taken.place - line.next_place > self._most_early and not self._is_over:
                self._turn.wait()
            line.early[read.taken.place] = read
            while line.next_place in line.early and not self._is_over:
                self._tell(line, line.early.pop(line.next_place))
                line.next_place += 1
            self._turn.notify_all()

    def give_up(self) -> None:
        """Tell nothing more."""
        with self._turn:
            self._is_over = True
            self._turn.notify_all()

    def _tell(self, line: _Line, read: _Read) -> None:
        turn_ns, frame = perf_counter_ns(), read.taken.frame
        objects = self._followed(line.tracker, read)
        now = perf_counter_ns()
        latency = now - frame.arrived_ns
        waited = (read.taken.taken_ns - frame.arrived_ns) + (turn_ns - read.done_ns)
        spent = {**read.clock.steps, TRACK: now - turn_ns, WAIT: waited}
        for step, nanoseconds in spent.items():
            self.add(step, nanoseconds)
        self._frames += 1
        self._latency_ns.append(latency)
        reading = FrameReading(frame.source, frame.number, frame.time_s, objects, frame.name, latency / 1e6)
        self._on_reading(reading, frame)

    def _followed(self, tracker: Tracker, read: _Read) -> Tuple[ReadObject, ...]:
        """Return what a line says of a frame, with tracks where they are asked for."""
        frame = read.taken.frame
        if read.objects is None:
            return tracker.carry(frame.number, frame.picture.width, frame.picture.height)
        if not self._tracking.is_on:
            return tuple(read.objects)
        return tracker.follow(frame.number, read.objects)

    def totals(self, seconds: float, cpu_s: float) -> StreamTotals:
        whole = SourceCounts()
        for source in self._sources:
            whole.add(source.counts)
        return StreamTotals(
            frames=self._frames,
            dropped=whole.dropped,
            corrupt=whole.corrupt,
            reconnects=whole.reconnects,
            seconds=seconds,
            latency_ns=tuple(self._latency_ns),
            steps_ns=dict(self._steps_ns),
            cpu_s=cpu_s,
        )


def _read(taken: _Taken, nodes: Nodes, teller: _Teller) -> None:
    """Read one frame, and tell it."""
    clock = Clock()
    objects: Optional[Sequence[ReadObject]] = None
    if teller.is_looked_at(taken):
        image = taken.frame.picture.bgr()
        clock.lap(COLOUR)
        objects = read_objects(nodes, image, clock)
    teller.tell(_Read(taken, objects, clock, perf_counter_ns()))


def _run_one_by_one(sources: Sequence[Source], nodes: Nodes, teller: _Teller) -> None:
    """Take a frame of each source in turn, and read it before the next is decoded."""
    running: List[Tuple[int, Iterator[Frame]]] = [(n, one.frames()) for n, one in enumerate(sources)]
    places = [0] * len(sources)
    while running:
        for number, frames in list(running):
            started = perf_counter_ns()
            frame = next(frames, None)
            now = perf_counter_ns()
            teller.add(DECODE, now - started)
            if frame is None:
                running.remove((number, frames))
                continue
            _read(_Taken(number, places[number], frame, now), nodes, teller)
            places[number] += 1


def _run_side_by_side(sources: Sequence[Source], workers: Sequence[Nodes], teller: _Teller) -> None:
    queues = _Queues(sources, len(workers))
    bodies = [partial(_decode, source, number, queues, teller) for number, source in enumerate(sources)]
    bodies += [partial(_work, queues, nodes, teller) for nodes in workers]

    def fail(error: BaseException) -> None:
        queues.fail(error)
        teller.give_up()
        for source in sources:
            source.close()  # one that is waited for would be waited for before the error is told

    ended: "SimpleQueue[None]" = SimpleQueue()
    threads = [threading.Thread(target=_guarded, args=(body, fail, ended), daemon=True) for body in bodies]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
        for _ in started:
            ended.get()  # a join that is interrupted takes its thread for ended (CPython up to 3.12)
    except BaseException as interrupted:
        fail(interrupted)
        raise
    finally:
        for thread in started:
            thread.join()
    if queues.error is not None:
        raise queues.error


def _guarded(
    body: Callable[[], None], fail: Callable[[BaseException], None], ended: "SimpleQueue[None]"
) -> None:
    """Run a thread's work; what it raises ends the stream."""
    try:
        body()
    except BaseException as error:
        fail(error)
    finally:
        ended.put(None)


def _decode(source: Source, number: int, queues: "_Queues", teller: _Teller) -> None:
    """Put the frames of a source into its queue, to its end."""
    frames = source.frames()
    while not queues.is_over:
        started = perf_counter_ns()
        frame = next(frames, None)
        teller.add(DECODE, perf_counter_ns() - started)
        if frame is None:
            break
        queues.put(number, frame)
    queues.end(number)


def _work(queues: "_Queues", nodes: Nodes, teller: _Teller) -> None:
    """Read frame after frame, until there are no more."""
    while True:
        taken = queues.take()
        if taken is None:
            return
        _read(taken, nodes, teller)


class _Queues:
    """The decoded frames that wait, a short queue for each source, and whose turn it is."""

    def __init__(self, sources: Sequence[Source], workers: int) -> None:
        self._sources = sources
        self._rooms = [min(AHEAD, workers) if one.is_live else AHEAD for one in sources]
        self._frames: List[Deque[Frame]] = [deque() for _ in sources]
        self._has_ended = [False for _ in sources]
        self._places = [0 for _ in sources]
        self._last = len(sources) - 1
        self._news = threading.Condition()
        self.error: Optional[BaseException] = None

    @property
    def is_over(self) -> bool:
        """An error has ended the stream."""
        return self.error is not None

    def put(self, number: int, frame: Frame) -> None:
        """Add a frame of a source; where there is no room wait, or, of a live one, drop the oldest."""
        with self._news:
            queue, source = self._frames[number], self._sources[number]
            while len(queue) >= self._rooms[number] and not self.is_over:
                if source.is_live:
                    queue.popleft()
                    source.counts.dropped += 1
                else:
                    self._news.wait()
            queue.append(frame)
            self._news.notify_all()

    def take(self) -> Optional[_Taken]:
        """Return the next frame, of the sources in turn; None when there will be none any more."""
        with self._news:
            while not self.is_over:
                for step in range(1, len(self._frames) + 1):
                    number = (self._last + step) % len(self._frames)
                    if self._frames[number]:
                        return self._take_of(number)
                if all(self._has_ended):
                    return None
                self._news.wait()
        return None

    def _take_of(self, number: int) -> _Taken:
        frame = self._frames[number].popleft()
        taken = _Taken(number, self._places[number], frame, perf_counter_ns())
        self._places[number] += 1
        self._last = number
        self._news.notify_all()
        return taken

    def end(self, number: int) -> None:
        """A source has no more frames."""
        with self._news:
            self._has_ended[number] = True
            self._news.notify_all()

    def fail(self, error: BaseException) -> None:
        """End the stream; the first error is the one that is told."""
        with self._news:
            if self.error is None:
                self.error = error
            self._news.notify_all()
