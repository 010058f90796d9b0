"""What the report says of a stream: its figures, where its time goes, and how it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from dockyard.judge.assessment import Assessment
from dockyard.judge.measurements import cpu_ms_of, peak_mb_of, stream_steps_ms
from dockyard.report import cells
from dockyard.report.cells import Column
from dockyard.report.content import Table
from shared.contract.codec import DecodeError, decode
from shared.contract.recipe import Stream
from shared.contract.record import Record
from shared.contract.streaming import StreamSettings

SETTINGS = "stream"
"""What a stream's own settings are called among those of its networks."""


def _fps(one: Assessment) -> str:
    """Return the frames a second with their 95 % interval."""
    if one.fps is None or one.pace_ms is None:
        return cells.NOTHING
    return f"{one.fps:.1f} [{1000 / one.pace_ms.high:.1f}, {1000 / one.pace_ms.low:.1f}]"


STREAM_COLUMNS: tuple[Column, ...] = (
    ("fps [95 %]", _fps),
    ("speedup [95 %]", lambda one: cells.ratio(one.speedup)),
    ("latency ms: median (spread)", cells.median_and_spread),
    ("p99", lambda one: cells.decimals(one.times.p99 if one.times else None)),
    ("CPU ms a frame", lambda one: cells.decimals(cpu_ms_of(one.record.rounds))),
    ("peak MB", lambda one: cells.decimals(peak_mb_of(one.record.rounds), 0)),
)
"""What a stream's variants have in the place of the times of calls."""


def stream_tables(rows: Sequence[Assessment]) -> Iterator[Table]:
    """Yield where the time of each variant's stream goes, and with which settings it runs."""
    timed = [one for one in rows if stream_steps_ms(one.record.rounds)]
    if timed:
        yield _step_table(timed)
    described = [one for one in rows if one.record.rounds and SETTINGS in one.record.settings]
    if described:
        columns: list[Column] = [("variant", lambda one: one.record.variant)]
        columns += [(name, partial(_setting, name=name)) for name in SETTING_NAMES]
        yield cells.tabulate(columns, described, f"How the stream is run{_tracking(rows[0].record)}")


def _step_table(timed: Sequence[Assessment]) -> Table:
    steps = dict.fromkeys(step for one in timed for step in stream_steps_ms(one.record.rounds))
    columns: list[Column] = [("variant", lambda one: one.record.variant)]
    columns += [(step.replace("_", " "), partial(_step, name=step)) for step in steps]
    columns.append(("together", lambda one: f"{sum(stream_steps_ms(one.record.rounds).values()):.2f}"))
    title = (
        "Where the time goes: mean milliseconds of a frame's steps, in all threads, and their share (several "
        "frames are at work at once, so they add up to more than the time from one frame to the next)"
    )
    return cells.tabulate(columns, timed, title)


def _step(one: Assessment, name: str) -> str:
    steps = stream_steps_ms(one.record.rounds)
    if name not in steps:
        return cells.NOTHING
    return f"{steps[name]:.2f} ({steps[name] / (sum(steps.values()) or 1):.0%})"


def _tracking(record: Record) -> str:
    """Return what its recipe asks for over the frames of a track, in brackets; empty for nothing."""
    stream = decode(Stream, record.recipe.get("stream", {}), "$.recipe.stream")
    asked = []
    if stream.interval > 1:
        asked.append(f"one frame in {stream.interval} goes through the networks, between them tracks do")
    if stream.vote:
        asked.append("the readings of a track are voted on")
    return f" ({'; '.join(asked)})" if asked else ""


def _setting(one: Assessment, name: str) -> str:
    return _described(one.record.settings[SETTINGS]).get(name, cells.NOTHING)


SETTING_NAMES = (
    "frames at once",
    "threads of each call",
    "crops in a call",
    "a crop waits at most",
    "decoder threads",
    "normalizing",
)


def _described(found: object) -> Mapping[str, str]:
    """Return settings in words, by the names above.

    They come from a container: what is not what it should be is left out.
    """
    if not isinstance(found, Mapping):
        return {}
    if "one_by_one" in found:
        return {SETTING_NAMES[0]: "one after the other"}
    try:
        settings = decode(StreamSettings, found)
    except DecodeError:
        return {}
    waits = f"{settings.wait_ms:g} ms" if settings.batch > 1 else cells.NOTHING
    figures = (settings.workers, settings.threads, settings.batch, waits, settings.decoders)
    where = "in the network" if settings.folds else "before the network"
    return dict(zip(SETTING_NAMES, (*map(str, figures), where)))
