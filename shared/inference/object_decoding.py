"""Boxes as detectors leave them: read from the outputs, decoded, those of one object told from others."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import List, Optional, Tuple

import numpy as np

from shared.contract.outputs import Anchors, BoxClasses, BoxOutput, DetectionOutputs, ObjectsOutput
from shared.inference.arrays import Array
from shared.inference.session import Tensors

MOST_CANDIDATES = 3000
"""Boxes, the surest ones, among which those of one object are told from others: raw outputs have dozens for
each object."""

Candidates = Tuple[Array, Array, Array]
"""Corners in pixels of the input [boxes, 4], scores [boxes], numbers of the classes [boxes]; surest first."""


def find_objects(
    outputs: DetectionOutputs, input_size: Tuple[int, int], tensors: Tensors, most: int
) -> Candidates:
    """Return what a detector of many objects finds, at most so many.

    Where a network's arithmetic failed, NaN or infinite, is no box.

    Args:
        input_size: height and width of the network's input in pixels.
    """
    objects = outputs.objects
    assert objects is not None
    rows = box_rows(outputs.box, tensors)
    minimum = outputs.score.minimum if outputs.score else 0.0
    count = len(rows) if objects.count is None else np.asarray(tensors[objects.count]).reshape(-1)[0]
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is left out
        scores, classes = _scores_and_classes(outputs, objects, rows, tensors)
        fits = np.isfinite(scores) & (scores >= minimum) & (np.arange(len(rows)) < count)
        fits &= (classes >= 0) & (classes < len(objects.names))
        chosen = np.flatnonzero(fits)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")[:MOST_CANDIDATES]]
        boxes = corners_of(outputs.box, rows, chosen, input_size)
    finite = np.isfinite(boxes).all(-1)
    found = boxes[finite], scores[chosen][finite], classes[chosen][finite]
    kept = slice(most) if objects.nms_iou is None else _suppressed(*found, objects.nms_iou, most)
    return found[0][kept], found[1][kept], found[2][kept]


def box_rows(box: BoxOutput, tensors: Tensors) -> Array:
    """Return a box tensor as [boxes, columns]."""
    tensor = np.asarray(tensors[box.tensor])
    if box.columns_first:
        tensor = np.swapaxes(tensor, -1, -2)
    return tensor.reshape(-1, tensor.shape[-1])


def _scores_and_classes(
    outputs: DetectionOutputs, objects: ObjectsOutput, rows: Array, tensors: Tensors
) -> Tuple[Array, Array]:
    """Return the score and the class of each box; the score is 1 where a network has none."""
    own = own_scores(outputs, rows, tensors)
    scores = np.ones(len(rows)) if own is None else own
    if objects.classes is None:
        return scores, np.zeros(len(rows), np.int64)
    shares = _of_classes(objects.classes, rows, outputs.box, tensors)
    if objects.classes.kind == "number":
        numbers = np.nan_to_num(shares[:, 0].astype(np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0)
        return scores, np.rint(numbers).astype(np.int64) - objects.classes.numbered_from
    if objects.classes.activation == "softmax":
        shares = _activated(shares.astype(np.float64), "softmax")
    if objects.classes.background is not None:
        shares = np.delete(shares, objects.classes.background, axis=1)
    best = np.argmax(shares, axis=1)  # where one is NaN it is that, which is no score
    surest = shares[np.arange(len(rows)), best].astype(np.float64)
    is_logit = objects.classes.activation == "sigmoid"  # which leaves the best one the best
    return scores * (_activated(surest, "sigmoid") if is_logit else surest), best


def own_scores(outputs: DetectionOutputs, rows: Array, tensors: Tensors) -> Optional[Array]:
    """Return the score that each box has, whatever its class; None where a network has none."""
    score = outputs.score
    if score is not None and score.tensor is not None:
        return _activated(np.asarray(tensors[score.tensor], np.float64).reshape(-1), score.activation)
    if score is not None and score.column is not None:
        return _activated(rows[:, score.column].astype(np.float64), score.activation)
    return None


def _of_classes(classes: BoxClasses, rows: Array, box: BoxOutput, tensors: Tensors) -> Array:
    """Return what a box's numbers say of its class, [boxes, width]."""
    if classes.tensor is None:
        return rows[:, classes.column : (classes.column or 0) + classes.width]
    tensor = np.asarray(tensors[classes.tensor])
    if box.columns_first and classes.kind == "scores":
        tensor = np.swapaxes(tensor, -1, -2)
    return tensor.reshape(len(rows), classes.width)


