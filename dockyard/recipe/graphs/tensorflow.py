"""TensorFlow's graphs: a frozen GraphDef, and a SavedModel's folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dockyard.recipe.graphs import GraphOutline, Shape
from dockyard.recipe.graphs.protobuf import Field, Message, Schema, parse

SIGNATURE = "serving_default"
"""The signature of a SavedModel that is served, the one that is taken."""

HDF5 = (".h5", ".hdf5")
"""Endings of Keras's older format."""

SCHEMA: Schema = {
    "GraphDef": {"node": Field(1, "NodeDef", repeated=True)},
    "ServedGraphDef": {"node": Field(1, "NodeDef", repeated=True), "library": Field(2, "FunctionDefLibrary")},
    "FunctionDefLibrary": {"function": Field(1, "FunctionDef", repeated=True)},
    "FunctionDef": {"node_def": Field(3, "NodeDef", repeated=True)},
    "NodeDef": {
        "name": Field(1, "string"),
        "op": Field(2, "string"),
        "input": Field(3, "string", repeated=True),
        "attr": Field(5, "AttrEntry", repeated=True),
    },
    "AttrEntry": {"key": Field(1, "string"), "value": Field(2, "AttrValue")},
    "AttrValue": {"type": Field(6, "int32"), "shape": Field(7, "TensorShapeProto")},
    "TensorShapeProto": {"dim": Field(2, "Dim", repeated=True), "unknown_rank": Field(3, "bool")},
    "Dim": {"size": Field(1, "int64")},
    "SavedModel": {"meta_graphs": Field(2, "MetaGraphDef", repeated=True)},
    "MetaGraphDef": {
        "graph_def": Field(2, "ServedGraphDef"),
        "signature_def": Field(5, "SignatureDefEntry", repeated=True),
    },
    "SignatureDefEntry": {"key": Field(1, "string"), "value": Field(2, "SignatureDef")},
    "SignatureDef": {
        "inputs": Field(1, "TensorInfoEntry", repeated=True),
        "outputs": Field(2, "TensorInfoEntry", repeated=True),
    },
    "TensorInfoEntry": {"key": Field(1, "string"), "value": Field(2, "TensorInfo")},
    "TensorInfo": {"dtype": Field(2, "int32"), "tensor_shape": Field(3, "TensorShapeProto")},
}
"""Names and numbers are those published in graph.proto, function.proto, node_def.proto, attr_value.proto,
tensor_shape.proto, saved_model.proto and meta_graph.proto; an Entry is what a map has, a key and its value.
"""

TYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "float16",
}
"""Of types.proto."""

ONE_OUTPUT = frozenset(
    "Add AddV2 ArgMax AvgPool BiasAdd Cast ConcatV2 Const Conv2D DepthwiseConv2dNative Exp ExpandDims Gather"
    " GatherV2 Identity LeakyRelu MatMul MaxPool Maximum Mean Minimum Mul Pack Pad PadV2 Placeholder"
    " PlaceholderWithDefault RealDiv Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor Sigmoid Softmax"
    " Squeeze StridedSlice Sub Sum Tanh Transpose".split()
)
"""Operations known to have one output; of any other the graph does not say how many it has."""

QUANTIZED = ("FakeQuant", "Quantize", "Dequantize", "UniformQuantize", "UniformDequantize")
"""What the names of TensorFlow's operations on 8-bit numbers begin with."""


def read_frozen_graph(path: Path) -> GraphOutline:
    """Read a frozen graph, whose outputs are the nodes that no other reads. Raises ValueError: it is none."""
    nodes = parse(SCHEMA, "GraphDef", path.read_bytes()).node
    operations: dict[str, str] = {node.name: node.op for node in nodes}
    if not operations or not all(operations.values()):
        raise ValueError("a protobuf, but no graph: it has no named nodes")
    inputs: dict[str, Shape] = {}
    types: dict[str, str] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        # An input is `node`, `node:1` (another output than its first) or `^node` (to be run before).
        sources[node.name] = tuple(name.lstrip("^").partition(":")[0] for name in node.input)
        if node.op == "Placeholder":
            attributes = {attribute.key: attribute.value for attribute in node.attr}
            inputs[node.name] = _shape(attributes["shape"].shape) if "shape" in attributes else None
            types |= _type(node.name, attributes["dtype"].type if "dtype" in attributes else 0)
    read: set[str] = set().union(*sources.values())
    no_outputs = ("Placeholder", "Const", "NoOp")
    outputs = [name for name, kind in operations.items() if name not in read and kind not in no_outputs]
    return GraphOutline(
        inputs,
        dict.fromkeys(outputs),
        frozenset(operations),
        types,
        sources,
        frozenset(name for name, kind in operations.items() if kind not in ONE_OUTPUT),
        _quantized(nodes),
    )


def _type(name: str, number: int) -> dict[str, str]:
    """Return the type of an input by its name; nothing where the number has no name."""
    return {name: TYPES[number]} if number in TYPES else {}


def _quantized(nodes: Iterable[Message]) -> str:
    """Return the first operation on 8-bit numbers, for messages; empty where there is none."""
    found = (f"{node.op} '{node.name}'" for node in nodes if node.op.startswith(QUANTIZED))
    return next(found, "")


def _shape(shape: Message) -> Shape:
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


def read_saved_model(path: Path) -> GraphOutline:
    """Read what a SavedModel's folder serves. Raises ValueError where it is none, or has links."""
    if path.suffix in HDF5:
        raise ValueError(
            f"a Keras file in the older HDF5 format, which is not read: save it in Keras's own, "
            f"keras.models.load_model('{path.name}', compile=False).save('{path.stem}.keras')"
        )
    if not path.is_dir():
        raise ValueError("no folder, and no ending of a graph's file")
    link = next((file for file in sorted(path.rglob("*")) if file.is_symlink()), None)
    if link is not None:
        raise ValueError(f"the link {link.relative_to(path)}, which may lead out of the folder")
    if not (path / "saved_model.pb").is_file():
        raise ValueError("a folder without saved_model.pb")
    model = parse(SCHEMA, "SavedModel", (path / "saved_model.pb").read_bytes())
    signature = _serving_signature(model)
    inputs: dict[str, Shape] = {}
    types: dict[str, str] = {}
    for entry in signature.inputs:
        inputs[entry.key] = _shape(entry.value.tensor_shape)
        types |= _type(entry.key, entry.value.dtype)
    outputs: dict[str, Shape] = {entry.key: _shape(entry.value.tensor_shape) for entry in signature.outputs}
    return GraphOutline(inputs, outputs, types=types, quantized=_quantized(_nodes(model)))


def _nodes(model: Message) -> Iterator[Message]:
    """Yield the operations of a SavedModel, those of its functions too."""
    for graph in model.meta_graphs:
        yield from graph.graph_def.node
        for function in graph.graph_def.library.function:
            yield from function.node_def


def _serving_signature(model: Message) -> Message:
    signatures: dict[str, Message] = {}
    for graph in model.meta_graphs:
        for entry in graph.signature_def:
            signatures[entry.key] = entry.value
    if SIGNATURE not in signatures:
        names = ", ".join(sorted(signatures)) or "none"
        raise ValueError(f"no signature '{SIGNATURE}' (its signatures: {names})")
    return signatures[SIGNATURE]
