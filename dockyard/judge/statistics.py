"""Drops, times and their ratios with 95 % intervals, from raw scores and times.

The verdict on them is in `verdicts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, log, log1p, sqrt

import numpy as np
import numpy.typing as npt

from shared.contract.measurement import ObjectCounts, sum_of_counts

STEADY_WITHIN = 0.05
"""Rounds are steady when their medians lie within this fraction of their median."""

BOOTSTRAP_RESAMPLES = 5000
CONFIDENCE = 0.95
PERCENTILES = (2.5, 97.5)
"""Of an interval of that confidence."""

FRAMES_TOGETHER = 50
"""Neighbouring frames of a video in a block: about as long as an object is seen."""

LEAST_BLOCKS = 10
"""Of a short video the blocks are shorter: of fewer an interval says nothing."""

FEW_SAMPLES = 30
"""Of fewer a bootstrap knows too little: what none of them shows may still be frequent."""

Figures = npt.NDArray[np.float64]
Blocks = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def includes_one(self) -> bool:
        """A ratio that does tells neither side from the other."""
        return self.low <= 1 <= self.high


@dataclass(frozen=True)
class Times:
    """Milliseconds of all calls of all rounds.

    Attributes:
        median: the median of the rounds' medians, each the median of the medians of its bursts.
        median_interval: that, with what the rounds and their bursts say of it.
        runs, rounds: how many calls and rounds there are.
        stability: the rounds' largest distance from their median, as a fraction of it.
    """

    mean: float
    std: float
    minimum: float
    median: float
    p90: float
    p99: float
    maximum: float
    runs: int
    rounds: int
    stability: float
    median_interval: Interval

    @property
    def is_steady(self) -> bool:
        """The rounds agree, so that its milliseconds are worth something beyond this run."""
        return self.stability <= STEADY_WITHIN


def stability(rounds: Sequence[float]) -> float:
    """Return the largest distance of a round's figure from the median of all rounds, as a fraction of it."""
    middle = float(np.median(rounds))
    return max(abs(figure - middle) for figure in rounds) / middle if middle else 0.0


def summarize(calls_ns: Sequence[Sequence[int]], bursts_ns: Sequence[Figures]) -> Times:
    """Summarize rounds of raw times in nanoseconds.

    Args:
        calls_ns: of each round, not empty.
        bursts_ns: of each round, the median of each of its bursts.
    """
    every = np.concatenate([np.asarray(times, np.float64) for times in calls_ns]) / 1e6
    bursts_ms = [figures / 1e6 for figures in bursts_ns]
    medians = [float(np.median(figures)) for figures in bursts_ms]
    interval = interval_over_rounds(bursts_ms)
    return Times(
        mean=float(every.mean()),
        std=float(every.std(ddof=1)) if len(every) > 1 else 0.0,
        minimum=float(every.min()),
        median=interval.estimate,
        p90=float(np.percentile(every, 90)),
        p99=float(np.percentile(every, 99)),
        maximum=float(every.max()),
        runs=len(every),
        rounds=len(calls_ns),
        stability=stability(medians),
        median_interval=interval,
    )


def median_over_rounds(rounds: Sequence[Figures]) -> float:
    """Return the median over rounds of the median over a round's cycles."""
    return float(np.median([np.median(figures) for figures in rounds]))


def interval_over_rounds(rounds: Sequence[Figures], seed: int = 0) -> Interval:
    """Return the median over rounds of the median over cycles, with its 95 % percentile bootstrap interval.

    Args:
        rounds: at least one, with a figure for each of its cycles, at least one.
        seed: what the resampling starts from.
    """
    low, high = np.percentile(resampled(rounds, seed), PERCENTILES)
    return Interval(median_over_rounds(rounds), float(low), float(high))


def resampled(rounds: Sequence[Figures], seed: int = 0) -> Figures:
    """Return the median over rounds of the median over cycles, of BOOTSTRAP_RESAMPLES resamples.

    Cycles are drawn within their round, and rounds among the rounds: those of one run are alike in what the
    machine and the process have in common.

    Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8 (data in levels).

    Args:
        rounds: as `interval_over_rounds`.
    """
    generator = np.random.default_rng(seed)
    medians = [_resampled_medians(figures, generator) for figures in rounds]
    drawn = generator.integers(0, len(rounds), (BOOTSTRAP_RESAMPLES, len(rounds)))
    picked: Figures = np.take_along_axis(np.stack(medians, axis=1), drawn, axis=1)
    return np.asarray(np.median(picked, axis=1), np.float64)


def _resampled_medians(figures: Figures, generator: np.random.Generator) -> Figures:
    drawn = generator.integers(0, len(figures), (BOOTSTRAP_RESAMPLES, len(figures)))
    return np.asarray(np.median(figures[drawn], axis=1), np.float64)


def ratio_of_resampled(one: Sequence[Figures], other: Sequence[Figures], seed: int = 0) -> Interval:
    """Return one figure over another one that was measured apart from it, with its 95 % interval.

    Args:
        one, other: rounds as `interval_over_rounds` takes them.
    """
    ratios = resampled(one, seed) / resampled(other, seed + 1)
    low, high = np.percentile(ratios, PERCENTILES)
    return Interval(median_over_rounds(one) / median_over_rounds(other), float(low), float(high))


