"""A model as it came, ready to run: in TensorFlow, TensorFlow Lite or ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Mapping

import numpy as np
import tensorflow as tf
from graphs import read_graph, tensor_of

from shared.contract.model import InputSpec, Network
from shared.harness.constants import constant_array
from shared.inference.arrays import Array
from shared.inference.session import Session, own_name


def session_on(graph: Any, threads: int) -> Any:
    """Return a TensorFlow 1 session on a graph: so many threads in an operation, one operation at a time."""
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    return tf.compat.v1.Session(graph=graph, config=config)


class GraphSession:
    """A TensorFlow 1 session on a frozen graph, called through `make_callable` (its quickest way in)."""

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        graph_def = read_graph(network, path)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(graph_def, name="")
        session = session_on(graph, threads)
        self._names = network.tensors
        self.input = network.input
        results = [tensor_of(name) for name in self._names]
        self._call = session.make_callable(results, [tensor_of(network.input.name)])
        self.settings: Mapping[str, Any] = {
            "runtime": "TensorFlow",
            "intra_op_threads": threads,
            "inter_op_threads": 1,
            "precision": "f32",
        }

    def run(self, image: Array) -> Dict[str, Array]:
        return dict(zip(self._names, self._call(image)))


class TfliteSession:
    """TensorFlow Lite's interpreter between a graph's own input and outputs, which are real numbers.

    What is scaled to 8 bits in the graph is scaled here; 8-bit pixels go in as they are.
    """

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        self._interpreter = tf.lite.Interpreter(str(path), num_threads=threads)
        feeds = {detail["name"]: detail for detail in self._interpreter.get_input_details()}
        self._feed = feeds[own_name(network.input.name, feeds)]
        if tuple(self._feed["shape"]) != network.input.shape:
            self._interpreter.resize_tensor_input(self._feed["index"], network.input.shape)
        self._interpreter.allocate_tensors()
        # An input's memory may hold something else after a call, so that each is given its value anew.
        self._beside = {}
        for name, value in network.constants.items():
            detail = feeds[own_name(name, feeds)]
            self._beside[detail["index"]] = constant_array(value, detail["dtype"], list(detail["shape"]))
        results = {detail["name"]: detail for detail in self._interpreter.get_output_details()}
        self._results = {name: results[own_name(name, results)] for name in network.tensors}
        self.input = network.input
        self.settings: Mapping[str, Any] = {"runtime": "TensorFlow Lite", "threads": threads}

    def run(self, image: Array) -> Dict[str, Array]:
        self._interpreter.set_tensor(self._feed["index"], _as_taken(image, self._feed))
        for index, value in self._beside.items():
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        outputs = {}
        for name, detail in self._results.items():
            outputs[name] = _as_real(self._interpreter.get_tensor(detail["index"]), detail)
        return outputs


def _as_taken(image: Array, detail: Mapping[str, Any]) -> Array:
    """Return an image as an input takes it: in 8 bits by its scale where it is fed real numbers for those."""
    kind = detail["dtype"]
    if image.dtype == kind or np.issubdtype(kind, np.floating):
        return np.asarray(image, kind)
    scale, zero = detail["quantization"]
    limits = np.iinfo(kind)
    return np.asarray(np.clip(np.rint(image / scale + zero), limits.min, limits.max), kind)


def _as_real(tensor: Array, detail: Mapping[str, Any]) -> Array:
    """Return an output as real numbers, where it is 8 bits with a scale."""
    scale, zero = detail["quantization"]
    return tensor if scale == 0 else np.asarray((tensor.astype(np.float32) - zero) * scale, np.float32)


class OnnxSession:
    """ONNX Runtime on a graph that came as ONNX or was converted to it, between any two of its tensors.

    Args:
        spec: the input as the graph has it, whose layout may be another than the model's.
    """

    def __init__(self, network: Network, path: Path, spec: InputSpec, threads: int) -> None:
        import onnx_models
        import onnxruntime

        model = onnx_models.read(replace(network, input=spec), path)
        self._feed = model.graph.input[0].name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Its threads would spin on after a call, on the CPUs that whatever is measured next needs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
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


def load_as_it_came(network: Network, path: Path, threads: int) -> Session:
    """Load the file or the folder of a graph in the runtime of its format."""
    if network.format == "ONNX":
        return OnnxSession(network, path, network.input, threads)
    if network.format == "TFLite":
        return TfliteSession(network, path, threads)
    return GraphSession(network, path, threads)
