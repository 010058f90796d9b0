"""Command lines of trtexec, which differ from release to release: a flag that it does not know ends it.

Flags as the sources of NVIDIA/TensorRT have them (samples/common/sampleOptions), branches release/8.5, 10.3,
10.16 and 11.1. Needs no vendor package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Tuple

from shared.contract.errors import InputProblem, nearest

FP32, FP16, INT8 = "fp32", "fp16", "int8"
"""What an engine may compute in. With INT8, what the graph does not quantize may be FP16."""


@dataclass(frozen=True)
class Dialect:
    """How a release of trtexec is spoken to.

    Attributes:
        build_only: ends it when the engine is saved.
        precisions: the flags of each precision. Where networks are strongly typed there are none: the graph
            itself says what each layer computes in.
        full_calls: what makes a call as the pipeline makes it, in each release the same: copies to the GPU
            and back are part of it, it is launched as one CUDA graph, and the host spins until it is done.
    """

    build_only: str
    precisions: Mapping[str, Tuple[str, ...]]
    full_calls: Tuple[str, ...]


WEAKLY_TYPED: Mapping[str, Tuple[str, ...]] = {FP32: (), FP16: ("--fp16",), INT8: ("--int8", "--fp16")}
STRONGLY_TYPED: Mapping[str, Tuple[str, ...]] = {FP32: (), FP16: (), INT8: ()}

DIALECTS: Mapping[str, Dialect] = {
    "8.5": Dialect("--buildOnly", WEAKLY_TYPED, ("--useCudaGraph", "--useSpinWait")),
    "10.3": Dialect("--skipInference", WEAKLY_TYPED, ("--useCudaGraph", "--useSpinWait")),
    "10.16": Dialect("--skipInference", WEAKLY_TYPED, ("--useCudaGraph", "--useSpinWait")),
    # Graph and spinning are the default there; the copies are not.
    "11.1": Dialect("--skipInference", STRONGLY_TYPED, ("--includeDataTransfers",)),
}
"""By the release of TensorRT."""


@dataclass(frozen=True)
class Shapes:
    """The shapes of an input whose batch is free.

    Attributes:
        tensor: the input's name.
        smallest, usual, largest: the engine takes any shape between, and is tuned for `usual`.
    """

    tensor: str
    smallest: Tuple[int, ...]
    usual: Tuple[int, ...]
    largest: Tuple[int, ...]


@dataclass(frozen=True)
class Build:
    """What an engine is built from.

    Attributes:
        graph: an ONNX file.
        engine: the file that is written.
        precision: FP32, FP16 or INT8.
        workspace_mb: MiB that a layer may take for itself; on a Jetson all memory is shared with the host.
        timing_cache: read where it is there, and written.
        layers: a JSON file that is written, with the layers that the engine came to have.
        shapes: None for a graph whose shape is fixed, which takes none.
    """

    graph: Path
    engine: Path
    precision: str
    workspace_mb: int
    timing_cache: Path
    layers: Path
    shapes: Optional[Shapes] = None


def dialect_of(release: str) -> Dialect:
    """Return how the trtexec of a TensorRT release is spoken to.

    Args:
        release: for example `10.3`, or more of it, as `10.3.0.26`.

    Raises:
        InputProblem: its flags are not known.
    """
    major_minor = ".".join(release.split(".")[:2])
    if major_minor not in DIALECTS:
        advice = nearest(major_minor, DIALECTS)
        raise InputProblem(f"the flags of trtexec {release} are not known", "", advice)
    return DIALECTS[major_minor]


def build_command(program: str, release: str, build: Build) -> List[str]:
    """Return the command line that builds an engine and runs nothing.

    Raises:
        InputProblem: the release's flags are not known, or it has no such precision.
    """
    dialect = dialect_of(release)
    if build.precision not in dialect.precisions:
        advice = nearest(build.precision, dialect.precisions)
        raise InputProblem(f"there is no precision '{build.precision}'", "", advice)
    command = [
        program,
        f"--onnx={build.graph}",
        f"--saveEngine={build.engine}",
        dialect.build_only,
        *dialect.precisions[build.precision],
        # Without a unit it is MiB in each release.
        f"--memPoolSize=workspace:{build.workspace_mb}",
        f"--timingCacheFile={build.timing_cache}",
        "--profilingVerbosity=detailed",
        f"--exportLayerInfo={build.layers}",
    ]
    return command if build.shapes is None else command + _shape_flags(build.shapes)


def _shape_flags(shapes: Shapes) -> List[str]:
    named = (("min", shapes.smallest), ("opt", shapes.usual), ("max", shapes.largest))
    return [f"--{bound}Shapes={shape_of(shapes.tensor, shape)}" for bound, shape in named]


def shape_of(tensor: str, shape: Tuple[int, ...]) -> str:
    """Return a tensor's shape as trtexec takes it: `image:1x3x64x256`."""
    return f"{tensor}:{'x'.join(map(str, shape))}"


def clock_command(
    program: str, release: str, engine: Path, times: Path, seconds: float, shape: Optional[str] = None
) -> List[str]:
    """Return the command line that reads the three clocks of an engine: transfers, GPU and host.

    Args:
        times: a JSON file that is written (`trtexec_output.read_clocks`).
        seconds: that are timed, after 0.2 s of warm-up.
        shape: of the input where its batch is free, as `shape_of` has it.

    Raises:
        InputProblem: the release's flags are not known.
    """
    command = [
        program,
        f"--loadEngine={engine}",
        *dialect_of(release).full_calls,
        "--warmUp=200",
        f"--duration={seconds:g}",
        f"--exportTimes={times}",
    ]
    return command if shape is None else [*command, f"--shapes={shape}"]
