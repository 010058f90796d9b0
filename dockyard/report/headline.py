"""The answer in one sentence: how much faster, on which hardware, at what loss."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from dockyard.judge.statistics import STABLE_WITHIN
from dockyard.judge.verdicts import Assessment, Verdict
from dockyard.plan.plan import COMBINED
from shared.contract.measurement import Throughput
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
        f"{winner.speedup.estimate:.2f}x {reference_runtime(own)} ({_speed(winner)}) on {winner.device}, "
        f"{winner.metric} {winner.quality:.4f} (drop {loss.estimate:+.4f}, 95 % interval {loss.low:+.4f} to "
        f"{loss.high:+.4f}).{_what_may_be_faster(own, winner)}"
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


def _speed(one: Assessment) -> str:
    if any(isinstance(measured, Throughput) for measured in one.record.rounds):
        return f"{one.fps:.1f} frames a second"
    assert one.times is not None
    return f"{one.times.mean:.1f} ms"


def _what_may_be_faster(own: Sequence[Assessment], winner: Assessment) -> str:
    """Return a sentence on what would be faster, were this machine not too noisy to tell; or nothing."""
    best = _fastest_unstable(own)
    if best is None or best.speedup is None or _fps(best) <= _fps(winner):
        return ""
    gain = best.speedup
    return (
        f" Faster within the allowed loss, but unstable here: {best.record.variant}, {gain.estimate:.2f}x "
        f"({gain.low:.2f} to {gain.high:.2f})."
    )


def _fastest_unstable(own: Sequence[Assessment]) -> Assessment | None:
    unstable = [one for one in own if one.verdict == Verdict.UNSTABLE]
    return max(unstable, key=_fps, default=None)


def _fps(one: Assessment) -> float:
    return one.fps or 0.0


def _no_winner(rows: Sequence[Assessment], own: Sequence[Assessment]) -> str:
    first = rows[0]
    nothing = f"No variant of {first.record.recipe['model']} is recommended for {first.recipe_name}"
    broken = [one for one in rows if one.is_reference and one.verdict == Verdict.FAILED]
    if broken:
        return f"{nothing}: the reference of {broken[0].record.model} failed."
    best = _fastest_unstable(own)
    if best is None:
        return f"{nothing}: none meets its requirements."
    assert best.times is not None
    assert best.speedup is not None
    assert best.drop is not None
    gain = best.speedup
    return (
        f"{nothing}: this machine is too noisy. The fastest within the allowed loss, {best.record.variant}, "
        f"was {gain.estimate:.2f}x {reference_runtime(own)} ({gain.low:.2f} to {gain.high:.2f} in its "
        f"{best.times.rounds} rounds) on {best.device}, drop {best.drop.estimate:+.4f}, but its rounds' "
        f"medians lie up to {best.times.stability:.0%} apart from their median ({STABLE_WITHIN:.0%} are "
        "allowed)."
    )
