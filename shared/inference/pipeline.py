"""Networks that feed one another, from an encoded image to what each of them found, each step timed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter_ns
from typing import Dict, Mapping, Optional, Sequence, Tuple

from shared.contract.measurement import TOTAL
from shared.contract.model import IMAGE, Network, PipelineNode, steps_of
from shared.inference.arrays import Array
from shared.inference.boxes import moved
from shared.inference.decoding import FoundBox, FoundObjects, Prediction, ScoredBox, predict
from shared.inference.image_files import decode
from shared.inference.preprocess import Area, area_of, crop, to_input
from shared.inference.session import Session


@dataclass(frozen=True)
class LoadedNode:
    """A node of a pipeline, its network ready to run."""

    node: PipelineNode
    network: Network
    session: Session


@dataclass(frozen=True)
class Passage:
    """One image's way through a pipeline.

    Attributes:
        predictions: what each node found, in pixels of the whole image; None where it found nothing or was
            not run.
        areas: the part of the image that each node that was run was given.
        image_size: height and width in pixels.
        times_ns: nanoseconds of each step: `total`, then those of `steps_of`. They add up to the total; the
            steps of a node that was not run are 0.
    """

    predictions: Mapping[str, Optional[Prediction]]
    areas: Mapping[str, Area]
    image_size: Tuple[int, int]
    times_ns: Mapping[str, int]


class Clock:
    """Takes the time of one step after the other; a step that comes several times has the sum."""

    def __init__(self) -> None:
        self._begun = self._last = perf_counter_ns()
        self.steps: Dict[str, int] = {}

    def lap(self, step: str) -> None:
        """End a step: all that came after the one before it."""
        now = perf_counter_ns()
        self.steps[step] = self.steps.get(step, 0) + now - self._last
        self._last = now

    @property
    def total(self) -> int:
        """From the start to the end of the last step."""
        return self._last - self._begun


def run_pipeline(nodes: Sequence[LoadedNode], encoded: bytes, name: str) -> Passage:
    """Run an image through the nodes in their order.

    A node whose input is an earlier node gets the crop of the box that this one found. Where there is no box
    it is not run, and neither are those that depend on it.

    Args:
        encoded: the image file.
        name: the image's name, for messages.

    Raises:
        UnreadableImage: the file cannot be decoded.
    """
    clock = Clock()
    image = decode(encoded, name, nodes[0].network.input.background)
    clock.lap("decode")
    height, width = image.shape[:2]
    areas: Dict[str, Area] = {}
    predictions: Dict[str, Optional[Prediction]] = {}
    for loaded in nodes:
        area = _area(loaded.node, predictions, width, height)
        predictions[loaded.node.name] = None
        if area is not None:
            areas[loaded.node.name] = area
            predictions[loaded.node.name] = _run_node(loaded, image, area, clock)
    return Passage(predictions, areas, (height, width), times_of(nodes, clock))


def times_of(nodes: Sequence[LoadedNode], clock: Clock) -> Mapping[str, int]:
    """Return the nanoseconds of a passage: `total`, then every step; those that never came are 0."""
    every_step = steps_of(tuple(each.node for each in nodes))
    return {TOTAL: clock.total, **{step: clock.steps.get(step, 0) for step in every_step}}


def _area(
    node: PipelineNode, predictions: Mapping[str, Optional[Prediction]], width: int, height: int
) -> Optional[Area]:
    """Return the part of the image that a node is given, or None where no box was found for it."""
    if node.input == IMAGE:
        return 0, 0, width, height
    found = predictions[node.input]
    best = found.objects[0] if isinstance(found, FoundObjects) else found
    return (
        area_of(best.box, node.crop_margin, width, height)
        if isinstance(best, (FoundBox, ScoredBox))
        else None
    )


def _run_node(loaded: LoadedNode, image: Array, area: Area, clock: Clock) -> Optional[Prediction]:
    """Run one node on a part of the image and time its three steps."""
    prepare, call, read = loaded.node.steps
    tensor, placement = to_input(crop(image, area), loaded.session.input)
    clock.lap(prepare)
    tensors = loaded.session.run(tensor)
    clock.lap(call)
    found = predict(loaded.network, tensors, placement)
    found = _moved(found, area)
    clock.lap(read)
    return found


def _moved(found: Optional[Prediction], area: Area) -> Optional[Prediction]:
    """Return boxes that were found in a part of an image in pixels of the whole; all else as it is."""
    if isinstance(found, FoundBox):
        return FoundBox(moved(found.box, area[0], area[1]))
    if isinstance(found, FoundObjects):
        objects = (replace(one, box=moved(one.box, area[0], area[1])) for one in found.objects)
        return FoundObjects(tuple(objects))
    return found
