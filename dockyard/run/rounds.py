"""When jobs run: batches, each decided by what the ones before came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dockyard.judge.statistics import STABLE_WITHIN, stability
from dockyard.plan.plan import Plan, Planned, measure_once
from dockyard.run.outcome import Outcome

Done = Mapping[str, Outcome]
"""The outcomes so far by job id; it grows while the batches run."""


def medians(model: str, variant: str, done: Done) -> list[float]:
    """Return the median of each round that was measured, in nanoseconds."""
    rounds = (o for o in done.values() if o.planned.job.stage == "benchmark" and o.status == "done")
    own = (o for o in rounds if (o.planned.job.model, o.planned.variant) == (model, variant))
    return [float(np.median(o.result["timing"]["samples_ns"]["total"])) for o in own]


def fixed(plan: Plan, done: Done) -> Iterator[list[Planned]]:
    """Yield the plan's jobs, then more measuring rounds while the medians disagree and the recipe allows."""
    yield list(plan.jobs)
    yield from extra_rounds(plan, dict.fromkeys(plan.models, plan.variants), done)


def extra_rounds(plan: Plan, variants: Mapping[str, list[str]], done: Done) -> Iterator[list[Planned]]:
    """Yield rounds beyond the recipe's number for the models whose rounds disagree, until they settle or the limit is reached."""
    measure = plan.recipe.measure
    for number in range(measure.rounds + 1, measure.max_rounds + 1):
        unsettled = [m for m in plan.models if any(stability(medians(m, v, done) or [0.0]) > STABLE_WITHIN for v in variants[m])]
        if not unsettled:
            return
        yield [measure_once(plan, model, variant, number) for model in unsettled for variant in variants[model]]
