"""What is annotated of a split, held against what a network can answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dockyard.run.unanswerable import unanswerable
from shared.contract.dataset import Sample
from shared.contract.errors import InputProblem
from shared.contract.model import Network
from shared.contract.outputs import Task


@dataclass(frozen=True)
class _Doubt:
    """Annotations that can hardly be meant as they stand: a sentence, how many of how many, what to do."""

    what: str
    samples: int
    of: int
    advice: str


def check_annotations(network: Network, samples: Sequence[Sample], where: str) -> list[str]:
    """Return warnings of annotations that can hardly be meant as they stand.

    Args:
        network: whose answers they are for.
        samples: of one split.
        where: the split's folder, for messages.

    Raises:
        InputProblem: annotations that no answer of the network can match; all of a kind are doubtful.
    """
    strange = unanswerable(network.outputs, samples)
    if strange:
        raise InputProblem(strange[0].what, where, strange[0].advice)
    warnings = []
    for doubt in _doubts(network, samples):
        if doubt.samples == doubt.of:
            raise InputProblem(doubt.what, where, doubt.advice)
        warnings.append(f"{where}: {doubt.what}; {doubt.advice}")
    return warnings


def _doubts(network: Network, samples: Sequence[Sample]) -> Iterator[_Doubt]:
    if network.task == Task.DETECTION:
        yield from _fractions(samples)


def _fractions(samples: Sequence[Sample]) -> Iterator[_Doubt]:
    """Yield the doubt that boxes are fractions of their image's sides."""
    boxes = [sample.box for sample in samples if sample.box is not None]
    small = [box for box in boxes if max(box) <= 1]
    if small:
        what = f"{len(small)} of {len(boxes)} boxes lie within the image's first pixel"
        yield _Doubt(what, len(small), len(boxes), "COCO's are pixels (x, y, width, height), not fractions")
