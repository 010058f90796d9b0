"""The page to decide by: what to take of each recipe and why, and what became of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.questions import required_of, required_speeds
from dockyard.report.advice import advice
from dockyard.report.cells import factor, one_line
from dockyard.report.content import Decision, Remark
from dockyard.report.grouping import by_group
from dockyard.report.headline import headline, options_beyond_name, reference_runtime, speed

MAX_REASON = 200
"""Characters of a reason that a job gave."""

Wording = Callable[[Assessment], str]


def decisions_of(assessments: Sequence[Assessment]) -> tuple[Decision, ...]:
    """Return the decision on each recipe and machine, in the order of the assessments."""
    return tuple(decision_of(rows) for rows in by_group(assessments).values())


def decision_of(rows: Sequence[Assessment]) -> Decision:
    """Return the decision on one recipe, from the assessments of all its models and variants."""
    own = [one for one in rows if one.is_of_recipes_model]
    first = (own or list(rows))[0]
    winner = next((one for one in own if one.verdict == Verdict.RECOMMENDED and one.speedup), None)
    known = [winner] if winner else [one for one in (*own, *rows) if one.record.rounds]
    unsettled = (Verdict.UNDECIDED, Verdict.NOT_MEASURED, Verdict.FAILED)
    return Decision(
        group=first.group,
        recipe=first.recipe_name,
        device=known[0].device if known else _missing_device(first),
        take=winner.record.variant if winner else "",
        record=winner.record_file if winner else "",
        reason=_why(winner, own) if winner else headline(rows).removesuffix("."),
        as_fast=_remarks(own, (Verdict.AS_FAST,), _beside),
        too_lossy=_remarks(own, (Verdict.TOO_LOSSY,), _loss),
        undecided=_remarks(own, unsettled, _why_unsettled),
        no_gain=_remarks(own, (Verdict.NO_GAIN,), _no_gain),
        advice=advice(rows),
    )


def _missing_device(one: Assessment) -> str:
    named = one.record.recipe.get("device")
    return f"'{named}', which was not there" if named else "nothing was measured"


def _why(winner: Assessment, own: Sequence[Assessment]) -> str:
    assert winner.speedup is not None
    assert winner.drop is not None
    rank = f"the fastest within {_required(winner)}"
    rivals = [one for one in own if one.verdict == Verdict.AS_FAST]
    if rivals:
        losses = [one.drop.estimate for one in rivals if one.drop]
        least = winner.drop.estimate < min(losses, default=0.0)
        best = "the one that loses least" if least else "the smallest"
        rank = f"of the {len(rivals) + 1} fastest within {_required(winner)} {best}"
    options = options_beyond_name(winner.record)
    return (
        f"{rank}: {factor(winner.speedup.estimate)}x {reference_runtime(own)} "
        f"({factor(winner.speedup.low)} to {factor(winner.speedup.high)}), {speed(winner)}, "
        f"{winner.metric} {winner.quality:.4f}, drop "
        f"{winner.drop.estimate:+.4f} ({winner.drop.low:+.4f} to {winner.drop.high:+.4f})"
        f"{f'; with {options}' if options else ''}"
    )


def _required(one: Assessment) -> str:
    speeds = [f"{name} {value:g}" for name, value in required_speeds(one).items()]
    return ", ".join([f"max_drop {required_of(one).max_drop:g}", *speeds])


def _remarks(own: Sequence[Assessment], verdicts: Sequence[Verdict], words: Wording) -> tuple[Remark, ...]:
    """Return a remark on each variant with these verdicts; those that say the same are one."""
    by_text: dict[str, list[str]] = {}
    for one in own:
        is_told = not one.was_left and not (one.is_reference and one.verdict == Verdict.NOT_MEASURED)
        if one.verdict in verdicts and is_told:
            by_text.setdefault(words(one), []).append(one.record.variant)
    left = [one for one in own if one.was_left and one.verdict in verdicts]
    if left:
        plural = "s" if len(left) > 1 else ""
        by_text["left by the search after one round"] = [f"{len(left)} more variant{plural}"]
    return tuple(Remark(", ".join(variants), text) for text, variants in by_text.items())


def _beside(one: Assessment) -> str:
    return ", ".join(_figures(one))


def _figures(one: Assessment) -> Iterator[str]:
    if one.speedup:
        yield f"{factor(one.speedup.estimate)}x"
    if one.drop:
        yield f"drop {one.drop.estimate:+.4f}"


def _loss(one: Assessment) -> str:
    assert one.drop is not None
    allowed = required_of(one).max_drop
    gained = f", at {factor(one.speedup.estimate)}x" if one.speedup else ""
    return f"loses {one.drop.estimate:.4f} of {one.metric}, {allowed:g} are allowed{gained}"


def _why_unsettled(one: Assessment) -> str:
    kind = one.verdict.value if one.verdict != Verdict.UNDECIDED else ", ".join(_figures(one))
    return f"{kind}: {one_line(one.reason, MAX_REASON) or 'no reason given'}"


def _no_gain(one: Assessment) -> str:
    assert one.speedup is not None
    interval = f"{factor(one.speedup.estimate)}x ({factor(one.speedup.low)} to {factor(one.speedup.high)})"
    return f"{interval}, {one_line(one.reason, MAX_REASON)}" if one.reason else interval
