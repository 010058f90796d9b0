"""What a target's entry script provides; the only vendor imports lie behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Protocol

from shared.contract.model import Network
from shared.runtime.arrays import Array

Tensors = Dict[str, Array]


class Unsupported(Exception):
    """This device cannot do what the method needs; the variant is `not measured`, for the reason given."""


class Session(Protocol):
    """A network ready to run."""

    settings: Mapping[str, Any]

    def run(self, image: Array) -> Tensors:
        """Run one call: float32 input in the network's shape in, output tensors by name out (host memory)."""


class Calibration(Protocol):
    """The splits that an optimization may see, pre-processed."""

    def inputs(self, split: str) -> Iterator[Array]:
        """Yield the network inputs of a split, float32, batch 1, in the order of the samples."""

    def score(self, split: str, index: int, outputs: Tensors) -> float:
        """Return the main metric's score of one sample (0 to 1)."""

    def size(self, split: str) -> int:
        """Return the number of samples of a split."""


class Toolchain(Protocol):
    """One target's vendor tools."""

    def versions(self) -> Dict[str, str]:
        """Return the versions of the vendor packages by name."""

    def convert(self, network: Network, graph: Path, output: Path, options: Mapping[str, Any]) -> Dict[str, Any]:
        """Convert a frozen graph to the toolchain's own form in the folder `output`; return notes."""

    def optimize(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], data: Calibration
    ) -> Dict[str, Any]:
        """Optimize what `convert` left in `source` with a method into the folder `output`; return notes."""

    def load(self, network: Network, artifact: Path, threads: int) -> Session:
        """Load the folder that `convert` or `optimize` left (the graph's own, for the reference)."""
