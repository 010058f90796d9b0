"""A look into a model's graph without the framework that wrote it: what it is, how its tensors are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Shape = tuple[int, ...] | None
"""Sizes, -1 where the graph leaves one open; None where it has none."""


@dataclass(frozen=True)
class GraphOutline:
    """The tensors of a graph, by the names that model.json may use.

    Attributes:
        inputs: what the graph takes, with the shape.
        outputs: what it gives, as far as that can be said, with the shape.
        inner: tensors at which a conversion may cut.
    """

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    inner: frozenset[str] = frozenset()


def tensor_name(name: str) -> str:
    """Return a tensor's name without the `:0` that stands for the first output of its operation."""
    return name.removesuffix(":0")
