"""From encoded image files to network inputs, and from network pixels back to image pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

import cv2
import numpy as np

from shared.contract.model import InputSpec
from shared.runtime.arrays import Array


class UnreadableImage(Exception):
    """An image file that cannot be decoded."""


@dataclass(frozen=True)
class Placement:
    """Where an image lies in the network's input: input = image * (scale_x, scale_y) + (left, top), in pixels."""

    scale_x: float
    scale_y: float
    left: float
    top: float


def decode(encoded: bytes, name: str) -> Array:
    """Decode an image file to uint8 BGR [height, width, 3].

    Raises:
        UnreadableImage: naming the file.
    """
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR) if encoded else None
    if image is None:
        raise UnreadableImage(f"cannot decode the image {name} ({len(encoded)} bytes)")
    return np.asarray(image)


def read_image(path: Path) -> Array:
    """Read an image file, uint8 BGR [height, width, 3]. Raises UnreadableImage."""
    return decode(path.read_bytes(), path.name)


def to_input(image: Array, spec: InputSpec) -> Tuple[Array, Placement]:
    """Make the network's input of a BGR image: resize or letterbox, channel order, (pixel - mean) / scale, layout.

    Args:
        image: uint8 BGR [height, width, 3].
        spec: the network's input.

    Returns:
        float32 array of `spec.shape`, C-contiguous, and where the image lies in it.
    """
    height, width = spec.size
    resized, placement = _letterbox(image, height, width, spec.pad) if spec.resize == "letterbox" else _stretch(image, height, width)
    if spec.channels == "RGB":
        resized = cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)
    elif spec.channels == "GRAY":
        resized = cv2.cvtColor(resized, cv2.COLOR_BGR2GRAY)[..., None]
    scale = np.asarray(spec.scale, np.float32)
    pixels = resized.astype(np.float32)
    pixels -= np.asarray(spec.mean, np.float32)
    pixels *= 1.0 / scale
    if spec.layout == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels[None]), placement


def _stretch(image: Array, height: int, width: int) -> Tuple[Array, Placement]:
    placement = Placement(width / image.shape[1], height / image.shape[0], 0.0, 0.0)
    shrinks = height < image.shape[0] and width < image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), placement


def _letterbox(image: Array, height: int, width: int, pad: int) -> Tuple[Array, Placement]:
    ratio = min(width / image.shape[1], height / image.shape[0])
    inner_h, inner_w = max(1, round(image.shape[0] * ratio)), max(1, round(image.shape[1] * ratio))
    inner, placement = _stretch(image, inner_h, inner_w)
    left, top = (width - inner_w) // 2, (height - inner_h) // 2
    canvas = np.full((height, width, 3), pad, np.uint8)
    canvas[top : top + inner_h, left : left + inner_w] = inner
    return canvas, Placement(placement.scale_x, placement.scale_y, float(left), float(top))


def crop(image: Array, box: Tuple[float, float, float, float], margin: float) -> Array:
    """Cut the box (x_min, y_min, x_max, y_max in pixels) out, enlarged by `margin` of its sides on each side.

    The result is clipped to the image and at least one pixel large.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    grow_x, grow_y = (x1 - x0) * margin, (y1 - y0) * margin
    left = min(max(round(x0 - grow_x), 0), width - 1)
    top = min(max(round(y0 - grow_y), 0), height - 1)
    right = min(max(round(x1 + grow_x), left + 1), width)
    bottom = min(max(round(y1 + grow_y), top + 1), height)
    return image[top:bottom, left:right]
