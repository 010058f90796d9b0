"""A job's stream: its networks loaded with its settings, and a video read for bursts or once."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from shared.contract.codec import decode
from shared.contract.errors import JobFailed
from shared.contract.stages import NetworkFiles, PipelineFiles
from shared.contract.streaming import SETTINGS_FILE, FrameReading, StreamSettings, StreamTotals, Tracking
from shared.harness.loaded_nodes import load_nodes, nodes_of
from shared.harness.toolchain import Capabilities
from shared.inference.artifacts import read_manifest
from shared.inference.batching import Batches
from shared.inference.frames import Frame, Source, SourceCounts
from shared.inference.session import Session, Unsupported
from shared.inference.stream import Nodes, OnReading, run_stream

OpenVideo = Callable[[int], Source]
"""Opens a job's video at its beginning, given the threads that decode it."""


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
    """A video of which each burst takes frames where the one before ended; at its end it is begun anew.

    What is decoded is decoded in the burst: nothing waits ready before it.
    """

    def __init__(self, open_video: OpenVideo, decoders: int) -> None:
        self._open, self._decoders = open_video, decoders
        self._source = open_video(decoders)
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
            self._source = self._open(self._decoders)
            self._frames = self._source.frames()
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
        """The video goes on in the next burst."""


class StreamRunner:
    """A loaded stream and its video, which runs bursts (`stream_settings.Runner`)."""

    def __init__(self, loaded: LoadedStream, open_video: OpenVideo) -> None:
        self._loaded, self._video = loaded, EndlessVideo(open_video, loaded.decoders)

    def burst(self, seconds: float, at_least: int = 1) -> StreamTotals:
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