def simultaneous_ratios(pairs: Sequence[tuple[Figures, Figures]]) -> list[Interval]:
    """Return the second over the first of each pair of samples, with intervals that hold together with 95 %.

    A sample is of independent figures (rounds); the ratio is that of their geometric means. The intervals are
    those of the two-sample t test on logarithms, with one variance for all samples (what scatters the rounds
    of a machine scatters those of all variants) and Bonferroni's correction for the number of pairs.

    Source: Dunn, Multiple Comparisons Among Means, Journal of the American Statistical Association, 1961.

    Args:
        pairs: of positive figures, each sample with at least two.
    """
    from scipy import stats  # takes as long to load as all the rest

    logs = [(np.log(one), np.log(other)) for one, other in pairs]
    samples = [sample for pair in logs for sample in pair]
    freedom = sum(len(sample) - 1 for sample in samples)
    variance = sum(float(((sample - sample.mean()) ** 2).sum()) for sample in samples) / max(freedom, 1)
    level = 1 - (1 - CONFIDENCE) / 2 / max(len(pairs), 1)
    quantile = float(stats.t.ppf(level, max(freedom, 1)))
    found = []
    for one, other in logs:
        difference = float(other.mean() - one.mean())
        reach = quantile * sqrt(variance * (1 / len(one) + 1 / len(other)))
        found.append(Interval(exp(difference), exp(difference - reach), exp(difference + reach)))
    return found


def drop_with_interval(
    reference: Sequence[float], variant: Sequence[float], seed: int = 0, are_frames: bool = False
) -> Interval:
    """Return the mean drop (reference - variant) of paired scores and its 95 % percentile bootstrap interval.

    Of fewer than FEW_SAMPLES it reaches at least `unseen_share` to both sides, since scores are 0 to 1. The
    frames of a video are drawn in blocks: neighbours show the same objects, and are right or wrong together.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval);
    Carlstein, The Use of Subseries Values for Estimating the Variance of a General Statistic from a
    Stationary Sequence, The Annals of Statistics, 1986 (blocks that do not overlap).

    Args:
        reference, variant: scores of the same samples in the same order, at least one.
        seed: what the resampling starts from.
        are_frames: the samples are the frames of a video, in their order.
    """
    drops = np.asarray(reference, np.float64) - np.asarray(variant, np.float64)
    starts = _starts_of_blocks(len(drops), are_frames)
    sums = np.add.reduceat(drops, starts)
    counts = np.diff(np.append(starts, len(drops)))
    draws = _draws(len(starts), seed)
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.percentile(means, PERCENTILES)
    return _with_unseen(Interval(float(drops.mean()), float(low), float(high)), len(drops))


def _with_unseen(drop: Interval, samples: int) -> Interval:
    """Return a drop with what so few samples may not have shown; of FEW_SAMPLES and more as it is."""
    if samples >= FEW_SAMPLES:
        return drop
    unseen = unseen_share(samples)
    return Interval(
        drop.estimate, min(drop.low, drop.estimate - unseen), max(drop.high, drop.estimate + unseen)
    )


def unseen_share(samples: int) -> float:
    """Return the largest share of all images that is not in any of so many samples, with 95 % confidence.

    Source: Hanley and Lippman-Hand, If Nothing Goes Wrong, Is Everything All Right?, JAMA, 1983.

    Args:
        samples: at least one.
    """
    return float(1 - (1 - CONFIDENCE) ** (1 / samples))


def samples_needed(share: float) -> int:
    """Return the fewest samples that show, with 95 % confidence, what so large a share of all images has.

    Args:
        share: above 0 and below 1.
    """
    return ceil(log(1 - CONFIDENCE) / log1p(-share))


def drop_of_objects(
    reference: Sequence[ObjectCounts],
    variant: Sequence[ObjectCounts],
    seed: int = 0,
    are_frames: bool = False,
) -> Interval:
    """Return the drop of `ObjectCounts.exact`, over all objects, and its 95 % percentile bootstrap interval.

    Images are drawn, not objects: those of one image are right or wrong together. As `drop_with_interval`
    else.

    Args:
        reference, variant: what became of the objects of the same images in the same order, at least one.
    """
    starts = _starts_of_blocks(len(reference), are_frames)
    draws = _draws(len(starts), seed)
    sides = [_shares(counts, starts, draws) for counts in (reference, variant)]
    low, high = np.percentile(sides[0] - sides[1], PERCENTILES)
    estimate = sum_of_counts(reference).exact - sum_of_counts(variant).exact
    return _with_unseen(Interval(estimate, float(low), float(high)), len(reference))


def _shares(counts: Sequence[ObjectCounts], starts: Blocks, draws: Blocks) -> Figures:
    """Return `ObjectCounts.exact` of each resample."""
    rows = np.asarray([(2 * one.right, one.found + one.true) for one in counts], np.float64)
    right, both = (column[draws].sum(axis=1) for column in np.add.reduceat(rows, starts).T)
    shares: Figures = np.divide(right, both, out=np.ones_like(right), where=both > 0)
    return shares


def _starts_of_blocks(samples: int, are_frames: bool) -> Blocks:
    """Return where the blocks begin that samples are drawn in: of a video's frames several together."""
    together = max(1, min(FRAMES_TOGETHER, samples // LEAST_BLOCKS)) if are_frames else 1
    return np.arange(0, samples, together)


def _draws(blocks: int, seed: int) -> Blocks:
    return np.random.default_rng(seed).integers(0, blocks, (BOOTSTRAP_RESAMPLES, blocks))


def flips(reference: Mapping[str, float], variant: Mapping[str, float], right: float = 0.5) -> list[str]:
    """Return the ids of the samples that are right on one side only, sorted.

    Args:
        right: the score from which a sample is.
    """
    both = reference.keys() & variant.keys()
    return sorted(sample for sample in both if (reference[sample] >= right) != (variant[sample] >= right))
