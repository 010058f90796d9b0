"""Statistics of raw samples, computed after the measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

STABLE_WITHIN = 0.05
"""Rounds are stable when their medians lie within this share of their median."""

BOOTSTRAP_RESAMPLES = 5000
MIN_ROUNDS = 3


@dataclass(frozen=True)
class Times:
    """Milliseconds over all samples of all rounds; `stability` is the rounds' largest distance from their median."""

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
    def stable(self) -> bool:
        return self.rounds >= MIN_ROUNDS and self.stability <= STABLE_WITHIN


def stability(medians: Sequence[float]) -> float:
    """Return the largest distance of a round's median from the median of all rounds, as a share of it."""
    middle = float(np.median(medians))
    return max(abs(m - middle) for m in medians) / middle if middle else 0.0


def summarize(rounds_ns: Sequence[Sequence[int]]) -> Times:
    """Summarize rounds of raw samples in nanoseconds (each round not empty)."""
    every = np.concatenate([np.asarray(r, np.float64) for r in rounds_ns]) / 1e6
    medians = [float(np.median(r)) for r in rounds_ns]
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


def mean_step(rounds_ns: Sequence[Mapping[str, Sequence[int]]], step: str) -> float:
    """Return the mean milliseconds of one step over all samples of all rounds."""
    return float(np.mean([value for samples in rounds_ns for value in samples[step]])) / 1e6


def speedup(reference_ns: Sequence[Sequence[int]], variant_ns: Sequence[Sequence[int]]) -> tuple[float, float, float]:
    """Return the speedup and its spread over the rounds.

    The speedup is the ratio of the medians over the rounds' medians; the spread is the smallest and the largest
    ratio of the two within a round.
    """
    pairs = [(float(np.median(r)), float(np.median(v))) for r, v in zip(reference_ns, variant_ns)]
    ratios = [r / v for r, v in pairs]
    ratio = float(np.median([r for r, _ in pairs]) / np.median([v for _, v in pairs]))
    return ratio, min(ratios), max(ratios)


def paired_bootstrap(reference: Sequence[float], variant: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Return the mean drop (reference - variant) of paired scores and its 95 % percentile bootstrap interval.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).

    Args:
        reference, variant: scores of the same samples in the same order, at least one.
        seed: of the resampling.
    """
    drops = np.asarray(reference, np.float64) - np.asarray(variant, np.float64)
    draws = np.random.default_rng(seed).integers(0, len(drops), (BOOTSTRAP_RESAMPLES, len(drops)))
    means = drops[draws].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(drops.mean()), float(low), float(high)


def flips(reference: dict[str, float], variant: dict[str, float]) -> list[str]:
    """Return the ids of the samples that are right (score at least 0.5) on one side only, sorted."""
    return sorted(i for i in reference.keys() & variant.keys() if (reference[i] >= 0.5) != (variant[i] >= 0.5))
