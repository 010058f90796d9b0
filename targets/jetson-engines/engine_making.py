"""An engine made on the device of what was typed and quantized elsewhere. Needs no vendor package."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Protocol

from engine_wish import FP16, INT8, Wish
from gpu import Gpu
from plan_release import settings_of

from shared.contract.artifact import BuiltFor, Manifest
from shared.contract.errors import JobFailed
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


@dataclass(frozen=True)
class MadeEngine:
    """An engine that was built.

    Attributes:
        layers: as its builder tells them, for `layer_info`.
        settings: of its manifest.
        size: of its file, in bytes.
    """

    layers: str
    settings: Mapping[str, Any]
    built_for: BuiltFor
    size: int


def l4t_release(path: str = L4T_FILE) -> Optional[str]:
    """Return the device's release of Linux for Tegra, for example `36.4.3`; None where it cannot be read."""
    found = L4T.match(read_text(path) or "")
    return f"{found[1]}.{found[2]}" if found else None


def wish_of(source: Path, manifest: Manifest, options: Mapping[str, Any], cache: Path) -> Wish:
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


def make_engine(wish: Wish, output: Path, builder: EngineBuilder, place: Place) -> MadeEngine:
    """Build an engine into the folder `output`.

    Raises:
        ValueError: TensorRT cannot build it; its own line says why.
    """
    engine, gpu = output / ENGINE_FILE, place.gpu
    layers = builder.build(wish, engine)
    plan = engine.read_bytes()
    settings = {**settings_of(plan, place.release, gpu, place.l4t), "builder": builder.name}
    built_for = BuiltFor(platform.machine(), f"{gpu.name}, compute capability {gpu.capability}")
    return MadeEngine(layers, settings, built_for, len(plan))
