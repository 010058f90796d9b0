"""Figures follow from raw samples in the ways that the report says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.judge.measurements import (
    mean_step_ms,
    paired_ratios,
    speedup_of,
    steps_of_rounds,
    variant_ratio,
)
from dockyard.judge.statistics import (
    FEW_SAMPLES,
    Interval,
    drop_of_objects,
    drop_with_interval,
    flips,
    interval_over_rounds,
    samples_needed,
    simultaneous_ratios,
    stability,
    summarize,
    unseen_share,
)
from shared.contract.measurement import ObjectCounts, sum_of_counts
from shared.contract.record import Round
from tests import builders
from tests.builders import latency

times = st.integers(1, 10**9)
ratios = st.floats(0.1, 10)
bursts = st.lists(st.lists(times, min_size=1, max_size=8), min_size=1, max_size=5)
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


@given(bursts)
def test_summary_keeps_its_order(raw: list[list[int]]) -> None:
    """Smallest, median, percentiles and largest are in their order, counts are those of the samples."""
    found = summarize(raw, [np.asarray(times, np.float64) for times in raw])
    every = [v / 1e6 for r in raw for v in r]
    assert found.minimum <= found.p90 <= found.p99 <= found.maximum
    assert found.minimum - 1e-9 <= found.mean <= found.maximum + 1e-9
    assert found.minimum <= found.median <= found.maximum
    assert (found.minimum, found.maximum) == (pytest.approx(min(every)), pytest.approx(max(every)))
    assert (found.runs, found.rounds) == (len(every), len(raw))
    assert found.std >= 0


def bounds(figure: Interval | None) -> tuple[float, float, float]:
    assert figure is not None
    return figure.estimate, figure.low, figure.high


def in_bursts(raw: list[list[int]], factor: float = 1.0) -> tuple[Round, ...]:
    """Rounds with bursts of so many nanoseconds a call, times a factor."""
    rounds_ms = []
    for cycles in raw:
        rounds_ms.append([factor * times / 1e6 for times in cycles])
    return builders.bursts(*rounds_ms)


@given(bursts)
def test_same_times_are_no_gain(raw: list[list[int]]) -> None:
    """What takes as long as the reference in each burst has the speedup 1, certainly."""
    assert bounds(speedup_of(in_bursts(raw), in_bursts(raw))) == (1.0, 1.0, 1.0)


@given(bursts, st.integers(2, 50))
def test_speedup_is_the_factor(raw: list[list[int]], factor: int) -> None:
    """A reference that takes n times as long in each burst gives the speedup n, be the drift what it may."""
    assert bounds(speedup_of(in_bursts(raw, factor), in_bursts(raw))) == pytest.approx((factor,) * 3)


@given(st.lists(st.lists(ratios, min_size=1, max_size=6), min_size=1, max_size=5))
def test_interval_contains_the_ratio(raw: list[list[float]]) -> None:
    """The interval contains its estimate, lies within what was measured, and is the same each time."""
    figures = [np.asarray(cycles) for cycles in raw]
    estimate, low, high = bounds(interval_over_rounds(figures))
    every = [ratio for cycles in raw for ratio in cycles]
    assert min(every) <= low <= high <= max(every)
    assert low - 1e-9 <= estimate <= high + 1e-9
    assert interval_over_rounds(figures) == interval_over_rounds(figures)


def test_ratio_by_hand() -> None:
    """A ratio is the median over rounds of the median over cycles."""
    figures = [np.asarray([1.0, 2.0, 9.0]), np.asarray([4.0, 4.0, 4.0]), np.asarray([3.0, 3.0, 2.0])]
    assert interval_over_rounds(figures).estimate == 3.0


def test_only_what_was_measured_in_turn_is_paired() -> None:
    """Bursts pair by their round and group; a round that only one side has says nothing."""
    reference, variant = builders.bursts([4.0, 8.0], [4.0]), builders.bursts([1.0, 2.0], group=1)
    assert [list(cycles) for cycles in paired_ratios(reference, variant)] == [[4.0, 4.0]]
    assert speedup_of(reference, builders.bursts([1.0], group=2)) is None


def test_variants_held_apart_are_compared_by_their_reference() -> None:
    """Two variants that never waited together are compared by what each is to the reference."""
    reference = builders.bursts([4.0] * 5) + builders.bursts([8.0] * 5, group=2)
    one, other = builders.bursts([2.0] * 5), builders.bursts([2.0] * 5, group=2)
    assert bounds(variant_ratio(other, one, reference)) == pytest.approx((2.0, 2.0, 2.0))


def test_interval_covers_the_truth() -> None:
    """Of a true ratio of 1.3 behind noise of 10 % a burst, 19 of 20 intervals contain it."""
    generator = np.random.default_rng(7)
    found = [interval_over_rounds(list(1.3 * generator.lognormal(0, 0.1, (5, 10)))) for _ in range(100)]
    assert sum(one.low <= 1.3 <= one.high for one in found) >= 93


def test_ratios_that_hold_together() -> None:
    """Of fifteen ratios that are 1, all intervals contain 1 in 19 of 20 tries; one of 1.1 is found."""
    generator = np.random.default_rng(7)
    whole = found = 0
    for _ in range(200):
        pairs = [tuple(generator.lognormal(0, 0.02, (2, 3))) for _ in range(15)]
        whole += all(one.includes_one for one in simultaneous_ratios(pairs))
        pairs[0] = (pairs[0][0], pairs[0][1] * 1.1)
        found += simultaneous_ratios(pairs)[0].low > 1
    assert whole >= 180
    assert found >= 180


def test_ratio_of_two_samples_by_hand() -> None:
    """A ratio is that of the geometric means, and without any scatter its interval has no width."""
    (found,) = simultaneous_ratios([(np.asarray([2.0, 2.0]), np.asarray([4.0, 4.0]))])
    assert bounds(found) == pytest.approx((2.0, 2.0, 2.0))
    assert simultaneous_ratios([]) == []


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
    reference, variant = [1.0, 0.0, 1.0, 1.0] * 10, [1.0, 1.0, 0.0, 1.0] * 10
    assert drop_with_interval(reference, variant) == drop_with_interval(reference, variant)
    assert bounds(drop_with_interval(reference, reference)) == (0.0, 0.0, 0.0)


@given(st.integers(1, FEW_SAMPLES - 1))
def test_a_handful_of_samples_says_little(count: int) -> None:
    """The interval of a handful of samples that did not change reaches as far as what may stay unseen."""
    interval = drop_with_interval([1.0] * count, [1.0] * count)
    assert interval.estimate == 0
    assert -interval.low == interval.high == unseen_share(count)
    assert (1 - interval.high) ** count == pytest.approx(0.05)


@given(st.floats(1e-4, 0.9))
def test_samples_that_are_needed(share: float) -> None:
    """What so many samples cannot miss is as small as it was asked for, and one fewer could miss it."""
    needed = samples_needed(share)
    assert unseen_share(needed) <= share * (1 + 1e-9)
    assert needed == 1 or unseen_share(needed - 1) > share


def counts_of(right: int, true: int) -> ObjectCounts:
    """So many of the true objects of an image are read right, and the others are missed."""
    return ObjectCounts(right=right, missed=true - right)


images = st.lists(
    st.tuples(*[st.builds(ObjectCounts, *[st.integers(0, 4)] * 4)] * 2), min_size=1, max_size=20
)


@given(images)
def test_interval_contains_the_drop_of_objects(pairs: list[tuple[ObjectCounts, ObjectCounts]]) -> None:
    """The drop of objects is that of the two sides' own figures; both ways round it is the same."""
    reference, variant = (list(side) for side in zip(*pairs, strict=True))
    drop, low, high = bounds(drop_of_objects(reference, variant))
    assert drop == pytest.approx(sum_of_counts(reference).exact - sum_of_counts(variant).exact)
    assert low <= drop <= high
    assert bounds(drop_of_objects(variant, reference)) == pytest.approx((-drop, -high, -low), abs=1e-9)


