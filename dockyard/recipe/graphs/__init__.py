"""A look into a model's graph without the framework that wrote it: what it is, how its tensors are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Shape = tuple[int, ...] | None
"""Sizes, -1 where the graph leaves one open; None where it has none."""


@dataclass(frozen=True)
class GraphOutline:
    """The tensors of a graph, by the names that model.json may use.

    Attributes:
        inputs: what the graph takes, with the shape.
        outputs: what it gives, as far as that can be said, with the shape.
        inner: tensors at which a conversion may cut.
        types: of the inputs, as numpy calls them; one that is not there is not known. `scaled int8` is real
            numbers in 8 bits, by the scale that the graph has for them.
        sources: what an inner tensor is computed from; without it every output is from every input.
        split: nodes that may have more outputs than their first, which model.json calls `node:1`, `node:2`.
        quantized: what in it computes in 8 bits, for messages; empty where nothing does.
    """

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    inner: frozenset[str] = frozenset()
    types: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    split: frozenset[str] = frozenset()
    quantized: str = ""

    def has(self, tensor: str) -> bool:
        """Tell whether a tensor of that name may be taken out of the graph."""
        node, _, port = tensor.rpartition(":")
        is_later_output = node in self.split and port.isdecimal() and port != "0"
        return tensor in self.inner or tensor in self.outputs or is_later_output

    def needed(self, tensors: Iterable[str], image: str) -> list[str]:
        """Return the inputs that tensors are computed from, but for the one that takes the image.

        Args:
            image: an input, or the inner tensor that stands in for one.
        """
        if not self.sources:
            return [name for name in self.inputs if name != image and image in self.inputs]
        seen = {image}
        ahead = list(tensors)
        while ahead:
            name = ahead.pop()
            if name not in self.sources and name not in self.inputs:
                name = name.rpartition(":")[0]
            if name not in seen:
                seen.add(name)
                ahead += self.sources.get(name, ())
        return [name for name in self.inputs if name in seen and name != image]


def tensor_name(name: str) -> str:
    """Return a tensor's name without the `:0` that stands for the first output of its operation."""
    return name.removesuffix(":0")
