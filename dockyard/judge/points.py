"""A search's candidates in the plane of time and quality, by their first round."""

from __future__ import annotations

from dockyard.judge import pareto
from dockyard.judge.measurements import Rounds, pace_ms_of, speedup_of
from dockyard.judge.work import work_on
from dockyard.plan.plan import REFERENCE_VARIANT, Plan
from dockyard.run.decisions import Done, Point, quality


def points(plan: Plan, model: str, done: Done) -> list[Point]:
    """Return the measured variants of a model without the reference.

    The time is the reference's, from one frame to the next, over the variant's speedup: bursts side by side
    rank alike, be the machine as it may while one or the other runs.
    """
    names = [outcome.planned.variant for outcome in done.values() if outcome.planned.job.model == model]
    reference = _first_round(plan, model, REFERENCE_VARIANT, done)
    found = []
    for variant in dict.fromkeys(names):
        if variant is None or variant == REFERENCE_VARIANT or not reference:
            continue
        speedup = speedup_of(reference, _first_round(plan, model, variant, done))
        value = quality(model, variant, done)
        if speedup is not None and value is not None:
            pace_ns = 1e6 * pace_ms_of(reference).estimate
            found.append(Point(variant, pace_ns / speedup.estimate, value))
    return found


def reason_left(plan: Plan, model: str, variant: str, done: Done) -> str | None:
    """Return why a variant was left after its first round; None for one of the front or without a figure."""
    every = points(plan, model, done)
    own = next((point for point in every if point.variant == variant), None)
    if own is None:
        return None
    better = next((point for point in pareto.front(every) if pareto.beats(point, own)), None)
    if better is None:
        return None
    return (
        f"off the Pareto front: {better.variant} took {better.time_ns / 1e6:.2f} ms at {better.quality:.4f}, "
        f"this one {own.time_ns / 1e6:.2f} ms at {own.quality:.4f}"
    )


def _first_round(plan: Plan, model: str, variant: str, done: Done) -> Rounds:
    return [one for one in work_on(plan, model, variant, done).rounds if one.number == 1]
