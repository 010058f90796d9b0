"""TensorFlow Lite models. The numbers of fields are those published in tensorflow/lite/schema/schema.fbs."""

from __future__ import annotations

from pathlib import Path

from dockyard.recipe.graphs import GraphOutline, Shape, tensor_name
from dockyard.recipe.graphs.flatbuffer import Table

IDENTIFIER = b"TFL3"
"""Stands after the first four bytes."""

MODEL_SUBGRAPHS = 2
SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS = 0, 1, 2

TENSOR_SHAPE, TENSOR_NAME, TENSOR_SHAPE_SIGNATURE = 0, 3, 7
"""The signature has -1 for an open size, where the shape has 1; files without open sizes may leave it out."""


def read_tflite(path: Path) -> GraphOutline:
    """Read the first subgraph of a TFLite model. Raises ValueError where it is none."""
    content = path.read_bytes()
    if content[4:8] != IDENTIFIER:
        raise ValueError("no TFLite flatbuffer")
    try:
        graph = Table.root(content).tables(MODEL_SUBGRAPHS)[0]
        tensors = graph.tables(SUBGRAPH_TENSORS)
        inputs: dict[str, Shape] = {}
        for index in graph.numbers(SUBGRAPH_INPUTS):
            inputs |= _named_shape(tensors[index])
        outputs: dict[str, Shape] = {}
        for index in graph.numbers(SUBGRAPH_OUTPUTS):
            outputs |= _named_shape(tensors[index])
    except (ValueError, IndexError):
        raise ValueError("a TFLite flatbuffer that is damaged") from None
    return GraphOutline(inputs, outputs)


def _named_shape(tensor: Table) -> dict[str, Shape]:
    shape = tensor.numbers(TENSOR_SHAPE_SIGNATURE) or tensor.numbers(TENSOR_SHAPE)
    return {tensor_name(tensor.text(TENSOR_NAME)): shape}
