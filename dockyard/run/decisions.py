"""What a run has to ask while it goes on: is another round needed, which variants are measured further.

The answers are statistics, which `dockyard.judge` has; a run is given them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dockyard.plan.jobs import benchmark_id, evaluate_id
from dockyard.plan.plan import REFERENCE_VARIANT, Plan
from dockyard.run.outcome import Outcome
from shared.contract.measurement import Measurement, Throughput
from shared.contract.result import Status
from shared.contract.stages import BENCHMARK

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

    def unsettled(self, plan: Plan, variants: Mapping[str, Sequence[str]], done: Done) -> list[str]:
        """Return the models of which another round is to be measured.

        Args:
            variants: by model, the names of those that are measured.
        """

    def beats(self, point: Point, other: Point) -> bool:
        """Tell whether a point is the better one in the plane of time and quality."""

    def front(self, points: Iterable[Point]) -> list[Point]:
        """Return the points that no other beats, the fastest first."""


def median_ns(measured: Measurement) -> float:
    """Return the median time of a call or frame in nanoseconds."""
    times = measured.latency_ns if isinstance(measured, Throughput) else measured.totals_ns
    return float(statistics.median(times))


def medians_ns(model: str, variant: str, done: Done) -> list[float]:
    """Return the median of each round that was measured, in nanoseconds."""
    found = []
    for outcome in done.values():
        job = outcome.planned.job
        is_own = (job.model, outcome.planned.variant, job.stage.name) == (model, variant, BENCHMARK.name)
        if is_own and outcome.status == Status.DONE and outcome.result and outcome.result.measurement:
            found.append(median_ns(outcome.result.measurement))
    return found


def quality(plan: Plan, model: str, variant: str, done: Done) -> float | None:
    """Return the main metric of a variant, or None while it is not known."""
    measured_by = benchmark_id(model, variant, 1) if plan.is_pipeline(model) else evaluate_id(model, variant)
    outcome = done.get(measured_by)
    if outcome is None or outcome.result is None or outcome.result.quality is None:
        return None
    return outcome.result.quality.value


def points(plan: Plan, model: str, done: Done) -> list[Point]:
    """Return the measured variants of a model, without the reference, by the median of their first round."""
    variants = [outcome.planned.variant for outcome in done.values() if outcome.planned.job.model == model]
    found = []
    for variant in dict.fromkeys(variants):
        if variant is None or variant == REFERENCE_VARIANT:
            continue
        times, value = medians_ns(model, variant, done), quality(plan, model, variant, done)
        if times and value is not None:
            found.append(Point(variant, times[0], value))
    return found
