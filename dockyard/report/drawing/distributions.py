"""How long each call took: every sample, not its mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dockyard.judge.assessment import Assessment
from dockyard.judge.measurements import call_times_ns
from dockyard.judge.statistics import Figures
from dockyard.report.drawing import svg
from dockyard.report.drawing.svg import WIDTH, Drawing, Scale

LEFT, RIGHT, TOP, ROW, BOTTOM = 232, 96, 34, 34, 50
"""Of the margins, and of a variant's row, in pixels."""

BINS = 72
BEYOND = 1.2
"""The picture ends at this many times the largest p99; what took longer is counted at its edge."""


def distribution(rows: Sequence[Assessment], file: str, title: str) -> Drawing | None:
    """Return the times of all calls of each variant of one device as histograms; None where there are none.

    Args:
        rows: in the order they are drawn.
    """
    timed = [(one, _calls_ms(one)) for one in rows if one.times and not one.was_left]
    if not timed:
        return None
    low = min(float(calls.min()) for _, calls in timed)
    high = BEYOND * max(one.times.p99 for one, _ in timed if one.times)
    height = TOP + ROW * len(timed) + BOTTOM
    across = Scale(0.97 * low, high, LEFT, WIDTH - RIGHT, is_log=True)
    body = [svg.text(16, 18, svg.shortened(title, WIDTH - 32), "bold"), *_axis(across, height, timed[0][0])]
    for number, (one, calls) in enumerate(timed):
        body += _row(one, calls, across, TOP + ROW * (number + 1))
    return Drawing(file, title, _caption(timed, high), WIDTH, height, "".join(body))


def _calls_ms(one: Assessment) -> Figures:
    calls = [np.asarray(call_times_ns(each.measured), np.float64) for each in one.record.rounds]
    return np.concatenate(calls) / 1e6


def _axis(across: Scale, height: float, one: Assessment) -> Iterator[str]:
    bottom = height - BOTTOM
    for tick in across.ticks():
        yield svg.line(across(tick), TOP, across(tick), bottom, "grid")
        yield svg.text(across(tick), bottom + 16, svg.written(tick), "soft middle")
    what = "latency of a frame" if one.is_stream else "time of a call"
    yield svg.text((across.start + across.end) / 2, height - 12, f"{what} in ms, logarithmic", "soft middle")


def _row(one: Assessment, calls: Figures, across: Scale, base: float) -> Iterator[str]:
    assert one.times is not None
    kind = svg.KINDS[one.verdict]
    edges = np.geomspace(across.low, across.high, BINS + 1)
    counts, _ = np.histogram(np.minimum(calls, across.high), edges)
    tallest = counts.max() or 1
    steps = [(across.start, base)]
    for count, first, last in zip(counts, edges, edges[1:]):
        top = base - (ROW - 8) * float(count) / tallest
        steps += [(across(float(first)), top), (across(float(last)), top)]
    yield svg.path(_without_repeats([*steps, (across.end, base)]), f"{kind} band")
    yield svg.line(across.start, base, across.end, base, "grid")
    x = across(one.times.median)
    yield svg.line(x, base, x, base - ROW + 6, f"{kind} thin")
    late = across(min(one.times.p99, across.high))
    yield svg.line(late, base, late, base - 9, f"{kind} thin")
    yield svg.text(LEFT - 8, base - 8, svg.shortened(one.record.variant, LEFT - 20, 10.5), "end small")
    yield svg.text(WIDTH - RIGHT + 8, base - 8, f"{one.times.median:.2f} / {one.times.p99:.2f}", "soft small")


def _without_repeats(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a line's points without those between two others of its height."""
    kept = [points[0]]
    for before, here, after in zip(points, points[1:], points[2:]):
        if not before[1] == here[1] == after[1]:
            kept.append(here)
    return [*kept, points[-1]]


def _caption(timed: Sequence[tuple[Assessment, Figures]], high: float) -> str:
    beyond = sum(int((calls > high).sum()) for _, calls in timed)
    every = sum(len(calls) for _, calls in timed)
    told = [
        f"Each row is the histogram of all calls of all rounds ({every} in the picture); the long line is "
        "the median, the short one the 99th percentile, both in ms on the right.",
        "Two humps are two paces of the machine, a tail to the right is what a user waits now and then.",
    ]
    if beyond:
        told.append(f"{beyond} that took longer are counted at the right edge.")
    return " ".join(told)
