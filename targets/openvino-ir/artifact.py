"""An artifact's files, the IR, and how it is loaded.

The manifest has the inference precision, `f32` or `bf16`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Sequence

import numpy as np
import openvino as ov

from shared.contract.artifact import Manifest
from shared.contract.model import InputSpec, Network
from shared.inference.arrays import Array

IR_FILE = "model.xml"
PRECISION = "inference_precision"
"""In the manifest's settings."""


def name_outputs(outputs: Sequence[Any], names: Sequence[str]) -> None:
    """Give each output tensor its one name, that of model.json."""
    for port, name in zip(outputs, names):
        port.get_tensor().set_names({name})


class RequestSession:
    """A request of a compiled model, for one thread.

    It runs once where it is made: the first calls of the Python API in a process, when two threads make them
    at the same time, wait for one another for ever (2026.4).
    """

    def __init__(self, compiled: Any, network: Network, spec: InputSpec, settings: Mapping[str, Any]) -> None:
        self.input, self.settings = spec, settings
        self._request = compiled.create_infer_request()
        self._outputs = {name: self._request.get_tensor(compiled.output(name)) for name in network.tensors}
        self.run(np.zeros(spec.shape, spec.dtype))

    def run(self, image: Array) -> Dict[str, Array]:
        self._request.infer([image], share_inputs=True)
        return {name: tensor.data.copy() for name, tensor in self._outputs.items()}


def compile_for_latency(core: Any, model: Any, manifest: Manifest, threads: int) -> Any:
    """Compile a model for one call at a time, in the precision that an artifact's manifest says."""
    properties = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": manifest.settings[PRECISION],
        "NUM_STREAMS": 1,
    }
    return core.compile_model(model, "CPU", properties)


def load(network: Network, folder: Path, manifest: Manifest, threads: int) -> RequestSession:
    """Return a session of an artifact, latency mode."""
    core = ov.Core()
    compiled = compile_for_latency(core, core.read_model(folder / IR_FILE), manifest, threads)
    settings = {
        "inference_precision": str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()),
        "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
        "streams": compiled.get_property("NUM_STREAMS"),
    }
    return RequestSession(compiled, network, manifest.input, settings)
