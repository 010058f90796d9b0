"""A job's stream: its networks loaded with its settings, and a video read for bursts or once."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from shared.contract.codec import decode
from shared.contract.errors import DockyardError, InputProblem, JobFailed
from shared.contract.job import END
from shared.contract.stages import NetworkFiles, PipelineFiles
from shared.contract.streaming import SETTINGS_FILE, FrameReading, StreamSettings, StreamTotals, Tracking
from shared.harness.loaded_nodes import load_nodes, nodes_of
from shared.harness.toolchain import Capabilities
from shared.inference.artifacts import read_manifest
from shared.inference.batching import Batches
from shared.inference.frames import Frame, Source, SourceCounts
from shared.inference.session import Session, Unsupported
from shared.inference.stream import Nodes, OnReading, run_stream
from shared.inference.video import Recording

OpenVideo = Callable[[int], Recording]
"""Opens a job's video at its beginning, given the threads that decode it."""

WORD_S = 0.2
"""Seconds after which whoever waits for a word looks whether there is still something to end."""

SPREAD = (5**0.5 - 1) / 2
"""Of the places where bursts begin, as shares of the video: multiples of the golden ratio lie evenly in it
however many there are.
"""


@dataclass(frozen=True)
class LoadedStream:
    """Networks that are loaded for a stream.

    Attributes:
        workers: the nodes of each.
        settings: None for one frame after the other, which decodes, too.
    """

    workers: Sequence[Nodes]
    settings: Optional[StreamSettings]
    tracking: Tracking

    @property
    def decoders(self) -> int:
        return 1 if self.settings is None else self.settings.decoders

    def read(
        self, sources: Sequence[Source], on_reading: OnReading, latencies: Optional[int] = None
    ) -> StreamTotals:
        """Read sources to their end, and close them (`run_stream`)."""
        try:
            return run_stream(
                sources,
                self.workers,
                on_reading,
                self.tracking,
                one_by_one=self.settings is None,
                latencies=latencies,
            )
        finally:
            for source in sources:
                source.close()


def load_one_by_one(
    pipeline: PipelineFiles, tracking: Tracking, load: Callable[[NetworkFiles], Session]
) -> LoadedStream:
    """Load a pipeline that reads one frame after the other.

    Args:
        load: loads a network with all threads.
    """
    return LoadedStream([load_nodes(pipeline, load)], None, tracking)


def load_side_by_side(
    pipeline: PipelineFiles,
    tracking: Tracking,
    settings: StreamSettings,
    folder: Path,
    capabilities: Capabilities,
) -> LoadedStream:
    """Load a pipeline that reads several frames at once.

    Args:
        folder: the job's.

    Raises:
        Unsupported: the toolchain cannot run with these settings.
    """
    detector = pipeline.nodes[0].network
    for_each: List[Dict[str, Session]] = [{} for _ in range(settings.workers)]
    for files in pipeline.artifacts:
        is_batched = settings.batch > 1 and files.network.name != detector
        sessions = _sessions(files, settings, settings.batch if is_batched else 1, folder, capabilities)
        shared = Batches(sessions, settings.wait_ms) if is_batched else None
        for number, own in enumerate(for_each):
            own[files.network.name] = shared or sessions[number]
    return LoadedStream([nodes_of(pipeline, own) for own in for_each], settings, tracking)


def _sessions(
    files: NetworkFiles, settings: StreamSettings, batch: int, folder: Path, capabilities: Capabilities
) -> Sequence[Session]:
    """Return sessions of a network, one for each thread that calls it."""
    network, place = files.network, folder / files.folder
    manifest = read_manifest(place)
    if manifest is None:
        raise JobFailed(f"{files.folder} has no manifest", "", "an earlier job makes what this one is given")
    if capabilities.parallel_loader is not None:
        return capabilities.parallel_loader.load_parallel(
            network,
            place,
            manifest,
            count=settings.workers,
            threads=settings.threads,
            batch=batch,
            folds=settings.folds,
        )
    if batch > 1 or settings.folds:
        raise Unsupported("this toolchain has neither batches nor folding")
    loader = capabilities.loader
    return [loader.load(network, place, manifest, settings.threads) for _ in range(settings.workers)]


