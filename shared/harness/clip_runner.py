"""A job's video, read once or in bursts, by our own stream or by one that a toolchain runs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, Callable, Iterator, Mapping, Optional, Protocol

from shared.contract.codec import encode
from shared.contract.errors import JobFailed
from shared.contract.streaming import FrameReading, StreamTotals
from shared.inference.frames import Frame, Source, SourceCounts
from shared.inference.loaded_nodes import settings_by_network
from shared.inference.loaded_stream import LoadedStream
from shared.inference.loading import PipelineReader
from shared.inference.video import Recording

OnLine = Callable[[FrameReading], None]

OpenVideo = Callable[[int], Recording]
"""Opens a job's video at its beginning, given the threads that decode it."""

SPREAD = (5**0.5 - 1) / 2
"""Of the places where bursts begin, as shares of the video: multiples of the golden ratio lie evenly in it
however many there are.
"""


class ClipRunner(Protocol):
    """A pipeline that is loaded, and the video that it reads.

    Streams that are compared read the same parts of the video: how many objects are in it decides their
    speed, and a slow one gets through a little of it alone.
    """

    @property
    def described(self) -> Mapping[str, Any]:
        """What it runs with, as JSON: its own settings, and those of each network."""

    @property
    def has_index(self) -> bool:
        """The video can be begun anywhere: else every burst reads its beginning."""

    def read_once(self, count: Optional[int], on_reading: OnLine) -> StreamTotals:
        """Read the video, or its first frames, once."""

    def burst(self, seconds: float, place: int, at_least: int = 1) -> StreamTotals:
        """Take frames for so many seconds, from a place in the video on, and read them to their end.

        Args:
            place: a number; each stands for one of the places that are spread over the video.
            at_least: frames, also where they take longer.
        """

    def close(self) -> None:
        """Give back what it holds."""


def described(loaded: LoadedStream) -> Mapping[str, Any]:
    """Return what a stream runs with, as JSON: its own settings, and those of each network."""
    settings = loaded.settings
    own = {"one_by_one": True} if settings is None else encode(settings)
    return {**settings_by_network(loaded.workers[0]), "stream": own}


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
    """Our own stream on a video."""

    def __init__(self, loaded: LoadedStream, open_video: OpenVideo) -> None:
        self._loaded, self._open = loaded, open_video
        self._video = EndlessVideo(open_video, loaded.decoders)

    @property
    def described(self) -> Mapping[str, Any]:
        return described(self._loaded)

    def read_once(self, count: Optional[int], on_reading: OnLine) -> StreamTotals:
        source = FirstFrames(self._open(self._loaded.decoders), count)
        return self._loaded.read([source], lambda reading, frame: on_reading(reading))

    @property
    def has_index(self) -> bool:
        return self._video.has_index

    def burst(self, seconds: float, place: int, at_least: int = 1) -> StreamTotals:
        self._video.begin(place)
        return self._loaded.read([self._video.taking(seconds, at_least)], lambda reading, frame: None)

    def close(self) -> None:
        self._video.close()


class OwnRunner:
    """A toolchain's own pipeline on a video file."""

    has_index = True

    def __init__(self, reader: PipelineReader, video: Path) -> None:
        self._reader, self._video = reader, str(video)

    @property
    def described(self) -> Mapping[str, Any]:
        return self._reader.settings

    def read_once(self, count: Optional[int], on_reading: OnLine) -> StreamTotals:
        return self._reader.read([self._video], on_reading, frames=count)

    def burst(self, seconds: float, place: int, at_least: int = 1) -> StreamTotals:
        begin = place * SPREAD % 1.0
        totals = self._reader.read([self._video], lambda reading: None, begin=begin, seconds=seconds)
        if totals.frames < at_least:
            what = f"{totals.frames} of {at_least} frames in a burst of {seconds:g} s"
            raise JobFailed(what, self._video, "give the recipe a longer stream.burst_s")
        return totals

    def close(self) -> None:
        self._reader.close()


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
