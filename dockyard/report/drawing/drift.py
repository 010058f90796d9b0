"""Milliseconds that drift, and the paired ratios that do not: why a speedup can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.measurements import burst_paces_ns, paired_ratios
from dockyard.judge.statistics import Figures
from dockyard.report.cells import factor
from dockyard.report.drawing import svg
from dockyard.report.drawing.svg import WIDTH, Drawing, Scale

LEFT, RIGHT, TOP, PANEL, GAP, BOTTOM = 74, 24, 50, 130, 34, 46
SPANNED = (5, 95)
"""Percentiles between which the caption says how far figures are apart."""


@dataclass(frozen=True)
class Paired:
    """A reference and a variant, cycle by cycle.

    Attributes:
        rounds: the number of each cycle's round.
        reference_ms, variant_ms, ratios: of each cycle.
    """

    reference: Assessment
    variant: Assessment
    rounds: Sequence[int]
    reference_ms: Figures
    variant_ms: Figures
    ratios: Figures


def drift(rows: Sequence[Assessment], file: str, title: str) -> Drawing | None:
    """Return the cycles of the reference and of the variant to take, or the fastest; None without a pair."""
    paired = _paired(rows)
    if paired is None:
        return None
    reference, variant = _over_median(paired.reference_ms), _over_median(paired.variant_ms)
    # Both panels have the same factors to the inch: only so can an eye compare what they do.
    span = max(1.2, *(_extent(figures) for figures in (reference, variant, paired.ratios))) * 1.1
    below, above = TOP + PANEL + GAP, TOP
    across = Scale(-0.5, len(paired.ratios) - 0.5, LEFT, WIDTH - RIGHT)
    ms = _around(np.concatenate([reference, variant]), span, below + PANEL, below)
    ratio = _around(paired.ratios, span, above + PANEL, above)
    middle = (across.start + across.end) / 2
    body = [
        svg.text(16, 18, svg.shortened(title, WIDTH - 32), "bold"),
        *_panel(paired, across, ratio, f"speedup of {paired.variant.record.variant}, cycle by cycle"),
        *_panel(paired, across, ms, "ms of each burst over their median, on the same scale"),
        *_band(paired, across, ratio),
        *_series(paired.ratios, paired.variant.verdict, across, ratio),
        *_series(reference, Verdict.REFERENCE, across, ms),
        *_series(variant, paired.variant.verdict, across, ms),
        svg.text(middle, below + PANEL + 34, "cycles, round after round", "soft middle"),
    ]
    return Drawing(file, title, _caption(paired), WIDTH, below + PANEL + BOTTOM, "".join(body))


def _over_median(figures: Figures) -> Figures:
    return np.asarray(figures / np.median(figures), np.float64)


def _extent(figures: Figures) -> float:
    return float(figures.max() / figures.min())


def _paired(rows: Sequence[Assessment]) -> Paired | None:
    reference = next((one for one in rows if one.verdict == Verdict.REFERENCE), None)
    compared = [one for one in rows if one.speedup and not one.is_reference]
    if reference is None or not compared:
        return None
    variant = next((one for one in compared if one.verdict == Verdict.RECOMMENDED), None)
    variant = variant or max(compared, key=lambda one: one.speedup.estimate if one.speedup else 0.0)
    ratios = paired_ratios(reference.record.rounds, variant.record.rounds)
    if not ratios or sum(map(len, ratios)) < len(ratios) + 1:
        return None
    others = {(one.number, one.group): one.measured for one in variant.record.rounds}
    numbers: list[int] = []
    mine: list[Figures] = []
    theirs: list[Figures] = []
    for one in reference.record.rounds:
        if (one.number, one.group) not in others:
            continue
        first, second = burst_paces_ns(one.measured), burst_paces_ns(others[one.number, one.group])
        cycles = min(len(first), len(second))
        numbers += [one.number] * cycles
        mine.append(first[:cycles] / 1e6)
        theirs.append(second[:cycles] / 1e6)
    both = np.concatenate(mine), np.concatenate(theirs)
    return Paired(reference, variant, numbers, *both, np.concatenate(ratios))


def _around(figures: Figures, span: float, start: float, end: float) -> Scale:
    middle = float(np.sqrt(figures.min() * figures.max()))
    return Scale(middle / span**0.5, middle * span**0.5, start, end, is_log=True)


def _panel(paired: Paired, across: Scale, up: Scale, words: str) -> Iterator[str]:
    for tick in up.ticks():
        yield svg.line(across.start, up(tick), across.end, up(tick), "grid")
        yield svg.text(across.start - 6, up(tick) + 4, svg.written(tick), "soft end")
    yield svg.text(across.start, up.end - 6, words, "soft small")
    for place, number in enumerate(paired.rounds):
        if place and number != paired.rounds[place - 1]:
            yield svg.line(across(place - 0.5), up.start, across(place - 0.5), up.end, "grid")
        if place == 0 or number != paired.rounds[place - 1]:
            yield svg.text(across(place - 0.5) + 3, up.start + 12, f"round {number}", "soft small")


def _band(paired: Paired, across: Scale, up: Scale) -> Iterator[str]:
    speedup = paired.variant.speedup
    assert speedup is not None
    top, base = (min(max(up(edge), up.end), up.start) for edge in (speedup.high, speedup.low))
    kind = svg.KINDS[paired.variant.verdict]
    size = {"x": across.start, "y": top, "width": across.end - across.start, "height": max(1.0, base - top)}
    yield svg.element("rect", class_=f"{kind} band", **size)
    yield svg.line(across.start, up(speedup.estimate), across.end, up(speedup.estimate), f"{kind} thin")


def _series(figures: Figures, verdict: Verdict, across: Scale, up: Scale) -> Iterator[str]:
    points = [(across(place), up(float(figure))) for place, figure in enumerate(figures)]
    yield svg.path(points, f"{svg.KINDS[verdict]} thin")
    yield svg.markers(points, verdict, 2.6)


def _caption(paired: Paired) -> str:
    name, speedup = paired.variant.record.variant, paired.variant.speedup
    assert speedup is not None
    return (
        f"Below, burst after burst, how the milliseconds of the reference (squares) and of {name} wander: "
        f"nine in ten lie within a factor of {_factor(paired.reference_ms):.2f} and "
        f"{_factor(paired.variant_ms):.2f}. Above, on the same scale, the ratio of the two bursts of each "
        f"cycle, within {_factor(paired.ratios):.2f}: where both lines below move together, it stays. The "
        f"band is the speedup's 95 % interval, {factor(speedup.low)} to {factor(speedup.high)}."
    )


def _factor(figures: Figures) -> float:
    low, high = np.percentile(figures, SPANNED)
    return float(high / low)
