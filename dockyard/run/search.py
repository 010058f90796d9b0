"""A search: every method of the target with its sensible options, within a time budget; the Pareto front is measured.

Each network's candidates are made, evaluated and timed in one round beside the reference. Those that no other beats
in both time and quality are its front. A pipeline takes combinations of its networks' fronts, the fastest first by
the sum of their times, and is judged end to end. The fronts are then measured in all of the recipe's rounds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from dockyard.judge.statistics import STABLE_WITHIN
from dockyard.plan.plan import COMBINED, REFERENCE_METHOD, Plan, Planned, measure_once, prepare_reference, prepare_variant
from dockyard.run import rounds as schedule
from dockyard.run.rounds import Done

SPENT = "the search's time budget was spent before it was tried to the end"

ENOUGH_COMBINATIONS = 3
"""A pipeline's search stops after so many combinations that meet the requirement: the next are slower."""


@dataclass(frozen=True)
class Point:
    """A variant in the plane of time and quality; `time` in any unit, smaller is better."""

    variant: str
    time: float
    quality: float

    def beats(self, other: Point) -> bool:
        """Tell whether it is faster by more than rounds may differ, and no worse."""
        return self.time < other.time * (1 - STABLE_WITHIN) and self.quality >= other.quality


def front(points: Iterable[Point]) -> list[Point]:
    """Return the points that none beats, the fastest first."""
    every = list(points)
    return sorted((p for p in every if not any(other.beats(p) for other in every)), key=lambda p: (p.time, -p.quality))


def explore(plan: Plan, done: Done, clock: Callable[[], float] = time.monotonic) -> Iterator[list[Planned]]:
    """Yield the batches of a search, each decided by the outcomes so far.

    Args:
        done: outcomes by job id; it grows while the batches run.
        clock: seconds.
    """
    assert plan.recipe.search is not None
    deadline = clock() + plan.recipe.search.time_budget_s
    yield [job for network in plan.networks.values() for job in prepare_reference(plan, network)]
    yield [measure_once(plan, model, REFERENCE_METHOD, 1) for model in plan.models]
    for variant in plan.methods:
        for network in plan.networks.values():
            jobs = [*prepare_variant(plan, network, variant), measure_once(plan, network.name, variant, 1)]
            yield from _within(jobs, deadline, clock)
    if plan.pipeline is not None:
        yield from _combine(plan, plan.pipeline.name, done, deadline, clock)
    chosen = {model: [REFERENCE_METHOD, *(p.variant for p in front(points(plan, model, done)))] for model in plan.models}
    for number in range(2, plan.recipe.measure.rounds + 1):
        yield [measure_once(plan, model, variant, number) for model in plan.models for variant in chosen[model]]
    yield from schedule.extra_rounds(plan, chosen, done)


def _within(jobs: Sequence[Planned], deadline: float, clock: Callable[[], float]) -> Iterator[list[Planned]]:
    """Yield jobs one by one with the time that is left of the budget, until it is spent."""
    for job in jobs:
        left = math.ceil(deadline - clock())
        if left <= 0:
            return
        yield [replace(job, time_limit_s=left)]


def _combine(plan: Plan, pipeline: str, done: Done, deadline: float, clock: Callable[[], float]) -> Iterator[list[Planned]]:
    fronts = [front(points(plan, network, done)) for network in plan.networks]
    reference = quality(plan, pipeline, REFERENCE_METHOD, done)
    meeting = 0
    for parts in sorted(product(*fronts), key=lambda parts: sum(p.time for p in parts)):
        variant = COMBINED.join(p.variant for p in parts)
        yield from _within([measure_once(plan, pipeline, variant, 1)], deadline, clock)
        found = quality(plan, pipeline, variant, done)
        if found is not None and reference is not None:
            meeting += reference - found <= plan.recipe.requirements.max_drop
        if meeting == ENOUGH_COMBINATIONS:
            return


def quality(plan: Plan, model: str, variant: str, done: Done) -> float | None:
    """Return the main metric of a variant, or None while it is not known."""
    job = f"{model}/{variant}/" + ("evaluate" if model in plan.networks else "benchmark/1")
    found = done[job].result.get("quality") if job in done else None
    return None if found is None else float(found["metrics"][found["main"]])


def points(plan: Plan, model: str, done: Done) -> list[Point]:
    """Return the variants of a model that were measured, by the median of their first round."""
    variants = dict.fromkeys(o.planned.variant for o in done.values() if o.planned.job.model == model)
    found = []
    for variant in variants:
        times, value = schedule.medians(model, variant, done), quality(plan, model, variant, done)
        if variant != REFERENCE_METHOD and times and value is not None:
            found.append(Point(variant, times[0], value))
    return found


def beaten_by(plan: Plan, model: str, variant: str, done: Done) -> str:
    """Return why a variant was left after its first round, or an empty text for one of the front."""
    every = points(plan, model, done)
    own = next((p for p in every if p.variant == variant), None)
    better = next((p for p in front(every) if own is not None and p.beats(own)), None)
    if own is None or better is None:
        return ""
    return (
        f"off the Pareto front: {better.variant} took {better.time / 1e6:.2f} ms at {better.quality:.4f}, "
        f"this one {own.time / 1e6:.2f} ms at {own.quality:.4f}"
    )
