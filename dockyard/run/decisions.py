"""What a run has to ask while it goes on: which variants another round is needed of, which are worth one.

The answers are statistics, which `dockyard.judge` has; a run is given them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dockyard.plan.jobs import evaluate_id
from dockyard.plan.plan import Plan
from dockyard.run.outcome import Outcome

Done = Mapping[str, Outcome]
"""The outcomes so far by job id; it grows while a run goes on."""


@dataclass(frozen=True)
class Point:
    """A variant in the plane of time and quality; smaller times are better, larger qualities are."""

    variant: str
    time_ns: float
    quality: float


class Decisions(Protocol):
    """What decides how a run goes on."""

    def undecided(
        self, plan: Plan, variants: Mapping[str, Sequence[str]], done: Done
    ) -> Mapping[str, Sequence[str]]:
        """Return, by model, the variants that another round is needed of; a model with none is left out.

        Args:
            variants: by model, the names of those that are measured, the reference among them.
        """

    def front(self, plan: Plan, model: str, done: Done) -> list[Point]:
        """Return the variants of a model that no other beats, by their first round, the fastest first."""


def quality(model: str, variant: str, done: Done) -> float | None:
    """Return the main metric of a variant, or None while it is not known."""
    outcome = done.get(evaluate_id(model, variant))
    if outcome is None or outcome.result is None or outcome.result.quality is None:
        return None
    return outcome.result.quality.value
