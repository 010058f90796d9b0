"""ONNX Runtime: ONNX made ready for it, and static quantization; `serving.py` runs it on the CPU."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Dict, Optional

import numpy as np

# Read at import. ONNX Runtime would write an id of this machine and send what it is used for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from errors import error_summary
from kernel import ProductOfMatrices
from onnx_session import FORMAT, MODEL_FILE
from serving import LOADERS

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.contract.result import Notes
from shared.harness.run_job import main
from shared.harness.toolchain import Calibration, Capabilities, Options, Product


def versions() -> Dict[str, str]:
    """Return the releases of the packages that decide what comes out."""
    return {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__}


# What needs the package onnx is imported where it is used: an artifact is loaded where that is not installed.
class OnnxRuntime:
    """What the target `onnxruntime` can do beside running its artifacts."""

    def convert(self, network: Network, graph: Path, output: Path, options: Options) -> Product:
        import graphs
        import onnx
        import onnx_work

        nodes = graphs.prepare(network, graph, output / MODEL_FILE)
        notes = Notes(work=onnx_work.work_of(onnx.load(output / MODEL_FILE)), details={"nodes": nodes})
        return Product(FORMAT, network.input, notes=notes)

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
        if method == "baseline":
            shutil.copyfile(source / MODEL_FILE, output / MODEL_FILE)
            return Product(FORMAT, manifest.input)
        import quantization

        scheme = quantization.Scheme(options["symmetric"], options["per_channel"], options["reduce_range"])
        notes = quantization.quantize(
            network, source / MODEL_FILE, manifest.input, output / MODEL_FILE, options, data, scheme
        )
        return Product(FORMAT, manifest.input, notes=notes)


ONNX_RUNTIME = OnnxRuntime()
CAPABILITIES = Capabilities(
    versions,
    loader=LOADERS.loader,
    converter=ONNX_RUNTIME,
    optimizer=ONNX_RUNTIME,
    kernel_maker=ProductOfMatrices(),
    error_summary=error_summary,
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
