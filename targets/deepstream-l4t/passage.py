"""How long batches are in each of the elements that infer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Deque, Dict, List, Sequence

from shared.contract.errors import JobFailed


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
