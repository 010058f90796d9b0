"""TensorFlow's graphs: a frozen GraphDef, and a SavedModel's folder.

The numbers of fields are those published in graph.proto, node_def.proto, attr_value.proto,
tensor_shape.proto, saved_model.proto and meta_graph.proto.
"""

from __future__ import annotations

from pathlib import Path

from dockyard.recipe.graphs import GraphOutline, Shape
from dockyard.recipe.graphs.protobuf import Message

SIGNATURE = "serving_default"
"""The signature of a SavedModel that is served, the one that is taken."""

# GraphDef, NodeDef and its attributes (a map), AttrValue.
GRAPH_NODE = 1
NODE_NAME, NODE_OP, NODE_INPUT, NODE_ATTRIBUTE = 1, 2, 3, 5
MAP_KEY, MAP_VALUE = 1, 2
ATTRIBUTE_SHAPE = 7

# TensorShapeProto.
SHAPE_DIM, SHAPE_UNKNOWN_RANK = 2, 3
DIM_SIZE = 1

# SavedModel, MetaGraphDef, SignatureDef, TensorInfo.
MODEL_META_GRAPH = 2
META_GRAPH_SIGNATURE = 5
SIGNATURE_INPUT, SIGNATURE_OUTPUT = 1, 2
TENSOR_SHAPE = 3


def read_frozen_graph(path: Path) -> GraphOutline:
    """Read a frozen graph, whose outputs are the nodes that no other reads. Raises ValueError: it is none."""
    nodes = Message.parse(path.read_bytes()).messages(GRAPH_NODE)
    operations = {node.text(NODE_NAME): node.text(NODE_OP) for node in nodes}
    if not operations or not all(operations.values()):
        raise ValueError("a protobuf, but no graph: it has no named nodes")
    inputs: dict[str, Shape] = {}
    read: set[str] = set()
    for node in nodes:
        if node.text(NODE_OP) == "Placeholder":
            inputs[node.text(NODE_NAME)] = _placeholder_shape(node)
        # An input is `node`, `node:1` (another output than its first) or `^node` (to be run before).
        read |= {name.lstrip("^").partition(":")[0] for name in node.texts(NODE_INPUT)}
    no_outputs = ("Placeholder", "Const", "NoOp")
    outputs = [name for name, kind in operations.items() if name not in read and kind not in no_outputs]
    return GraphOutline(inputs, tuple(outputs), frozenset(operations))


def _placeholder_shape(node: Message) -> Shape:
    for attribute in node.messages(NODE_ATTRIBUTE):
        if attribute.text(MAP_KEY) == "shape":
            return _shape(attribute.message(MAP_VALUE).message(ATTRIBUTE_SHAPE))
    return None


def _shape(shape: Message) -> Shape:
    if shape.number(SHAPE_UNKNOWN_RANK):
        return None
    return tuple(dim.number(DIM_SIZE) for dim in shape.messages(SHAPE_DIM))


def read_saved_model(path: Path) -> GraphOutline:
    """Read what a SavedModel's folder serves. Raises ValueError where it is none, or has links."""
    if not path.is_dir():
        raise ValueError("no folder, and no ending of a graph's file")
    link = next((file for file in sorted(path.rglob("*")) if file.is_symlink()), None)
    if link is not None:
        raise ValueError(f"the link {link.relative_to(path)}, which may lead out of the folder")
    if not (path / "saved_model.pb").is_file():
        raise ValueError("a folder without saved_model.pb")
    signature = _serving_signature(Message.parse((path / "saved_model.pb").read_bytes()))
    inputs: dict[str, Shape] = {}
    for entry in signature.messages(SIGNATURE_INPUT):
        inputs[entry.text(MAP_KEY)] = _shape(entry.message(MAP_VALUE).message(TENSOR_SHAPE))
    outputs = sorted(entry.text(MAP_KEY) for entry in signature.messages(SIGNATURE_OUTPUT))
    return GraphOutline(inputs, tuple(outputs))


def _serving_signature(model: Message) -> Message:
    signatures: dict[str, Message] = {}
    for graph in model.messages(MODEL_META_GRAPH):
        for entry in graph.messages(META_GRAPH_SIGNATURE):
            signatures[entry.text(MAP_KEY)] = entry.message(MAP_VALUE)
    if SIGNATURE not in signatures:
        names = ", ".join(sorted(signatures)) or "none"
        raise ValueError(f"no signature '{SIGNATURE}' (its signatures: {names})")
    return signatures[SIGNATURE]
