"""What a quality loses against another one of the same samples."""

from __future__ import annotations

from dockyard.judge.mean_ap_drop import mean_ap_drop
from dockyard.judge.statistics import Interval, drop_with_interval
from shared.contract.measurement import Quality


def drop_of(reference: Quality, variant: Quality, are_frames: bool = False) -> Interval:
    """Return the drop of the variant's main metric, paired by its samples, all of which the reference has.

    Args:
        are_frames: the samples are the frames of a video, in their order.
    """
    if reference.truth is not None and variant.truth is not None:
        return mean_ap_drop(reference, variant)
    scores, mine = reference.scores(variant.main), variant.scores(variant.main)
    return drop_with_interval([scores[sample] for sample in mine], list(mine.values()), are_frames=are_frames)
