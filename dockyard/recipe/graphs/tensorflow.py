"""TensorFlow's graphs: a frozen GraphDef, and a SavedModel's folder."""

from __future__ import annotations

from pathlib import Path

from dockyard.recipe.graphs import GraphOutline, Shape
from dockyard.recipe.graphs.protobuf import Field, Message, Schema, parse

SIGNATURE = "serving_default"
"""The signature of a SavedModel that is served, the one that is taken."""

SCHEMA: Schema = {
    "GraphDef": {"node": Field(1, "NodeDef", repeated=True)},
    "NodeDef": {
        "name": Field(1, "string"),
        "op": Field(2, "string"),
        "input": Field(3, "string", repeated=True),
        "attr": Field(5, "AttrEntry", repeated=True),
    },
    "AttrEntry": {"key": Field(1, "string"), "value": Field(2, "AttrValue")},
    "AttrValue": {"shape": Field(7, "TensorShapeProto")},
    "TensorShapeProto": {"dim": Field(2, "Dim", repeated=True), "unknown_rank": Field(3, "bool")},
    "Dim": {"size": Field(1, "int64")},
    "SavedModel": {"meta_graphs": Field(2, "MetaGraphDef", repeated=True)},
    "MetaGraphDef": {"signature_def": Field(5, "SignatureDefEntry", repeated=True)},
    "SignatureDefEntry": {"key": Field(1, "string"), "value": Field(2, "SignatureDef")},
    "SignatureDef": {
        "inputs": Field(1, "TensorInfoEntry", repeated=True),
        "outputs": Field(2, "TensorInfoEntry", repeated=True),
    },
    "TensorInfoEntry": {"key": Field(1, "string"), "value": Field(2, "TensorInfo")},
    "TensorInfo": {"tensor_shape": Field(3, "TensorShapeProto")},
}
"""Names and numbers are those published in graph.proto, node_def.proto, attr_value.proto, tensor_shape.proto,
saved_model.proto and meta_graph.proto; an Entry is what a map has, a key and its value.
"""


def read_frozen_graph(path: Path) -> GraphOutline:
    """Read a frozen graph, whose outputs are the nodes that no other reads. Raises ValueError: it is none."""
    nodes = parse(SCHEMA, "GraphDef", path.read_bytes()).node
    operations: dict[str, str] = {node.name: node.op for node in nodes}
    if not operations or not all(operations.values()):
        raise ValueError("a protobuf, but no graph: it has no named nodes")
    inputs: dict[str, Shape] = {}
    read: set[str] = set()
    for node in nodes:
        if node.op == "Placeholder":
            inputs[node.name] = _placeholder_shape(node)
        # An input is `node`, `node:1` (another output than its first) or `^node` (to be run before).
        read |= {name.lstrip("^").partition(":")[0] for name in node.input}
    no_outputs = ("Placeholder", "Const", "NoOp")
    outputs = [name for name, kind in operations.items() if name not in read and kind not in no_outputs]
    return GraphOutline(inputs, dict.fromkeys(outputs), frozenset(operations))


def _placeholder_shape(node: Message) -> Shape:
    for attribute in node.attr:
        if attribute.key == "shape":
            return _shape(attribute.value.shape)
    return None


def _shape(shape: Message) -> Shape:
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


def read_saved_model(path: Path) -> GraphOutline:
    """Read what a SavedModel's folder serves. Raises ValueError where it is none, or has links."""
    if not path.is_dir():
        raise ValueError("no folder, and no ending of a graph's file")
    link = next((file for file in sorted(path.rglob("*")) if file.is_symlink()), None)
    if link is not None:
        raise ValueError(f"the link {link.relative_to(path)}, which may lead out of the folder")
    if not (path / "saved_model.pb").is_file():
        raise ValueError("a folder without saved_model.pb")
    signature = _serving_signature(parse(SCHEMA, "SavedModel", (path / "saved_model.pb").read_bytes()))
    inputs: dict[str, Shape] = {entry.key: _shape(entry.value.tensor_shape) for entry in signature.inputs}
    outputs: dict[str, Shape] = {entry.key: _shape(entry.value.tensor_shape) for entry in signature.outputs}
    return GraphOutline(inputs, outputs)


def _serving_signature(model: Message) -> Message:
    signatures: dict[str, Message] = {}
    for graph in model.meta_graphs:
        for entry in graph.signature_def:
            signatures[entry.key] = entry.value
    if SIGNATURE not in signatures:
        names = ", ".join(sorted(signatures)) or "none"
        raise ValueError(f"no signature '{SIGNATURE}' (its signatures: {names})")
    return signatures[SIGNATURE]
