"""What the report says of one model of a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from dockyard.judge.assessment import Assessment
from dockyard.judge.measurements import steps_of_rounds
from dockyard.report import cells
from dockyard.report.cells import Column
from dockyard.report.content import ModelSection, Table
from dockyard.report.counted_objects import object_tables
from dockyard.report.pictures import Pictures
from dockyard.report.remarks import remarks_on, remarks_on_device, remarks_on_times, tables_of
from dockyard.report.roofline_table import roofline_table
from dockyard.report.streams import STREAM_COLUMNS, stream_tables
from shared.contract.measurement import Scope
from shared.contract.record import Record


def model_section(rows: Sequence[Assessment], pictures: Pictures) -> ModelSection:
    """Return what there is to say of a model, from the assessments of its variants."""
    record = rows[0].record
    compared = [one for one in rows if not one.was_left]
    tables = [*_left_table([one for one in rows if one.was_left])]
    if record.scope == Scope.PIPELINE:
        tables += _step_table(compared)
    if any(one.is_stream for one in compared):
        tables += stream_tables(compared)
    tables += roofline_table(compared)
    tables += object_tables(compared)
    tables += [table for one in compared for table in tables_of(one)]
    key = rows[0].group, record.model
    return ModelSection(
        model=record.model,
        covers=_covers(rows),
        variants=_variant_table(compared),
        remarks=(
            *remarks_on_device(compared),
            *remarks_on_times(compared),
            *(remark for one in compared for remark in remarks_on(one)),
        ),
        tables=tuple(tables),
        pictures=tuple(pictures.of_models.get(key, ())),
        picture_remarks=tuple(pictures.remarks.get(key, ())),
    )


def _covers(rows: Sequence[Assessment]) -> str:
    if any(one.is_stream for one in rows):
        return "a stream: speed by its frames a second, latency from a frame's arrival to its output"
    if rows[0].record.scope == Scope.PIPELINE:
        return "from the encoded image to the last output, per image"
    return "one call of the network"


def _variant_table(rows: Sequence[Assessment]) -> Table:
    return cells.tabulate(_variant_columns(rows), rows) if rows else Table((), ())


def _variant_columns(rows: Sequence[Assessment]) -> Iterator[Column]:
    """Yield the columns of the variants; target and frames a second only where a reader needs them."""
    yield "variant", lambda one: one.record.variant
    if len({one.record.target for one in rows if not one.is_reference}) > 1:
        yield "target", lambda one: one.record.target
    yield "verdict", lambda one: one.verdict.value
    if any(one.is_stream for one in rows):
        yield from STREAM_COLUMNS
    else:
        yield from _call_columns(rows[0].record)
    qualities = [one.record.quality.metrics for one in rows if one.record.quality]
    for name in dict.fromkeys(name for metrics in qualities for name in metrics):
        yield name, partial(cells.metric, name=name)
    yield "drop [95 %]", lambda one: cells.difference(one.drop)
    yield "flipped", lambda one: str(len(one.flipped)) if one.drop else cells.NOTHING
    yield "MB", lambda one: cells.decimals(one.size_mb or None)


def _call_columns(record: Record) -> Iterator[Column]:
    yield "mean ms", cells.mean
    yield "std", cells.std
    yield "median (spread)", cells.median_and_spread
    if _asks_for_fps(record):
        yield "fps", lambda one: cells.decimals(one.fps, 1)
    yield "speedup [95 %]", lambda one: cells.ratio(one.speedup)


def _asks_for_fps(record: Record) -> bool:
    return record.recipe["requirements"].get("min_fps") is not None


def _left_table(left: Sequence[Assessment]) -> Iterator[Table]:
    """Yield the variants that a search left after one round, folded away."""
    if not left:
        return
    columns: list[Column] = [
        ("variant", lambda one: one.record.variant),
        (f"{'ms a frame' if left[0].is_stream else 'median ms'} (one round)", cells.pace),
        (left[0].metric, lambda one: cells.decimals(one.quality, 4)),
        ("why it was left", lambda one: cells.one_line(one.reason)),
    ]
    plural = "s" if len(left) > 1 else ""
    title = f"{len(left)} more variant{plural} tried in one round, not measured further"
    yield cells.tabulate(columns, left, title, folded=True)


def _step_table(rows: Sequence[Assessment]) -> Iterator[Table]:
    """Yield the time that each step of a pipeline takes, by the steps that its records have."""
    timed = [one for one in rows if one.record.latencies and one.times]
    steps = steps_of_rounds([measured for one in timed for measured in one.record.latencies])
    if not steps:
        return
    columns: list[Column] = [("variant", lambda one: one.record.variant)]
    columns += [(step.replace("_", " "), partial(cells.step, name=step)) for step in steps]
    columns.append(("images/s (median)", lambda one: cells.decimals(one.fps, 1)))
    yield cells.tabulate(columns, timed, "Mean milliseconds of each step")
