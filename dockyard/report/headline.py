"""The answer in one sentence: how much faster, on which hardware, at what loss."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.plan.plan import COMBINED
from dockyard.report.cells import factor
from shared.contract.record import Record

RUNTIME = "runtime"
"""What a session's settings call the runtime that it ran in."""


def headline(rows: Sequence[Assessment]) -> str:
    """Return the answer to a recipe, from the assessments of all its models and variants."""
    own = [one for one in rows if one.is_of_recipes_model]
    winner = next((one for one in own if one.verdict == Verdict.RECOMMENDED), None)
    if winner is None or winner.times is None or winner.speedup is None or winner.drop is None:
        return _no_winner(rows, own)
    options = options_beyond_name(winner.record)
    loss = winner.drop
    return (
        f"{winner.record.model}: take {winner.record.variant}{f' ({options})' if options else ''}, "
        f"{factor(winner.speedup.estimate)}x {reference_runtime(own)} (95 % interval "
        f"{factor(winner.speedup.low)} to {factor(winner.speedup.high)}; {speed(winner)}) "
        f"on {winner.device}, {winner.metric} {winner.quality:.4f} (drop {loss.estimate:+.4f}, "
        f"95 % interval {loss.low:+.4f} to {loss.high:+.4f})."
    )


def reference_runtime(rows: Sequence[Assessment]) -> str:
    """Return what the reference of a model ran in; where it does not say, its target's name."""
    reference = next((one.record for one in rows if one.is_reference), None)
    return runtime_of(reference) if reference else "its reference"


def runtime_of(record: Record) -> str:
    """Return what a record's networks ran in, each runtime once; where they do not say, its target's name."""
    settings = record.settings
    of_networks = [settings] if RUNTIME in settings else settings.values()
    known = [own[RUNTIME] for own in of_networks if isinstance(own, Mapping) and own.get(RUNTIME)]
    return " and ".join(dict.fromkeys(map(str, known))) or record.target


def options_beyond_name(record: Record) -> str:
    """Return a variant's options where its name alone, a number or a combination, does not say them."""
    if record.variant.partition("@")[0] == record.method and COMBINED not in record.variant:
        return ""
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in record.options.items())


def speed(one: Assessment) -> str:
    """Return the median milliseconds of a variant, or of a stream its frames a second."""
    if one.is_stream:
        return f"{one.fps:.1f} frames a second"
    assert one.times is not None
    return f"{one.times.median:.2f} ms"


def _no_winner(rows: Sequence[Assessment], own: Sequence[Assessment]) -> str:
    first = rows[0]
    nothing = f"No variant of {first.record.recipe['model']} is recommended for {first.recipe_name}"
    broken = [one for one in rows if one.is_reference and one.verdict == Verdict.FAILED]
    if broken:
        return f"{nothing}: the reference of {broken[0].record.model} failed."
    best = nearest_miss(own)
    if best is None or best.speedup is None or best.drop is None:
        none = "none has a speedup" if any(one.has_times_alone for one in own) else "none was measured"
        return f"{nothing}: {none}{_common_reason(own)}."
    gain, loss = best.speedup, best.drop
    why = f"{best.verdict.value}, {best.reason}" if best.reason else best.verdict.value
    return (
        f"{nothing}: the nearest is {best.record.variant}, {factor(gain.estimate)}x {reference_runtime(own)} "
        f"(95 % interval {factor(gain.low)} to {factor(gain.high)}), drop {loss.estimate:+.4f}, "
        f"on {best.device}: {why}."
    )


def _common_reason(own: Sequence[Assessment]) -> str:
    """Return why no variant was measured, where it is the same for all and no failure; else nothing."""
    variants = [one for one in own if not one.is_reference]
    reasons = {one.reason for one in variants if one.verdict == Verdict.NOT_MEASURED}
    is_common = len(reasons) == 1 and all(one.verdict == Verdict.NOT_MEASURED for one in variants)
    return f", {reasons.pop()}" if is_common else ""


def nearest_miss(own: Sequence[Assessment]) -> Assessment | None:
    """Return the fastest of those that came nearest to the requirements."""
    for verdict in (Verdict.UNDECIDED, Verdict.NO_GAIN, Verdict.TOO_LOSSY):
        found = [one for one in own if one.verdict == verdict and one.speedup]
        if found:
            return max(found, key=lambda one: one.speedup.estimate if one.speedup else 0.0)
    return None
