"""Whether the outputs of a network have shapes that its task can read, as its model.json says."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

from .class_counts import Mismatch, mismatch
from .model import Network
from .object_shapes import unreadable_objects
from .outputs import DetectionOutputs, MaskOutput, SegmentationOutputs

Shape = Sequence[int]
"""Sizes, -1 where one is open."""


def unreadable(network: Network, shapes: Mapping[str, Shape]) -> Optional[Mismatch]:
    """Return the first output that the task cannot read, or could only read as what it is not; or None.

    Args:
        shapes: by tensor; tensors that are not there, and sizes that are open, are not checked.
    """
    outputs = network.outputs
    found = None
    if isinstance(outputs, SegmentationOutputs) and outputs.mask.tensor in shapes:
        found = _mask(network, outputs.mask, shapes[outputs.mask.tensor])
    elif isinstance(outputs, DetectionOutputs):
        found = unreadable_objects(outputs, network.input.size, shapes)
    return found or mismatch(network, shapes)


def _mask(network: Network, mask: MaskOutput, shape: Shape) -> Optional[Mismatch]:
    """Return what is wrong with a mask's axes: there are others than four, or they are in another order."""
    if len(shape) != 4:
        return Mismatch(
            f"the output '{mask.tensor}' has the shape {list(shape)}, and a mask has four axes,"
            " one of channels",
            "mask.tensor",
            "name the tensor before it that still has a channel for each class, or one of probabilities",
        )
    layout = network.input.layout
    other = "NHWC" if layout == "NCHW" else "NCHW"
    if not _is_laid_out(network, shape, layout) and _is_laid_out(network, shape, other):
        return Mismatch(
            f"the output '{mask.tensor}' has the shape {list(shape)}, which is {other}, not {layout}",
            "mask.tensor",
            f"a mask is read in the layout of the input, {layout}: name the tensor before it is transposed",
        )
    return None


def _is_laid_out(network: Network, shape: Shape, layout: str) -> bool:
    """Tell whether a mask in a layout has the proportions of the input, to a pixel, as far as it says."""
    rows, columns = shape[1:3] if layout == "NHWC" else shape[2:4]
    height, width = network.input.size
    return min(rows, columns) < 0 or abs(rows * width - columns * height) < max(height, width)
