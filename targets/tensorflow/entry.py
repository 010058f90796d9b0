"""The reference: the model as it came, in TensorFlow, TensorFlow Lite or ONNX Runtime; converts to ONNX for the targets that need it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from shared.contract.model import InputSpec, Network
from shared.runtime.run_job import main
from shared.runtime.toolchain import Calibration, Session, Tensors, own_name

ONNX_FILE = "model.onnx"
OPSET = 17
SIGNATURE = "serving_default"


def read_graph(network: Network, path: Path) -> Any:
    """Return a frozen graph (GraphDef) whose nodes have the names of the network's input and tensors.

    Args:
        path: a frozen graph, a SavedModel's folder or a Keras file.
    """
    if network.form == "SavedModel":
        return freeze(network, signature_of(network, path))
    if network.form == "Keras":
        return freeze(network, layers_of(network, path))
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    return graph_def


def signature_of(network: Network, path: Path) -> Callable[[Any], List[Any]]:
    """Return the serving signature of a SavedModel, from its input to the network's tensors."""
    model = tf.saved_model.load(str(path))

    def call(image: Any) -> List[Any]:
        outputs = model.signatures[SIGNATURE](**{network.input.name: image})
        return [outputs[name] for name in network.tensors]

    return call


def layers_of(network: Network, path: Path) -> Callable[[Any], List[Any]]:
    """Return the part of a Keras file from the output of one layer, the input layer or another, to those of the network's tensors.

    Raises:
        Exception: Keras's own; among them the ValueError of a layer with Python code in it, which is not run.
    """
    loaded = tf.keras.models.load_model(path, compile=False, safe_mode=True)
    whole = tf.keras.Model(loaded.inputs, loaded.outputs)
    ends = dict(zip(whole.output_names, whole.outputs))

    def tensor(name: str) -> Any:
        return ends[name] if name in ends else whole.get_layer(name).output

    part = tf.keras.Model(tensor(network.input.name), [tensor(name) for name in network.tensors])
    return lambda image: part(image, training=False)


def freeze(network: Network, call: Callable[[Any], List[Any]]) -> Any:
    """Return a function of the network's input as a frozen graph (GraphDef)."""
    function = tf.function(call, autograph=False).get_concrete_function(tf.TensorSpec(network.input.shape, tf.float32))
    frozen = convert_variables_to_constants_v2(function)
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, network.input.shape, network.input.name)
        names = [tensor.name for tensor in frozen.outputs]
        outputs = tf.import_graph_def(frozen.graph.as_graph_def(), {frozen.inputs[0].name: image}, names, name="frozen")
        for name, output in zip(network.tensors, outputs):
            tf.identity(output, name)
    return graph.as_graph_def()


class GraphSession:
    """A TensorFlow 1 session on a frozen graph, called through `make_callable` (its quickest way in)."""

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        graph_def = read_graph(network, path)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(graph_def, name="")
        config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
        session = tf.compat.v1.Session(graph=graph, config=config)
        self._names: List[str] = network.tensors
        self.input = network.input
        self._call = session.make_callable([f"{name}:0" for name in self._names], [f"{network.input.name}:0"])
        self.settings: Mapping[str, Any] = {
            "runtime": "TensorFlow",
            "intra_op_threads": threads,
            "inter_op_threads": 1,
            "precision": "f32",
        }

    def run(self, image: np.ndarray) -> Tensors:
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

    def run(self, image: np.ndarray) -> Tensors:
        self._interpreter.set_tensor(self._feed, image)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._results.items()}


class OnnxSession:
    """ONNX Runtime on a graph that came as ONNX or was converted to it, between any two of its tensors."""

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        import onnx
        import onnxruntime

        model = onnx.load(path, load_external_data=False)
        feeds = [value.name for value in model.graph.input]
        results = [value.name for value in model.graph.output]
        tensors = [*feeds, *(name for node in model.graph.node for name in node.output)]
        self._feed = own_name(network.input.name, tensors)
        self._results = {name: own_name(name, tensors) for name in network.tensors}
        if self._feed not in feeds or not set(self._results.values()) <= set(results):
            whole = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model))
            model = whole.extract_model([self._feed], list(self._results.values()))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        declared = next(value.shape for value in self._session.get_inputs() if value.name == self._feed)
        other = nchw(network.input)
        self.input = other if tuple(declared) == other.shape != network.input.shape else network.input
        self.settings: Mapping[str, Any] = {
            "runtime": f"ONNX Runtime {onnxruntime.__version__}",
            "intra_op_threads": threads,
            "inter_op_threads": 1,
        }

    def run(self, image: np.ndarray) -> Tensors:
        return dict(zip(self._results, self._session.run(list(self._results.values()), {self._feed: image})))


def nchw(spec: InputSpec) -> InputSpec:
    """Return an input with its channels before height and width."""
    return replace(spec, layout="NCHW", shape=(spec.shape[0], spec.channel_count, *spec.size))


SESSIONS = {
    "frozen graph": GraphSession,
    "SavedModel": GraphSession,
    "Keras": GraphSession,
    "ONNX": OnnxSession,
    "TFLite": TfliteSession,
}


class TensorFlow:
    """The `tensorflow` target."""

    def versions(self) -> Dict[str, str]:
        return {"tensorflow": tf.__version__, "numpy": np.__version__}

    def convert(self, network: Network, graph: Path, output: Path, options: Mapping[str, Any]) -> Dict[str, Any]:
        """Convert a frozen graph, a SavedModel or a Keras file to ONNX (`toolchain.Toolchain.convert`).

        The ONNX graph's input and outputs have the network's names, its input the network's shape in the layout of
        `options`, by default the network's own.
        """
        import tf2onnx

        if SESSIONS[network.form] is not GraphSession:
            raise ValueError(f"{network.graph} cannot be converted to ONNX: give the SavedModel or the Keras file that it was made from")
        feed, results = f"{network.input.name}:0", [f"{name}:0" for name in network.tensors]
        transposed = options.get("layout", network.input.layout) == "NCHW" and network.input.layout == "NHWC"
        tf2onnx.convert.from_graph_def(
            read_graph(network, graph),
            input_names=[feed],
            output_names=results,
            opset=OPSET,
            shape_override={feed: list(network.input.shape)},
            inputs_as_nchw=[feed] if transposed else None,
            tensors_to_rename={name: name[: -len(":0")] for name in (feed, *results)},
            output_path=str(output / ONNX_FILE),
        )
        return {"tf2onnx": tf2onnx.__version__, "opset": OPSET, "inputs_as_nchw": transposed}

    def optimize(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], data: Calibration
    ) -> Dict[str, Any]:
        raise ValueError("the reference has nothing to optimize")

    def load(self, network: Network, artifact: Path, threads: int) -> Session:
        as_it_came = artifact / network.graph
        if as_it_came.exists():
            return SESSIONS[network.form](network, as_it_came, threads)
        return OnnxSession(network, artifact / ONNX_FILE, threads)


if __name__ == "__main__":
    sys.exit(main(TensorFlow))
