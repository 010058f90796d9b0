"""When frames come and go: from the decoder to their line."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Deque, Optional

from shared.contract.errors import JobFailed

SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Arrival:
    """A frame that has left its decoder.

    Attributes:
        number: in its source, from 0.
        pts: its time in the source, nanoseconds; None where it has none.
        arrived_ns: of the clock.
    """

    number: int
    pts: Optional[int]
    arrived_ns: int


class Arrivals:
    """The frames of one source that have left the decoder and have no line yet, in their order.

    Attributes:
        arrived: frames so far.
        dropped: frames that were lost on their way.
        first_pts: the time of the first one that has one.
        first_ns: when the first one arrived, of the clock.
    """

    def __init__(self) -> None:
        self.arrived = self.dropped = 0
        self.first_pts: Optional[int] = None
        self.first_ns = 0
        self._waiting: Deque[Arrival] = deque()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Frames on their way."""
        with self._lock:
            return len(self._waiting)

    def arrive(self, pts: Optional[int], now_ns: int) -> None:
        """Note a frame that leaves the decoder."""
        with self._lock:
            self._waiting.append(Arrival(self.arrived, pts, now_ns))
            self.first_ns = self.first_ns or now_ns
            self.arrived += 1
            if self.first_pts is None:
                self.first_pts = pts

    def leave_out(self) -> None:
        """Count a frame that is not read: one that could not be decoded."""
        with self._lock:
            self.arrived += 1

    def time_s(self, arrival: Arrival, is_live: bool) -> float:
        """Return a frame's time in its source, seconds from the first one on.

        A live source that has come back may count anew: its times are those of the frames' arrival.
        """
        if is_live:
            return (arrival.arrived_ns - self.first_ns) / SECOND_NS
        known = arrival.pts is not None and self.first_pts is not None
        return ((arrival.pts or 0) - (self.first_pts or 0)) / SECOND_NS if known else 0.0

    def take(self, pts: Optional[int]) -> Arrival:
        """Return the frame whose line is made; those before it that are still on their way were lost.

        Where its time is not known it is the oldest one.

        Raises:
            JobFailed: no frame is on its way.
        """
        with self._lock:
            place = next((at for at, one in enumerate(self._waiting) if one.pts == pts), 0)
            for _ in range(place):
                self._waiting.popleft()
                self.dropped += 1
            if not self._waiting:
                raise JobFailed("a frame came out of the pipeline that has not gone into it", "")
            return self._waiting.popleft()
