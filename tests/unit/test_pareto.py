"""One rule says which variants are worth having: searches and pictures ask it alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.judge.pareto import beats, front, staircase
from dockyard.judge.verdicts import judge
from dockyard.report.plot_data import plots_of
from dockyard.run.decisions import Point
from tests.builders import quality, record, rounds

coordinates = st.tuples(st.floats(1, 100), st.integers(0, 9))


def points_at(places: list[tuple[float, int]]) -> list[Point]:
    return [Point(f"v{number}", time, quality / 10) for number, (time, quality) in enumerate(places)]


@pytest.mark.parametrize(
    ("time", "loss", "expected"),
    [(94.9, 0.0, True), (94.9, -0.1, True), (95.1, 0.0, False), (50.0, 0.001, False), (95.1, -0.1, False)],
    ids=["faster", "faster and better", "within the noise", "much faster, a little worse", "only better"],
)
def test_beating(time: float, loss: float, expected: bool) -> None:
    """A point beats one that is slower by more than rounds may differ and no better; any loss counts."""
    assert beats(Point("one", time, 0.9 - loss), Point("other", 100.0, 0.9)) is expected


@given(st.lists(coordinates, min_size=1, max_size=12))
def test_front(places: list[tuple[float, int]]) -> None:
    """The front has exactly the points that no other beats, the fastest first, and beats all the rest."""
    points = points_at(places)
    found = front(points)
    for point in points:
        is_beaten = any(beats(other, point) for other in points)
        assert (point in found) is not is_beaten
        assert not is_beaten or any(beats(other, point) for other in found)
    times = [point.time_ns for point in found]
    assert times == sorted(times)


@given(st.lists(coordinates, min_size=1, max_size=12))
def test_staircase(places: list[tuple[float, int]]) -> None:
    """The line goes through points of the front, upwards from the fastest to the best of all."""
    points = points_at(places)
    steps = staircase(points)
    qualities = [step.quality for step in steps]
    assert set(steps) <= set(front(points))
    assert qualities == sorted(set(qualities))
    assert steps[0] == front(points)[0]
    assert qualities[-1] == max(point.quality for point in points)


def test_search_and_picture_have_one_front() -> None:
    """What a search would measure further is what the picture marks: equally fast variants are both on it."""
    medians = {"int8": 1.0, "int8-2": 1.03, "slow": 2.0}
    records = [record(name, rounds=rounds(*[ms] * 3)) for name, ms in medians.items()]
    worse = record("fast", rounds=rounds(0.5, 0.5, 0.5), quality=quality([0.0] + [1.0] * 99))
    (plot,) = plots_of(judge([record("reference"), *records, worse]))
    points = [Point(name, ms * 1e6, 1.0) for name, ms in medians.items()]
    expected = [point.variant for point in front([*points, Point("fast", 0.5e6, 0.99)])]
    assert expected == ["fast", "int8", "int8-2"]
    assert {place.variant for place in plot.measured if place.is_on_front} == set(expected)
    assert plot.line == ((0.5, 0.99), (1.0, 1.0))
