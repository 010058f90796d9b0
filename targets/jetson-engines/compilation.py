"""An engine made on the device of what was typed and quantized elsewhere, and what is told of it."""

from __future__ import annotations

import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Protocol, Sequence, Tuple

from engine_report import layer_table, precision_counts, told_precisions
from engine_wish import FP16, INT8, Wish
from gpu import Gpu
from layer_info import EngineLayer, precisions_of, read_layers
from plan_release import settings_of
from trtexec_program import ClockReading, read_engine_clocks

from shared.contract.artifact import BuiltFor, Manifest
from shared.contract.errors import JobFailed
from shared.contract.model import Network
from shared.contract.result import Notes
from shared.harness.toolchain import Options, Product
from shared.inference.cpu import read_text

GRAPH_FORMAT, GRAPH_FILE = "onnx", "model.onnx"
ENGINE_FORMAT, ENGINE_FILE = "tensorrt-engine", "model.engine"
TIMING_FILE = "timing.cache"

L4T_FILE = "/etc/nv_tegra_release"
L4T = re.compile(r"# R(\d+) \(release\), REVISION: ([\d.]+)")
"""Its first line: `# R36 (release), REVISION: 4.3, GCID: ...`."""


class EngineBuilder(Protocol):
    """Builds engines on this device."""

    @property
    def name(self) -> str:
        """As the option `builder` calls it."""

    def build(self, wish: Wish, engine: Path) -> str:
        """Build an engine into a file and return its layers as `layer_info` reads them, empty without any.

        Raises:
            ValueError: TensorRT cannot; its own line says why.
        """


@dataclass(frozen=True)
class Place:
    """Where an engine is built.

    Attributes:
        release: of TensorRT.
        trtexec: the program's path; None where it is not.
        l4t: the release of Linux for Tegra; None where it cannot be read.
    """

    release: str
    gpu: Gpu
    trtexec: Optional[str]
    l4t: Optional[str]


def l4t_release(path: str = L4T_FILE) -> Optional[str]:
    """Return the device's release of Linux for Tegra, for example `36.4.3`; None where it cannot be read."""
    found = L4T.match(read_text(path) or "")
    return f"{found[1]}.{found[2]}" if found else None


def wish_of(source: Path, manifest: Manifest, options: Options, cache: Path) -> Wish:
    """Return the engine that is asked for by what `optimize` left in the folder `source`.

    Raises:
        JobFailed: that is no graph for TensorRT.
    """
    found = manifest.settings
    if manifest.format != GRAPH_FORMAT or "precision" not in found:
        what = f"what is to be compiled is {manifest.format} that nobody typed for TensorRT"
        raise JobFailed(what, "", "the target that prepares it leaves ONNX, and its types in the manifest")
    types = (INT8,) if found["precision"] == "int8" else ()
    rest = (FP16,) if found["rest"] == "float16" else ()
    held = tuple(found["float32"])
    return Wish(source / GRAPH_FILE, options["workspace_mb"], types + rest, held, cache / TIMING_FILE)


def compile_engine(
    network: Network, wish: Wish, manifest: Manifest, output: Path, builder: EngineBuilder, place: Place
) -> Product:
    """Build an engine into the folder `output` and tell what came of it.

    Raises:
        ValueError: TensorRT cannot build it; its own line says why.
    """
    engine, gpu = output / ENGINE_FILE, place.gpu
    started = time.monotonic()
    layers = _read(builder.build(wish, engine))
    seconds = time.monotonic() - started
    clocks = read_engine_clocks(place.trtexec, place.release, engine)
    plan = engine.read_bytes()
    return Product(
        ENGINE_FORMAT,
        manifest.input,
        settings={**settings_of(plan, place.release, gpu, place.l4t), "builder": builder.name},
        built_for=BuiltFor(platform.machine(), f"{gpu.name}, compute capability {gpu.capability}"),
        notes=_notes(network, place, layers, manifest.settings["weighted"], clocks, len(plan), seconds),
    )


def _read(text: str) -> Tuple[EngineLayer, ...]:
    """Return the layers; none where they are not told, or in a form that nobody knows."""
    try:
        return read_layers(text)
    except ValueError:
        return ()


def _notes(
    network: Network,
    place: Place,
    layers: Sequence[EngineLayer],
    weighted: Sequence[str],
    clocks: ClockReading,
    size: int,
    seconds: float,
) -> Notes:
    gpu, counts = place.gpu, precision_counts(precisions_of(layers, weighted), weighted)
    rows = [(layer.operations, layer.kind, layer.reads, layer.writes) for layer in layers]
    title = f"Layers of {network.name}, read from the engine"
    details: Dict[str, Any] = {
        "release": place.release,
        "layers": len(layers),
        "precisions": counts,
        "trtexec": clocks.details,
        "engine_mb": round(size / 1e6, 2),
        "build_s": round(seconds, 2),
    }
    return Notes(
        remarks=(
            f"the engine of {network.name} is for {gpu.name}, compute capability {gpu.capability}, and runs "
            f"with TensorRT {place.release} alone",
            told_precisions(counts),
            *clocks.remarks,
        ),
        tables=(layer_table(title, "layer", rows),) if rows else (),
        details=details,
    )
