"""What a network's outputs mean: boxes, texts, classes (masks are in masks.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple, Union

import numpy as np

from shared.contract.model import Network
from shared.contract.outputs import (
    BoxOutput,
    ClassificationOutputs,
    DetectionOutputs,
    SegmentationOutputs,
    TextOutputs,
)
from shared.inference.arrays import Array
from shared.inference.mask_decoding import decode_mask
from shared.inference.preprocess import Box, Placement
from shared.inference.session import Tensors


@dataclass(frozen=True)
class FoundBox:
    """The best box of a detector, in pixels of the image."""

    box: Box


@dataclass(frozen=True)
class FoundText:
    """What a text recognizer read.

    Attributes:
        text: its symbols without blanks.
        country: None where the network has no head for it.
    """

    text: str
    country: Optional[str] = None


@dataclass(frozen=True)
class FoundClass:
    """The best class of a classifier."""

    name: str


@dataclass(frozen=True)
class FoundMask:
    """What a segmenter marked.

    Attributes:
        mask: bool [height, width] at the resolution of the network's output.
        placement: where the image lies in the network's input.
    """

    mask: Array
    placement: Placement


Prediction = Union[FoundBox, FoundText, FoundClass, FoundMask]


def predict(network: Network, tensors: Tensors, placement: Placement) -> Optional[Prediction]:
    """Return what a network found in an image; None where a detector found nothing.

    Args:
        tensors: its outputs.
        placement: where the image lies in its input.
    """
    outputs = network.outputs
    if isinstance(outputs, DetectionOutputs):
        box = decode_box(outputs, network.input.size, tensors, placement)
        return None if box is None else FoundBox(box)
    if isinstance(outputs, TextOutputs):
        return decode_text(outputs, tensors)
    if isinstance(outputs, ClassificationOutputs):
        return FoundClass(decode_class(outputs, tensors))
    assert isinstance(outputs, SegmentationOutputs)
    return FoundMask(decode_mask(outputs, network.input.layout, tensors), placement)


def decode_box(
    outputs: DetectionOutputs, input_size: Tuple[int, int], tensors: Tensors, placement: Placement
) -> Optional[Box]:
    """Return the best box in pixels of the image; None when there is none or its score is below the minimum.

    Args:
        input_size: height and width of the network's input in pixels.
        tensors: the box's has rows whose four numbers from column `first` are a box; a single row or many.
    """
    rows = np.asarray(tensors[outputs.box.tensor], np.float64)
    rows = rows.reshape(-1, rows.shape[-1])
    if not len(rows):
        return None
    best = 0
    scores = _scores(outputs, rows, tensors)
    if outputs.score is not None and scores is not None:
        best = int(np.argmax(scores))
        if scores[best] < outputs.score.minimum:
            return None
    x0, y0, x1, y1 = _corners(outputs.box, rows[best], input_size)
    return (
        (x0 - placement.left) / placement.scale_x,
        (y0 - placement.top) / placement.scale_y,
        (x1 - placement.left) / placement.scale_x,
        (y1 - placement.top) / placement.scale_y,
    )


def _scores(outputs: DetectionOutputs, rows: Array, tensors: Tensors) -> Optional[Array]:
    """Return the score of each row, or None where there is none."""
    score = outputs.score
    if score is not None and score.tensor is not None:
        return np.asarray(tensors[score.tensor], np.float64).reshape(-1)
    if score is not None and score.column is not None:
        return np.asarray(rows[:, score.column])
    return None


def _corners(spec: BoxOutput, row: Array, input_size: Tuple[int, int]) -> Box:
    """Return the box of one row in pixels of the input."""
    a, b, c, d = (float(value) for value in row[spec.first : spec.first + 4])
    if spec.form == "yxyx":
        a, b, c, d = b, a, d, c
    elif spec.form == "xywh":
        c, d = a + c, b + d
    elif spec.form == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    if spec.unit == "relative":
        height, width = input_size
        a, b, c, d = a * width, b * height, c * width, d * height
    return a, b, c, d


def decode_text(outputs: TextOutputs, tensors: Tensors) -> FoundText:
    """Return the text without blanks, and the country.

    `heads`: the best class of each position. `ctc`: repeats merged, then blanks dropped.
    """
    spec = outputs.symbols
    positions = (np.asarray(tensors[name]) for name in spec.tensors)
    rows = np.concatenate([tensor.reshape(-1, tensor.shape[-1]) for tensor in positions])
    classes: List[int] = rows.argmax(-1).tolist()
    if spec.decoder == "ctc":
        classes = [c for i, c in enumerate(classes) if i == 0 or c != classes[i - 1]]
    blank = spec.blank_class
    symbols = spec.alphabet[:blank] + "\0" + spec.alphabet[blank:]
    text = "".join(symbols[c] for c in classes if c != blank)
    if outputs.country is None:
        return FoundText(text)
    return FoundText(text, outputs.country.names[int(np.asarray(tensors[outputs.country.tensor]).argmax())])


def decode_class(outputs: ClassificationOutputs, tensors: Tensors) -> str:
    """Return the name of the best class."""
    return outputs.classes.names[int(np.asarray(tensors[outputs.classes.tensor]).argmax())]
