"""nvinfer's pre-processing in numpy and OpenCV, driven by a configuration of nvinfer.

So a pipeline in software can be given the very file that a device is given, and what the device makes of a
picture can be predicted. The geometry is that of nvinfer's source. What differs on a device: its scaler is
not OpenCV's, and the colours come from NV12, with the video's own matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional, Tuple

import cv2
import numpy as np
from nvinfer_entries import Config
from nvinfer_input import COLOURS
from nvinfer_keys import items, table, value_problem

from shared.contract.errors import InputProblem
from shared.contract.model import InputSpec
from shared.inference.arrays import Array
from shared.inference.boxes import Box
from shared.inference.preprocess import Area, Placement, to_input

FILTERS = {0: cv2.INTER_NEAREST, 1: cv2.INTER_LINEAR}
"""OpenCV's for a `scaling-filter`; the higher ones are the VIC's own."""

READ = (
    "infer-dims",
    "model-color-format",
    "net-scale-factor",
    "offsets",
    "maintain-aspect-ratio",
    "symmetric-padding",
    "scaling-filter",
)
"""The keys that say how an input is made."""

UNTOLD = ("mean-file", "input-tensor-from-meta")
"""Keys with which the input is made in another way."""


@dataclass(frozen=True)
class Preparation:
    """How nvinfer makes an input of a picture.

    Attributes:
        size: height and width in pixels.
        channels: `RGB`, `BGR` or `GRAY`.
        factor, offsets: y = factor * (pixel - offset); one offset for each channel.
        keeps_aspect: the rest is black; on the right and at the bottom, or on all sides if `is_symmetric`.
        scaling_filter: 0 nearest, 1 bilinear.
    """

    size: Tuple[int, int]
    channels: str
    factor: float
    offsets: Tuple[float, ...]
    keeps_aspect: bool
    is_symmetric: bool
    scaling_filter: int


def preparation_of(config: Config) -> Preparation:
    """Return what a configuration says of the input, as nvinfer understands it.

    Raises:
        InputProblem: it does not say enough, or says what this module does not do.
    """
    for key in READ:
        text = config.value(key)
        wrong = "" if text is None else value_problem(table().keys[key], text)
        if wrong:
            raise InputProblem(f"{key} {wrong}", "", table().keys[key].meaning)
    for key in UNTOLD:
        if config.value(key) not in (None, "0"):
            raise InputProblem(f"{key} makes the input in another way", "", "remove it")
    if config.or_default("network-input-order") != "0":
        raise InputProblem("network-input-order is not 0: the input is not NCHW", "", "take an NCHW graph")
    sampling, factor = int(config.number("scaling-filter") or 0), config.number("net-scale-factor")
    if sampling not in FILTERS:
        raise InputProblem(f"scaling-filter {sampling} is the VIC's own", "", "take 1, bilinear")
    if factor is None or factor <= 0:
        raise InputProblem("net-scale-factor is not above 0", "", "put the normalization into the graph")
    names = {code: name for name, code in COLOURS.items()}
    channels = names[int(config.number("model-color-format") or 0)]
    height, width, offsets = _sizes(config, 1 if channels == "GRAY" else 3)
    return Preparation(
        size=(height, width),
        channels=channels,
        factor=factor,
        offsets=offsets,
        keeps_aspect=config.or_default("maintain-aspect-ratio") == "1",
        is_symmetric=config.or_default("symmetric-padding") == "1",
        scaling_filter=sampling,
    )


def _sizes(config: Config, channels: int) -> Tuple[int, int, Tuple[float, ...]]:
    """Return height, width and an offset for each channel."""
    dims = items(config.value("infer-dims") or "")
    if len(dims) != 3 or int(dims[0]) != channels:
        what = f"infer-dims is not {channels};height;width"
        raise InputProblem(what, "", "say the size of the input, channels first")
    offsets = config.numbers("offsets") or (0.0,) * channels
    if len(offsets) != channels:
        what = f"offsets has {len(offsets)} numbers for {channels} channels"
        raise InputProblem(what, "", "give one for each channel")
    return int(dims[1]), int(dims[2]), offsets


def even_area(box: Box, width: int, height: int) -> Optional[Area]:
    """Return what nvinfer crops of a box: whole pixels, left and top rounded up to even, the sides down.

    Args:
        box: x_min, y_min, x_max, y_max in pixels of the frame.
        width, height: of the frame; what lies outside is left out.

    Returns:
        Left, top, right, bottom, the last two outside; None where nothing is left, or the box is no box.
    """
    if not all(map(math.isfinite, box)):
        return None
    x0, y0 = max(0.0, box[0]), max(0.0, box[1])
    x1, y1 = min(float(width), box[2]), min(float(height), box[3])
    left, across = _even(x0, x1 - x0, width)
    top, down = _even(y0, y1 - y0, height)
    return (left, top, left + across, top + down) if across > 0 and down > 0 else None


def _even(start: float, length: float, room: int) -> Tuple[int, int]:
    """Return an even start and an even length of an interval; fractions of a pixel are cut off before."""
    first = math.ceil(int(start) / 2) * 2
    # Rounded up, the start may push the end out of the frame, where nvinfer's scaler is not asked to read.
    return first, min(int(length), room - first) // 2 * 2


def prepare(image: Array, how: Preparation, area: Optional[Area] = None) -> Tuple[Array, Placement]:
    """Make the input that nvinfer makes of a frame, or of an area of it.

    Args:
        image: the frame, uint8 BGR [height, width, 3].
        area: of `even_area`; None is the whole frame, whose sides are made even, too.

    Returns:
        float32 [1, channels, height, width], C-contiguous; and where the area's pixels lie in it.

    Raises:
        ValueError: the frame is smaller than two pixels.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = area or (0, 0, width // 2 * 2, height // 2 * 2)
    if right <= left or bottom <= top:
        raise ValueError(f"a frame of {width} x {height} pixels has no even area")
    pixels, placement = _resized(image[top:bottom, left:right], how)
    if how.channels == "RGB":
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    elif how.channels == "GRAY":
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
    values = np.asarray(cv2.LUT(pixels, _normalized(how))).reshape(*how.size, len(how.offsets))
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None]), placement


