"""What a network's outputs mean: boxes, texts, classes (masks are in masks.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple, Union

import numpy as np

from shared.contract.model import Network
from shared.contract.outputs import (
    ClassificationOutputs,
    DetectionOutputs,
    ObjectsOutput,
    SegmentationOutputs,
    TextOutputs,
)
from shared.inference.arrays import Array
from shared.inference.boxes import Box, iou
from shared.inference.mask_decoding import decode_mask
from shared.inference.object_decoding import Candidates, box_rows, corners_of, find_objects, own_scores
from shared.inference.preprocess import Placement
from shared.inference.session import Tensors

MOST_BOXES = 100
"""Of a frame: detectors with thousands of rows have no more above their minimum that mean anything."""

SAME_OBJECT = 0.5
"""The IoU of two boxes above which they are of one object."""

SUM_OF_PROBABILITIES = 1e-2
"""How far the sum of a row may be from 1 for its numbers to be probabilities."""


@dataclass(frozen=True)
class FoundBox:
    """The best box of a detector, in pixels of the image."""

    box: Box


@dataclass(frozen=True)
class ScoredBox:
    """A box that was found.

    Attributes:
        box: in pixels of the image.
        score: None where the network has none.
        name: of its class; None where the network tells none apart.
    """

    box: Box
    score: Optional[float]
    name: Optional[str] = None


@dataclass(frozen=True)
class FoundObjects:
    """What a detector of many objects found: at least one, the surest first."""

    objects: Tuple[ScoredBox, ...]


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


Prediction = Union[FoundBox, FoundObjects, FoundText, FoundClass, FoundMask]


def predict(network: Network, tensors: Tensors, placement: Placement) -> Optional[Prediction]:
    """Return what a network found in an image; None where a detector found nothing.

    Args:
        tensors: its outputs.
        placement: where the image lies in its input.
    """
    outputs = network.outputs
    if isinstance(outputs, DetectionOutputs) and outputs.finds_many:
        objects = decode_boxes(outputs, network.input.size, tensors, placement)
        return FoundObjects(tuple(objects)) if objects else None
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
    found = decode_boxes(outputs, input_size, tensors, placement, most=1)
    return found[0].box if found else None


def decode_boxes(
    outputs: DetectionOutputs,
    input_size: Tuple[int, int],
    tensors: Tensors,
    placement: Placement,
    most: int = MOST_BOXES,
) -> List[ScoredBox]:
    """Return the boxes of a detector, the surest first.

    Of a detector of many objects they are as model.json says. Of others, one that overlaps a surer one by
    more than SAME_OBJECT is of the same object and left out, and of rows without a score the first is the one
    that counts. Where a network's arithmetic failed, NaN or infinite, is no box.

    Args:
        input_size, tensors: as of `decode_box`.
        most: boxes that are looked at; of a detector of many objects, that are returned.
    """
    if outputs.objects is not None:
        return _objects(outputs.objects, find_objects(outputs, input_size, tensors, most), placement)
    rows = box_rows(outputs.box, tensors)
    if not len(rows):
        return []
    scores = own_scores(outputs, rows, tensors)
    chosen = np.zeros(1, np.int64) if scores is None else np.argsort(-scores, kind="stable")[:most]
    boxes = corners_of(outputs.box, rows, chosen, input_size).tolist()
    if outputs.score is None or scores is None:
        box = placement.in_image(tuple(boxes[0]))
        return [ScoredBox(box, None)] if np.isfinite(box).all() else []
    found: List[ScoredBox] = []
    for row, corners in zip(chosen, boxes):
        if not scores[row] >= outputs.score.minimum:  # a NaN, which is sorted last, is no score
            break
        box = placement.in_image(tuple(corners))
        if np.isfinite(box).all() and all(iou(box, surer.box) <= SAME_OBJECT for surer in found):
            found.append(ScoredBox(box, float(scores[row])))
    return found


def _objects(objects: ObjectsOutput, found: Candidates, placement: Placement) -> List[ScoredBox]:
    boxes, scores, classes = (part.tolist() for part in found)
    rows = zip(boxes, scores, classes)
    return [
        ScoredBox(placement.in_image(tuple(box)), score, objects.names[number] or None)
        for box, score, number in rows
    ]


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


def confidence_of(outputs: Union[TextOutputs, ClassificationOutputs], tensors: Tensors) -> float:
    """Return how sure a network is of its answer, 0 to 1: of a text, that every position is right.

    It is the product of the best probabilities. Rows that are no probabilities are taken through a softmax.
    """
    is_one_row = isinstance(outputs, ClassificationOutputs)
    names = outputs.symbols.tensors if isinstance(outputs, TextOutputs) else (outputs.classes.tensor,)
    best = []
    for name in names:
        best.append(_probabilities(np.asarray(tensors[name], np.float64), is_one_row).max(-1))
    product = float(np.concatenate(best).prod())
    # Rows may add up to a little more than 1; of arithmetic that failed nothing is sure.
    return min(1.0, product) if np.isfinite(product) else 0.0


def _probabilities(tensor: Array, is_one_row: bool) -> Array:
    """Return the rows of a tensor as probabilities, [rows, classes]."""
    rows = tensor.reshape(1, -1) if is_one_row else tensor.reshape(-1, tensor.shape[-1])
    if rows.min() >= 0 and np.abs(rows.sum(-1) - 1).max() <= SUM_OF_PROBABILITIES:
        return rows
    grown = np.exp(rows - rows.max(-1, keepdims=True))
    return np.asarray(grown / grown.sum(-1, keepdims=True))
