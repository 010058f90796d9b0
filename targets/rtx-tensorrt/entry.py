"""TensorRT for RTX: typed and quantized ONNX, engines built of it ahead of time, running on an NVIDIA GPU."""

from __future__ import annotations

import os
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Dict, Optional

# Read at import. ONNX Runtime would write an id of this machine and send what it is used for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from errors import error_summary

from shared.contract.artifact import BuiltFor, Manifest
from shared.contract.model import Network
from shared.contract.result import Notes
from shared.harness.run_job import main
from shared.harness.toolchain import Calibration, Capabilities, Options, Product
from shared.inference.session import Session

ONNX_FORMAT, ENGINE_FORMAT = "onnx", "tensorrt-rtx-engine"
ONNX_FILE, ENGINE_FILE = "model.onnx", "model.engine"
ARCHITECTURE = "x86_64"
"""What there is of TensorRT for RTX as a package for Linux."""

PACKAGES = ("tensorrt-rtx-cu12-libs", "cuda-bindings", "numpy", "onnxruntime")


def versions() -> Dict[str, str]:
    """Return the releases of the packages that decide what comes out; what runs an engine has not all."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


# What needs ONNX is imported where it is used: an engine is loaded where that is not installed.
class RtxTensorRT:
    """What the target `rtx-tensorrt` can do."""

    def convert(self, network: Network, graph: Path, output: Path, options: Options) -> Product:
        import graphs
        import onnx

        nodes = graphs.prepare(network, graph, output / ONNX_FILE)
        opset = graphs.opset(onnx.load(output / ONNX_FILE))
        remark = f"{network.name} is ONNX of opset {opset}"
        return Product(
            ONNX_FORMAT, network.input, notes=Notes((remark,), details={"nodes": nodes, "opset": opset})
        )

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
        import methods
        import onnx
        from engine import build_engine
        from engine_notes import engine_notes, joined

        graph, typed, engine = source / ONNX_FILE, output / ONNX_FILE, output / ENGINE_FILE
        notes = methods.write_typed(network, method, graph, manifest.input, typed, options, data)
        started = time.monotonic()
        header = build_engine(typed, engine, options["compute_capabilities"])
        seconds = time.monotonic() - started
        own = engine_notes(network, onnx.load(graph), engine, header, seconds)
        capabilities = header.capabilities
        return Product(
            ENGINE_FORMAT,
            manifest.input,
            settings={"release": header.release, "compute_capabilities": list(capabilities)},
            built_for=BuiltFor(ARCHITECTURE, f"NVIDIA GPU, compute capability {', '.join(capabilities)}"),
            notes=joined(notes, own),
        )

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        if manifest.format == ONNX_FORMAT:
            # What `convert` leaves is compared with the reference before an engine is built of it.
            from onnx_session import OnnxSession

            return OnnxSession(network, artifact / ONNX_FILE, manifest.input, threads)
        from gpu_session import load_engine

        return load_engine(network, artifact / ENGINE_FILE, manifest.input)


class OnnxRuntime:
    """Predicts what an engine gives: runs the graph that it was built of."""

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        from onnx_session import OnnxSession

        return OnnxSession(network, artifact / ONNX_FILE, manifest.input, threads, in_float=True)


RTX_TENSORRT = RtxTensorRT()
CAPABILITIES = Capabilities(
    versions,
    loader=RTX_TENSORRT,
    converter=RTX_TENSORRT,
    optimizer=RTX_TENSORRT,
    predictor=OnnxRuntime(),
    error_summary=error_summary,
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
