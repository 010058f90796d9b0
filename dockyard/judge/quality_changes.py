"""What a quality loses against another one of the same samples."""

from __future__ import annotations

from dockyard.judge.mean_ap_drop import mean_ap_drop
from dockyard.judge.statistics import Interval, drop_of_objects, drop_with_interval, flips
from shared.contract.measurement import ObjectCounts, Quality

ALL_RIGHT, SCORED_RIGHT = 1.0, 0.5
"""The score from which an image with counted objects is right, and that of any other sample."""


def drop_of(reference: Quality, variant: Quality, are_frames: bool = False) -> Interval:
    """Return the drop of the variant's main metric, paired by its samples, all of which the reference has.

    Args:
        are_frames: the samples are the frames of a video, in their order.
    """
    if reference.truth is not None and variant.truth is not None:
        return mean_ap_drop(reference, variant)
    if reference.counts and variant.counts:
        theirs, ours = _counts_by_sample(reference), _counts_by_sample(variant)
        before = [theirs[sample] for sample in ours]
        return drop_of_objects(before, list(ours.values()), are_frames=are_frames)
    scores, mine = reference.scores(variant.main), variant.scores(variant.main)
    return drop_with_interval([scores[sample] for sample in mine], list(mine.values()), are_frames=are_frames)


def flipped(reference: Quality, variant: Quality) -> list[str]:
    """Return the samples that are right on one side only."""
    metric, right = variant.sample_metric, ALL_RIGHT if variant.counts else SCORED_RIGHT
    return flips(reference.scores(metric), variant.scores(metric), right)


def _counts_by_sample(quality: Quality) -> dict[str, ObjectCounts]:
    return {one.id: one.counts for one in quality.samples if one.counts is not None}
