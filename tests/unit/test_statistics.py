"""Figures follow from raw samples in the ways that the report says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.judge.measurements import mean_step_ms, speedup_of, steps_of_rounds
from dockyard.judge.statistics import (
    Interval,
    drop_with_interval,
    flips,
    ratio_of_medians,
    stability,
    summarize,
)
from tests.builders import latency

times = st.integers(1, 10**9)
rounds = st.lists(st.lists(times, min_size=1, max_size=8), min_size=1, max_size=5)
scores = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40)


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=10), st.floats(0.01, 100))
def test_stability_is_a_fraction(medians: list[float], factor: float) -> None:
    """Stability is never negative, 0 for equal rounds, and the same on a slower machine."""
    value = stability(medians)
    assert value >= 0
    assert stability([medians[0]] * 4) == 0
    assert stability([m * factor for m in medians]) == pytest.approx(value, rel=1e-6, abs=1e-9)


def test_stability_is_the_largest_distance() -> None:
    """Stability is the largest distance from the median of the rounds."""
    assert stability([100, 100, 104]) == pytest.approx(0.04)
    assert stability([100, 90, 104]) == pytest.approx(0.10)
    assert stability([0, 0, 0]) == 0


@given(rounds)
def test_summary_keeps_its_order(raw: list[list[int]]) -> None:
    """Smallest, median, percentiles and largest are in their order, counts are those of the samples."""
    found = summarize(raw)
    every = [v / 1e6 for r in raw for v in r]
    assert found.minimum <= found.p90 <= found.p99 <= found.maximum
    assert found.minimum - 1e-9 <= found.mean <= found.maximum + 1e-9
    assert found.minimum <= found.median <= found.maximum
    assert (found.minimum, found.maximum) == (pytest.approx(min(every)), pytest.approx(max(every)))
    assert (found.runs, found.rounds) == (len(every), len(raw))
    assert found.std >= 0


@pytest.mark.parametrize(
    ("medians", "stable"),
    [([100, 100], False), ([100, 104, 96], True), ([100, 100, 106], False), ([100] * 3, True)],
)
def test_stable_needs_three_rounds_that_agree(medians: list[int], stable: bool) -> None:
    """A measurement is stable with at least three rounds whose medians lie within 5 %."""
    assert summarize([[median] * 3 for median in medians]).is_stable is stable


def bounds(figure: Interval) -> tuple[float, float, float]:
    return figure.estimate, figure.low, figure.high


@given(rounds)
def test_same_times_are_no_gain(raw: list[list[int]]) -> None:
    """What takes as long as the reference has the speedup 1 in every round."""
    measured = [latency(*times) for times in raw]
    assert bounds(speedup_of(measured, measured)) == (1.0, 1.0, 1.0)


@given(rounds, st.integers(2, 50))
def test_speedup_is_the_factor(raw: list[list[int]], factor: int) -> None:
    """A reference that takes n times as long gives the speedup n, in all rounds."""
    measured = [latency(*times) for times in raw]
    slower = [latency(*(np.asarray(times) * factor).tolist()) for times in raw]
    assert bounds(speedup_of(slower, measured)) == pytest.approx((factor,) * 3)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=7))
def test_ratio_turned_round_is_its_inverse(pairs: list[tuple[int, int]]) -> None:
    """Swapping the sides inverts a ratio and its range."""
    one, other = zip(*pairs)
    ratio, low, high = bounds(ratio_of_medians(one, other))
    assert bounds(ratio_of_medians(other, one)) == pytest.approx((1 / ratio, 1 / high, 1 / low))


def test_ratio_by_hand() -> None:
    """A ratio is that of the medians over rounds, its range that of single rounds."""
    found = ratio_of_medians([100, 120, 110], [50, 40, 55])
    assert bounds(found) == pytest.approx((110 / 50, 2.0, 3.0))


@given(scores)
def test_interval_contains_the_drop(pairs: list[tuple[float, float]]) -> None:
    """The bootstrap interval contains the mean drop, which is the difference of the means."""
    reference, variant = zip(*pairs)
    drop, low, high = bounds(drop_with_interval(reference, variant))
    assert low - 1e-9 <= drop <= high + 1e-9
    assert drop == pytest.approx(np.mean(reference) - np.mean(variant), abs=1e-9)


@given(scores)
def test_interval_is_symmetric(pairs: list[tuple[float, float]]) -> None:
    """Swapping the sides mirrors drop and interval."""
    reference, variant = zip(*pairs)
    drop, low, high = bounds(drop_with_interval(reference, variant))
    assert bounds(drop_with_interval(variant, reference)) == pytest.approx((-drop, -high, -low), abs=1e-9)


def test_interval_is_repeatable() -> None:
    """The same scores give the same interval; an equal side gives none."""
    reference, variant = [1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0]
    assert drop_with_interval(reference, variant) == drop_with_interval(reference, variant)
    assert bounds(drop_with_interval(reference, reference)) == (0.0, 0.0, 0.0)


def test_interval_shrinks_with_the_samples() -> None:
    """More samples of the same kind make the interval narrower."""
    few, many = (drop_with_interval([1.0, 1.0, 1.0, 1.0] * n, [1.0, 1.0, 1.0, 0.0] * n) for n in (5, 100))
    assert many.high - many.low < (few.high - few.low) / 2


ids = st.text("abc", min_size=1, max_size=3)


@given(st.dictionaries(ids, st.floats(0, 1)), st.dictionaries(ids, st.floats(0, 1)))
def test_flips(reference: dict[str, float], variant: dict[str, float]) -> None:
    """A sample flips when exactly one side has it right; both sides name the same ones, sorted."""
    found = flips(reference, variant)
    assert found == flips(variant, reference) == sorted(found)
    assert set(found) == {
        i for i in reference if i in variant and (reference[i] >= 0.5) != (variant[i] >= 0.5)
    }


@given(st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=5), min_size=1, max_size=4))
def test_mean_of_a_step(raw: list[list[int]]) -> None:
    """A step's mean is over the calls of all rounds, each call counting alike, in milliseconds."""
    every = [time for times in raw for time in times]
    measured = [latency(*[1] * len(times), reader=times) for times in raw]
    assert mean_step_ms(measured, "reader") == pytest.approx(sum(every) / len(every) / 1e6)
    assert steps_of_rounds(measured) == ["reader"]