def _resized(pixels: Array, how: Preparation) -> Tuple[Array, Placement]:
    """Return pixels in the input's size, and where they lie in it."""
    height, width = how.size
    inner_h, inner_w = _inner_size(pixels, how) if how.keeps_aspect else how.size
    inner = cv2.resize(pixels, (inner_w, inner_h), interpolation=FILTERS[how.scaling_filter])
    left, top = ((width - inner_w) // 2, (height - inner_h) // 2) if how.is_symmetric else (0, 0)
    if not how.keeps_aspect:
        left = top = 0
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + inner_h, left : left + inner_w] = inner
    scale_x, scale_y = inner_w / pixels.shape[1], inner_h / pixels.shape[0]
    return canvas, Placement(scale_x, scale_y, float(left), float(top))


def _inner_size(pixels: Array, how: Preparation) -> Tuple[int, int]:
    """Return the height and width that pixels take with their aspect ratio kept, the fraction cut off.

    Dockyard's own letterbox rounds to the nearest pixel, so that one of its sides may be a pixel longer.
    """
    height, width = how.size
    fitting = width * pixels.shape[0] / pixels.shape[1]
    if fitting <= height:
        return max(1, int(fitting)), width
    return height, max(1, int(height * pixels.shape[1] / pixels.shape[0]))


@lru_cache(maxsize=32)
def _normalized(how: Preparation) -> Array:
    """Return factor * (pixel - offset) of each of the 256 values in float32, [1, 256, channels]."""
    values = np.arange(256, dtype=np.float32)[:, None]
    found = np.float32(how.factor) * (values - np.asarray(how.offsets, np.float32))
    return np.ascontiguousarray(found[None], np.float32)


def grey_levels_apart(image: Array, spec: InputSpec, how: Preparation) -> float:
    """Return how far nvinfer's input of a frame is from Dockyard's at most, in grey levels of 0 to 255.

    Both are turned back into pixels, so that it does not matter which of the two normalizes.

    Args:
        image: uint8 BGR [height, width, 3].
        spec: of model.json.
        how: of the network's configuration.
    """
    own, _ = to_input(image, spec)
    other, _ = prepare(image, how)
    channels = own[0] if spec.layout == "NCHW" else own[0].transpose(2, 0, 1)
    pixels = channels.astype(np.float64)
    if spec.dtype == "float32":
        pixels = pixels * np.reshape(spec.scale, (-1, 1, 1)) + np.reshape(spec.mean, (-1, 1, 1))
    others = other[0].astype(np.float64) / how.factor + np.reshape(how.offsets, (-1, 1, 1))
    return float(np.abs(pixels - others).max())