def _activated(values: Array, activation: Optional[str]) -> Array:
    """Return values after a sigmoid, or a softmax over the last axis."""
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-np.clip(values, -500, 500))))
    if activation == "softmax":
        grown = np.exp(values - values.max(-1, keepdims=True))
        return np.asarray(grown / grown.sum(-1, keepdims=True))
    return values


def corners_of(box: BoxOutput, rows: Array, chosen: Array, input_size: Tuple[int, int]) -> Array:
    """Return the chosen boxes' corners in pixels of the input, [boxes, 4]."""
    numbers = rows[chosen, box.first : box.first + 4].astype(np.float64)
    if box.strides is not None:
        cells = _cells(box.strides, input_size)[chosen]
        numbers = np.column_stack([numbers[:, :2] + cells[:, :2], np.exp(numbers[:, 2:])]) * cells[:, 2:]
    corners = _as_corners(numbers, box.form) if box.anchors is None else numbers
    if box.anchors is not None:
        corners = _beside_anchors(numbers, box, box.anchors, chosen)
    height, width = input_size
    return corners * (width, height, width, height) if box.unit == "relative" else corners


def _as_corners(numbers: Array, form: str) -> Array:
    """Return boxes of any form as x_min, y_min, x_max, y_max."""
    if form in ("yxyx", "cycxhw"):
        numbers = numbers[:, [1, 0, 3, 2]]
    if form == "xywh":
        return np.column_stack([numbers[:, :2], numbers[:, :2] + numbers[:, 2:]])
    if form in ("cxcywh", "cycxhw"):
        half = numbers[:, 2:] / 2
        return np.column_stack([numbers[:, :2] - half, numbers[:, :2] + half])
    return numbers


def _beside_anchors(numbers: Array, box: BoxOutput, anchors: Anchors, chosen: Array) -> Array:
    """Return the corners of boxes that are relative to anchors."""
    corners = anchor_corners(anchors)[chosen]
    sizes = corners[:, 2:] - corners[:, :2]
    centres = corners[:, :2] + sizes / 2
    if box.form == "cycxhw":
        numbers = numbers[:, [1, 0, 3, 2]]
    of_centre, of_size = anchors.variances
    centres = centres + numbers[:, :2] * of_centre * sizes
    half = sizes * np.exp(numbers[:, 2:] * of_size) / 2
    return np.column_stack([centres - half, centres + half])


@lru_cache(maxsize=8)
def anchor_corners(anchors: Anchors) -> Array:
    """Return the corners of anchors, [boxes, 4]."""
    values = np.frombuffer(base64.b64decode(anchors.values), "<f4").reshape(-1, 4)
    return _as_corners(values.astype(np.float64), anchors.form)


@lru_cache(maxsize=8)
def _cells(strides: Tuple[int, ...], input_size: Tuple[int, int]) -> Array:
    """Return column, row and stride of each cell of the grids, [cells, 3]."""
    cells = []
    for stride in strides:
        rows, columns = np.mgrid[: input_size[0] // stride, : input_size[1] // stride]
        cells.append(np.column_stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)]))
    return np.asarray(np.concatenate(cells), np.float64)


def _suppressed(boxes: Array, scores: Array, classes: Array, limit: float, most: int) -> Array:
    """Return which boxes are left where of two of one class that overlap by more than a limit one counts.

    Args:
        scores: falling.
        limit: IoU, which stretching an image does not change.
    """
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    left: Array = np.arange(len(scores))
    kept: List[int] = []
    while len(left) and len(kept) < most:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        shared = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2])
        overlap = np.prod(np.maximum(shared, 0), axis=1)
        union = areas[best] + areas[left] - overlap
        is_same = (classes[left] == classes[best]) & (overlap > limit * union)
        left = left[~is_same]
    return np.asarray(kept, np.int64)
