"""What is annotated of a split, held against what a network can answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.contract.dataset import Sample
from shared.contract.errors import InputProblem
from shared.contract.model import Network
from shared.contract.outputs import Task
from shared.contract.unanswerable import unanswerable

MARKED = 128
"""From this value of 255 a pixel of a mask counts."""


@dataclass(frozen=True)
class _Doubt:
    """Annotations that cannot be meant as they stand: a sentence, how many of how many, and what to do."""

    what: str
    samples: int
    of: int
    advice: str


def check_annotations(network: Network, samples: Sequence[Sample], where: str) -> list[str]:
    """Return warnings of annotations that no answer of a network can match: they count as wrong.

    Args:
        network: whose answers they are for.
        samples: of one split.
        where: the split's folder, for messages.

    Raises:
        InputProblem: all of a kind are so, which is a mistake and not a hard data set.
    """
    warnings = []
    for doubt in _doubts(network, samples):
        if doubt.samples == doubt.of:
            raise InputProblem(doubt.what, where, doubt.advice)
        warnings.append(f"{where}: {doubt.what}; {doubt.advice}")
    return warnings


def _doubts(network: Network, samples: Sequence[Sample]) -> Iterator[_Doubt]:
    for strange in unanswerable(network.outputs, samples):
        yield _Doubt(strange.what, strange.samples, strange.of, strange.advice)
    if network.task == Task.DETECTION:
        yield from _fractions(samples)
    if network.task == Task.SEGMENTATION:
        yield from _faint_masks(samples)


def _fractions(samples: Sequence[Sample]) -> Iterator[_Doubt]:
    """Yield the doubt that boxes are fractions of their image's sides."""
    boxes = [sample.box for sample in samples if sample.box is not None]
    small = [box for box in boxes if max(box) <= 1]
    if small:
        what = f"{len(small)} of {len(boxes)} boxes lie within the image's first pixel"
        yield _Doubt(what, len(small), len(boxes), "COCO's are pixels (x, y, width, height), not fractions")


def _faint_masks(samples: Sequence[Sample]) -> Iterator[_Doubt]:
    """Yield the doubt that masks are written as 0 and 1, or as numbers of classes; empty ones say nothing."""
    values = [(sample, _largest_value(sample)) for sample in samples if sample.mask is not None]
    painted = [(sample, value) for sample, value in values if value > 0]
    faint = [(sample, value) for sample, value in painted if value < MARKED]
    if faint:
        sample, value = faint[0]
        assert sample.mask is not None
        what = (
            f"{len(faint)} of {len(painted)} masks that are not empty have no value of {MARKED} or more "
            f"(masks/{sample.mask.name} has {value} at most), so nothing in them counts"
        )
        yield _Doubt(what, len(faint), len(painted), "paint what is to be found with 255")


def _largest_value(sample: Sample) -> int:
    """Return the largest value of a mask, 0 to 255; 0 where it cannot be read, which a job will tell."""
    from PIL import Image

    try:
        with Image.open(str(sample.mask)) as mask:
            return int(mask.convert("L").getextrema()[1])  # type: ignore[arg-type]
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0
