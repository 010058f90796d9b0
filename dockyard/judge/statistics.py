"""Drop, speedup and stability, from raw scores and times; the verdict on them is in `verdicts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

STABLE_WITHIN = 0.05
"""Rounds are stable when their medians lie within this fraction of their median."""

BOOTSTRAP_RESAMPLES = 5000
MIN_ROUNDS = 3


@dataclass(frozen=True)
class Interval:
    """A figure and the range it lies in: its 95 % interval, or the smallest and largest of its rounds."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Times:
    """Milliseconds of all calls of all rounds.

    Attributes:
        median: the median of the rounds' medians.
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

    @property
    def is_stable(self) -> bool:
        """There are enough rounds, and they agree."""
        return self.rounds >= MIN_ROUNDS and self.stability <= STABLE_WITHIN


def stability(rounds: Sequence[float]) -> float:
    """Return the largest distance of a round's figure from the median of all rounds, as a fraction of it."""
    middle = float(np.median(rounds))
    return max(abs(figure - middle) for figure in rounds) / middle if middle else 0.0


def summarize(rounds_ns: Sequence[Sequence[int]]) -> Times:
    """Summarize rounds of raw times in nanoseconds (each round not empty)."""
    every = np.concatenate([np.asarray(times, np.float64) for times in rounds_ns]) / 1e6
    medians = [float(np.median(times)) for times in rounds_ns]
    return Times(
        mean=float(every.mean()),
        std=float(every.std(ddof=1)) if len(every) > 1 else 0.0,
        minimum=float(every.min()),
        median=float(np.median(medians)) / 1e6,
        p90=float(np.percentile(every, 90)),
        p99=float(np.percentile(every, 99)),
        maximum=float(every.max()),
        runs=len(every),
        rounds=len(rounds_ns),
        stability=stability(medians),
    )


def ratio_of_medians(rounds: Sequence[float], other: Sequence[float]) -> Interval:
    """Return how many times the other figure one is, and the smallest and largest ratio within a round.

    Args:
        rounds, other: the figure of each round, positive; rounds that only one of them has are left out.
    """
    pairs = list(zip(rounds, other))
    ratios = [one / another for one, another in pairs]
    ones, others = zip(*pairs)
    return Interval(float(np.median(ones) / np.median(others)), min(ratios), max(ratios))


def drop_with_interval(reference: Sequence[float], variant: Sequence[float], seed: int = 0) -> Interval:
    """Return the mean drop (reference - variant) of paired scores and its 95 % percentile bootstrap interval.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).

    Args:
        reference, variant: scores of the same samples in the same order, at least one.
        seed: what the resampling starts from.
    """
    drops = np.asarray(reference, np.float64) - np.asarray(variant, np.float64)
    draws = np.random.default_rng(seed).integers(0, len(drops), (BOOTSTRAP_RESAMPLES, len(drops)))
    means = drops[draws].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(drops.mean()), float(low), float(high))


def flips(reference: Mapping[str, float], variant: Mapping[str, float]) -> list[str]:
    """Return the ids of the samples that are right (score at least 0.5) on one side only, sorted."""
    both = reference.keys() & variant.keys()
    return sorted(sample for sample in both if (reference[sample] >= 0.5) != (variant[sample] >= 0.5))
