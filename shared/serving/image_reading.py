"""What the networks find in one image, as JSON: objects for a pipeline or a detector, else one answer."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from shared.contract.model import DataLocation, Pipeline
from shared.contract.outputs import ClassificationOutputs, SegmentationOutputs, TextOutputs
from shared.contract.reading_lines import rounded_box, rounded_share
from shared.contract.streaming import Answer, ReadObject, stream_problem
from shared.inference.arrays import Array
from shared.inference.boxes import Box
from shared.inference.decoding import (
    FoundBox,
    FoundClass,
    FoundMask,
    FoundObjects,
    FoundText,
    Prediction,
)
from shared.inference.image_files import decode
from shared.inference.mask_decoding import decode_mask, over_image
from shared.inference.objects import answer_of, read_objects
from shared.inference.pipeline import Clock, LoadedNode, Passage, run_pipeline
from shared.inference.preprocess import to_input

Found = Dict[str, Any]
"""One thing that was found, as JSON."""


@dataclass(frozen=True)
class ImageReading:
    """What was found in an image.

    Attributes:
        width, height: of the image, in pixels.
        found: the surest first; `box` is x_min, y_min, x_max, y_max in pixels, shares are 0 to 1. A mask is
            a PNG of the image's size, 0 and 255, in base64.
    """

    width: int
    height: int
    found: Tuple[Found, ...]


def read_image(nodes: Sequence[LoadedNode], encoded: bytes, name: str) -> ImageReading:
    """Read an image file.

    Args:
        nodes: which no other thread calls meanwhile.
        name: the image's, for messages.

    Raises:
        UnreadableImage: the file cannot be decoded.
    """
    if len(nodes) == 1 or _finds_objects(nodes):
        return read_pixels(nodes, decode(encoded, name, nodes[0].network.input.background), name)
    passage = run_pipeline(nodes, encoded, name)
    return _reading(passage.image_size, _of_passage(nodes[-1], passage))


def read_pixels(nodes: Sequence[LoadedNode], image: Array, name: str) -> ImageReading:
    """Read an image that is decoded, uint8 BGR [height, width, 3]; otherwise as `read_image`."""
    if _finds_objects(nodes):
        readers = [loaded.node.name for loaded in nodes[1:]]
        objects = read_objects(nodes, image, Clock())
        return _reading(image.shape[:2], [_of_object(one, readers) for one in objects])
    if len(nodes) == 1:
        return _reading(image.shape[:2], [_of_network(nodes[0], image)])
    # Any other pipeline was measured from the encoded image on: PNG keeps every pixel.
    return read_image(nodes, _png(image), name)


def _reading(size: Sequence[int], found: Sequence[Found]) -> ImageReading:
    return ImageReading(int(size[1]), int(size[0]), tuple(found))


def _finds_objects(nodes: Sequence[LoadedNode]) -> bool:
    """Tell whether it is a detector on the whole image, maybe with networks on what it has found."""
    own = Pipeline("", "", tuple(loaded.node for loaded in nodes), DataLocation())
    return not stream_problem(own, {loaded.network.name: loaded.network for loaded in nodes})


def _of_object(one: ReadObject, readers: Sequence[str]) -> Found:
    """Return an object with what the last network says of it; what each says, where several read."""
    found: Found = _of_box(one.box, one.score, one.category)
    answers = {name: _of_answer(one.answers[name]) for name in readers}
    if readers:
        found.update(answers[readers[-1]])
    if len(readers) > 1:
        found["answers"] = answers
    return found


def _of_box(box: Box, score: Optional[float], name: Optional[str]) -> Found:
    found: Found = {"box": rounded_box(box), "score": rounded_share(score)}
    return found if name is None else {**found, "class": name}


def _of_answer(answer: Answer) -> Found:
    confidence = rounded_share(answer.confidence)
    return {"text": answer.text, "country": answer.country, "confidence": confidence}


def _of_network(loaded: LoadedNode, image: Array) -> Found:
    """Return what a single network that is no detector says of an image, uint8 BGR [height, width, 3]."""
    tensor, placement = to_input(image, loaded.session.input)
    tensors, network = loaded.session.run(tensor), loaded.network
    if isinstance(network.outputs, SegmentationOutputs):
        mask = decode_mask(network.outputs, network.input.layout, tensors)
        return _of_mask(FoundMask(mask, placement), network.input.size, image.shape[:2])
    answer = answer_of(loaded, tensors)
    if isinstance(network.outputs, ClassificationOutputs):
        return {"class": answer.text, "confidence": rounded_share(answer.confidence)}
    assert isinstance(network.outputs, TextOutputs)
    return _of_answer(answer)


def _of_passage(last: LoadedNode, passage: Passage) -> List[Found]:
    """Return what the last node of any other pipeline found, and the part of the image that it was given."""
    prediction: Optional[Prediction] = passage.predictions[last.node.name]
    if prediction is None:
        return []
    left, top, right, bottom = passage.areas[last.node.name]
    if isinstance(prediction, FoundBox):
        return [{"box": rounded_box(prediction.box), "score": None}]
    if isinstance(prediction, FoundObjects):
        return [_of_box(one.box, one.score, one.name) for one in prediction.objects]
    found: Found = {"box": [left, top, right, bottom]}
    if isinstance(prediction, FoundText):
        found.update(text=prediction.text, country=prediction.country, confidence=None)
    elif isinstance(prediction, FoundClass):
        found.update({"class": prediction.name, "confidence": None})
    else:
        found.update(_of_mask(prediction, last.network.input.size, (bottom - top, right - left)))
    return [found]


def _of_mask(found: FoundMask, input_size: Tuple[int, int], size: Sequence[int]) -> Found:
    height, width = int(size[0]), int(size[1])
    mask = over_image(found.mask, input_size, found.placement, (height, width))
    text = base64.b64encode(_png(mask.astype(np.uint8) * 255)).decode("ascii")
    return {"mask": {"width": width, "height": height, "png": text}}


def _png(pixels: Array) -> bytes:
    is_written, png = cv2.imencode(".png", pixels)
    assert is_written, "OpenCV writes a PNG of any pixels"
    return png.tobytes()
