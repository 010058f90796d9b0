"""A stand-in for nvinfer: its own configuration and the same parsers, around another runtime's session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from label_text import read_label
from nvinfer_entries import Config
from nvinfer_preprocess import Preparation, even_area, preparation_of, prepare
from parser_library import ParserLibrary

from shared.contract.model import PipelineNode
from shared.contract.streaming import Answer, ReadObject
from shared.inference.arrays import Array
from shared.inference.boxes import Box, grown
from shared.inference.decoding import ScoredBox
from shared.inference.pipeline import Clock
from shared.inference.session import Session

THRESHOLD_GROUP = "class-attrs-all"


@dataclass(frozen=True)
class SoftwareInference:
    """An nvinfer element without NVIDIA's hardware.

    Attributes:
        how: its inputs are made, as its configuration says.
        session: runs its network, NCHW.
        has_scores: its network gives each box a score; else nvinfer is told that it is sure.
        least: width and height in pixels below which an object is skipped.
        threshold: of its boxes, or of its readings.
    """

    node: PipelineNode
    how: Preparation
    session: Session
    parsers: ParserLibrary
    has_scores: bool
    least: Tuple[int, int]
    threshold: float

    def detect(self, image: Array, clock: Clock) -> List[ScoredBox]:
        """Return the objects in a frame, in its pixels, the surest first.

        Args:
            image: uint8 BGR [height, width, 3].
        """
        prepared, run, parsed = self.node.steps
        tensor, placement = prepare(image, self.how)
        clock.lap(prepared)
        tensors = self.session.run(tensor)
        clock.lap(run)
        found = []
        for one in self.parsers.detect(tensors, self.how.size, self.threshold):
            box = placement.in_image(one.box)
            found.append(ScoredBox(box, one.confidence if self.has_scores else None))
        clock.lap(parsed)
        return found

    def read(self, image: Array, boxes: Sequence[Box], clock: Clock) -> List[Optional[Answer]]:
        """Return what is read in each object of a frame; None where nvinfer attaches nothing.

        Args:
            boxes: in pixels of the frame, as the detector has them.
        """
        prepared, run, parsed = self.node.steps
        height, width = image.shape[:2]
        answers: List[Optional[Answer]] = []
        for box in boxes:
            area = even_area(grown(box, self.node.crop_margin), width, height)
            if area is None or area[2] - area[0] < self.least[0] or area[3] - area[1] < self.least[1]:
                answers.append(None)
                continue
            tensor, _ = prepare(image, self.how, area)
            clock.lap(prepared)
            tensors = self.session.run(tensor)
            clock.lap(run)
            label = self.parsers.read(tensors, self.threshold)
            answers.append(None if label is None else read_label(label.label))
            clock.lap(parsed)
        return answers


def stand_in(
    node: PipelineNode, config: Config, session: Session, parsers: ParserLibrary, has_scores: bool
) -> SoftwareInference:
    """Return what runs a node as its configuration says.

    Raises:
        InputProblem: the configuration says what only NVIDIA's own can do.
    """
    least = [int(config.number(f"input-object-min-{side}") or 0) for side in ("width", "height")]
    is_detector = config.or_default("process-mode") == "1"
    said = config.value("pre-cluster-threshold", THRESHOLD_GROUP) if is_detector else None
    threshold = float(said) if said is not None else config.number("classifier-threshold") or 0.0
    how = preparation_of(config)
    return SoftwareInference(node, how, session, parsers, has_scores, (least[0], least[1]), threshold)


def read_objects(
    inferences: Sequence[SoftwareInference], image: Array, clock: Clock
) -> Tuple[ReadObject, ...]:
    """Return the objects of a frame, the surest first, as nvinfer's elements in a row would attach them."""
    detector, *readers = inferences
    boxes = detector.detect(image, clock)
    answers = [{} for _ in boxes]  # type: List[dict[str, Answer]]
    for reader in readers:
        for own, answer in zip(answers, reader.read(image, [one.box for one in boxes], clock)):
            if answer is not None:
                own[reader.node.name] = answer
    return tuple(ReadObject(one.box, one.score, own) for one, own in zip(boxes, answers))
