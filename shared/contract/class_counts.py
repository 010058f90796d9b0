"""How many classes the tensors of a network have, held against the names that model.json gives them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Mapping, Optional, Sequence, Tuple

from .model import Network
from .outputs import ClassificationOutputs, NamedClasses, SegmentationOutputs, TextOutputs


@dataclass(frozen=True)
class ClassCount:
    """How many classes model.json lets a tensor have.

    Attributes:
        key: where it says so, below `outputs`.
        least, most: the numbers that fit; None where there is no most.
        axis: of the tensor that the classes lie along; None for a tensor of nothing else.
    """

    tensor: str
    key: str
    least: int
    most: Optional[int]
    axis: Optional[int] = -1

    def found(self, shape: Sequence[int]) -> Optional[int]:
        """Return how many classes a tensor of a shape has; None where the shape (-1 is open) does not say."""
        if self.axis is not None:
            return shape[self.axis] if len(shape) > 1 and shape[self.axis] > 0 else None
        sizes = shape[1:] or shape  # the first axis is the batch, which is 1, open or not
        return reduce(mul, sizes, 1) if all(size > 0 for size in sizes) else None

    def fits(self, classes: int) -> bool:
        return self.least <= classes and (self.most is None or classes <= self.most)


@dataclass(frozen=True)
class Mismatch:
    """A tensor with another number of classes than model.json has for it.

    Attributes:
        what: both numbers, in a sentence.
        key: where model.json says its own, below `outputs`.
        advice: what to do about it.
    """

    what: str
    key: str
    advice: str


NAME_ALL = "give every class its name, in the order of the classes"

ADVICE = {
    "mask.kind": 'write "kind": "softmax" for a channel a class, and the class that counts as "foreground"',
    "mask.foreground": 'write "kind": "sigmoid" for one channel of probabilities, or correct "foreground"',
}
"""By key, where it is no name that is missing."""


def class_counts(network: Network) -> Tuple[ClassCount, ...]:
    """Return the numbers of classes that a network's model.json implies; for boxes there are none."""
    outputs = network.outputs
    if isinstance(outputs, ClassificationOutputs):
        return (_named(outputs.classes, "classes.names"),)
    if isinstance(outputs, TextOutputs):
        symbols, country = outputs.symbols, outputs.country
        size = len(symbols.alphabet)
        # Without a `blank` in model.json the last class is it, or there is none.
        least = size if symbols.blank is None and symbols.decoder == "heads" else size + 1
        counts = [ClassCount(tensor, "symbols.alphabet", least, size + 1) for tensor in symbols.tensors]
        return (*counts, *([_named(country, "country.names")] if country else []))
    if isinstance(outputs, SegmentationOutputs):
        mask, axis = outputs.mask, 1 if network.input.layout == "NCHW" else -1
        if mask.kind == "sigmoid":
            return (ClassCount(mask.tensor, "mask.kind", 1, 1, axis),)
        return (ClassCount(mask.tensor, "mask.foreground", max(2, mask.foreground + 1), None, axis),)
    return ()


def _named(classes: NamedClasses, key: str) -> ClassCount:
    return ClassCount(classes.tensor, key, len(classes.names), len(classes.names), axis=None)


def mismatch(network: Network, shapes: Mapping[str, Sequence[int]]) -> Optional[Mismatch]:
    """Return the first tensor whose number of classes is not what model.json implies, or None.

    Args:
        shapes: by tensor, -1 for an open size; tensors that are not there are not checked.
    """
    for count in class_counts(network):
        classes = count.found(shapes[count.tensor]) if count.tensor in shapes else None
        if classes is not None and not count.fits(classes):
            wanted = f"{count.least}" if count.most is not None else f"{count.least} or more"
            what = f"the output '{count.tensor}' has {classes} class(es), outputs.{count.key} is for {wanted}"
            return Mismatch(what, count.key, ADVICE.get(count.key, NAME_ALL))
    return None
