"""An ONNX model as a network has it: from the image to the network's tensors, of the network's shape.

What a graph takes beside the image is part of it; a half-precision input is fed float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.contract.model import Network
from shared.harness.constants import constant_array
from shared.inference.session import own_name


def read(network: Network, path: Path) -> Any:
    """Return the ONNX model between the network's input and its tensors, the outputs in their order.

    Args:
        path: a file, or a folder with one and the files of its weights, which are then in the model.

    Raises:
        ValueError: the graph has no tensor of that name.
    """
    model = onnx.load(str(model_file(path)), load_external_data=path.is_dir())
    # Before version 4 of the format, constants were inputs too.
    model.ir_version = max(model.ir_version, 4)
    _freeze(model.graph, network.constants)
    model = cut(network, model)
    _bind_shape(model.graph, network)
    _feed_float32(model.graph)
    return model


def model_file(path: Path) -> Path:
    """Return the file of an ONNX model: the path itself, or the one in a folder."""
    return next(path.glob("*.onnx")) if path.is_dir() else path


def cut(network: Network, model: Any) -> Any:
    """Return the ONNX model between the network's input and its tensors. Raises ValueError as `read`."""
    feeds = [value.name for value in model.graph.input]
    results = [value.name for value in model.graph.output]
    known = [*feeds, *(name for node in model.graph.node for name in node.output)]
    feed = own_name(network.input.name, known)
    wanted = [own_name(name, known) for name in network.tensors]
    if (feeds, results) == ([feed], wanted):
        return model
    return onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model)).extract_model([feed], wanted)


def _freeze(graph: Any, constants: Mapping[str, Any]) -> None:
    """Make constants of inputs; one that the graph has made part of itself before is left."""
    for value in list(graph.input):
        name = value.name[: -len(":0")] if value.name.endswith(":0") else value.name
        if name not in constants:
            continue
        kind = value.type.tensor_type
        sizes = None
        if kind.HasField("shape"):
            sizes = [size.dim_value or None for size in kind.shape.dim]
        array = constant_array(constants[name], helper.tensor_dtype_to_np_dtype(kind.elem_type), sizes)
        graph.input.remove(value)
        graph.initializer.append(numpy_helper.from_array(array, value.name))


def _bind_shape(graph: Any, network: Network) -> None:
    """Give the input the network's shape where the graph leaves it open; forget what followed from that."""
    shape = graph.input[0].type.tensor_type.shape
    if [size.dim_value for size in shape.dim] == list(network.input.shape):
        return
    del shape.dim[:]
    for size in network.input.shape:
        shape.dim.add().dim_value = size
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")


def _feed_float32(graph: Any) -> None:
    """Let an input in half precision take float32, by a cast of its own."""
    value = graph.input[0]
    kind = value.type.tensor_type
    if kind.elem_type != TensorProto.FLOAT16:
        return
    half = f"{value.name}/as_float16"
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == value.name:
                node.input[place] = half
    kind.elem_type = TensorProto.FLOAT
    graph.node.insert(0, helper.make_node("Cast", [value.name], [half], half, to=TensorProto.FLOAT16))
