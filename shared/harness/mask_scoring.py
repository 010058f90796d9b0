"""True masks: painted from annotations, laid beside the predicted ones, kept as small pictures."""

from __future__ import annotations

import base64
from typing import List, Tuple

import cv2
import numpy as np

from shared.contract.dataset import Sample, read_labelme
from shared.contract.measurement import MaskPicture
from shared.contract.model import Network
from shared.contract.outputs import SegmentationOutputs
from shared.harness.mask_files import read_mask
from shared.inference.arrays import Array
from shared.inference.decoding import FoundMask
from shared.inference.image_files import UnreadableImage, read_image
from shared.inference.mask_decoding import over_image
from shared.inference.preprocess import Area

PICTURES = 6
"""Samples of a split whose masks are kept as pictures."""

IMAGE_SIDE, MASK_SIDE = 400, 512
"""Longest side of a kept picture, in pixels."""


def true_mask(network: Network, sample: Sample) -> Array:
    """Return what is annotated, bool [height, width] at the resolution of the annotation.

    A pixel of a mask file counts by its value (`shared.contract.mask_values`); of a labelme file where any
    polygon of the model's `labels` (of any label, where it names none) covers it.

    Raises:
        UnreadableImage: a mask file that cannot be decoded.
        InputProblem: a mask file of which nobody can tell what counts, a labelme file that cannot be read.
    """
    assert isinstance(network.outputs, SegmentationOutputs)
    if sample.mask is not None:
        return read_mask(sample.mask, network.outputs.mask.values)
    assert sample.labelme is not None
    drawn, labels = read_labelme(sample.labelme), network.outputs.mask.labels
    canvas = np.zeros((drawn.height, drawn.width), np.uint8)
    for label, corners in drawn.polygons:
        if labels is None or label in labels:
            # One by one: together, OpenCV leaves out where two of them overlap.
            cv2.fillPoly(canvas, [np.rint(corners).astype(np.int32)], 1)
    return canvas.astype(bool)


def both_masks(network: Network, found: FoundMask, sample: Sample) -> Tuple[Array, Array]:
    """Return the predicted and the true mask of the image at the resolution of the output.

    Both are bool [height, width]. The padding of a letterbox is cut out. The truth is
    taken at the centre of each of the output's pixels.

    Raises:
        UnreadableImage: as `true_mask`; for a letterbox, an annotation that is not of its image's size.
    """
    mask, placement, truth = found.mask, found.placement, true_mask(network, sample)
    height, width = network.input.size
    inner = (height, width)
    if network.input.resize == "letterbox":
        inner = (round(truth.shape[0] * placement.scale_y), round(truth.shape[1] * placement.scale_x))
        # In the centre, twice the padding and the image leave 0 pixels, or 1 at an odd side; in the corner
        # the image takes a whole side. Anything else: the annotation has other proportions than the image.
        left_over = (height - 2 * placement.top - inner[0], width - 2 * placement.left - inner[1])
        is_in_corner = network.input.placed == "corner"
        if min(left_over) not in (0, 1) or (not is_in_corner and max(left_over) > 1):
            raise UnreadableImage(
                f"the annotation {sample.labelme or sample.mask} is not of its image's size"
            )
    rows, true_rows = _axis(mask.shape[0], height, placement.top, inner[0], truth.shape[0])
    columns, true_columns = _axis(mask.shape[1], width, placement.left, inner[1], truth.shape[1])
    return mask[rows][:, columns], truth[true_rows][:, true_columns]


def _axis(cells: int, side: int, start: float, inner: int, pixels: int) -> Tuple[Array, Array]:
    """Return which of an output's cells are centred on the image, and the annotation's pixel below each.

    Args:
        cells, side: of the output and of the input.
        start, inner: where the image begins in the input, and how much of it is image.
        pixels: how many the annotation has along the axis.
    """
    centres = (np.arange(cells) + 0.5) * side / cells - start
    on_image = (centres >= 0) & (centres < inner)
    on_image[np.abs(centres - inner / 2).argmin()] = True  # an image narrower than a cell has no centre in it
    return on_image, np.clip(centres[on_image] * pixels / inner, 0, pixels - 1).astype(np.intp)


def masks_of_part(
    network: Network, found: FoundMask, area: Area, image_size: Tuple[int, int], sample: Sample
) -> Tuple[Array, Array]:
    """Return the predicted and the true mask of an image of which a network was given a part.

    Both are bool [height, width] of the image; outside the part nothing was found. An annotation of another
    size than the image is taken at the nearest pixel.

    Raises:
        UnreadableImage: as `true_mask`.
    """
    left, top, right, bottom = area
    whole = np.zeros(image_size, bool)
    part = (bottom - top, right - left)
    whole[top:bottom, left:right] = over_image(found.mask, network.input.size, found.placement, part)
    height, width = image_size
    truth = true_mask(network, sample).astype(np.uint8)
    return whole, cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)


def count_pixels(mask: Array, truth: Array) -> Tuple[int, int]:
    """Return the pixels of the intersection and of the union of two bool masks of one shape."""
    return int(np.count_nonzero(mask & truth)), int(np.count_nonzero(mask | truth))


def pictured(samples: int) -> List[int]:
    """Return which samples of a split are kept as pictures: PICTURES at most, evenly over the split."""
    count = min(samples, PICTURES)
    return [i * samples // count for i in range(count)]


def picture(network: Network, found: FoundMask, sample: Sample, with_truth: bool) -> MaskPicture:
    """Return a sample's pictures, in base64.

    The masks are PNG, 0 and 255, at the resolution of the network's output, without the padding of a
    letterbox.

    Args:
        with_truth: keep the true mask and the image (JPEG) beside the predicted mask.
    """
    mask, truth = both_masks(network, found, sample)
    predicted = _encoded(".png", _shrunk(mask * np.uint8(255), MASK_SIDE, cv2.INTER_NEAREST))
    if not with_truth:
        return MaskPicture(sample.id, predicted)
    true = _encoded(".png", _shrunk(truth * np.uint8(255), MASK_SIDE, cv2.INTER_NEAREST))
    image = _encoded(
        ".jpg", _shrunk(read_image(sample.path, network.input.background), IMAGE_SIDE, cv2.INTER_AREA)
    )
    return MaskPicture(sample.id, predicted, true, image)


def _shrunk(pixels: Array, side: int, interpolation: int) -> Array:
    factor = side / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return pixels if factor >= 1 else np.asarray(cv2.resize(pixels, size, interpolation=interpolation))


def _encoded(ending: str, pixels: Array) -> str:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 80] if ending == ".jpg" else []
    return base64.b64encode(cv2.imencode(ending, pixels, quality)[1].tobytes()).decode()
