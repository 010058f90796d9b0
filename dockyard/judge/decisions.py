"""The answers to what a run asks while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dockyard.judge import pareto
from dockyard.judge.assessment import Assessment
from dockyard.judge.points import points
from dockyard.judge.records import make_records
from dockyard.judge.verdicts import judge
from dockyard.plan.plan import REFERENCE_VARIANT, Plan
from dockyard.run.decisions import Done, Point


class RoundDecisions:
    """The `dockyard.run.decisions.Decisions` that rest on the rounds measured so far."""

    def undecided(
        self, plan: Plan, variants: Mapping[str, Sequence[str]], done: Done
    ) -> Mapping[str, Sequence[str]]:
        """Return, by model, the reference and the variants whose verdict more rounds could change.

        Args:
            variants: by model, the names of those that are measured.
        """
        assessments = judge(make_records(plan, "", list(done.values()), {}))
        found: dict[str, list[str]] = {}
        for model in plan.models:
            open_ones = [one.record.variant for one in assessments if _is_open(one, model, variants[model])]
            if open_ones:
                found[model] = [REFERENCE_VARIANT, *open_ones]
        return found

    def front(self, plan: Plan, model: str, done: Done) -> list[Point]:
        """Return the variants of a model that no other beats, by their first round, the fastest first."""
        return pareto.front(points(plan, model, done))


def _is_open(one: Assessment, model: str, measured: Sequence[str]) -> bool:
    return one.is_open and one.record.model == model and one.record.variant in measured
