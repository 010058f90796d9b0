"""What lies in an artifact's folder: the IR, and beside it what whoever loads it must know."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, List, Mapping, Tuple

import numpy as np
import openvino as ov

from shared.contract.model import InputSpec, Network
from shared.runtime.toolchain import Tensors

IR_FILE = "model.xml"
RUNTIME_FILE = "runtime.json"
"""The inference precision (`f32`, `bf16`) that the IR was made for, and what its input takes (`InputSpec`)."""


def save(model: Any, output: Path, precision: str, spec: InputSpec, compress: bool) -> None:
    """Write an IR and its runtime.json.

    Args:
        precision: that it is to run in.
        spec: how an image becomes its input.
        compress: store the constants that are float32 as float16.
    """
    ov.save_model(model, output / IR_FILE, compress_to_fp16=compress)
    ir = (output / IR_FILE).read_text(encoding="utf-8")
    (output / IR_FILE).write_text(re.sub(r">\s+<", "><", ir), encoding="utf-8")  # a sixth of the file is indentation
    (output / RUNTIME_FILE).write_text(json.dumps({"inference_precision": precision, "input": spec.to_json()}))


def read_runtime(folder: Path) -> Tuple[str, InputSpec]:
    """Return the inference precision and the input's specification of an artifact."""
    runtime = json.loads((folder / RUNTIME_FILE).read_text())
    return runtime["inference_precision"], InputSpec.from_json(runtime["input"])


def name_outputs(outputs: List[Any], names: List[str]) -> None:
    """Give each output tensor its one name, that of model.json."""
    for port, name in zip(outputs, names):
        port.get_tensor().set_names({name})


class CompiledSession:
    """A compiled model and one infer request, latency mode."""

    def __init__(self, network: Network, folder: Path, threads: int) -> None:
        precision, self.input = read_runtime(folder)
        core = ov.Core()
        compiled = core.compile_model(
            core.read_model(folder / IR_FILE),
            "CPU",
            {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": 1},
        )
        self._request = compiled.create_infer_request()
        self._outputs = {name: self._request.get_tensor(compiled.output(name)) for name in network.tensors}
        self.settings: Mapping[str, Any] = {
            "inference_precision": str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()),
            "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
            "streams": compiled.get_property("NUM_STREAMS"),
        }

    def run(self, image: np.ndarray) -> Tensors:
        self._request.infer([image], share_inputs=True)
        return {name: tensor.data.copy() for name, tensor in self._outputs.items()}
