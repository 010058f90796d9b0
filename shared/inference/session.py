"""A network that is ready to run, whatever runs it."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Protocol

from shared.contract.model import InputSpec
from shared.inference.arrays import Array

Tensors = Mapping[str, Array]
"""Output tensors by name."""


class Unsupported(Exception):
    """This device cannot do what is asked of it; the message says why."""


class Session(Protocol):
    """A network that is ready to run."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it runs with, as JSON: precision, threads and what else decides its speed."""

    @property
    def input(self) -> InputSpec:
        """How an image becomes its input: the model's own, less what was folded into the network."""

    def run(self, image: Array) -> Tensors:
        """Run one call, from host memory to host memory.

        Args:
            image: of `input.shape` and `input.dtype`.

        Returns:
            Each output tensor of the network by its name in model.json. They stay as they are when the next
            call is made.
        """


def own_name(name: str, tensors: Iterable[str]) -> str:
    """Return the name of a tensor as its file has it, which may end with `:0`.

    Args:
        name: as model.json has it.
        tensors: the names in the file.

    Raises:
        ValueError: the file has no such tensor.
    """
    known = set(tensors)
    for own in (name, f"{name}:0"):
        if own in known:
            return own
    raise ValueError(f"the graph has no tensor '{name}'")
