"""What is shown of a run while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dockyard.plan.plan import PlannedJob
from dockyard.run.outcome import Outcome


class Display(Protocol):
    """Where a run reports to."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def begin(self, members: Sequence[PlannedJob], number: int, total: int) -> None:
        """A job begins, or several side by side, of which `number` is the first."""

    def progress(self, what: str, done: int, total: int) -> None:
        """A step of the job advanced; total 0 is unknown."""

    def outcome(self, outcome: Outcome) -> None:
        """A job ended."""
