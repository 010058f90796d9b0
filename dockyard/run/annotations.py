"""What is annotated of a split, held against what a network can answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dockyard.run.unanswerable import unanswerable
from shared.contract.coco import TrueObject
from shared.contract.dataset import Sample, boxes_of
from shared.contract.errors import InputProblem
from shared.contract.model import Network
from shared.contract.outputs import DetectionOutputs


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
        InputProblem: annotations that no answer of the network can match; all of a kind are doubtful; a
            detector of many objects has none to find.
    """
    outputs = network.outputs
    if isinstance(outputs, DetectionOutputs) and outputs.finds_many and not any(map(_to_find, samples)):
        what = "no object" if outputs.category is None else f"no object of the category '{outputs.category}'"
        raise InputProblem(f"{what} is annotated", where, "mAP is over the objects that there are")
    strange = unanswerable(network.outputs, samples)
    if strange:
        raise InputProblem(strange[0].what, where, strange[0].advice)
    warnings = []
    for doubt in _doubts(network, samples):
        if doubt.samples == doubt.of:
            raise InputProblem(doubt.what, where, doubt.advice)
        warnings.append(f"{where}: {doubt.what}; {doubt.advice}")
    return warnings


def check_readings(network: Network, samples: Sequence[Sample], where: str) -> list[str]:
    """Return warnings of objects that no answer of the network that reads them can match.

    Args:
        samples: with all their objects, of one split.
        where: the split's folder, for messages.

    Raises:
        InputProblem: no object has a reading, or `check_annotations`.
    """
    objects = [(sample, one) for sample in samples for one in sample.objects or () if not one.is_crowd]
    read = [
        replace(sample, objects=None, reading=one.reading, country=one.country)
        for sample, one in objects
        if one.reading is not None
    ]
    if objects and not read:
        advice = 'give each its own: "attributes": {"reading": "AB123CD", "country": "F"}'
        raise InputProblem(
            f"none of {len(objects)} objects has a reading", f"{where}/annotations.json", advice
        )
    warnings = check_annotations(network, read, where)
    if len(read) < len(objects):
        unread = f"{len(objects) - len(read)} of {len(objects)} objects have no reading"
        warnings.append(f"{where}: {unread}: they neither count nor cost")
    return warnings


def _doubts(network: Network, samples: Sequence[Sample]) -> Iterator[_Doubt]:
    if isinstance(network.outputs, DetectionOutputs):
        yield from _fractions(samples)
        yield from _mixed(network.outputs, samples)


def _fractions(samples: Sequence[Sample]) -> Iterator[_Doubt]:
    """Yield the doubt that boxes are fractions of their image's sides."""
    boxes = [(sample.id, box) for sample in samples for box in boxes_of(sample)]
    small = [name for name, box in boxes if max(box) <= 1]
    if small:
        what = f"{len(small)} of {len(boxes)} boxes lie within the image's first pixel, first {small[0]}"
        yield _Doubt(what, len(small), len(boxes), "COCO's are pixels (x, y, width, height), not fractions")


def _mixed(outputs: DetectionOutputs, samples: Sequence[Sample]) -> Iterator[_Doubt]:
    """Yield the doubt that objects of several categories are taken for those of a network that knows one."""
    if outputs.objects is None or outputs.objects.classes is not None:
        return
    said = Counter(one.category for sample in samples for one in _to_find(sample))
    if len(said) > 1:
        first, count = said.most_common(1)[0]
        what = f"objects of {len(said)} categories count as one, most of them are '{first}'"
        yield _Doubt(what, said.total() - count, said.total(), "outputs.category says which alone counts")


def _to_find(sample: Sample) -> list[TrueObject]:
    return [one for one in sample.objects or () if not one.is_crowd]
