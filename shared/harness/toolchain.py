"""What a target's entry script provides: the capabilities of its vendor's tools.

The only vendor imports lie behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional, Protocol

from shared.contract.artifact import BuiltFor, Manifest
from shared.contract.measurement import Precision
from shared.contract.model import InputSpec, Network
from shared.contract.result import Notes
from shared.contract.stages import Tracker
from shared.inference.arrays import Array
from shared.inference.loading import Loader, Loaders, ParallelLoader, Streamer
from shared.inference.session import Session, Tensors

Options = Mapping[str, Any]
"""Options as target.json describes them."""

KERNEL_SIDE = 384
"""Of a kernel's matrices: large enough for a CPU's best, small enough for its nearest caches."""

KERNEL_PRODUCTS = 6
"""In a row, each of the result of the one before: what enters and leaves in another type hardly counts."""

KERNEL_OPERATIONS = 2 * KERNEL_SIDE**3 * KERNEL_PRODUCTS
"""Multiplications and additions of a kernel."""

OPEN_BATCH = "open_batch"
"""The option of a conversion that leaves the batch open in place of 1 (`Capabilities.leaves_batch_open`)."""

LONGEST_REASON = 500
"""Characters of a tool's message that are kept."""


@dataclass(frozen=True)
class Product:
    """What a toolchain made into an output folder; the harness writes the manifest from it, beside the files.

    Attributes:
        format: what the files are, for example `openvino-ir`.
        input: how an image becomes the network's input, less what was folded into the network.
        settings: what the target's own loader must know beside, as JSON that is the same each time.
        built_for: the device that the files run on; None where they run on any device of the target.
        notes: what the toolchain says of its work.
    """

    format: str
    input: InputSpec
    settings: Mapping[str, Any] = field(default_factory=dict)
    built_for: Optional[BuiltFor] = None
    notes: Notes = field(default_factory=Notes)


class Calibration(Protocol):
    """The splits that an optimization may see, pre-processed."""

    @property
    def metric(self) -> str:
        """The main metric's name."""

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
        databases: folder with the databases so far, `<cpu>.json.gz` (shared/contract/tuning.schema.json); may
            be empty.
        output: folder for those that are new or changed. It is looked at while the job runs and kept however
            the job ends: replace a file at once (a temporary file whose name does not end in `.json.gz`, then
            a rename), after each round.
        tracker: where the machines that are tuned on register; None tunes on this machine.
    """

    databases: Path
    output: Path
    tracker: Optional[Tracker] = None


class Converter(Protocol):
    """From a graph to the toolchain's own format."""

    def convert(self, network: Network, graph: Path, output: Path, options: Options) -> Product:
        """Convert a graph into files in the folder `output`.

        Args:
            network: its input and outputs may be cut at any tensors of the graph.
                `constants` are what the graph's inputs beside it are fed: they become part of what is
                converted, which has one input.
            graph: a frozen graph (.pb), .onnx, .tflite, .keras, a SavedModel's folder, or a folder with the
                ending .onnx that has an ONNX model and the files of its weights.
            options: of the conversion; what target.json offers a recipe, and as it is asked of the toolchain:
                `mean` and `scale` (both, one value a channel) and `reverse_channels`, to be folded into the
                network; `input_dtype` `uint8` (it takes pixels as they are); `layout` of the converted input;
                `data_type` of the weights (`float32`, `float16`). The reference, which makes ONNX for other
                targets, is asked for `layout` and `opset`. Where the target leaves batches open,
                `open_batch`: the batch of the converted input is not 1 but open.

        Returns:
            The product; its input says what is left to be done outside the network.
        """


class Optimizer(Protocol):
    """The target's methods, but for those that tune."""

    def optimize(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Options,
        data: Calibration,
        start: Optional[Path],
    ) -> Product:
        """Optimize what `convert` left in the folder `source` with a method into the folder `output`.

        Args:
            manifest: the manifest of what `convert` left.
            options: the method's options, every default filled in.
            start: folder with the artifact of the method that this one starts from in target.json, made with
                the same options; None where there is none, and the method begins at `source`.

        Raises:
            Unsupported: this device cannot do what the method needs.
        """


class Tuner(Protocol):
    """The target's methods that tune (`tunes` in target.json)."""

    def tune(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Options,
        tuning: Tuning,
        threads: int,
    ) -> Product:
        """Do what `Optimizer.optimize` does, going on from `tuning.databases`.

        Args:
            threads: how many the result will run with.
        """


class Compiler(Protocol):
    """Makes of what `optimize` left what runs on a device."""

    def compile(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Options,
        cache: Path,
    ) -> Product:
        """Compile the folder `source` into files in the folder `output`.

        Args:
            manifest: the manifest of what `optimize` left.
            options: the method's options, every default filled in.
            cache: folder with the files `*.cache` that the last compilation on this device with this
                toolchain left; those that are there at the end are kept for the next.

        Raises:
            Unsupported: this device cannot do what the method needs.
        """


@dataclass(frozen=True)
class Kernel:
    """Dense products of matrices, KERNEL_OPERATIONS of work, ready to run."""

    precision: Precision
    run: Callable[[], object]


class KernelMaker(Protocol):
    """Makes what a network's speed is held against: the products that the toolchain does best."""

    def kernel(self, artifact: Path, threads: int) -> Kernel:
        """Return KERNEL_PRODUCTS of matrices of KERNEL_SIDE rows and columns, in an artifact's own precision.

        Args:
            artifact: the folder of an artifact, or of a graph as it came.
        """


class GraphLoader(Protocol):
    """Loads a graph as it came, which only the reference must."""

    def load_graph(self, network: Network, graph: Path, threads: int) -> Session:
        """Load a graph's file or folder."""


def first_line(message: str) -> str:
    """Return the first line of a message that is not empty, at most LONGEST_REASON characters of it."""
    lines = (" ".join(line.split()) for line in message.splitlines())
    line = next((line for line in lines if line), "")
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 4] + " ..."


@dataclass(frozen=True)
class Capabilities:
    """What a target can do: its entry script fills in what it has.

    Attributes:
        versions: returns the releases of the vendor's packages by name.
        parallel_loader: where the toolchain shares what it has loaded between threads; without one it is
            loaded for each of them.
        streamer: where the toolchain runs whole pipelines; without one they are run by ours.
        leaves_batch_open: its converter knows `open_batch`, which is tried where what it made for a batch of
            1 disagrees with the reference.
        predictor: loads an artifact where its device is not at hand, in a runtime that computes about the
            same: what comes out is a prediction of its quality, never its quality.
        kernel_maker: where the toolchain can say what the machine would give at its best.
        error_summary: returns the line of the vendor's message that says what is wrong.
    """

    versions: Callable[[], Mapping[str, str]]
    loader: Loader
    parallel_loader: Optional[ParallelLoader] = None
    streamer: Optional[Streamer] = None
    converter: Optional[Converter] = None
    leaves_batch_open: bool = False
    optimizer: Optional[Optimizer] = None
    compiler: Optional[Compiler] = None
    tuner: Optional[Tuner] = None
    graph_loader: Optional[GraphLoader] = None
    predictor: Optional[Loader] = None
    kernel_maker: Optional[KernelMaker] = None
    error_summary: Callable[[str], str] = first_line

    @property
    def loaders(self) -> Loaders:
        """What loads its artifacts."""
        return Loaders(self.loader, self.parallel_loader)
