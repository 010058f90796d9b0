"""Pictures of time and quality, drawn: how long each variant takes, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.report.plot_data import Place, Plot, plots_of

COLOURS = {
    Verdict.RECOMMENDED: "tab:green",
    Verdict.AS_FAST: "yellowgreen",
    Verdict.NO_GAIN: "tab:purple",
    Verdict.REFERENCE: "tab:gray",
    Verdict.TOO_LOSSY: "tab:red",
    Verdict.UNDECIDED: "tab:orange",
    Verdict.NOT_MEASURED: "lightgray",
}
OTHER_COLOUR = "tab:blue"
LINE_COLOUR = "black"
"""Of the Pareto front: its line, and the rings of its points."""
LIMIT_COLOUR = "tab:red"

DISTANCES = (7, 20, 33, 46, 59)
"""How far a name may be from its point, in points of type; beyond the first a line leads to it."""


def write_plots(assessments: Sequence[Assessment], folder: Path) -> list[str]:
    """Write one picture for each recipe and model, `<recipe>-<model>.png`; return their names.

    Left the medians; right quality over time with the Pareto front. Variants that a search left after one
    round are pale points on the right.
    """
    names = []
    for plot in plots_of(assessments):
        _write(plot, folder / plot.file)
        names.append(plot.file)
    return names


def _write(plot: Plot, path: Path) -> None:
    height = max(4.0, 0.36 * len(plot.measured) + 1.6)
    figure = Figure(figsize=(12.5, height))
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.35])
    figure.suptitle(plot.title, fontsize=10)
    _draw_bars(left, plot)
    _draw_plane(right, plot)
    figure.tight_layout()
    _write_names(right, plot.places)
    figure.savefig(path, dpi=90, metadata={"Software": None})


def _colour(place: Place) -> str:
    return COLOURS.get(place.verdict, OTHER_COLOUR)


def _draw_bars(axes: Axes, plot: Plot) -> None:
    places = plot.measured
    medians = [place.ms.estimate for place in places]
    colours = [_colour(place) for place in places]
    axes.barh([place.variant for place in places], medians, color=colours)
    axes.invert_yaxis()
    axes.set_xlabel(f"{plot.time} ms (x: speedup over the reference)")
    for y, place in enumerate(places):
        gain = "" if place.speedup is None else f", {place.speedup:.2f}x, {place.verdict.value}"
        axes.text(place.ms.estimate, y, f"  {place.ms.estimate:.2f} ms{gain}", va="center", fontsize=8)
    axes.set_xlim(0, max(medians) * 1.6)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_plane(axes: Axes, plot: Plot) -> None:
    """Draw the points, the front and the allowed loss."""
    for place in plot.places:
        if place.is_pale:
            _draw_pale_point(axes, place)
        else:
            _draw_point(axes, place)
    if plot.allowed is not None:
        axes.axhline(plot.allowed, color=LIMIT_COLOUR, linestyle="--", linewidth=1, zorder=1)
    _scale(axes, plot)
    _draw_line(axes, plot)
    axes.set_xlabel(f"{plot.time} ms, logarithmic (bars: 95 % intervals of {plot.time} and drop)")
    axes.set_ylabel(f"{plot.metric} (rings: Pareto front; dashed: allowed)", fontsize=9)


def _draw_point(axes: Axes, place: Place) -> None:
    x, y = place.ms, place.quality
    axes.errorbar(
        x.estimate,
        y.estimate,
        xerr=[[x.estimate - x.low], [x.high - x.estimate]],
        yerr=[[y.estimate - y.low], [y.high - y.estimate]],
        fmt="o",
        color=_colour(place),
        markersize=7,
        markeredgecolor=LINE_COLOUR if place.is_on_front else _colour(place),
        markeredgewidth=1.2,
        capsize=2,
        elinewidth=0.8,
        zorder=3,
    )


def _draw_pale_point(axes: Axes, place: Place) -> None:
    colour = COLOURS[Verdict.NOT_MEASURED]
    axes.scatter([place.ms.estimate], [place.quality.estimate], s=18, color=colour, zorder=2)


def _draw_line(axes: Axes, plot: Plot) -> None:
    """Draw the front as steps, from its fastest point to its best one."""
    times = [ms for ms, _ in plot.line]
    qualities = [quality for _, quality in plot.line]
    axes.step(times, qualities, where="post", color=LINE_COLOUR, linewidth=0.9, zorder=1)


def _scale(axes: Axes, plot: Plot) -> None:
    heights = [figure for place in plot.places for figure in (place.quality.low, place.quality.high)]
    heights += [] if plot.allowed is None else [plot.allowed]
    axes.set_xscale("log")
    axes.margins(x=0.14)
    room = 0.14 * max(max(heights) - min(heights), 0.002)
    axes.set_ylim(min(heights) - room, max(heights) + room)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.grid(alpha=0.25)


def _write_names(axes: Axes, places: Sequence[Place]) -> None:
    """Write each variant's name where it covers nothing else; a pale point's only where there is room."""
    taken = [box for place in places for box in _covered(axes, place)]
    for place in places:
        box = _write_name(axes, place, taken)
        if box is not None:
            taken.append(box)
        elif not place.is_pale:
            _annotate(axes, place, DISTANCES[0], 1, 1)


def _write_name(axes: Axes, place: Place, taken: Sequence[Bbox]) -> Bbox | None:
    """Write a name at the first place that is free, and return what it covers; None where none is free."""
    canvas: Any = axes.get_figure().canvas  # type: ignore[union-attr]
    renderer = canvas.get_renderer()
    inside = axes.get_window_extent(renderer)
    for distance, side, above in _spots(place):
        text = _annotate(axes, place, distance, side, above)
        text.update_positions(renderer)
        box = Text.get_window_extent(text, renderer)  # without the line to its point
        fits = inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1)
        if fits and not any(box.overlaps(other) for other in taken):
            return box
        text.remove()
    return None


def _spots(place: Place) -> Iterator[tuple[int, int, int]]:
    """Yield where a name may stand: distance, side (1 is right, 0 the middle), above (1) or below (-1)."""
    for distance in DISTANCES[:1] if place.is_pale else DISTANCES:
        for side in (1, -1, 0):
            yield distance, side, 1
            yield distance, side, -1


def _annotate(axes: Axes, place: Place, distance: int, side: int, above: int) -> Annotation:
    is_far = distance > DISTANCES[0]
    return axes.annotate(
        place.variant,
        (place.ms.estimate, place.quality.estimate),
        (side * DISTANCES[0], above * distance),
        textcoords="offset points",
        ha={1: "left", -1: "right", 0: "center"}[side],
        va="bottom" if above > 0 else "top",
        fontsize=8,
        color="dimgray" if place.is_pale else "black",
        arrowprops={"arrowstyle": "-", "linewidth": 0.4 if is_far else 0, "color": "gray"},
    )


def _covered(axes: Axes, place: Place) -> Iterator[Bbox]:
    """Yield what a point and its bars cover, in pixels of the picture."""
    x, y = place.ms, place.quality
    point = ((x.estimate, y.estimate), (x.estimate, y.estimate), 5)
    across = ((x.low, y.estimate), (x.high, y.estimate), 1)
    upright = ((x.estimate, y.low), (x.estimate, y.high), 1)
    for first, last, room in (point, across, upright):
        (x0, y0), (x1, y1) = axes.transData.transform([first, last])
        yield Bbox.from_extents(x0 - room, y0 - room, x1 + room, y1 + room)
