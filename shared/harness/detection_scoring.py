"""What a detector of many objects found in one image, held against what is true of it."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np

from shared.contract.coco import TrueObject
from shared.inference.arrays import Array
from shared.inference.boxes import Box, iou
from shared.inference.decoding import ScoredBox

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""COCO's, of the IoU from which a box is that of an object."""


def average_precision(found: Sequence[ScoredBox], true: Sequence[TrueObject], has_names: bool) -> float:
    """Return how good the objects of one image are, 0 to 1: 1 where all are found and nothing surer is wrong.

    It is the average precision of all classes in one ranking, the mean over THRESHOLDS. COCO's mAP is over a
    whole split, of which a search that looks at single images knows nothing: this says which images it gets
    better or worse on. Where there is nothing to find it is how unsure the surest invention is.

    Args:
        found: the surest first.
        has_names: an object counts only with the name of its category.
    """
    crowds = [one for one in true if one.is_crowd]
    alone = [one for one in true if not one.is_crowd]
    overlaps = _overlaps(found, alone, has_names)
    is_ignored = [_lies_in_one(one, crowds, has_names) for one in found]
    if not alone:
        surest = next((one for one, ignored in zip(found, is_ignored) if not ignored), None)
        return 1.0 - min(1.0, (surest.score or 0.0) if surest is not None else 0.0)
    return float(np.mean([_precision(overlaps, is_ignored, limit) for limit in THRESHOLDS]))


def _overlaps(found: Sequence[ScoredBox], true: Sequence[TrueObject], has_names: bool) -> Array:
    """Return the IoU of each pair [found, true]; 0 where the names differ."""
    table = np.zeros((len(found), len(true)))
    for row, one in enumerate(found):
        for column, other in enumerate(true):
            if not has_names or one.name == other.category:
                table[row, column] = iou(one.box, other.box)
    return table


def _lies_in_one(one: ScoredBox, crowds: Sequence[TrueObject], has_names: bool) -> bool:
    """Tell whether at least half of a box lies in one of the crowds'."""
    x0, y0, x1, y1 = one.box
    least = THRESHOLDS[0] * max(0.0, x1 - x0) * max(0.0, y1 - y0)
    own = (crowd for crowd in crowds if not has_names or one.name == crowd.category)
    return any(_shared_area(one.box, crowd.box) >= least for crowd in own)


def _shared_area(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def _precision(overlaps: Array, is_ignored: Sequence[bool], limit: float) -> float:
    """Return the average precision at one IoU: the area below the envelope of precision over recall."""
    left = overlaps.copy()
    hits: List[Tuple[int, int]] = []  # right ones so far, and all that count
    right = counted = 0
    for row in range(len(left)):
        best = int(left[row].argmax())
        if left[row, best] >= limit:
            left[:, best] = -1.0
            right, counted = right + 1, counted + 1
            hits.append((right, counted))
        elif not is_ignored[row]:
            counted += 1
    precisions = [right / counted for right, counted in hits]
    envelope = np.maximum.accumulate(precisions[::-1]) if precisions else np.zeros(0)
    return float(envelope.sum()) / overlaps.shape[1]
