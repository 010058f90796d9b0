"""The frames of a stream, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Protocol

from shared.inference.arrays import Array


class Picture(Protocol):
    """The pixels of a frame as they were decoded."""

    @property
    def height(self) -> int:
        """In pixels."""

    @property
    def width(self) -> int:
        """In pixels."""

    def bgr(self) -> Array:
        """Convert it, in the caller's thread, to uint8 BGR [height, width, 3]."""


@dataclass(frozen=True)
class Frame:
    """One frame of a source, decoded and not yet converted.

    Attributes:
        source: as lines name it, without a password.
        number: in the source, from 0.
        time_s: seconds from the source's first frame.
        name: of a folder's image; empty otherwise.
        arrived_ns: `perf_counter_ns` when it was decoded.
    """

    source: str
    number: int
    time_s: float
    name: str
    arrived_ns: int
    picture: Picture


@dataclass
class SourceCounts:
    """What went wrong in a source so far.

    Attributes:
        corrupt: frames or packets that could not be decoded.
        dropped: frames of a live source that gave way to newer ones.
        reconnects: how often it went away and came back.
    """

    corrupt: int = 0
    dropped: int = 0
    reconnects: int = 0

    def add(self, other: SourceCounts) -> None:
        """Add what went wrong in another source."""
        self.corrupt += other.corrupt
        self.dropped += other.dropped
        self.reconnects += other.reconnects


class Source(Protocol):
    """Where frames come from.

    Attributes:
        name: as lines name it.
        is_live: its frames do not wait: one that is not taken in time is worth less than a newer one.
        counts: changed while its frames are read.
    """

    name: str
    is_live: bool
    counts: SourceCounts

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in their order, to the end of the source."""

    def close(self) -> None:
        """End it, from any thread: `frames` ends with the frame that it is at, or when it next wakes."""
