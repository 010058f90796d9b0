"""When frames come and go: from the decoder to their line, and through each of the elements that infer."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Deque, Dict, List, Optional, Sequence

from shared.contract.errors import JobFailed


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
    """

    def __init__(self) -> None:
        self.arrived = self.dropped = 0
        self.first_pts: Optional[int] = None
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
            self.arrived += 1
            if self.first_pts is None:
                self.first_pts = pts

    def leave_out(self) -> None:
        """Count a frame that is not read: one that could not be decoded."""
        with self._lock:
            self.arrived += 1

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


@dataclass
class Batch:
    """Frames that go through the elements together.

    Attributes:
        entered_ns: when it has entered the element that it is in.
        inside_ns: nanoseconds in elements so far.
    """

    entered_ns: int
    inside_ns: int = 0


class Passages:
    """Batches on their way through elements in a row, none of which lets one overtake another.

    Attributes:
        spent_ns: nanoseconds that batches have been in each element, by its name.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.spent_ns: Dict[str, int] = dict.fromkeys(names, 0)
        self._names = tuple(names)
        self._inside: List[Deque[Batch]] = [deque() for _ in names]
        self._behind: List[Deque[Batch]] = [deque() for _ in names]

    def enter(self, place: int, now_ns: int) -> None:
        """Note a batch that enters the element of a place, from 0."""
        before = self._behind[place - 1] if place else None
        batch = before.popleft() if before else Batch(now_ns)
        batch.entered_ns = now_ns
        self._inside[place].append(batch)

    def leave(self, place: int, now_ns: int) -> Batch:
        """Note a batch that leaves an element, and return it.

        Raises:
            JobFailed: none is in it.
        """
        if not self._inside[place]:
            raise JobFailed("a batch left an element that none has entered", self._names[place])
        batch = self._inside[place].popleft()
        spent = now_ns - batch.entered_ns
        batch.inside_ns += spent
        self.spent_ns[self._names[place]] += spent
        if place < len(self._names) - 1:
            self._behind[place].append(batch)
        return batch

    def forget(self) -> None:
        """Begin anew: what was on its way has been thrown away."""
        for batches in (*self._inside, *self._behind):
            batches.clear()
        for name in self._names:
            self.spent_ns[name] = 0
