"""A look into a frozen TensorFlow graph without TensorFlow: node names, and the shapes of its placeholders.

The four messages below are the part of TensorFlow's GraphDef that is needed, with its published field numbers;
protobuf skips the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dockyard.places import shown
from shared.contract.errors import InputProblem, nearest
from shared.contract.model import Network


@dataclass(frozen=True)
class GraphOutline:
    """Op by node name, and the shape of each placeholder (-1 unknown; None without a shape)."""

    ops: dict[str, str]
    placeholders: dict[str, tuple[int, ...] | None]


@lru_cache(maxsize=1)
def _graph_def() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    fields = {
        "Dim": [("size", 1, field.TYPE_INT64, "", False)],
        "Shape": [("dim", 2, field.TYPE_MESSAGE, "Dim", True), ("unknown_rank", 3, field.TYPE_BOOL, "", False)],
        "Value": [("shape", 7, field.TYPE_MESSAGE, "Shape", False)],
        "Attr": [("key", 1, field.TYPE_STRING, "", False), ("value", 2, field.TYPE_MESSAGE, "Value", False)],
        "Node": [
            ("name", 1, field.TYPE_STRING, "", False),
            ("op", 2, field.TYPE_STRING, "", False),
            ("attr", 5, field.TYPE_MESSAGE, "Attr", True),
        ],
        "Graph": [("node", 1, field.TYPE_MESSAGE, "Node", True)],
    }
    file = descriptor_pb2.FileDescriptorProto(name="outline.proto", package="outline", syntax="proto3")
    for message, members in fields.items():
        entry = file.message_type.add(name=message)
        for name, number, kind, type_name, repeated in members:
            member = entry.field.add(name=name, number=number, type=kind)
            member.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if type_name:
                member.type_name = f".outline.{type_name}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("outline.Graph"))


def read_outline(path: Path) -> GraphOutline:
    """Read a frozen graph's outline.

    Raises:
        InputProblem: the file is no protobuf of a graph.
    """
    from google.protobuf.message import DecodeError

    advice = "expected a frozen TensorFlow graph, a binary GraphDef (.pb)"
    try:
        graph = _graph_def().FromString(path.read_bytes())
    except DecodeError:
        raise InputProblem("not a protobuf", shown(path), advice) from None
    ops = {node.name: node.op for node in graph.node}
    if not ops or not all(ops.values()):
        raise InputProblem("a protobuf, but no graph: it has no named nodes", shown(path), advice)
    placeholders = {n.name: _shape(n) for n in graph.node if n.op == "Placeholder"}
    return GraphOutline(ops, placeholders)


def _shape(node: Any) -> tuple[int, ...] | None:
    for attr in node.attr:
        if attr.key == "shape" and not attr.value.shape.unknown_rank:
            return tuple(dim.size for dim in attr.value.shape.dim)
    return None


def check_names(network: Network, outline: GraphOutline, where: str) -> None:
    """Check that model.json's tensors are in the graph and that its input shape fits the placeholder, where it is one.

    Raises:
        InputProblem: naming the nearest tensor and the list, or both shapes.
    """
    name = network.input.name
    if name not in outline.ops:
        raise InputProblem(
            f"the graph {network.graph} has no input '{name}'", f"{where}: $.input.name", nearest(name, outline.placeholders)
        )
    shape = outline.placeholders.get(name)
    if shape is not None and not (len(shape) == 4 and all(have in (-1, want) for have, want in zip(shape, network.input.shape))):
        raise InputProblem(
            f"the input '{name}' has the shape {list(shape)} in the graph, not {list(network.input.shape)}",
            f"{where}: $.input.shape",
            f"write {[s if s > 0 else w for s, w in zip(shape, network.input.shape)]}" if len(shape) == 4 else "four sizes, batch 1",
        )
    for tensor in network.tensors:
        if tensor not in outline.ops:
            outputs = [n for n, op in outline.ops.items() if op in ("Identity", "Softmax", "Sigmoid", "Reshape", "ConcatV2", "GatherV2")]
            raise InputProblem(f"the graph {network.graph} has no output '{tensor}'", f"{where}: $.outputs", nearest(tensor, outputs[-20:]))
