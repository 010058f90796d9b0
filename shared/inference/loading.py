"""How an artifact is loaded: what each target's own modules give, whoever calls them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Protocol, Sequence

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.contract.result import Notes
from shared.contract.stages import PipelineFiles
from shared.contract.streaming import FrameReading, StreamTotals, Tracking
from shared.inference.session import Session


class Loader(Protocol):
    """Loads what `convert`, `optimize`, `tune` and `compile` leave."""

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        """Load the folder of an artifact.

        Raises:
            Unsupported: this device cannot run it.
        """


class ParallelLoader(Protocol):
    """Loads an artifact for several threads that call it at the same time."""

    def load_parallel(
        self,
        network: Network,
        artifact: Path,
        manifest: Manifest,
        *,
        count: int,
        threads: int,
        batch: int,
        folds: bool,
    ) -> Sequence[Session]:
        """Load the folder of an artifact once, and return a session for each of `count` threads.

        Args:
            threads: inference threads of each call.
            batch: images in one call: the first axis of each session's input and outputs.
            folds: the sessions take 8-bit pixels, and normalize them inside the network.

        Raises:
            Unsupported: it cannot run so.
        """


class PipelineReader(Protocol):
    """A pipeline that a toolchain runs by itself, decoding included."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it runs with, as JSON."""

    def read(
        self,
        sources: Sequence[str],
        on_reading: Callable[[FrameReading], None],
        *,
        begin: float = 0.0,
        seconds: Optional[float] = None,
        frames: Optional[int] = None,
    ) -> StreamTotals:
        """Read sources, each to its end; each line is told as it comes, those of one source in their order.

        Args:
            sources: files, addresses (rtsp://...), cameras.
            begin: the share of a file that is left out before, 0 to 1; outside of what is timed.
            seconds: after which no more frames are taken; those that were are read to their lines.
            frames: of each source, at most.

        Raises:
            InputProblem: a source that cannot be opened.
            JobFailed: one that broke off, or the pipeline itself.
        """

    def end(self) -> None:
        """End the sources, from any thread: `read` ends with the frames that were taken."""

    def close(self) -> None:
        """Give back what it holds."""


class Streamer(Protocol):
    """Runs pipelines by itself: what a video passes on its way to its lines is the toolchain's own."""

    def configure(self, pipeline: PipelineFiles, folder: Path, output: Path, tracking: Tracking) -> Notes:
        """Write what a pipeline is run from into the folder `output`.

        Args:
            folder: the job's, below which the networks' artifacts are.
        """

    def open(
        self, pipeline: PipelineFiles, folder: Path, settings: Path, tracking: Tracking
    ) -> PipelineReader:
        """Load a pipeline, ready to read.

        Args:
            settings: the folder that `configure` left.

        Raises:
            Unsupported: this device cannot run it, or not with this tracking.
        """


class DeviceBuilder(Protocol):
    """Builds on the device what runs there, of what is delivered to any device of the target."""

    def identify(self, toolchain: str) -> Mapping[str, str]:
        """Return what has to be the same for what was built here to run: releases, the GPU.

        Raises:
            Unsupported: the device is none that the delivery is for; what does not fit, and which one would.
        """

    def build(
        self, network: Network, artifact: Path, manifest: Manifest, options: Mapping[str, Any], output: Path
    ) -> Manifest:
        """Build of the delivered folder `artifact` into the folder `output`; return that one's manifest.

        Args:
            options: of the method, as they were when the artifact was prepared.

        Raises:
            Unsupported: the device cannot run it.
            ValueError: it cannot be built; the toolchain's own line says why.
        """

    def check(self, artifact: Path, manifest: Manifest) -> None:
        """Check that what was built is for this device, without loading it. Raises Unsupported."""


@dataclass(frozen=True)
class Loaders:
    """What loads a target's artifacts, on the host that measures and at the client's.

    A target whose variants can be delivered has a module `serving.py`, which needs nothing of the harness and
    names its own as `LOADERS`.

    Attributes:
        parallel_loader: where the toolchain shares what it has loaded between threads; without one it is
            loaded for each of them.
        streamer: where the toolchain runs whole pipelines; without one they are run by ours.
        device_builder: where what is delivered is built into what runs at the first start on a device.
    """

    loader: Loader
    parallel_loader: Optional[ParallelLoader] = None
    streamer: Optional[Streamer] = None
    device_builder: Optional[DeviceBuilder] = None
