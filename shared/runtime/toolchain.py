"""What a target's entry script provides; the only vendor imports lie behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Protocol

from shared.contract.model import InputSpec, Network
from shared.runtime.arrays import Array

Tensors = Dict[str, Array]


class Unsupported(Exception):
    """This device cannot do what the method needs; the variant is `not measured`, for the reason given."""


class Session(Protocol):
    """A network ready to run."""

    settings: Mapping[str, Any]
    input: InputSpec
    """How an image becomes its input: the model's own, less what the conversion folded into the network."""

    def run(self, image: Array) -> Tensors:
        """Run one call: input of `input.shape` and `input.dtype` in, output tensors by name out (host memory)."""


class Calibration(Protocol):
    """The splits that an optimization may see, pre-processed."""

    def inputs(self, split: str, spec: InputSpec) -> Iterator[Array]:
        """Yield the inputs of a split as `spec` has them, batch 1, in the order of the samples."""

    def score(self, split: str, index: int, outputs: Tensors) -> float:
        """Return the main metric's score of one sample (0 to 1)."""

    def size(self, split: str) -> int:
        """Return the number of samples of a split."""


class Toolchain(Protocol):
    """One target's vendor tools."""

    def versions(self) -> Dict[str, str]:
        """Return the versions of the vendor packages by name."""

    def convert(self, network: Network, graph: Path, output: Path, options: Mapping[str, Any]) -> Dict[str, Any]:
        """Convert a graph to the toolchain's own form in the folder `output`; return notes.

        Args:
            network: its input and outputs may be cut at any tensors of the graph.
            graph: a frozen graph (.pb), .onnx, .tflite, .keras or a SavedModel's folder.
            options: `mean` and `scale` (one value a channel) and `reverse_channels`, to be folded into the network;
                `input_dtype` `uint8` (it takes pixels as they are); `layout` of the converted input; `data_type` of
                the weights (`float32`, `float16`). The session's `input` tells what is left to be done outside.
        """

    def optimize(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], data: Calibration
    ) -> Dict[str, Any]:
        """Optimize what `convert` left in `source` with a method into the folder `output`; return notes."""

    def load(self, network: Network, artifact: Path, threads: int) -> Session:
        """Load the folder that `convert` or `optimize` left (the graph's own, for the reference)."""
