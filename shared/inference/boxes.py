"""Boxes: x_min, y_min, x_max, y_max in pixels."""

from __future__ import annotations

from typing import Tuple

Box = Tuple[float, float, float, float]


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes; 0 where the union is empty."""
    intersection, areas = shared_area(a, b), area(a) + area(b)
    return intersection / (areas - intersection) if areas > intersection else 0.0


def shared_area(a: Box, b: Box) -> float:
    """Return the area in pixels that two boxes have in common."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def area(box: Box) -> float:
    """Return the area of a box in pixels; 0 of one that is reversed."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def clipped(box: Box, width: float, height: float) -> Box:
    """Return what of a box lies in an image; one that lies outside has no area."""
    x0, x1 = (min(max(side, 0.0), width) for side in (box[0], box[2]))
    y0, y1 = (min(max(side, 0.0), height) for side in (box[1], box[3]))
    return x0, y0, x1, y1


def grown(box: Box, margin: float) -> Box:
    """Return a box enlarged by a share of its sides on each side."""
    x0, y0, x1, y1 = box
    across, down = (x1 - x0) * margin, (y1 - y0) * margin
    return x0 - across, y0 - down, x1 + across, y1 + down


def scaled(box: Box, x: float, y: float) -> Box:
    """Return a box in pixels of an image that is so many times as wide and as high."""
    return box[0] * x, box[1] * y, box[2] * x, box[3] * y


def moved(box: Box, left: float, top: float) -> Box:
    """Return a box that was found in a part of an image, in pixels of the whole."""
    return box[0] + left, box[1] + top, box[2] + left, box[3] + top
