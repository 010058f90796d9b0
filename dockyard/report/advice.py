"""What to do after a build, in one line that fits the answer."""

from __future__ import annotations

from collections.abc import Sequence

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.questions import MIN_ROUNDS, Answer, gain, required_of, required_speeds
from dockyard.report.cells import factor
from dockyard.report.headline import nearest_miss, reference_runtime


def advice(rows: Sequence[Assessment]) -> str:
    """Return what to do, from the assessments of all models and variants of a recipe."""
    own = [one for one in rows if one.is_of_recipes_model]
    if any(one.is_reference and one.verdict == Verdict.FAILED for one in own):
        return (
            "look at the test samples and at model.json: with a failed reference nothing can be compared; "
            "the last lines of its log are in its record, reference.json"
        )
    winner = next((one for one in own if one.verdict == Verdict.RECOMMENDED), None)
    if winner is not None:
        record = f"{winner.record.model}/{winner.record.variant}.json"
        return f"read the report; deliver what was measured, the files that the record {record} names"
    nearest = nearest_miss(own)
    device = rows[0].record.recipe.get("device")
    if nearest is None and device and not any(one.record.rounds for one in rows):
        return (
            f"build again when the device '{device}' is there (./inv doctor --context {device} says what it "
            "lacks), or name another one with --context"
        )
    if nearest is None:
        return "read the reason of each variant in the report: mend it, or try what this hardware can run"
    return _remedy(nearest, own) + _what_a_larger_drop_brings(nearest, own)


def _remedy(nearest: Assessment, own: Sequence[Assessment]) -> str:
    measure = nearest.record.recipe["measure"]
    more_rounds = f"more rounds (measure.max_rounds, now {measure.get('max_rounds')})"
    if nearest.verdict == Verdict.TOO_LOSSY:
        allowed = required_of(nearest).max_drop
        return (
            f"allow a larger drop (requirements.max_drop, now {allowed:g}), or try an accuracy-aware method, "
            "where the target has one"
        )
    if nearest.verdict == Verdict.UNDECIDED:
        if nearest.times is not None and nearest.times.rounds < MIN_ROUNDS:
            return f"measure at least {MIN_ROUNDS} rounds (measure.rounds, now {measure.get('rounds')})"
        return f"{more_rounds}, a calmer machine or a requirement with more margin would decide it"
    if nearest.speedup is not None and gain(nearest.speedup).answer == Answer.YES:
        missed = " and ".join(f"{name} {value:g}" for name, value in required_speeds(nearest).items())
        return (
            f"it is faster, but the recipe requires {missed}: try other optimizations or faster hardware, "
            "or require less"
        )
    keep = f"keep {reference_runtime(own)}, or try other optimizations, another target or other hardware"
    return f"{keep}; {more_rounds} or a calmer machine may still show a gain" if nearest.is_open else keep


def _what_a_larger_drop_brings(nearest: Assessment, own: Sequence[Assessment]) -> str:
    """Return which variant that loses too much is the fastest; empty where that is what was nearest."""
    lossy = [one for one in own if one.verdict == Verdict.TOO_LOSSY and one.speedup and one.drop]
    if nearest.verdict == Verdict.TOO_LOSSY or not lossy:
        return ""
    best = max(lossy, key=lambda one: one.speedup.estimate if one.speedup else 0.0)
    assert best.speedup is not None
    assert best.drop is not None
    return f"; {best.record.variant} is {factor(best.speedup.estimate)}x and drops {best.drop.estimate:.4f}"
