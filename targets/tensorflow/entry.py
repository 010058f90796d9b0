"""The reference: the model as it came, in TensorFlow, TensorFlow Lite or ONNX Runtime.

It converts to ONNX for the targets that need it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Dict

import numpy as np

# Both are read at import. ONNX Runtime would write an id of this machine and send what it is used for.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import tensorflow as tf
from errors import error_summary
from graphs import read_graph, tensor_of
from kernel import ProductOfMatrices
from sessions import OnnxSession, load_as_it_came

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.contract.result import Notes
from shared.harness.run_job import main
from shared.harness.toolchain import Capabilities, Options, Product
from shared.inference.session import Session

ONNX_FILE = "model.onnx"
OPSET = 17
"""Where nobody asks for another."""


def versions() -> Dict[str, str]:
    """Return the releases of the packages that decide what comes out."""
    return {"tensorflow": tf.__version__, "numpy": np.__version__}


class TensorFlow:
    """What the target `tensorflow` can do."""

    def convert(self, network: Network, graph: Path, output: Path, options: Options) -> Product:
        """Convert a frozen graph, a SavedModel or a Keras file to ONNX (`toolchain.Converter`).

        The ONNX graph's input and outputs have the network's names, its input the network's shape in the
        layout of `options`, by default the network's own; `opset` in them is the version of ONNX's operators.
        """
        import tf2onnx

        if network.format in ("ONNX", "TFLite"):
            advice = "give the SavedModel or the Keras file that it was made from"
            raise ValueError(f"{network.graph} cannot be converted to ONNX: {advice}")
        feed, results = tensor_of(network.input.name), [tensor_of(name) for name in network.tensors]
        batch, *sizes = network.input.shape
        shape = [None if options.get("open_batch") else batch, *sizes]
        layout = options.get("layout", network.input.layout)
        opset = options.get("opset", OPSET)
        is_transposed = layout == "NCHW" and network.input.layout == "NHWC"
        tf2onnx.convert.from_graph_def(
            read_graph(network, graph),
            input_names=[feed],
            output_names=results,
            opset=opset,
            shape_override={feed: shape},
            inputs_as_nchw=[feed] if is_transposed else None,
            tensors_to_rename=dict(zip((feed, *results), (network.input.name, *network.tensors))),
            output_path=str(output / ONNX_FILE),
        )
        details = {"tf2onnx": tf2onnx.__version__, "opset": opset, "inputs_as_nchw": is_transposed}
        return Product("onnx", network.input.in_layout(layout), notes=Notes(details=details))

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        return OnnxSession(network, artifact / ONNX_FILE, manifest.input, threads)

    def load_graph(self, network: Network, graph: Path, threads: int) -> Session:
        return load_as_it_came(network, graph, threads)


TENSORFLOW = TensorFlow()
CAPABILITIES = Capabilities(
    versions,
    loader=TENSORFLOW,
    graph_loader=TENSORFLOW,
    converter=TENSORFLOW,
    kernel_maker=ProductOfMatrices(),
    leaves_batch_open=True,
    error_summary=error_summary,
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
