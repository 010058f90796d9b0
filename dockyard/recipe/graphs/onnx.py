"""ONNX models."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

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
        "input": Field(1, "string", repeated=True),
        "output": Field(2, "string", repeated=True),
        "name": Field(3, "string"),
        "op_type": Field(4, "string"),
        "attribute": Field(5, "AttributeProto", repeated=True),
    },
    "AttributeProto": {
        "t": Field(5, "TensorProto"),
        "g": Field(6, "GraphProto"),
        "tensors": Field(10, "TensorProto", repeated=True),
        "graphs": Field(11, "GraphProto", repeated=True),
    },
    "TensorProto": {
        "name": Field(8, "string"),
        "external_data": Field(13, "StringStringEntryProto", repeated=True),
        "data_location": Field(14, "int32"),
    },
    "StringStringEntryProto": {"key": Field(1, "string"), "value": Field(2, "string")},
    "ValueInfoProto": {"name": Field(1, "string"), "type": Field(2, "TypeProto")},
    "TypeProto": {"tensor_type": Field(1, "Tensor")},
    "Tensor": {"elem_type": Field(1, "int32"), "shape": Field(2, "TensorShapeProto")},
    "TensorShapeProto": {"dim": Field(1, "Dimension", repeated=True)},
    "Dimension": {"dim_value": Field(1, "int64")},
}
"""Names and numbers are those published in onnx.proto."""


TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "float64",
    16: "bfloat16",
}
"""Of TensorProto.DataType."""

QUANTIZED = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantize",
    "QLinear",
    "ConvInteger",
    "MatMulInteger",
)
"""What the names of ONNX's operators on 8-bit numbers begin with."""


def read_onnx(path: Path) -> GraphOutline:
    """Read an ONNX model: a file, or a folder with one and the files of its weights.

    Raises:
        ValueError: it is none; its weights are in other files, and it is not in a folder with them.
    """
    file = _model_file(path) if path.is_dir() else path
    try:
        model = parse(SCHEMA, "ModelProto", file.read_bytes())
    except NestedTooDeeply:
        raise ValueError("an ONNX model nested too deeply") from None
    graph = model.graph
    if model.ir_version <= 0 or not graph.node or not all(node.op_type for node in graph.node):
        raise ValueError("a protobuf, but no ONNX model: it has no operators")
    # Anything but 0, which is the file itself.
    elsewhere = [tensor for tensor in _constants(graph) if tensor.data_location]
    if elsewhere and not path.is_dir():
        raise ValueError("an ONNX model whose weights lie in other files")
    files = {file.relative_to(path).as_posix() for file in path.rglob("*")} if elsewhere else set()
    for tensor in elsewhere:
        _check_location(tensor, files)
    return _outline(graph)


def _model_file(folder: Path) -> Path:
    """Return the one model in a folder. Raises ValueError: there is none or another, or there are links."""
    link = next((file for file in sorted(folder.rglob("*")) if file.is_symlink()), None)
    if link is not None:
        raise ValueError(f"the link {link.relative_to(folder)}, which may lead out of the folder")
    models = sorted(folder.glob("*.onnx"))
    if len(models) != 1 or not models[0].is_file():
        raise ValueError(f"a folder with {len(models)} files *.onnx, where one belongs, beside its weights")
    return models[0]


def _check_location(tensor: Message, files: Collection[str]) -> None:
    """Raise ValueError where a constant's values are not in one of the folder's files."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    path = PurePosixPath(location)
    if path.is_absolute() or ".." in path.parts or "\\" in location:
        raise ValueError(f"the weights of '{tensor.name}' in '{location}', which leaves the folder")
    if str(path) not in files:
        raise ValueError(f"the weights of '{tensor.name}' in '{location}', and there is no such file")


def _outline(graph: Message) -> GraphOutline:
    constants = {tensor.name for tensor in graph.initializer}
    # Older files list the weights among the inputs.
    taken = [value for value in graph.input if value.name not in constants]
    inputs: dict[str, Shape] = {}
    types: dict[str, str] = {}
    for value in taken:
        name, number = tensor_name(value.name), value.type.tensor_type.elem_type
        inputs[name] = _shape(value)
        if number in TYPES:
            types[name] = TYPES[number]
    outputs = {tensor_name(value.name): _shape(value) for value in graph.output}
    sources: dict[str, tuple[str, ...]] = {}
    for node in graph.node:
        read = tuple(tensor_name(name) for name in _read_by(node))
        sources |= {tensor_name(name): read for name in node.output if name}
    return GraphOutline(inputs, outputs, frozenset(sources), types, sources, quantized=_quantized(graph.node))


def _read_by(node: Message) -> Iterator[str]:
    """Yield the tensors that a node reads, those in the bodies of its branches and loops too."""
    yield from node.input
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                yield from _read_by(inner)


def _quantized(nodes: Iterable[Message]) -> str:
    """Return the first operation on 8-bit numbers, for messages; empty where there is none."""
    found = (f"{node.op_type} '{node.name}'" for node in nodes if node.op_type.startswith(QUANTIZED))
    return next(found, "")


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
