"""A search: every method of the target with its sensible options, within a time budget.

Each network's candidates are made, evaluated and timed in one round beside the reference. Those that no other
beats in time and quality are its front. A pipeline takes combinations of its networks' fronts, the fastest
first by the sum of their times, and is judged end to end. The fronts are then measured in all rounds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from dockyard.plan.jobs import measure_once, prepare_reference, prepare_variant
from dockyard.plan.plan import COMBINED, REFERENCE_VARIANT, Plan, PlannedJob
from dockyard.run.decisions import Decisions, Done, Point, points, quality
from dockyard.run.rounds import Batch, extra_rounds

BUDGET_SPENT = "the search's time budget was spent before it was tried to the end"

ENOUGH_COMBINATIONS = 3
"""A pipeline's search stops after so many combinations that meet the requirement: the next are slower."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Budget:
    """The time that candidates may be tried in; `deadline` in seconds of `clock`."""

    deadline: float
    clock: Clock

    def within(self, jobs: Sequence[PlannedJob]) -> Iterator[Batch]:
        """Yield jobs one by one with the time that is left, until it is spent."""
        for job in jobs:
            left = math.ceil(self.deadline - self.clock())
            if left <= 0:
                return
            yield [replace(job, time_limit_s=left)]


def search_batches(
    plan: Plan, done: Done, decisions: Decisions, clock: Clock = time.monotonic
) -> Iterator[Batch]:
    """Yield the batches of a search, each decided by the outcomes so far.

    Args:
        done: outcomes by job id; it grows while the batches run.
        clock: seconds.
    """
    assert plan.recipe.search is not None
    budget = Budget(clock() + plan.recipe.search.time_budget_s, clock)
    yield [job for network in plan.networks.values() for job in prepare_reference(plan, network)]
    yield [measure_once(plan, model, REFERENCE_VARIANT, 1) for model in plan.models]
    for variant in plan.optimizations:
        for network in plan.networks.values():
            jobs = [*prepare_variant(plan, network, variant), measure_once(plan, network.name, variant, 1)]
            yield from budget.within(jobs)
    if plan.pipeline is not None:
        yield from _combine(plan, plan.pipeline.name, done, decisions, budget)
    chosen = {model: _worth_measuring(plan, model, done, decisions) for model in plan.models}
    for number in range(2, plan.recipe.measure.rounds + 1):
        yield [
            measure_once(plan, model, variant, number) for model in plan.models for variant in chosen[model]
        ]
    yield from extra_rounds(plan, chosen, done, decisions)


def _worth_measuring(plan: Plan, model: str, done: Done, decisions: Decisions) -> list[str]:
    """Return the reference and the variants of a model's front."""
    front = decisions.front(points(plan, model, done))
    return [REFERENCE_VARIANT, *(point.variant for point in front)]


def _combine(plan: Plan, pipeline: str, done: Done, decisions: Decisions, budget: Budget) -> Iterator[Batch]:
    """Try combinations of the networks' fronts, the fastest first, until enough keep the requirement."""
    fronts = [decisions.front(points(plan, network, done)) for network in plan.networks]
    reference = quality(plan, pipeline, REFERENCE_VARIANT, done)
    meeting = 0
    for parts in sorted(product(*fronts), key=_summed_time):
        variant = COMBINED.join(point.variant for point in parts)
        yield from budget.within([measure_once(plan, pipeline, variant, 1)])
        found = quality(plan, pipeline, variant, done)
        if found is None or reference is None:
            continue
        if reference - found <= plan.recipe.requirements.max_drop:
            meeting += 1
        if meeting == ENOUGH_COMBINATIONS:
            return


def _summed_time(parts: Sequence[Point]) -> float:
    return sum(point.time_ns for point in parts)


def reason_left(plan: Plan, model: str, variant: str, done: Done, decisions: Decisions) -> str | None:
    """Return why a variant was left after its first round; None for one of the front or without a figure."""
    every = points(plan, model, done)
    own = next((point for point in every if point.variant == variant), None)
    if own is None:
        return None
    better = next((point for point in decisions.front(every) if decisions.beats(point, own)), None)
    if better is None:
        return None
    return (
        f"off the Pareto front: {better.variant} took {better.time_ns / 1e6:.2f} ms at {better.quality:.4f}, "
        f"this one {own.time_ns / 1e6:.2f} ms at {own.quality:.4f}"
    )
