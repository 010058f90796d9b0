"""What a search proposes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Protocol, Sequence


@dataclass(frozen=True)
class Candidate:
    """A schedule to be tried.

    Attributes:
        schedule: TVM's `Schedule`.
        tile: the tile that it was made from, as JSON; None for a schedule by rules.
    """

    schedule: Any
    tile: Optional[Mapping[str, Any]] = None


class Search(Protocol):
    """A search through the schedules of one function."""

    def propose(self, count: int) -> List[Candidate]:
        """Return candidates that were not tried before; fewer where there are no more."""

    def learn(self, seconds: Sequence[Optional[float]]) -> None:
        """Take over the times of the candidates that were proposed last; None for one that has none."""
