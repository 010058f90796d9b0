"""A model as it came, ready to run: in TensorFlow, TensorFlow Lite or ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping

import tensorflow as tf
from graphs import read_graph

from shared.contract.model import InputSpec, Network
from shared.inference.arrays import Array
from shared.inference.session import Session, own_name


class GraphSession:
    """A TensorFlow 1 session on a frozen graph, called through `make_callable` (its quickest way in)."""

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        graph_def = read_graph(network, path)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(graph_def, name="")
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1
        )
        session = tf.compat.v1.Session(graph=graph, config=config)
        self._names = network.tensors
        self.input = network.input
        self._call = session.make_callable([f"{name}:0" for name in self._names], [f"{network.input.name}:0"])
        self.settings: Mapping[str, Any] = {
            "runtime": "TensorFlow",
            "intra_op_threads": threads,
            "inter_op_threads": 1,
            "precision": "f32",
        }

    def run(self, image: Array) -> Dict[str, Array]:
        return dict(zip(self._names, self._call(image)))


class TfliteSession:
    """TensorFlow Lite's interpreter between a graph's own input and outputs."""

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        self._interpreter = tf.lite.Interpreter(str(path), num_threads=threads)
        feeds = {detail["name"]: detail for detail in self._interpreter.get_input_details()}
        results = {detail["name"]: detail["index"] for detail in self._interpreter.get_output_details()}
        feed = feeds[own_name(network.input.name, feeds)]
        if tuple(feed["shape"]) != network.input.shape:
            self._interpreter.resize_tensor_input(feed["index"], network.input.shape)
        self._interpreter.allocate_tensors()
        self._feed = feed["index"]
        self._results = {name: results[own_name(name, results)] for name in network.tensors}
        self.input = network.input
        self.settings: Mapping[str, Any] = {"runtime": "TensorFlow Lite", "threads": threads}

    def run(self, image: Array) -> Dict[str, Array]:
        self._interpreter.set_tensor(self._feed, image)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._results.items()}


class OnnxSession:
    """ONNX Runtime on a graph that came as ONNX or was converted to it, between any two of its tensors."""

    def __init__(self, network: Network, path: Path, spec: InputSpec, threads: int) -> None:
        import onnx
        import onnxruntime

        model = onnx.load(path, load_external_data=False)
        feeds = [value.name for value in model.graph.input]
        results = [value.name for value in model.graph.output]
        inner = [name for node in model.graph.node for name in node.output]
        tensors = [*feeds, *inner]
        self._feed = own_name(network.input.name, tensors)
        self._results = {name: own_name(name, tensors) for name in network.tensors}
        if self._feed not in feeds or not set(self._results.values()) <= set(results):
            whole = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model))
            model = whole.extract_model([self._feed], list(self._results.values()))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Its threads would spin on after a call, on the CPUs that whatever is measured next needs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
        self.input = spec
        self.settings: Mapping[str, Any] = {
            "runtime": f"ONNX Runtime {onnxruntime.__version__}",
            "intra_op_threads": threads,
            "inter_op_threads": 1,
            "spins_between_calls": False,
        }

    def run(self, image: Array) -> Dict[str, Array]:
        return dict(zip(self._results, self._session.run(list(self._results.values()), {self._feed: image})))


def load_as_it_came(network: Network, path: Path, threads: int) -> Session:
    """Load the file or the folder of a graph in the runtime of its format."""
    if network.format == "ONNX":
        return OnnxSession(network, path, network.input, threads)
    if network.format == "TFLite":
        return TfliteSession(network, path, threads)
    return GraphSession(network, path, threads)
