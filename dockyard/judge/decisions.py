"""The answers to what a run asks while it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dockyard.judge import pareto, rounds
from dockyard.plan.plan import Plan
from dockyard.run.decisions import Done, Point
from shared.contract.measurement import Measurement
from shared.contract.result import Status
from shared.contract.stages import BENCHMARK


class RoundDecisions:
    """The `dockyard.run.decisions.Decisions` that rest on the rounds measured so far."""

    def unsettled(self, plan: Plan, variants: Mapping[str, Sequence[str]], done: Done) -> list[str]:
        """Return the models of which another round is to be measured.

        Args:
            variants: by model, the names of those that are measured.
        """
        measured = {}
        for model in plan.models:
            measured[model] = [_rounds(model, variant, done) for variant in variants[model]]
        return rounds.unsettled(measured)

    def beats(self, point: Point, other: Point) -> bool:
        """Tell whether a point is the better one in the plane of time and quality."""
        return pareto.beats(point, other)

    def front(self, points: Iterable[Point]) -> list[Point]:
        """Return the points that no other beats, the fastest first."""
        return pareto.front(points)


def _rounds(model: str, variant: str, done: Done) -> list[Measurement]:
    """Return what was measured of a variant, round by round."""
    found = []
    for outcome in done.values():
        job = outcome.planned.job
        is_own = (job.model, outcome.planned.variant, job.stage.name) == (model, variant, BENCHMARK.name)
        if is_own and outcome.status == Status.DONE and outcome.result and outcome.result.measurement:
            found.append(outcome.result.measurement)
    return found
