"""TensorRT for RTX: engines built ahead of time of typed and quantized ONNX, running on an NVIDIA GPU."""

from __future__ import annotations

import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Dict

from engine import build_engine
from engine_notes import engine_notes
from messages import error_summary

from shared.contract.artifact import BuiltFor, Manifest
from shared.contract.model import Network
from shared.harness.run_job import main
from shared.harness.toolchain import Capabilities, Options, Product
from shared.inference.session import Session

ENGINE_FORMAT = "tensorrt-rtx-engine"
ONNX_FILE, ENGINE_FILE = "model.onnx", "model.engine"
ARCHITECTURE = "x86_64"
"""What there is of TensorRT for RTX as a package for Linux."""

PACKAGES = ("tensorrt-rtx-cu12-libs", "cuda-bindings", "numpy")


def versions() -> Dict[str, str]:
    """Return the releases of the packages that decide what comes out."""
    return {package: metadata.version(package) for package in PACKAGES}


class RtxTensorRT:
    """What the target `rtx-tensorrt` can do."""

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
        graph, engine = source / ONNX_FILE, output / ENGINE_FILE
        started = time.monotonic()
        header = build_engine(graph, engine, options["compute_capabilities"])
        seconds = time.monotonic() - started
        capabilities = header.capabilities
        return Product(
            ENGINE_FORMAT,
            manifest.input,
            settings={"release": header.release, "compute_capabilities": list(capabilities)},
            built_for=BuiltFor(ARCHITECTURE, f"NVIDIA GPU, compute capability {', '.join(capabilities)}"),
            notes=engine_notes(network, manifest.settings, engine, header, seconds),
        )

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        # What CUDA brings is imported where an engine is run: one is built where there is none of it.
        from gpu_session import load_engine

        return load_engine(network, artifact / ENGINE_FILE, manifest.input)


RTX_TENSORRT = RtxTensorRT()
CAPABILITIES = Capabilities(versions, loader=RTX_TENSORRT, compiler=RTX_TENSORRT, error_summary=error_summary)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
