"""Which variants are worth having in the plane of time and quality: one rule for searches and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dockyard.judge.statistics import STEADY_WITHIN
from dockyard.run.decisions import Point


def beats(point: Point, other: Point) -> bool:
    """Tell whether a point is faster by more than rounds of the same thing may differ, and no worse.

    The two axes are not alike. A time is noisy: the same bytes come out faster or slower by up to
    `STEADY_WITHIN`. A smaller lead says nothing, and a rule that counted it would throw away, by chance, one
    of two variants that are equally fast. A quality is exact: the same bytes on the same samples give the
    same scores, so that every loss counts.

    The rule is transitive: a point off the front is beaten by one of the front.
    """
    return point.time_ns < other.time_ns * (1 - STEADY_WITHIN) and point.quality >= other.quality


def front(points: Iterable[Point]) -> list[Point]:
    """Return the points that no other beats, the fastest first."""
    every = list(points)
    unbeaten = [point for point in every if not _is_beaten(point, every)]
    return sorted(unbeaten, key=lambda point: (point.time_ns, -point.quality))


def _is_beaten(point: Point, others: Sequence[Point]) -> bool:
    return any(beats(other, point) for other in others)


def staircase(points: Iterable[Point]) -> list[Point]:
    """Return the points of the front that are better than every faster one: the line that a picture draws.

    The front's other points are beaten by none only because they are hardly slower than one that is as good.
    """
    stairs: list[Point] = []
    for point in front(points):
        if not stairs or point.quality > stairs[-1].quality:
            stairs.append(point)
    return stairs