def test_objects_of_one_image_are_drawn_together() -> None:
    """Eight lost objects in two images say less than eight in eight: the interval is wider."""
    whole = [counts_of(4, 4)] * FEW_SAMPLES
    together = [counts_of(0, 4)] * 2 + [counts_of(4, 4)] * (FEW_SAMPLES - 2)
    apart = [counts_of(3, 4)] * 8 + [counts_of(4, 4)] * (FEW_SAMPLES - 8)
    drops = [drop_of_objects(whole, lost) for lost in (together, apart)]
    assert drops[0].estimate == pytest.approx(drops[1].estimate)
    assert drops[0].high - drops[0].low > 1.5 * (drops[1].high - drops[1].low)


def test_interval_shrinks_with_the_samples() -> None:
    """More samples of the same kind make the interval narrower."""
    few, many = (drop_with_interval([1.0, 1.0, 1.0, 1.0] * n, [1.0, 1.0, 1.0, 0.0] * n) for n in (5, 100))
    assert many.high - many.low < (few.high - few.low) / 2


def test_frames_that_are_wrong_together_say_less() -> None:
    """Of a video whose mistakes come in runs the interval is wider; of one with some here and there not."""
    right, runs, strewn = [1.0] * 1000, ([0.0] * 50 + [1.0] * 450) * 2, ([0.0] + [1.0] * 9) * 100
    widths = []
    for wrong in (runs, strewn):
        for are_frames in (False, True):
            drop, low, high = bounds(drop_with_interval(right, wrong, are_frames=are_frames))
            assert drop == pytest.approx(0.1)
            widths.append(high - low)
    assert widths[1] > 3 * widths[0]
    assert widths[3] < widths[2]


@given(scores)
def test_interval_of_frames_contains_the_drop(pairs: list[tuple[float, float]]) -> None:
    """However few frames there are, the interval contains the mean drop of every block size."""
    reference, variant = zip(*pairs)
    drop, low, high = bounds(drop_with_interval(reference, variant, are_frames=True))
    assert drop == pytest.approx(np.mean(reference) - np.mean(variant), abs=1e-9)
    assert low <= high


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
