"""What is to be known of a variant beside its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.device_changes import changes_by_round
from dockyard.judge.statistics import STEADY_WITHIN, Interval
from dockyard.report.cells import difference, one_line
from dockyard.report.content import Remark, Table
from dockyard.report.headline import options_beyond_name
from shared.contract.measurement import Quality, Scope
from shared.contract.record import RecordStatus
from shared.contract.result import Notes

MAX_TEXT = 300
"""Characters of a remark that a toolchain makes."""

MAX_SAMPLES = 8
"""Samples that are named."""

MAX_CHANGES = 6
"""Of a device, that are named."""

MAX_ROWS = 20
"""Rows of a toolchain's table."""


def remarks_on(one: Assessment) -> list[Remark]:
    """Return the remarks on a variant, its own troubles first, what its toolchain says of its work last."""
    return [Remark(one.record.variant, text) for text in _texts(one)]


def remarks_on_device(rows: Sequence[Assessment]) -> list[Remark]:
    """Return a remark on each thing that happened to the device while a model's variants were measured."""
    found: dict[str, set[int]] = {}
    for one in rows:
        for change, rounds in changes_by_round(one.record).items():
            found.setdefault(change, set()).update(rounds)
    remarks = []
    for change, numbers in list(found.items())[:MAX_CHANGES]:
        when = f"round{'s' if len(numbers) > 1 else ''} {', '.join(map(str, sorted(numbers)))}"
        text = f"{change} in {when}: milliseconds hold for that alone; speedups stand"
        remarks.append(Remark("", one_line(text, MAX_TEXT)))
    return remarks


def remarks_on_times(rows: Sequence[Assessment]) -> list[Remark]:
    """Return one remark where the rounds of a model's variants are too far apart for milliseconds to last."""
    timed = [one for one in rows if one.times]
    unsteady = [one for one in timed if one.times and not one.times.is_steady]
    if not unsteady:
        return []
    are_most = 2 * len(unsteady) > len(timed)
    whose = "" if are_most else f" of {', '.join(one.record.variant for one in unsteady)}"
    text = (
        f"the milliseconds{whose} hold for this run alone (spread beyond {STEADY_WITHIN:.0%}); speedups stand"
    )
    return [Remark("", text)]


def _texts(one: Assessment) -> Iterator[str]:
    record = one.record
    for warning in record.warnings:
        yield one_line(warning, MAX_TEXT)
    if options := options_beyond_name(record):
        yield one_line(f"options: {options}", MAX_TEXT)
    if record.predicted and one.predicted_drop:
        yield _prediction(one, record.predicted, one.predicted_drop)
    if record.status != RecordStatus.MEASURED:
        stage = f" in {record.stage}" if record.stage else ""
        yield f"{record.status.value}{stage}: {one_line(one.reason) or 'no reason given'}"
        if record.status == RecordStatus.NOT_MEASURED:
            # What was made is there to be taken to where it can run.
            yield from _noted(one)
        return
    if one.verdict == Verdict.TOO_LOSSY and one.drop:
        allowed = record.recipe["requirements"]["max_drop"]
        yield f"too lossy: it loses {one.drop.estimate:.4f} of {one.metric}, {allowed} are allowed"
    elif one.reason:
        yield f"{one.verdict.value}: {one_line(one.reason)}"
    yield from _noted(one)
    if one.flipped:
        more = len(one.flipped) - MAX_SAMPLES
        named = ", ".join(one.flipped[:MAX_SAMPLES]) + (f" and {more} more" if more > 0 else "")
        yield f"right on one side only: {named}"


def _prediction(one: Assessment, predicted: Quality, drop: Interval) -> str:
    """Return what was predicted of a variant's quality, and that it is only that."""
    allowed = one.record.recipe["requirements"]["max_drop"]
    excess = f", more than the {allowed} that are allowed" if drop.estimate > allowed else ""
    value = f"{predicted.main} {predicted.metrics[predicted.main]:.4f} on {len(predicted.samples)} samples"
    return f"predicted without its device: {value}, drop {difference(drop)}{excess}; the device decides"


def _noted(one: Assessment) -> Iterator[str]:
    """Yield what is said of the work on a network, or of the search for a stream's settings."""
    for notes in _own_notes(one):
        yield from (one_line(remark, MAX_TEXT) for remark in notes.remarks)


def _own_notes(one: Assessment) -> list[Notes]:
    """Return what is said of a model itself: what is said of a pipeline's networks is in their sections."""
    notes = one.record.notes
    if one.record.scope == Scope.NETWORK:
        return list(notes.values())
    return [notes[one.record.model]] if one.record.model in notes else []


def tables_of(one: Assessment) -> list[Table]:
    """Return the tables of what is said of a variant's own making, their first rows."""
    tables = []
    for notes in _own_notes(one):
        for noted in notes.tables:
            table = Table(
                noted.columns,
                noted.rows[:MAX_ROWS],
                title=noted.title,
                subject=one.record.variant,
                folded=noted.folded,
                left_out=max(0, len(noted.rows) - MAX_ROWS),
                by_toolchain=True,
            )
            tables.append(table)
    return tables
