"""What TensorRT's engines are built from: ONNX, checked, typed and quantized, and its quality predicted.

It asks for no GPU and for none of NVIDIA's packages. The targets that compile its graphs name it as what
prepares for them.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Dict, Optional

# Read at import. ONNX Runtime would write an id of this machine and send what it is used for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import graphs
import methods
import onnx
from errors import error_summary
from nvinfer_input import normalization_of
from onnx_normalization import normalize_file
from onnx_session import FORMAT, MODEL_FILE, OnnxSession
from serving import LOADERS

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.contract.result import Notes
from shared.harness.run_job import main
from shared.harness.toolchain import Calibration, Capabilities, Options, Product
from shared.inference.session import Session

FED_BY, NVINFER = "fed_by", "nvinfer"
"""An option of the conversion: what makes the input of a picture. What nvinfer cannot, is put into the graph.
"""

PACKAGES = ("onnx", "onnxruntime", "numpy")


def versions() -> Dict[str, str]:
    """Return the releases of the packages that decide what comes out."""
    return {package: metadata.version(package) for package in PACKAGES}


class TensorRTOnnx:
    """What the target `tensorrt-onnx` can do."""

    def convert(self, network: Network, graph: Path, output: Path, options: Options) -> Product:
        nodes = graphs.prepare(network, graph, output / MODEL_FILE)
        opset = graphs.opset(onnx.load(output / MODEL_FILE))
        remarks = [f"{network.name} is ONNX of opset {opset}"]
        spec = network.input
        reason = normalization_of(spec).reason if options.get(FED_BY) == NVINFER else None
        if reason is not None:
            spec = normalize_file(output / MODEL_FILE, spec)
            remarks.append(f"{network.name} normalizes by itself, given pixels: {reason}")
        return Product(FORMAT, spec, notes=Notes(tuple(remarks), details={"nodes": nodes, "opset": opset}))

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
        graph, typed = source / MODEL_FILE, output / MODEL_FILE
        notes = methods.write_typed(network, method, graph, manifest.input, typed, options, data)
        return Product(
            FORMAT, manifest.input, settings=methods.settings_of(method, graph, options), notes=notes
        )

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        return OnnxSession(network, artifact / MODEL_FILE, manifest.input, threads)


OWN = TensorRTOnnx()
CAPABILITIES = Capabilities(
    versions,
    loader=OWN,
    converter=OWN,
    optimizer=OWN,
    predictor=LOADERS.loader,
    error_summary=error_summary,
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