def read_settings(folder: Path) -> StreamSettings:
    """Read what `configure` left in a folder. Raises ValueError."""
    return decode(StreamSettings, json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8")))


class EndlessVideo:
    """A video that is begun anew at its end.

    Attributes:
        has_index: it can be begun anywhere.
    """

    def __init__(self, open_video: OpenVideo, decoders: int) -> None:
        self._open, self._decoders = open_video, decoders
        self.has_index = True
        self._begin()

    def begin(self, place: int) -> None:
        """Go on at one of the places that are spread over it; where it has no index, at its beginning.

        The frame that is there is left out: what is read from now on is decoded from now on.
        """
        self.close()
        self._begin(place * SPREAD % 1.0)
        next(self._frames, None)

    def _begin(self, share: float = 0.0) -> None:
        self._source = self._open(self._decoders)
        if share:
            self.has_index = self._source.begin_at(share)
        self._frames = self._source.frames()

    def taking(self, seconds: float, at_least: int = 1) -> Source:
        """Return a source that ends after so many seconds, and so many frames."""
        return _Taking(self, seconds, at_least)

    def next(self) -> Frame:
        """Return the next frame.

        Raises:
            JobFailed: not one of the video's frames can be decoded.
        """
        frame = next(self._frames, None)
        if frame is None:
            self.close()
            self._begin()
            frame = next(self._frames, None)
        if frame is None:
            raise JobFailed("the video has no frame that can be decoded", self._source.name)
        return frame

    def close(self) -> None:
        self._source.close()


class _Taking:
    """Frames of an endless video, for a time."""

    is_live = False
    name = ""

    def __init__(self, video: EndlessVideo, seconds: float, at_least: int) -> None:
        self.counts = SourceCounts()
        self._video, self._seconds, self._at_least = video, seconds, at_least

    def frames(self) -> Iterator[Frame]:
        end, count = monotonic() + self._seconds, 0
        while count < self._at_least or monotonic() < end:
            yield self._video.next()
            count += 1

    def close(self) -> None:
        """The video is kept for the next burst."""


class StreamRunner:
    """A loaded stream and its video, which runs bursts (`stream_settings.Runner`).

    Streams that are compared read the same parts of the video: how many objects are in it decides their
    speed, and a slow one gets through a little of it alone.
    """

    def __init__(self, loaded: LoadedStream, open_video: OpenVideo) -> None:
        self._loaded, self._video = loaded, EndlessVideo(open_video, loaded.decoders)

    @property
    def has_index(self) -> bool:
        """Its video can be begun anywhere: else every burst reads its beginning."""
        return self._video.has_index

    def burst(self, seconds: float, place: int, at_least: int = 1) -> StreamTotals:
        self._video.begin(place)
        return self._loaded.read([self._video.taking(seconds, at_least)], _nothing)

    def close(self) -> None:
        self._video.close()


def _nothing(reading: FrameReading, frame: Frame) -> None:
    """What is read in a burst is told nobody."""


class FirstFrames:
    """A source of which only the first so many frames are read."""

    is_live = False

    def __init__(self, source: Source, count: Optional[int]) -> None:
        self.name, self.counts = source.name, source.counts
        self._source, self._count = source, count

    def frames(self) -> Iterator[Frame]:
        return islice(self._source.frames(), self._count)

    def close(self) -> None:
        self._source.close()


class Until:
    """A source that is read for so many seconds, also while it sends nothing."""

    def __init__(self, source: Source, seconds: float) -> None:
        self.name, self.counts, self.is_live = source.name, source.counts, source.is_live
        self._source, self._seconds = source, seconds

    def frames(self) -> Iterator[Frame]:
        end = threading.Timer(self._seconds, self._source.close)
        end.daemon = True
        end.start()
        try:
            yield from self._source.frames()
        finally:
            end.cancel()

    def close(self) -> None:
        self._source.close()


class Apart:
    """A source whose end, if it is a bad one, does not end the others.

    Attributes:
        problem: how it ended, where that was not as it should.
    """

    def __init__(self, source: Source) -> None:
        self.name, self.counts, self.is_live = source.name, source.counts, source.is_live
        self.problem: Optional[DockyardError] = None
        self._source = source

    def frames(self) -> Iterator[Frame]:
        try:
            for frame in self._source.frames():
                yield replace(frame, source=self.name)
        except (InputProblem, JobFailed) as problem:
            self.problem = problem

    def close(self) -> None:
        self._source.close()


LastWord = Callable[[], bool]
"""Waits a moment for the host's last word, and tells whether it was said."""


def last_word() -> bool:
    """Wait `WORD_S` for the last word, which has to be blocked in every thread (`launch.py`)."""
    return signal.sigtimedwait((END,), WORD_S) is not None


@contextmanager
def ended_at(word: LastWord, sources: Sequence[Source]) -> Iterator[None]:
    """Close sources when the host says its last word: a stream ends after the frames it has taken."""
    is_over = threading.Event()

    def wait() -> None:
        while not is_over.is_set():
            if word():
                for source in sources:
                    source.close()
                return

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    try:
        yield
    finally:
        is_over.set()
        waiter.join()


def read_once(
    loaded: LoadedStream, open_video: OpenVideo, count: Optional[int], on_reading: OnReading
) -> Tuple[List[FrameReading], StreamTotals]:
    """Read a video, or its first frames, once; return what was read frame by frame."""
    readings: List[FrameReading] = []

    def told(reading: FrameReading, frame: Frame) -> None:
        readings.append(reading)
        on_reading(reading, frame)

    totals = loaded.read([FirstFrames(open_video(loaded.decoders), count)], told)
    return readings, totals
