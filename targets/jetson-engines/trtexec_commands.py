"""Command lines of trtexec, which differ from release to release: a flag that it does not know ends it.

Flags as the sources of NVIDIA/TensorRT have them (samples/common/sampleOptions), branches release/8.5, 10.3,
10.16 and 11.1. Needs no vendor package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Sequence, Tuple

from engine_wish import Wish

from shared.contract.errors import InputProblem, nearest


@dataclass(frozen=True)
class Dialect:
    """How a release of trtexec is spoken to.

    Attributes:
        build_only: ends it when the engine is saved.
        strong_typing: has a network compute in the types of its graph; no flags where every network does,
            None where none can, and what it may round to is told by flags.
        full_calls: what makes a call as the pipeline makes it, in each release the same: copies to the GPU
            and back are part of it, it is launched as one CUDA graph, and the host spins until it is done.
    """

    build_only: str
    strong_typing: Optional[Tuple[str, ...]]
    full_calls: Tuple[str, ...]


DIALECTS: Mapping[str, Dialect] = {
    "8.5": Dialect("--buildOnly", None, ("--useCudaGraph", "--useSpinWait")),
    "10.3": Dialect("--skipInference", ("--stronglyTyped",), ("--useCudaGraph", "--useSpinWait")),
    "10.16": Dialect("--skipInference", ("--stronglyTyped",), ("--useCudaGraph", "--useSpinWait")),
    # Graph and spinning are the default there; the copies are not.
    "11.1": Dialect("--skipInference", (), ("--includeDataTransfers",)),
}
"""By the release of TensorRT."""


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


def build_command(program: str, release: str, wish: Wish, engine: Path, layers: Path) -> List[str]:
    """Return the command line that builds an engine and runs nothing.

    Args:
        engine: the file that is written.
        layers: a JSON file that is written, with the layers that the engine came to have.

    Raises:
        InputProblem: the release's flags are not known, or a node has a name that cannot be told to it.
    """
    dialect = dialect_of(release)
    typing = _weak_typing(wish) if dialect.strong_typing is None else dialect.strong_typing
    command = [
        program,
        f"--onnx={wish.graph}",
        f"--saveEngine={engine}",
        dialect.build_only,
        *typing,
        # 10 bits for float32 are not what a graph asks for that says float32.
        "--noTF32",
        # Without a unit it is MiB in each release.
        f"--memPoolSize=workspace:{wish.workspace_mb}",
        "--profilingVerbosity=detailed",
        f"--exportLayerInfo={layers}",
    ]
    if wish.timing_cache is not None:
        command.append(f"--timingCacheFile={wish.timing_cache}")
    return command


def _weak_typing(wish: Wish) -> List[str]:
    """Return the flags for a network whose types are only allowed: which, and where not."""
    flags = [f"--{name}" for name in wish.types]
    if wish.types and wish.in_float32:
        return [*flags, "--precisionConstraints=obey", f"--layerPrecisions={_in_float32(wish.in_float32)}"]
    return flags


def _in_float32(names: Sequence[str]) -> str:
    """Return what `--layerPrecisions` is told of nodes that stay in float32: `name:fp32,name:fp32`.

    trtexec 8.5 splits it at each comma and, without regard to quotes, then each entry at its last colon, or
    where there are quotes by those; `*` alone means all other layers. So a colon in a name does no harm, and
    a comma or a quote cannot be told.
    """
    for name in names:
        if not name or name == "*" or "," in name or "'" in name:
            what = f"trtexec cannot be told that the graph's node '{name}' stays in float32"
            raise InputProblem(what, "", "take the option builder: python, or give the node another name")
    return ",".join(f"{name}:fp32" for name in names)


def clock_command(program: str, release: str, engine: Path, times: Path, seconds: float) -> List[str]:
    """Return the command line that reads the three clocks of an engine: transfers, GPU and host.

    Args:
        times: a JSON file that is written (`trtexec_output.read_clocks`).
        seconds: that are timed, after 0.2 s of warm-up.

    Raises:
        InputProblem: the release's flags are not known.
    """
    return [
        program,
        f"--loadEngine={engine}",
        *dialect_of(release).full_calls,
        "--warmUp=200",
        f"--duration={seconds:g}",
        f"--exportTimes={times}",
    ]
