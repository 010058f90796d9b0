"""An ONNX graph's file in ONNX Runtime; needs that alone, not the package onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping

import onnxruntime

from shared.contract.model import InputSpec, Network
from shared.inference.arrays import Array

FORMAT = "onnx"
MODEL_FILE = "model.onnx"


def session_options(threads: int) -> Any:
    """Return how a session runs, with so many threads; 0 for as many as it likes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Its threads would spin on after a call, on the CPUs that the rest of a pipeline needs.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


class OnnxSession:
    """A graph in ONNX Runtime's CPU provider, which applies all of its optimizations when it loads it.

    Args:
        threads: 0 for as many as it likes.
        in_float: what is quantized is computed in floating point, from the rounded values: what the graph
            gives elsewhere, whatever 8-bit instructions this CPU has.
    """

    def __init__(
        self, network: Network, path: Path, spec: InputSpec, threads: int, in_float: bool = False
    ) -> None:
        options = session_options(threads)
        if in_float:
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._feed = self._session.get_inputs()[0].name
        self._names = network.tensors
        self.input = spec
        self.settings: Mapping[str, Any] = {
            "runtime": f"ONNX Runtime {onnxruntime.__version__}",
            "intra_op_threads": threads,
            "inter_op_threads": 1,
            "spins_between_calls": False,
        }

    def run(self, image: Array) -> Dict[str, Array]:
        return dict(zip(self._names, self._session.run(None, {self._feed: image})))
