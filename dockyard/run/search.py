"""A search: every method of the target with its sensible options, within a time budget.

Each network's candidates are made and evaluated, and then timed in one round side by side. Those that no
other beats in time and quality are its front. A pipeline takes combinations of its networks' fronts, the
fastest first by the sum of their times, and is judged end to end. The fronts are then measured in all rounds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from dockyard.plan.jobs import judge_pipeline, measure_once, prepare_reference, prepare_variant
from dockyard.plan.plan import COMBINED, REFERENCE_VARIANT, Plan, PlannedJob
from dockyard.run.batches import Batch, extra_rounds
from dockyard.run.decisions import Decisions, Done, Point, quality

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
    for name, network in plan.networks.items():
        for variant in plan.optimizations:
            yield from budget.within(prepare_variant(plan, network, variant))
        yield _first_round(plan, name, plan.optimizations, done)
    if plan.pipeline is not None:
        pipeline = plan.pipeline.name
        yield judge_pipeline(plan, REFERENCE_VARIANT)
        tried: list[str] = []
        yield from _combinations(plan, pipeline, tried, done, decisions, budget)
        yield _first_round(plan, pipeline, tried, done)
    chosen = {model: _worth_measuring(plan, model, done, decisions) for model in plan.models}
    for number in range(2, plan.recipe.measure.rounds + 1):
        for model, variants in chosen.items():
            yield [measure_once(plan, model, variant, number) for variant in variants]
    yield from extra_rounds(plan, chosen, done, decisions)


def _first_round(plan: Plan, model: str, variants: Iterable[str], done: Done) -> Batch:
    """Return the round of a model's reference and of the candidates whose quality is known."""
    judged = [variant for variant in variants if quality(model, variant, done) is not None]
    return [measure_once(plan, model, variant, 1) for variant in (REFERENCE_VARIANT, *judged)]


def _worth_measuring(plan: Plan, model: str, done: Done, decisions: Decisions) -> list[str]:
    """Return the reference and the variants of a model's front."""
    return [REFERENCE_VARIANT, *(point.variant for point in decisions.front(plan, model, done))]


def _combinations(
    plan: Plan, pipeline: str, tried: list[str], done: Done, decisions: Decisions, budget: Budget
) -> Iterator[Batch]:
    """Judge combinations of the networks' fronts, the fastest first, until enough keep the requirement.

    Args:
        tried: is filled with their names.
    """
    fronts = [decisions.front(plan, network, done) for network in plan.networks]
    reference = quality(pipeline, REFERENCE_VARIANT, done)
    meeting = 0
    for parts in sorted(product(*fronts), key=_summed_time):
        variant = COMBINED.join(point.variant for point in parts)
        tried.append(variant)
        yield from budget.within(judge_pipeline(plan, variant))
        found = quality(pipeline, variant, done)
        if found is None or reference is None:
            continue
        if reference - found <= plan.recipe.requirements.max_drop:
            meeting += 1
        if meeting == ENOUGH_COMBINATIONS:
            return


def _summed_time(parts: Sequence[Point]) -> float:
    return sum(point.time_ns for point in parts)
