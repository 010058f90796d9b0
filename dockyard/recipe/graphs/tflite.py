"""TensorFlow Lite models. The numbers of fields are those published in tensorflow/lite/schema/schema.fbs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dockyard.recipe.graphs import GraphOutline, Shape, tensor_name
from dockyard.recipe.graphs.flatbuffer import Table

IDENTIFIER = b"TFL3"
"""Stands after the first four bytes."""

MODEL_SUBGRAPHS = 2
SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS = 0, 1, 2

TENSOR_SHAPE, TENSOR_TYPE, TENSOR_NAME, TENSOR_QUANTIZATION, TENSOR_SHAPE_SIGNATURE = 0, 1, 3, 4, 7
"""The signature has -1 for an open size, where the shape has 1; files without open sizes may leave it out."""

QUANTIZATION_SCALE = 2

TYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    5: "string",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
}
"""Of the enumeration TensorType."""


def read_tflite(path: Path) -> GraphOutline:
    """Read the first subgraph of a TFLite model. Raises ValueError where it is none."""
    content = path.read_bytes()
    if content[4:8] != IDENTIFIER:
        raise ValueError("no TFLite flatbuffer")
    try:
        graph = Table.root(content).tables(MODEL_SUBGRAPHS)[0]
        tensors = graph.tables(SUBGRAPH_TENSORS)
        taken = [tensors[index] for index in graph.numbers(SUBGRAPH_INPUTS)]
        given = [tensors[index] for index in graph.numbers(SUBGRAPH_OUTPUTS)]
        inputs = {_name(tensor): _shape(tensor) for tensor in taken}
        outputs = {_name(tensor): _shape(tensor) for tensor in given}
        types = {_name(tensor): _fed_type(tensor) for tensor in taken}
        return GraphOutline(inputs, outputs, types=types, quantized=_quantized(tensors))
    except (ValueError, IndexError):
        raise ValueError("a TFLite flatbuffer that is damaged") from None


def _name(tensor: Table) -> str:
    return tensor_name(tensor.text(TENSOR_NAME))


def _shape(tensor: Table) -> Shape:
    return tensor.numbers(TENSOR_SHAPE_SIGNATURE) or tensor.numbers(TENSOR_SHAPE)


def _type(tensor: Table) -> str:
    return TYPES.get(tensor.byte(TENSOR_TYPE), "of a type that is not known")


def _is_scaled(tensor: Table) -> bool:
    """Tell whether a tensor stands for real numbers, by a scale."""
    quantization = tensor.table(TENSOR_QUANTIZATION)
    return quantization is not None and len(quantization.numbers(QUANTIZATION_SCALE)) > 0


def _fed_type(tensor: Table) -> str:
    """Return an input's type; 8-bit pixels are fed as they are, whatever scale they have."""
    own = _type(tensor)
    return f"scaled {own}" if own == "int8" and _is_scaled(tensor) else own


def _quantized(tensors: Sequence[Table]) -> str:
    found = (tensor for tensor in tensors if _type(tensor) in ("int8", "uint8") and _is_scaled(tensor))
    first = next(found, None)
    return "" if first is None else f"{_type(first)} '{_name(first)}'"
