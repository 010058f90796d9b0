"""A network's normalization put into its ONNX, for a runtime that hands on pixels as they are.

Where a runtime knows one factor for all channels, or float32 alone, (pixel - mean) / scale is done by the
first operations of the graph, or the step to 8 bits is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, List, Sequence, Set

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.contract.model import InputSpec
from shared.inference.session import own_name

OPERATIONS = ("Sub", "Div", "Cast", "Identity")
PIXELS = "_pixels"
"""What the name of an input of pixels ends with, but for underscores."""

OLDEST_OPSET = 7
"""Before it, Sub and Div do not broadcast by themselves."""


def normalize_file(path: Path, spec: InputSpec) -> InputSpec:
    """Have an ONNX file take pixels, in place; return how an image becomes its input. As `normalized`."""
    model = normalized(onnx.load(path), spec)
    onnx.save(model, path)
    zeros, ones = (0.0,) * spec.channel_count, (1.0,) * spec.channel_count
    name = str(model.graph.input[0].name)
    return replace(spec, name=name, dtype="float32", mean=zeros, scale=ones)


def normalizing(model: Any) -> Set[str]:
    """Return the names of the operations that `normalized` has put before a graph; none where it has not."""
    name = model.graph.input[0].name
    own = {f"{name}/{operation}" for operation in OPERATIONS}
    return {node.name for node in model.graph.node} & own if PIXELS in name else set()


def normalized(model: Any, spec: InputSpec) -> Any:
    """Return a model whose first operations make the network's input of pixels.

    Its input is float32 NCHW, 0 to 255, has the sizes that it had, and is called `<name>_pixels`.

    Args:
        model: ONNX, NCHW.
        spec: of model.json; its layout does not matter.

    Raises:
        ValueError: the graph has no such input as its first, it is not NCHW, or its opset is before 7.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    fed = _fed(graph, spec)
    _check(changed, fed, spec)
    pixels = f"{spec.name.split(':')[0]}{PIXELS}"
    while pixels in _taken(graph):
        pixels += "_"
    kind = fed.type.tensor_type.elem_type
    nodes = _nodes(graph, spec, pixels, fed.name, kind)
    graph.value_info.add().CopyFrom(fed)
    fed.name = pixels
    fed.type.tensor_type.elem_type = TensorProto.FLOAT
    # Nodes stand in an order in which each has what it takes.
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    onnx.checker.check_model(changed)
    return changed


def _fed(graph: Any, spec: InputSpec) -> Any:
    """Return the graph's input that the network's is."""
    constants = {constant.name for constant in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    name = own_name(spec.name, [value.name for value in inputs])
    if graph.input[0].name != name:
        raise ValueError(f"the graph's first input is '{graph.input[0].name}', not '{name}'")
    return graph.input[0]


def _check(model: Any, fed: Any, spec: InputSpec) -> None:
    """Raise ValueError where the graph cannot begin with the normalization."""
    sizes = [size.dim_value for size in fed.type.tensor_type.shape.dim]
    if len(sizes) != 4 or sizes[1] not in (0, spec.channel_count):
        raise ValueError(f"the input of the graph is {sizes}, not NCHW of {spec.channel_count} channels")
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version < OLDEST_OPSET:
            raise ValueError(f"the graph is of opset {entry.version}; the normalization needs {OLDEST_OPSET}")


def _nodes(graph: Any, spec: InputSpec, pixels: str, result: str, kind: int) -> List[Any]:
    """Return the operations from the pixels to the tensor that was the input; constants go to the graph."""
    steps = []
    if spec.dtype == "float32":
        steps = [("Sub", spec.mean, 0.0), ("Div", spec.scale, 1.0)]
    nodes: List[Any] = []
    last = pixels
    for operation, values, nothing in steps:
        if any(value != nothing for value in values):
            constant = _constant(graph, f"{pixels}_{operation.lower()}", values, spec.channel_count)
            made = f"{constant}_result"
            name = f"{pixels}/{operation}"
            nodes.append(helper.make_node(operation, [last, constant], [made], name=name))
            last = made
    if kind != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [last], [result], name=f"{pixels}/Cast", to=kind))
    elif nodes:
        nodes[-1].output[0] = result
    else:
        nodes.append(helper.make_node("Identity", [last], [result], name=f"{pixels}/Identity"))
    return nodes


def _constant(graph: Any, name: str, values: Sequence[float], channels: int) -> str:
    """Add one number for each channel to a graph, float32 [1, channels, 1, 1]; return its name."""
    spread = np.broadcast_to(np.asarray(values, np.float32), (channels,)).reshape(1, channels, 1, 1)
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(spread), name))
    return name


def _taken(graph: Any) -> Set[str]:
    """Return the names of all tensors of a graph."""
    names = {value.name for value in (*graph.input, *graph.initializer)}
    return names.union(*(node.output for node in graph.node))
