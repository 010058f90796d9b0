"""Speed against quality: where each variant lies, the Pareto front, and what the recipe requires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dockyard.judge.assessment import Verdict
from dockyard.report.drawing import svg
from dockyard.report.drawing.svg import WIDTH, Drawing, Scale
from dockyard.report.plot_data import Place, Plot

HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380, 74, 24, 50, 54
"""Of the picture, and of its margins, in pixels."""

ROOM = 0.14
"""Of an axis beyond its figures, on each side."""

NAME_PX = 10.5
DISTANCES = (10, 23, 36, 49, 62)
"""How far a name may be from its point; beyond the first a line leads to it."""

Box = tuple[float, float, float, float]


def plane(plot: Plot) -> Drawing:
    """Return the picture of one model on one device."""
    across, up = _scales(plot)
    verdicts = sorted({place.verdict for place in plot.places}, key=list(Verdict).index)
    body = [
        svg.text(LEFT, 18, svg.shortened(plot.title, WIDTH - LEFT - RIGHT), "bold"),
        svg.legend(LEFT, 38, verdicts),
        *_axes(plot, across, up),
        *_limits(plot, across, up),
        svg.path(_stairs(plot, across, up), "line") if plot.line else "",
        *(_point(place, across, up) for place in reversed(plot.places)),
        *_names(plot.places, across, up),
    ]
    return Drawing(plot.file, plot.title, _caption(plot), WIDTH, HEIGHT, "".join(body))


def _scales(plot: Plot) -> tuple[Scale, Scale]:
    times = [figure for place in plot.places for figure in (place.ms.low, place.ms.high)]
    heights = [figure for place in plot.places for figure in (place.quality.low, place.quality.high)]
    times += [] if plot.slowest is None else [plot.slowest]
    heights += [] if plot.allowed is None else [plot.allowed]
    factor = max(max(times) / min(times), 1.2) ** ROOM
    room = ROOM * max(max(heights) - min(heights), 0.002)
    across = Scale(min(times) / factor, max(times) * factor, LEFT, WIDTH - RIGHT, is_log=True)
    return across, Scale(min(heights) - room, max(heights) + room, HEIGHT - BOTTOM, TOP)


def _axes(plot: Plot, across: Scale, up: Scale) -> Iterator[str]:
    for tick in across.ticks():
        yield svg.line(across(tick), up.start, across(tick), up.end, "grid")
        yield svg.text(across(tick), up.start + 16, svg.written(tick), "soft middle")
    for tick in up.ticks():
        yield svg.line(across.start, up(tick), across.end, up(tick), "grid")
        yield svg.text(across.start - 6, up(tick) + 4, svg.written(tick), "soft end")
    label = f"{plot.time} in ms, logarithmic: left is faster"
    yield svg.text((across.start + across.end) / 2, HEIGHT - 12, label, "soft middle")
    turned = f"translate(14 {svg.number((up.start + up.end) / 2)}) rotate(-90)"
    words = svg.escaped(f"{plot.metric}: up is better")
    yield svg.element("text", words, class_="soft middle", transform=turned)


def _limits(plot: Plot, across: Scale, up: Scale) -> Iterator[str]:
    if plot.allowed is not None:
        yield svg.line(across.start, up(plot.allowed), across.end, up(plot.allowed), "limit")
        yield svg.text(across.end, up(plot.allowed) + 12, "required: above this line", "soft small end")
    if plot.slowest is not None:
        yield svg.line(across(plot.slowest), up.start, across(plot.slowest), up.end, "limit")
        where = across(plot.slowest) - 4
        yield svg.text(where, up.start - 5, "required: left of this line", "soft small end")


def _stairs(plot: Plot, across: Scale, up: Scale) -> Iterator[tuple[float, float]]:
    """Yield the front as steps, from its fastest point to its best one."""
    before = None
    for ms, quality in plot.line:
        if before is not None:
            yield across(ms), up(before)
        yield across(ms), up(quality)
        before = quality


def _point(place: Place, across: Scale, up: Scale) -> str:
    x, y = across(place.ms.estimate), up(place.quality.estimate)
    kind = svg.KINDS[place.verdict]
    bars = ""
    if not place.is_pale:
        bars = svg.line(across(place.ms.low), y, across(place.ms.high), y, kind)
        bars += svg.line(x, up(place.quality.low), x, up(place.quality.high), kind)
    ring = svg.element("circle", cx=x, cy=y, r=9, class_="ring") if place.is_on_front else ""
    return bars + svg.marker(x, y, place.verdict) + ring


def _names(places: Sequence[Place], across: Scale, up: Scale) -> Iterator[str]:
    """Yield each variant's name where it covers nothing else; a pale point's only where there is room."""
    taken = [box for place in places for box in _covered(place, across, up)]
    inside = (across.start, up.end, across.end, up.start)
    for place in places:
        x, y = across(place.ms.estimate), up(place.quality.estimate)
        spots = list(_spots(place, x, y))
        free = [box for box in spots if _holds(inside, box) and not _meets_any(box, taken)]
        if not free and place.is_pale:
            continue
        box = (free or spots)[0]
        taken.append(box)
        if box not in spots[:6]:
            yield svg.line(x, y, min(max(x, box[0]), box[2]), box[3] if box[3] < y else box[1], "grid")
        yield svg.text(box[0], box[3] - 3, place.variant, "small")


def _spots(place: Place, x: float, y: float) -> Iterator[Box]:
    """Yield where a name may stand: beside its point, or above or below it, ever farther away."""
    width, height = svg.width_of(place.variant, NAME_PX), NAME_PX + 2
    for distance in DISTANCES[:1] if place.is_pale else DISTANCES:
        for left in (x + 8, x - 8 - width, x - width / 2):
            for top in (y - distance - height, y + distance):
                yield left, top, left + width, top + height


def _covered(place: Place, across: Scale, up: Scale) -> Iterator[Box]:
    x, y = across(place.ms.estimate), up(place.quality.estimate)
    yield x - 8, y - 8, x + 8, y + 8
    yield across(place.ms.low), y - 1, across(place.ms.high), y + 1
    yield x - 1, up(place.quality.high), x + 1, up(place.quality.low)


def _holds(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _meets_any(one: Box, others: Sequence[Box]) -> bool:
    return any(
        one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
        for other in others
    )


def _caption(plot: Plot) -> str:
    """Return what to see: which points are worth having, and which are out of what is required."""
    front = [place.variant for place in plot.places if place.is_on_front]
    told = [f"Up and left is better. Nothing beats what is ringed: {', '.join(front)}."] if front else []
    if plot.allowed is not None:
        below = [place.variant for place in plot.measured if place.quality.estimate < plot.allowed]
        told.append(f"Below the dashed line is too lossy: {', '.join(below) or 'none of them'}.")
    told.append("The bars are the 95 % intervals of the time and of the drop.")
    if len(plot.measured) < len(plot.places):
        told.append("Small points were left by the search after one round.")
    return " ".join(told)
