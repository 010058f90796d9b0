"""The objects of a frame: every box that a detector finds, and what other networks read in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

from shared.contract.outputs import ClassificationOutputs, DetectionOutputs, TextOutputs
from shared.contract.streaming import Answer, ReadObject
from shared.inference.arrays import Array
from shared.inference.batching import Batches
from shared.inference.decoding import ScoredBox, confidence_of, decode_boxes, decode_class, decode_text
from shared.inference.image_files import decode
from shared.inference.pipeline import Clock, LoadedNode, times_of
from shared.inference.preprocess import Area, area_of, crop, to_input
from shared.inference.session import Session, Tensors


@dataclass(frozen=True)
class ReadPicture:
    """An encoded image, read.

    Attributes:
        objects: as `read_objects` returns them.
        times_ns: nanoseconds of each step, over all objects, as `times_of` returns them.
    """

    objects: Tuple[ReadObject, ...]
    times_ns: Mapping[str, int]


def read_picture(nodes: Sequence[LoadedNode], encoded: bytes, name: str) -> ReadPicture:
    """Read every object of an encoded image.

    Args:
        nodes: as of `read_objects`.
        encoded: the image file.
        name: the image's name, for messages.

    Raises:
        UnreadableImage: the file cannot be decoded.
    """
    clock = Clock()
    image = decode(encoded, name, nodes[0].network.input.background)
    clock.lap("decode")
    return ReadPicture(read_objects(nodes, image, clock), times_of(nodes, clock))


def read_objects(nodes: Sequence[LoadedNode], image: Array, clock: Clock) -> Tuple[ReadObject, ...]:
    """Return the objects of a frame, the surest first, with the answer of each node that reads them.

    Args:
        nodes: a detector on the whole frame, then networks on its boxes (`stream_problem`).
        image: uint8 BGR [height, width, 3].
        clock: gets the time of each node's steps, over all objects.
    """
    detector, *readers = nodes
    boxes = _detect(detector, image, clock)
    answers: List[Dict[str, Answer]] = [{} for _ in boxes]
    height, width = image.shape[:2]
    for reader in readers:
        areas = [area_of(found.box, reader.node.crop_margin, width, height) for found in boxes]
        for own, answer in zip(answers, _read(reader, image, areas, clock)):
            own[reader.node.name] = answer
    pairs = zip(boxes, answers)
    return tuple(ReadObject(found.box, found.score, answer, category=found.name) for found, answer in pairs)


def _detect(loaded: LoadedNode, image: Array, clock: Clock) -> List[ScoredBox]:
    outputs = loaded.network.outputs
    assert isinstance(outputs, DetectionOutputs)
    prepare, call, read = loaded.node.steps
    tensor, placement = to_input(image, loaded.session.input)
    clock.lap(prepare)
    tensors = loaded.session.run(tensor)
    clock.lap(call)
    found = decode_boxes(outputs, loaded.network.input.size, tensors, placement)
    clock.lap(read)
    return found


def _read(loaded: LoadedNode, image: Array, areas: Sequence[Area], clock: Clock) -> List[Answer]:
    """Return what a network reads in parts of a frame."""
    prepare, call, read = loaded.node.steps
    inputs = [to_input(crop(image, area), loaded.session.input)[0] for area in areas]
    clock.lap(prepare)
    outputs = run_all(loaded.session, inputs)
    clock.lap(call)
    answers = [answer_of(loaded, tensors) for tensors in outputs]
    clock.lap(read)
    return answers


def run_all(session: Session, inputs: Sequence[Array]) -> List[Tensors]:
    """Run a network on several images, in as few calls as it can."""
    if isinstance(session, Batches):
        return session.run_all(inputs)
    return [session.run(image) for image in inputs]


def answer_of(loaded: LoadedNode, tensors: Tensors) -> Answer:
    """Return what a network that reads crops says."""
    outputs = loaded.network.outputs
    assert isinstance(outputs, (TextOutputs, ClassificationOutputs))
    confidence = confidence_of(outputs, tensors)
    if isinstance(outputs, TextOutputs):
        found = decode_text(outputs, tensors)
        return Answer(found.text, found.country, confidence)
    return Answer(decode_class(outputs, tensors), None, confidence)
