"""From images to network inputs, and from network pixels back to image pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Tuple

import cv2
import numpy as np

from shared.contract.model import InputSpec
from shared.inference.arrays import Array
from shared.inference.boxes import Box, grown

Area = Tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels; the last two are outside."""


@dataclass(frozen=True)
class Placement:
    """Where an image lies in the network's input: input = image * (scale_x, scale_y) + (left, top)."""

    scale_x: float
    scale_y: float
    left: float
    top: float

    def in_image(self, box: Box) -> Box:
        """Return a box in pixels of the input in pixels of the image."""
        x0, y0, x1, y1 = box
        return (
            (x0 - self.left) / self.scale_x,
            (y0 - self.top) / self.scale_y,
            (x1 - self.left) / self.scale_x,
            (y1 - self.top) / self.scale_y,
        )


def to_input(image: Array, spec: InputSpec) -> Tuple[Array, Placement]:
    """Make the network's input of a BGR image.

    That is: resize or letterbox, channel order, (pixel - mean) / scale, layout.

    Args:
        image: uint8 BGR [height, width, 3].
        spec: the network's input.

    Returns:
        Array of `spec.shape` and `spec.dtype`, C-contiguous, and where the image lies in it.
    """
    pixels, placement = to_pixels(image, spec)
    return to_array(pixels, spec), placement


def to_pixels(image: Array, spec: InputSpec) -> Tuple[Array, Placement]:
    """Resize or letterbox a BGR image to the input's size.

    Returns:
        uint8 BGR [height, width, 3], and where the image lies in it.
    """
    height, width = spec.size
    if spec.resize == "letterbox":
        return _letterbox(image, spec)
    return _stretch(image, height, width, spec.interpolation)


def to_array(pixels: Array, spec: InputSpec) -> Array:
    """Make the network's input of pixels that have its size already.

    Args:
        pixels: uint8 BGR [height, width, 3].

    Returns:
        Array of `spec.shape` and `spec.dtype`, C-contiguous.
    """
    if spec.channels == "RGB":
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    elif spec.channels == "GRAY":
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    if spec.dtype == "float32":
        table = _normalized(spec)
        # One table for all channels takes half the time of one for each, which OpenCV looks up one by one.
        rows = pixels if table.ndim == 3 else pixels.reshape(len(pixels), -1)
        pixels = np.asarray(cv2.LUT(rows, table))
    pixels = pixels.reshape(*spec.size, spec.channel_count)
    if spec.layout == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels[None])


@lru_cache(maxsize=None)
def _normalized(spec: InputSpec) -> Array:
    """Return (pixel - mean) / scale of each of the 256 values, float32.

    Looking them up is the quickest way.

    Returns:
        [1, 256] where it is the same for all channels, else [1, 256, channels].
    """
    values = np.arange(256, dtype=np.float64)[:, None]
    table = (values - np.asarray(spec.mean)) / np.asarray(spec.scale)
    if (table == table[:, :1]).all():
        return np.ascontiguousarray(table[:, 0][None], np.float32)
    return np.ascontiguousarray(np.broadcast_to(table, (256, spec.channel_count))[None], np.float32)


def _stretch(image: Array, height: int, width: int, interpolation: str) -> Tuple[Array, Placement]:
    placement = Placement(width / image.shape[1], height / image.shape[0], 0.0, 0.0)
    shrinks = height < image.shape[0] and width < image.shape[1]
    method = cv2.INTER_AREA if shrinks and interpolation == "area" else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method), placement


def _letterbox(image: Array, spec: InputSpec) -> Tuple[Array, Placement]:
    height, width = spec.size
    ratio = min(width / image.shape[1], height / image.shape[0])
    inner_h, inner_w = max(1, round(image.shape[0] * ratio)), max(1, round(image.shape[1] * ratio))
    inner, placement = _stretch(image, inner_h, inner_w, spec.interpolation)
    left, top = (0, 0) if spec.placed == "corner" else ((width - inner_w) // 2, (height - inner_h) // 2)
    canvas = np.full((height, width, 3), spec.pad, np.uint8)
    canvas[top : top + inner_h, left : left + inner_w] = inner
    return canvas, Placement(placement.scale_x, placement.scale_y, float(left), float(top))


def area_of(box: Box, margin: float, width: int, height: int) -> Area:
    """Return the area of an image that a box takes, enlarged by `margin` of its sides on each side.

    It is clipped to the image and at least one pixel large.

    Args:
        box: in pixels of the image.
        width, height: of the image in pixels.
    """
    x0, y0, x1, y1 = grown(box, margin)
    left = min(max(round(x0), 0), width - 1)
    top = min(max(round(y0), 0), height - 1)
    right = min(max(round(x1), left + 1), width)
    bottom = min(max(round(y1), top + 1), height)
    return left, top, right, bottom


def crop(image: Array, area: Area) -> Array:
    """Return the pixels of an area, a view of the image [height, width, ...]."""
    left, top, right, bottom = area
    return image[top:bottom, left:right]
