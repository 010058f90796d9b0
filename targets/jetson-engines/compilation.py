"""The stage `compile`: an engine made on the device, and what is told of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

from engine_making import ENGINE_FILE, ENGINE_FORMAT, EngineBuilder, Place, make_engine, wish_of
from engine_report import layer_table, precision_counts, told_precisions
from engine_wish import Wish
from jetson_engines import JetsonEngines
from layer_info import EngineLayer, precisions_of, read_layers
from trtexec_program import ClockReading, read_engine_clocks

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.contract.result import Notes
from shared.harness.toolchain import Options, Product


class EngineCompiler:
    """Compiles the engines of a target for Jetsons (`toolchain.Compiler`)."""

    def __init__(self, engines: JetsonEngines) -> None:
        self._engines = engines

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
        place = self._engines.place()
        wish = wish_of(source, manifest, options, cache)
        builder = self._engines.builder(place, options)
        return compile_engine(network, wish, manifest, output, builder, place)


def compile_engine(
    network: Network, wish: Wish, manifest: Manifest, output: Path, builder: EngineBuilder, place: Place
) -> Product:
    """Build an engine into the folder `output` and tell what came of it.

    Raises:
        ValueError: TensorRT cannot build it; its own line says why.
    """
    started = time.monotonic()
    made = make_engine(wish, output, builder, place)
    seconds = time.monotonic() - started
    clocks = read_engine_clocks(place.trtexec, place.release, output / ENGINE_FILE)
    weighted = manifest.settings["weighted"]
    return Product(
        ENGINE_FORMAT,
        manifest.input,
        settings=made.settings,
        built_for=made.built_for,
        notes=_notes(network, place, _read(made.layers), weighted, clocks, made.size, seconds),
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
