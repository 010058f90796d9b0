"""An artifact's files, the IR, and how it is loaded.

The manifest has the inference precision, `f32` or `bf16`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Mapping, Sequence

import openvino as ov

from shared.contract.artifact import Manifest
from shared.contract.model import InputSpec, Network
from shared.contract.result import Notes
from shared.harness.toolchain import Product
from shared.inference.arrays import Array

FORMAT = "openvino-ir"
IR_FILE = "model.xml"
PRECISION = "inference_precision"
"""In the manifest's settings."""


def save(model: Any, output: Path, compress: bool) -> None:
    """Write an IR.

    Args:
        compress: store the constants that are float32 as float16.
    """
    ov.save_model(model, output / IR_FILE, compress_to_fp16=compress)
    ir = (output / IR_FILE).read_text(encoding="utf-8")
    # A sixth of the file is indentation.
    (output / IR_FILE).write_text(re.sub(r">\s+<", "><", ir), encoding="utf-8")


def product(spec: InputSpec, precision: str, notes: Notes) -> Product:
    """Return what an IR is.

    Args:
        spec: how an image becomes its input.
        precision: that it is to run in.
    """
    return Product(FORMAT, spec, {PRECISION: precision}, notes=notes)


def name_outputs(outputs: Sequence[Any], names: Sequence[str]) -> None:
    """Give each output tensor its one name, that of model.json."""
    for port, name in zip(outputs, names):
        port.get_tensor().set_names({name})


class CompiledSession:
    """A compiled model and one infer request, latency mode."""

    def __init__(self, network: Network, folder: Path, manifest: Manifest, threads: int) -> None:
        self.input = manifest.input
        core = ov.Core()
        properties = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": manifest.settings[PRECISION],
            "NUM_STREAMS": 1,
        }
        compiled = core.compile_model(core.read_model(folder / IR_FILE), "CPU", properties)
        self._request = compiled.create_infer_request()
        self._outputs = {name: self._request.get_tensor(compiled.output(name)) for name in network.tensors}
        self.settings: Mapping[str, Any] = {
            "inference_precision": str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()),
            "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
            "streams": compiled.get_property("NUM_STREAMS"),
        }

    def run(self, image: Array) -> Dict[str, Array]:
        self._request.infer([image], share_inputs=True)
        return {name: tensor.data.copy() for name, tensor in self._outputs.items()}
