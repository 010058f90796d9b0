"""Pictures of time and quality: how long each variant takes, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from dockyard.judge.verdicts import Judged

COLOURS = {
    "recommended": "tab:green",
    "reference": "tab:gray",
    "too lossy": "tab:red",
    "unstable": "tab:orange",
    "not measured": "lightgray",
}
OTHER_COLOUR = "tab:blue"

Front = list[tuple[float, float]]


def write_plots(judged: Sequence[Judged], folder: Path) -> list[str]:
    """Write one picture for each recipe and model, `<recipe>-<model>.png`; return their names.

    Left the medians; right quality over time with the Pareto front. Variants that a search left after one round are
    pale points on the right.
    """
    names = []
    for recipe, model in dict.fromkeys((str(j.record.recipe["name"]), j.record.model) for j in judged):
        own = [j for j in judged if (j.record.recipe["name"], j.record.model) == (recipe, model)]
        rows = [j for j in own if j.times and j.quality is not None]
        if not any(j.record.status == "measured" for j in rows):
            continue
        names.append(f"{recipe}-{model}.png")
        _write(rows, f"{recipe}: {model}, {rows[0].device}", folder / names[-1])
    return names


def _write(rows: Sequence[Judged], title: str, path: Path) -> None:
    measured = [j for j in rows if j.record.status == "measured"]
    height = max(4.0, 0.36 * len(measured) + 1.6)
    figure = Figure(figsize=(12.5, height))
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.35])
    figure.suptitle(title, fontsize=10)
    _bars(left, measured)
    places = _scatter(right, rows)
    figure.tight_layout()
    _label(right, places)
    figure.savefig(path, dpi=90, metadata={"Software": None})


def _colour(one: Judged) -> str:
    return COLOURS.get(one.verdict, OTHER_COLOUR)


def _median(one: Judged) -> float:
    assert one.times is not None
    return one.times.median


def _bars(axes: Any, rows: Sequence[Judged]) -> None:
    axes.barh([j.record.variant for j in rows], [_median(j) for j in rows], color=[_colour(j) for j in rows])
    axes.invert_yaxis()
    axes.set_xlabel("median ms (x: speedup over the reference)")
    for y, one in enumerate(rows):
        gain = f", {one.speedup[0]:.2f}x" if one.speedup else ""
        axes.text(_median(one), y, f"  {_median(one):.2f} ms{gain}", va="center", fontsize=8)
    axes.set_xlim(0, max(map(_median, rows)) * 1.4)
    axes.spines[["top", "right"]].set_visible(False)


def pareto(points: Iterable[tuple[float, float]]) -> Front:
    """Return the points (time, quality) that no other beats in the one without losing in the other, fastest first."""
    front: Front = []
    for time, quality in sorted(points, key=lambda p: (p[0], -p[1])):
        if not front or quality > front[-1][1]:
            front.append((time, quality))
    return front


@dataclass(frozen=True)
class Place:
    """Where a variant lies in the plane of time and quality, with the smallest and largest of both."""

    one: Judged
    time: tuple[float, float, float]
    quality: tuple[float, float, float]


def _place(one: Judged) -> Place:
    medians = [float(np.median(r)) / 1e6 for r in one.record.totals_ns]
    quality = one.quality or 0.0
    drop = one.drop or (0.0, 0.0, 0.0)
    low, high = quality + min(0.0, drop[0] - drop[2]), quality + max(0.0, drop[0] - drop[1])
    return Place(one, (_median(one), min(medians), max(medians)), (quality, low, high))


def _scatter(axes: Any, rows: Sequence[Judged]) -> list[Place]:
    """Draw the points, the front and the allowed loss; return the points, those that were measured first."""
    measured = [_place(j) for j in rows if j.record.status == "measured"]
    pale = [_place(j) for j in rows if j.record.status != "measured"]
    heights = [q for p in [*measured, *pale] for q in p.quality]
    for place in measured:
        (x, left, right), (y, low, high) = place.time, place.quality
        bars = {"xerr": [[x - left], [right - x]], "yerr": [[y - low], [high - y]]}
        axes.errorbar(x, y, **bars, fmt="o", color=_colour(place.one), markersize=7, capsize=2, elinewidth=0.8, zorder=3)
    axes.scatter([p.time[0] for p in pale], [p.quality[0] for p in pale], s=18, color=COLOURS["not measured"], zorder=2)
    reference = next((p for p in measured if p.one.verdict == "reference"), None)
    if reference is not None:
        allowed = reference.quality[0] - float(reference.one.record.recipe["requirements"]["max_drop"])
        heights.append(allowed)
        axes.axhline(allowed, color="tab:red", linestyle="--", linewidth=1, zorder=1)
    _scales(axes, heights)
    front, end = pareto((p.time[0], p.quality[0]) for p in measured), axes.get_xlim()[1]
    axes.step([x for x, _ in front] + [end], [y for _, y in front] + [front[-1][1]], where="post", color="black", linewidth=0.9, zorder=1)
    axes.set_xlim(right=end)
    axes.set_xlabel("median ms, logarithmic (bars: rounds, 95 % interval of the drop)")
    axes.set_ylabel(f"{measured[0].one.metric} (line: Pareto front; dashed: allowed)")
    return [*measured, *pale]


def _scales(axes: Any, heights: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.margins(x=0.14)
    room = 0.14 * max(max(heights) - min(heights), 0.002)
    axes.set_ylim(min(heights) - room, max(heights) + room)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.grid(alpha=0.25)


def _label(axes: Any, places: Sequence[Place]) -> None:
    """Write each variant's name where it covers no other name, point or bar; a pale point's only where there is room."""
    renderer = axes.figure.canvas.get_renderer()
    taken = [box for place in places for box in _boxes(axes, place)]
    inside = axes.get_window_extent(renderer)
    for place in places:
        pale = place.one.record.status != "measured"
        for distance, side, above in [(d, s, a) for d in ((7,) if pale else (7, 20, 33, 46, 59)) for s in (1, -1, 0) for a in (1, -1)]:
            text = _annotate(axes, place, distance, side, above, pale)
            text.update_positions(renderer)
            box = Text.get_window_extent(text, renderer)  # without the line to its point
            if inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) and not any(box.overlaps(b) for b in taken):
                taken.append(box)
                break
            text.remove()
        else:
            if not pale:
                _annotate(axes, place, 7, 1, 1, pale)


def _annotate(axes: Any, place: Place, distance: int, side: int, above: int, pale: bool) -> Any:
    return axes.annotate(
        place.one.record.variant,
        (place.time[0], place.quality[0]),
        (side * 7, above * distance),
        textcoords="offset points",
        ha={1: "left", -1: "right", 0: "center"}[side],
        va="bottom" if above > 0 else "top",
        fontsize=8,
        color="dimgray" if pale else "black",
        arrowprops={"arrowstyle": "-", "linewidth": 0.4 if distance > 7 else 0, "color": "gray"},
    )


def _boxes(axes: Any, place: Place) -> list[Bbox]:
    """Return what a point and its bars cover, in pixels of the picture."""
    (x, left, right), (y, low, high) = place.time, place.quality
    corners = [((x, y), (x, y), 5), ((left, y), (right, y), 1), ((x, low), (x, high), 1)]
    found = []
    for first, last, room in corners:
        (x0, y0), (x1, y1) = axes.transData.transform([first, last])
        found.append(Bbox.from_extents(x0 - room, y0 - room, x1 + room, y1 + room))
    return found
