"""ONNX models. The numbers of fields are those published in onnx.proto."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dockyard.recipe.graphs import GraphOutline, Shape, tensor_name
from dockyard.recipe.graphs.protobuf import Message

# ModelProto and GraphProto.
MODEL_IR_VERSION, MODEL_GRAPH = 1, 7
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT = 1, 5, 11, 12

# NodeProto and AttributeProto.
NODE_OUTPUT, NODE_OPERATOR, NODE_ATTRIBUTE = 2, 4, 5
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS = 5, 6, 10, 11

# TensorProto.
TENSOR_NAME, TENSOR_DATA_LOCATION = 8, 14

# ValueInfoProto, TypeProto, TypeProto.Tensor, TensorShapeProto.
VALUE_NAME, VALUE_TYPE = 1, 2
TYPE_TENSOR = 1
TENSOR_TYPE_SHAPE = 2
SHAPE_DIM = 1
DIM_SIZE = 1


def read_onnx(path: Path) -> GraphOutline:
    """Read an ONNX model in one file. Raises ValueError where it is none, or has weights in other files."""
    try:
        return _outline(Message.parse(path.read_bytes()))
    except RecursionError:
        raise ValueError("an ONNX model nested too deeply") from None


def _outline(model: Message) -> GraphOutline:
    graph = model.message(MODEL_GRAPH)
    nodes = graph.messages(GRAPH_NODE)
    if (
        model.number(MODEL_IR_VERSION) <= 0
        or not nodes
        or not all(node.text(NODE_OPERATOR) for node in nodes)
    ):
        raise ValueError("a protobuf, but no ONNX model: it has no operators")
    initializers = graph.messages(GRAPH_INITIALIZER)
    if any(tensor.number(TENSOR_DATA_LOCATION) for tensor in _constants(initializers, nodes)):
        raise ValueError("an ONNX model whose weights lie in other files")
    constants = {tensor.text(TENSOR_NAME) for tensor in initializers}
    inputs: dict[str, Shape] = {}
    for value in graph.messages(GRAPH_INPUT):
        # Older files list the weights among the inputs.
        if value.text(VALUE_NAME) not in constants:
            inputs[tensor_name(value.text(VALUE_NAME))] = _shape(value)
    outputs = [tensor_name(value.text(VALUE_NAME)) for value in graph.messages(GRAPH_OUTPUT)]
    inner: set[str] = set()
    for node in nodes:
        inner |= {tensor_name(name) for name in node.texts(NODE_OUTPUT) if name}
    return GraphOutline(inputs, tuple(outputs), frozenset(inner))


def _constants(initializers: Iterable[Message], nodes: Iterable[Message]) -> Iterator[Message]:
    """Yield the constants of a graph, with those in its nodes and in the bodies of its branches and loops."""
    yield from initializers
    for node in nodes:
        for attribute in node.messages(NODE_ATTRIBUTE):
            yield attribute.message(ATTRIBUTE_TENSOR)
            yield from attribute.messages(ATTRIBUTE_TENSORS)
            for body in (*attribute.messages(ATTRIBUTE_GRAPH), *attribute.messages(ATTRIBUTE_GRAPHS)):
                yield from _constants(body.messages(GRAPH_INITIALIZER), body.messages(GRAPH_NODE))


def _shape(value: Message) -> Shape:
    """Return an input's shape; a size with a name instead of a number is open."""
    tensor = value.message(VALUE_TYPE).message(TYPE_TENSOR)
    if not tensor.has(TENSOR_TYPE_SHAPE):
        return None
    return tuple(dim.number(DIM_SIZE) or -1 for dim in tensor.message(TENSOR_TYPE_SHAPE).messages(SHAPE_DIM))
