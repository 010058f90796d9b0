"""Which of our records stand beside the thesis's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dockyard.judge.assessment import Assessment
from dockyard.plan.plan import REFERENCE_VARIANT
from shared.contract.record import RecordStatus

Run = tuple[str, str]
"""A run and the recipe and machine that it is of (`Assessment.group`)."""


def run_of(one: Assessment) -> Run:
    """Return the run that an assessment is of."""
    return one.record.run, one.group


def is_measured(one: Assessment) -> bool:
    """Tell whether a variant has figures that count."""
    return one.record.status == RecordStatus.MEASURED and one.times is not None


def beside(
    model: str, target: str, assessments: Sequence[Assessment], of_streams: bool = False
) -> list[Assessment]:
    """Return what was measured of a model on a target, with the references of every run.

    Args:
        of_streams: of streams that take every frame by itself, and of nothing else; else of no stream.
    """
    own = [one for one in assessments if one.record.model == model and one.is_stream == of_streams]
    own = [one for one in own if not _tracks(one)]
    return [one for one in own if one.record.target == target or one.is_reference]


def _tracks(one: Assessment) -> bool:
    """Tell whether the recipe leaves out frames, or lets those of a track vote: the thesis did neither."""
    stream = one.record.recipe.get("stream") or {}
    return one.is_stream and (stream.get("interval", 1) > 1 or stream.get("vote", False))


def column_of(own: Sequence[Assessment], toolchain: str, methods: Sequence[str]) -> dict[str, Assessment]:
    """Return what a toolchain's column has for each method of a model.

    Of several variants of a method it is a measured one, of a run with more than one toolchain, with the
    fewest options, of the newest run. The reference is the one beside the first method.

    Args:
        own: the model's assessments: the target's variants and the references.
        methods: the methods of the thesis's table, in its order.
    """
    toolchains = _toolchains_of_runs(own)
    newest_first = sorted(own, key=run_of, reverse=True)

    def rank(one: Assessment) -> tuple[bool, int, int]:
        return not is_measured(one), -len(toolchains.get(run_of(one), ())), len(one.record.options)

    found = {}
    for method in methods:
        wanted = (method, toolchain)
        same = [one for one in newest_first if (one.record.method, one.record.toolchain) == wanted]
        if same:
            found[method] = min(same, key=rank)
    if not found:
        return {}
    first_run = run_of(next(iter(found.values())))
    references = [one for one in own if one.is_reference and run_of(one) == first_run]
    return {REFERENCE_VARIANT: references[0], **found} if references else found


def _toolchains_of_runs(own: Sequence[Assessment]) -> Mapping[Run, set[str]]:
    """Return the toolchains that each run measured."""
    found: dict[Run, set[str]] = {}
    for one in own:
        if not one.is_reference and is_measured(one):
            found.setdefault(run_of(one), set()).add(one.record.toolchain)
    return found
