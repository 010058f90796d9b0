"""The reference: TensorFlow on the frozen graph; also converts it to ONNX for the targets that start there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from shared.contract.model import Network
from shared.runtime.run_job import main
from shared.runtime.toolchain import Calibration, Session, Tensors

ONNX_FILE = "model.onnx"


def read_graph(path: Path) -> Any:
    """Parse a frozen graph (binary GraphDef)."""
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    return graph_def


class GraphSession:
    """A TensorFlow 1 session on a frozen graph, called through `make_callable` (its quickest way in)."""

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(read_graph(path), name="")
        config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
        session = tf.compat.v1.Session(graph=graph, config=config)
        self._names: List[str] = network.tensors
        self._call = session.make_callable([f"{name}:0" for name in self._names], [f"{network.input.name}:0"])
        self.settings: Mapping[str, Any] = {"intra_op_threads": threads, "inter_op_threads": 1, "precision": "f32"}

    def run(self, image: np.ndarray) -> Tensors:
        return dict(zip(self._names, self._call(image)))


class OnnxSession:
    """ONNX Runtime on a converted graph, for the check of the conversion."""

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        feed = self._session.get_inputs()[0]
        self._feed, self._names = feed.name, network.tensors
        self._transpose = network.input.layout == "NHWC" and tuple(feed.shape) != network.input.shape
        self.settings: Mapping[str, Any] = {"threads": threads, "precision": "f32", "inputs_as_nchw": self._transpose}

    def run(self, image: np.ndarray) -> Tensors:
        feed = image.transpose(0, 3, 1, 2) if self._transpose else image
        return dict(zip(self._names, self._session.run([f"{n}:0" for n in self._names], {self._feed: feed})))


class TensorFlow:
    """The `tensorflow` target."""

    def versions(self) -> Dict[str, str]:
        return {"tensorflow": tf.__version__, "numpy": np.__version__}

    def convert(self, network: Network, graph: Path, output: Path, options: Mapping[str, Any]) -> Dict[str, Any]:
        import tf2onnx

        name = f"{network.input.name}:0"
        nchw = options.get("inputs_as_nchw", network.input.layout == "NHWC")
        opset = options.get("opset", 17)
        tf2onnx.convert.from_graph_def(
            read_graph(graph),
            input_names=[name],
            output_names=[f"{n}:0" for n in network.tensors],
            opset=opset,
            inputs_as_nchw=[name] if nchw else None,
            output_path=str(output / ONNX_FILE),
        )
        return {"tf2onnx": tf2onnx.__version__, "opset": opset, "inputs_as_nchw": nchw}

    def optimize(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], data: Calibration
    ) -> Dict[str, Any]:
        raise ValueError("the reference has nothing to optimize")

    def load(self, network: Network, artifact: Path, threads: int) -> Session:
        onnx = artifact / ONNX_FILE
        return OnnxSession(network, onnx, threads) if onnx.exists() else GraphSession(network, artifact / network.graph, threads)


if __name__ == "__main__":
    sys.exit(main(TensorFlow))
