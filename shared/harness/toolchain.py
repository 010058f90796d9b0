"""What a target's entry script provides; the only vendor imports lie behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Mapping, Protocol

from shared.contract.model import InputSpec, Network
from shared.runtime.arrays import Array

Tensors = Dict[str, Array]


class Unsupported(Exception):
    """This device cannot do what the method needs; the variant is `not measured`, for the reason given."""


def own_name(name: str, tensors: Iterable[str]) -> str:
    """Return the name of a tensor in its file, which may end with `:0`. Raises ValueError."""
    for own in (name, f"{name}:0"):
        if own in tensors:
            return own
    raise ValueError(f"the graph has no tensor '{name}'")


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


@dataclass(frozen=True)
class Tuning:
    """What a method that tunes has at hand beside the network.

    Attributes:
        databases: folder with the databases so far, `<cpu>.json.gz` (shared/contract/tuning.schema.json); may be empty.
        output: folder for those that are new or changed. It is looked at while the job runs and kept however the job ends:
            replace a file at once (a temporary file whose name does not end in `.json.gz`, then a rename), after each round.
        tracker: `host:port` of an RPC tracker whose devices are to be tuned on, or empty for this machine.
        key: what the devices are known by at the tracker.
    """

    databases: Path
    output: Path
    tracker: str = ""
    key: str = ""


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


class TuningToolchain(Toolchain, Protocol):
    """A toolchain one of whose methods has `tuning` in target.json."""

    def tune(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], tuning: Tuning, threads: int
    ) -> Dict[str, Any]:
        """Do what `optimize` does, for a method that tunes: go on from `tuning.databases`; return notes.

        Args:
            threads: that the result will run with.
        """
