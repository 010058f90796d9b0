"""What a detector of many objects loses of its mAP; its interval draws images anew and matches none anew."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dockyard.judge.statistics import PERCENTILES, Figures, Interval
from dockyard.run.mean_ap import ClassMatches, Evaluated, evaluated
from shared.contract.measurement import MEAN_AP, Quality

RECALLS = np.linspace(0.0, 1.0, 101)
"""At which COCO reads the precision."""

RESAMPLES = 1000
"""Enough for a 95 % interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 12)."""

AT_ONCE = 100
"""Resamples that are computed together."""

Counts = npt.NDArray[np.int32]
"""Half of the width is half of the time."""


def mean_ap_drop(reference: Quality, variant: Quality, seed: int = 0) -> Interval:
    """Return the drop of mAP (reference - variant) and its 95 % percentile bootstrap interval over images.

    Source: as `statistics.drop_with_interval`.

    Args:
        reference, variant: with the same truth; the reference has all images of the variant.
        seed: what the resampling starts from.
    """
    theirs = {sample.id: sample for sample in reference.samples}
    same = replace(reference, samples=tuple(theirs[sample.id] for sample in variant.samples))
    return _drop(evaluated(same), evaluated(variant), seed)


@lru_cache(maxsize=64)
def _drop(reference: Evaluated, variant: Evaluated, seed: int) -> Interval:
    images = len(reference.classes[0].true)
    generator = np.random.default_rng(seed)
    drops = []
    for _ in range(RESAMPLES // AT_ONCE):
        counts = _drawn(images, generator)
        before, after = (resampled_mean_ap(side.classes, counts) for side in (reference, variant))
        drops.append(before - after)
    low, high = np.nanpercentile(np.concatenate(drops), PERCENTILES)
    return Interval(reference.metrics[MEAN_AP] - variant.metrics[MEAN_AP], float(low), float(high))


def _drawn(images: int, generator: np.random.Generator) -> Counts:
    """Return how often each image is drawn, [AT_ONCE, images]."""
    return generator.multinomial(images, np.full(images, 1 / images), size=AT_ONCE).astype(np.int32)


def resampled_mean_ap(classes: tuple[ClassMatches, ...], counts: Counts) -> Figures:
    """Return the mAP of each resample; NaN where it has no object of any class.

    It is what COCO's program would compute of each image as often as it was drawn.

    Args:
        counts: how often each image was drawn, [resamples, images].
    """
    sums = np.zeros(len(counts))
    there = np.zeros(len(counts))
    for one in classes:
        true = counts @ one.true
        sums += np.where(true > 0, _precision(one, counts, np.maximum(true, 1)), 0.0)
        there += true > 0
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / there)


def _precision(one: ClassMatches, counts: Counts, true: Counts) -> Figures:
    """Return the average precision of a class in each resample, the mean over the IoUs."""
    weights = counts[:, one.images]
    found = np.cumsum(weights, axis=1, dtype=np.int32)
    precisions = []
    for is_right, is_counted in zip(one.is_right, one.counts):
        places, passed_over = np.flatnonzero(is_right), np.flatnonzero(~is_counted)
        so_far = found[:, places]
        if len(passed_over):
            before = np.searchsorted(passed_over, places)
            not_counted = np.cumsum(weights[:, passed_over], axis=1, dtype=np.int32)
            so_far = so_far - np.pad(not_counted, ((0, 0), (1, 0)))[:, before]
        right = np.cumsum(weights[:, places], axis=1, dtype=np.int32)
        precisions.append(_area(right, so_far, true))
    return np.asarray(np.mean(precisions, axis=0), np.float64)


def _area(right: Counts, found: Counts, true: Counts) -> Figures:
    """Return the mean over RECALLS of the best precision at that recall or beyond.

    Args:
        right, found: right boxes, and all that count, up to each right one, [resamples, right boxes].
        true: objects, [resamples].
    """
    if not right.shape[1]:
        return np.zeros(len(right))
    precision = right / np.maximum(found, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALLS, (right / true[:, None]).ravel(), side="right").reshape(right.shape)
    read = np.diff(reached, axis=1, prepend=0)
    return np.asarray((best * read).sum(axis=1) / len(RECALLS))
