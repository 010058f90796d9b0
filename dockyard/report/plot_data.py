"""What the pictures of time and quality show, apart from how it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dockyard.judge import pareto
from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.questions import required_of
from dockyard.judge.statistics import Interval
from dockyard.report.grouping import by_device, by_model, stem_of
from dockyard.run.decisions import Point
from shared.contract.record import RecordStatus


@dataclass(frozen=True)
class Place:
    """Where a variant lies in the plane of time and quality.

    Attributes:
        ms: the median, or of a stream the time from one frame to the next, with its 95 % interval.
        quality: the main metric, and how far the 95 % interval of the drop reaches.
        speedup: over the reference; None for the reference.
        is_pale: a search left it after one round.
        is_on_front: no other variant beats it.
    """

    variant: str
    verdict: Verdict
    ms: Interval
    quality: Interval
    speedup: float | None
    is_pale: bool
    is_on_front: bool


@dataclass(frozen=True)
class Plot:
    """One model of a recipe, on one device.

    Attributes:
        file: the picture's name.
        time: what its times are.
        places: those that were measured first.
        line: (ms, quality) of the front's points that are better than every faster one.
        allowed: the lowest quality that the recipe allows; None without a reference.
        slowest: the longest milliseconds that it allows; None where it requires no speed.
    """

    file: str
    title: str
    metric: str
    time: str
    places: tuple[Place, ...]
    line: tuple[tuple[float, float], ...]
    allowed: float | None
    slowest: float | None

    @property
    def measured(self) -> list[Place]:
        return [place for place in self.places if not place.is_pale]


def plots_of(assessments: Sequence[Assessment]) -> Iterator[Plot]:
    """Yield a picture for each recipe, model and device of which something was measured."""
    for rows in by_model(assessments).values():
        drawable = [one for one in rows if one.times and one.quality is not None]
        for number, own in enumerate(by_device(drawable), 1):
            if any(_is_measured(one) for one in own):
                file = f"{stem_of(own[0])}{f'-{number}' if number > 1 else ''}.svg"
                yield _plot(own, file, f"{own[0].recipe_name}: {own[0].record.model}, {own[0].device}")


def _plot(rows: Sequence[Assessment], file: str, title: str) -> Plot:
    points = [_point(one) for one in rows if _is_measured(one)]
    on_front = {point.variant for point in pareto.front(points)}
    measured_first = sorted(rows, key=lambda one: not _is_measured(one))
    line = [(point.time_ns / 1e6, point.quality) for point in pareto.staircase(points)]
    reference = next((one for one in rows if one.verdict == Verdict.REFERENCE), None)
    return Plot(
        file=file,
        title=title,
        metric=rows[0].metric,
        time="time per frame" if rows[0].is_stream else "median",
        places=tuple(_place(one, on_front) for one in measured_first),
        line=tuple(line),
        allowed=_allowed(reference) if reference else None,
        slowest=_slowest(reference) if reference else None,
    )


def _is_measured(one: Assessment) -> bool:
    return one.record.status == RecordStatus.MEASURED


def _allowed(reference: Assessment) -> float:
    assert reference.quality is not None
    return reference.quality - required_of(reference).max_drop


def _slowest(reference: Assessment) -> float | None:
    """Return the milliseconds of the strictest speed that is required of the recipe's own model."""
    assert reference.pace_ms is not None
    if not reference.is_of_recipes_model:
        return None
    required = required_of(reference)
    limits = [
        None if reference.is_stream else required.max_latency_ms,
        required.min_speedup and reference.pace_ms.estimate / required.min_speedup,
        required.min_fps and 1000 / required.min_fps,
    ]
    return min((limit for limit in limits if limit), default=None)


def _point(one: Assessment) -> Point:
    assert one.pace_ms is not None
    assert one.quality is not None
    return Point(one.record.variant, one.pace_ms.estimate * 1e6, one.quality)


def _place(one: Assessment, on_front: set[str]) -> Place:
    assert one.pace_ms is not None
    assert one.quality is not None
    loss = one.drop or Interval(0.0, 0.0, 0.0)
    lowest = one.quality + min(0.0, loss.estimate - loss.high)
    highest = one.quality + max(0.0, loss.estimate - loss.low)
    return Place(
        variant=one.record.variant,
        verdict=one.verdict,
        ms=one.pace_ms,
        quality=Interval(one.quality, lowest, highest),
        speedup=one.speedup.estimate if one.speedup else None,
        is_pale=not _is_measured(one),
        is_on_front=_is_measured(one) and one.record.variant in on_front,
    )
