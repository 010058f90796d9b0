"""ONNX models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dockyard.recipe.graphs import GraphOutline, Shape, tensor_name
from dockyard.recipe.graphs.protobuf import Field, Message, NestedTooDeeply, Schema, parse

SCHEMA: Schema = {
    "ModelProto": {"ir_version": Field(1, "int64"), "graph": Field(7, "GraphProto")},
    "GraphProto": {
        "node": Field(1, "NodeProto", repeated=True),
        "initializer": Field(5, "TensorProto", repeated=True),
        "input": Field(11, "ValueInfoProto", repeated=True),
        "output": Field(12, "ValueInfoProto", repeated=True),
    },
    "NodeProto": {
        "output": Field(2, "string", repeated=True),
        "op_type": Field(4, "string"),
        "attribute": Field(5, "AttributeProto", repeated=True),
    },
    "AttributeProto": {
        "t": Field(5, "TensorProto"),
        "g": Field(6, "GraphProto"),
        "tensors": Field(10, "TensorProto", repeated=True),
        "graphs": Field(11, "GraphProto", repeated=True),
    },
    "TensorProto": {"name": Field(8, "string"), "data_location": Field(14, "int32")},
    "ValueInfoProto": {"name": Field(1, "string"), "type": Field(2, "TypeProto")},
    "TypeProto": {"tensor_type": Field(1, "Tensor")},
    "Tensor": {"shape": Field(2, "TensorShapeProto")},
    "TensorShapeProto": {"dim": Field(1, "Dimension", repeated=True)},
    "Dimension": {"dim_value": Field(1, "int64")},
}
"""Names and numbers are those published in onnx.proto."""


def read_onnx(path: Path) -> GraphOutline:
    """Read an ONNX model in one file. Raises ValueError where it is none, or has weights in other files."""
    try:
        model = parse(SCHEMA, "ModelProto", path.read_bytes())
    except NestedTooDeeply:
        raise ValueError("an ONNX model nested too deeply") from None
    graph = model.graph
    if model.ir_version <= 0 or not graph.node or not all(node.op_type for node in graph.node):
        raise ValueError("a protobuf, but no ONNX model: it has no operators")
    # Anything but 0, which is the file itself.
    if any(tensor.data_location for tensor in _constants(graph)):
        raise ValueError("an ONNX model whose weights lie in other files")
    constants = {tensor.name for tensor in graph.initializer}
    inputs: dict[str, Shape] = {}
    for value in graph.input:
        # Older files list the weights among the inputs.
        if value.name not in constants:
            inputs[tensor_name(value.name)] = _shape(value)
    outputs = {tensor_name(value.name): _shape(value) for value in graph.output}
    inner: set[str] = set()
    for node in graph.node:
        inner |= {tensor_name(name) for name in node.output if name}
    return GraphOutline(inputs, outputs, frozenset(inner))


def _constants(graph: Message) -> Iterator[Message]:
    """Yield the constants of a graph, with those in its nodes and in the bodies of its branches and loops."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for body in (attribute.g, *attribute.graphs):
                yield from _constants(body)


def _shape(value: Message) -> Shape:
    """Return the shape of an input or an output; a size with a name instead of a number is open."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(dim.dim_value or -1 for dim in tensor.shape.dim)
