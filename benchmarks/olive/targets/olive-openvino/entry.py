"""Olive's passes for OpenVINO, a workflow each for conversion and quantization; OpenVINO runs the result."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import openvino as ov
from artifact import name_outputs
from errors import error_summary
from ir_product import product, save
from kernel import ProductOfMatrices
from network_work import work_of
from quantized_graph import quantized_operations
from serving import LOADERS

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.contract.result import Notes
from shared.harness.progress import report
from shared.harness.run_job import main
from shared.harness.toolchain import Calibration, Capabilities, Options, Product

WITH_ACCURACY = "int8-with-accuracy"
CALIBRATED_WITH = 300
"""Images: what NNCF takes by default, of which Olive's pass offers no other number."""


def versions() -> Dict[str, str]:
    """Return the releases of the packages that decide what comes out."""
    # Of Olive and NNCF without their import, which takes PyTorch along; the runtime has neither.
    there = {each.metadata["Name"]: each.version for each in distributions()}
    names = [name for name in ("olive-ai", "nncf", "torch") if name in there]
    return {**{name: str(there[name]) for name in names}, "openvino": ov.__version__, "numpy": np.__version__}


class OliveOpenvino:
    """What the target `olive-openvino` can do beside running its artifacts."""

    def convert(self, network: Network, graph: Path, output: Path, options: Options) -> Product:
        from workflow import run

        kind = "ONNXModel" if graph.suffix == ".onnx" else "TensorFlowModel"
        start_model = {"type": kind, "model_path": str(graph)}
        conversion = {"type": "OpenVINOConversion", "input_shapes": [list(network.input.shape)]}
        model = run(start_model, conversion)
        name_outputs([_output(model, name) for name in network.tensors], network.tensors)
        save(model, output, compress=False)
        return product(network.input, "f32", Notes(work=work_of(model)))

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
        from samples import Samples, scorer
        from workflow import run

        is_held = method == WITH_ACCURACY
        split = "validation" if is_held else "calibration"
        quantization: Dict[str, Any] = {"type": "OpenVINOQuantization", "data_config": split}
        if is_held:
            quantization["type"] = "OpenVINOQuantizationWithAccuracy"
            quantization["validation_func"] = scorer(network, data, split)
            quantization["max_drop"] = options["max_drop"]
        count = data.size(split) if is_held else min(CALIBRATED_WITH, data.size(split))
        log = Log()
        logging.getLogger("nncf").addHandler(log)
        samples = Samples(split, data, manifest.input, count)
        report("quantize by Olive", 0, 0)
        model = run({"type": "OpenVINOModel", "model_path": str(source)}, quantization, [samples])
        save(model, output, compress=False)
        notes = Notes(
            calibration_images=min(CALIBRATED_WITH, data.size(split)),
            quantized_operations=quantized_operations(model),
            details={"log": log.lines},
        )
        return product(manifest.input, "f32", notes)


class Log(logging.Handler):
    """Keeps the lines of a log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _output(model: Any, name: str) -> Any:
    """Return an output of a converted model by the name of its tensor, which TensorFlow numbers."""
    return next(port for port in model.outputs if port.get_names() & {name, f"{name}:0"})


OLIVE = OliveOpenvino()
CAPABILITIES = Capabilities(
    versions,
    loader=LOADERS.loader,
    converter=OLIVE,
    optimizer=OLIVE,
    kernel_maker=ProductOfMatrices(),
    error_summary=error_summary,
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
