"""Masks: read from a network's output, and laid over the image that they were found in."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from shared.contract.outputs import SegmentationOutputs
from shared.inference.arrays import Array
from shared.inference.preprocess import Placement
from shared.inference.session import Tensors


def decode_mask(outputs: SegmentationOutputs, layout: str, tensors: Tensors) -> Array:
    """Return what a segmenter marked, bool [height, width] at the resolution of its output.

    Args:
        layout: `NHWC` or `NCHW`, of the network in model.json.
    """
    spec = outputs.mask
    mask = np.asarray(tensors[spec.tensor])[0]
    if layout == "NCHW":
        mask = mask.transpose(1, 2, 0)
    if spec.kind == "sigmoid":
        return np.asarray(mask[..., 0] >= spec.threshold)
    return np.asarray(mask.argmax(-1) == spec.foreground)


def over_image(
    mask: Array, input_size: Tuple[int, int], placement: Placement, image_size: Tuple[int, int]
) -> Array:
    """Return a mask at the resolution of its image: each pixel has the value of the cell that it lies in.

    Args:
        mask: bool [rows, columns], of the network's whole input.
        input_size: height and width of the input in pixels.
        placement: where the image lies in the input.
        image_size: height and width of the image in pixels.

    Returns:
        Bool [height, width] of the image.
    """
    rows = _cells(
        image_size[0], placement.scale_y, placement.top, mask.shape[0] / input_size[0], mask.shape[0]
    )
    columns = _cells(
        image_size[1], placement.scale_x, placement.left, mask.shape[1] / input_size[1], mask.shape[1]
    )
    return np.asarray(mask[rows][:, columns])


def _cells(pixels: int, scale: float, start: float, cells_a_pixel: float, cells: int) -> Array:
    """Return the cell that the centre of each of an image's pixels lies in, along one axis."""
    centres = (np.arange(pixels) + 0.5) * scale + start
    return np.asarray(np.clip(np.floor(centres * cells_a_pixel), 0, cells - 1), np.intp)
