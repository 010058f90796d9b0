"""When jobs run: batches, each decided by what the ones before came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dockyard.plan.jobs import measure_once
from dockyard.plan.plan import Plan, PlannedJob
from dockyard.run.decisions import Decisions, Done

Batch = list[PlannedJob]


def planned_batches(plan: Plan, done: Done, decisions: Decisions) -> Iterator[Batch]:
    """Yield the plan's jobs, then more measuring rounds while they are needed and the recipe allows."""
    yield list(plan.jobs)
    yield from extra_rounds(plan, dict.fromkeys(plan.models, plan.variants), done, decisions)


def extra_rounds(
    plan: Plan, variants: Mapping[str, Sequence[str]], done: Done, decisions: Decisions
) -> Iterator[Batch]:
    """Yield rounds beyond the recipe's number for what is not decided yet, within the recipe's limit."""
    measure = plan.recipe.measure
    for number in range(measure.rounds + 1, measure.max_rounds + 1):
        undecided = decisions.undecided(plan, variants, done)
        if not undecided:
            return
        for model, open_ones in undecided.items():
            yield [measure_once(plan, model, variant, number) for variant in open_ones]
