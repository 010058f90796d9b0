"""What is not as it was when the golden images were read: outputs within a tolerance, and what was found."""

from __future__ import annotations

import base64
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from shared.inference.arrays import Array
from shared.inference.boxes import Box, iou
from shared.inference.session import Tensors
from shared.serving.golden import GoldenImage

SAME_BOX = 0.9
"""The IoU of two boxes from which they are the same: low precision moves them by a pixel or so."""

SAME_PIXELS = 0.99
"""The share of a mask's pixels that have to be as they were."""

SAID = ("text", "country", "class")
"""What is the same or is not."""


def differences(
    golden: GoldenImage, found: Sequence[Any], outputs: Mapping[str, Tensors], tolerance: Optional[float]
) -> List[str]:
    """Return what differs of an image, each in a few words; empty where it is as it was.

    Args:
        found, outputs: of the same image now.
        tolerance: of outputs, as `Delivery` has it; None compares what was found alone.
    """
    differing = list(_of_found(golden.found, found))
    if tolerance is not None:
        differing += _of_outputs(golden, outputs, tolerance)
    return [f"{golden.file}: {one}" for one in differing]


def _of_outputs(golden: GoldenImage, outputs: Mapping[str, Tensors], tolerance: float) -> Iterator[str]:
    for node, tensors in golden.outputs.items():
        for name, tensor in tensors.items():
            now = outputs.get(node, {}).get(name)
            share = None if now is None else _difference(tensor.array(), np.asarray(now))
            if share is None:
                yield f"the output '{name}' is not there, or has another shape"
            elif not share <= tolerance:
                yield f"the output '{name}' differs by {share:.2g} of its largest value, not {tolerance:.2g}"


def _difference(before: Array, now: Array) -> Optional[float]:
    """Return the largest difference over the largest value; None where shapes differ, NaN of a NaN."""
    if before.shape != now.shape:
        return None
    largest = max(float(np.abs(before).max(initial=0.0)), 1e-12)
    apart = np.abs(before.astype(np.float64) - now.astype(np.float64))
    return float(apart.max(initial=0.0)) / largest


def _of_found(before: Sequence[Any], now: Sequence[Any]) -> Iterator[str]:
    if len(before) != len(now):
        yield f"{len(now)} found in place of {len(before)}"
        return
    for one, other in _pairs(before, now):
        if "box" in one and not _overlap(one, other) >= SAME_BOX:
            yield f"the box {one['box']} is now {other.get('box')}"
        for key in SAID:
            if one.get(key) != other.get(key):
                yield f"{key} '{one.get(key)}' is now '{other.get(key)}'"
        if "mask" in one and not _same_share(one["mask"], other.get("mask")) >= SAME_PIXELS:
            yield "the mask is another one"


def _pairs(before: Sequence[Any], now: Sequence[Any]) -> Iterator[Tuple[Any, Any]]:
    """Yield each with what lies nearest to it: two that are about as sure may have changed places."""
    left = list(now)
    for one in before:
        nearest = max(left, key=lambda other: _overlap(one, other))
        left.remove(nearest)
        yield one, nearest


def _overlap(one: Any, other: Any) -> float:
    return iou(_box(one), _box(other)) if "box" in one and "box" in other else 0.0


def _box(found: Any) -> Box:
    x0, y0, x1, y1 = found["box"]
    return x0, y0, x1, y1


def _same_share(before: Any, now: Any) -> float:
    """Return the share of pixels that two masks have in common; 0 of other sizes."""
    if now is None:
        return 0.0
    masks = [_pixels(mask["png"]) for mask in (before, now)]
    return float((masks[0] == masks[1]).mean()) if masks[0].shape == masks[1].shape else 0.0


def _pixels(png: str) -> Array:
    return np.asarray(cv2.imdecode(np.frombuffer(base64.b64decode(png), np.uint8), cv2.IMREAD_GRAYSCALE))
