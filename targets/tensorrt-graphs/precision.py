"""The types that a strongly typed TensorRT network computes in, written into its ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Set

import onnx
from graphs import feeding
from onnx import TensorProto
from onnx_normalization import normalizing
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel
from quantizers import QUANTIZERS


def decoding(source: Path) -> Set[str]:
    """Return the names of the nodes of a float graph that come after the last one with weights."""
    model = onnx.load(source)
    before = set(feeding(model, set()))
    return {node.name for node in model.graph.node} - before


def in_float32(source: Path) -> Set[str]:
    """Return the names of a float graph's nodes that stay in float32 whatever the rest is: `decoding`, and
    what makes the input of pixels, for whose means 11 bits are too few.
    """
    return decoding(source) | normalizing(onnx.load(source))


def to_float16(source: Path, target: Path, held: Set[str]) -> None:
    """Write a graph with its operations in float16; its input and outputs keep their types.

    Quantizers stay float32, since a float16 scale of weights would be a subnormal number; casts stand
    around them.

    Args:
        held: names of nodes that stay float32: `in_float32` of the graph before it was quantized. They are
            cheap, and compute positions in pixels and exponents, for which 11 bits are too few.
    """
    typed = convert_float_to_float16(
        onnx.load(source),
        keep_io_types=True,
        op_block_list=[*DEFAULT_OP_BLOCK_LIST, *sorted(QUANTIZERS)],
        node_block_list=sorted(held),
    )
    _undo_rounding(typed.graph)
    # Casts were added at the end, which checkers of graphs refuse.
    OnnxModel.graph_topological_sort(typed.graph)
    onnx.save(typed, target)


def _undo_rounding(graph: Any) -> None:
    """Give operations that stay in float32 the graph's input as it came, not cast to float16 and back."""
    fed = {value.name for value in graph.input}
    results = {value.name for value in graph.output}
    rounded = {node.output[0]: node.input[0] for node in _casts(graph, TensorProto.FLOAT16, fed)}
    back = {node.output[0]: rounded[node.input[0]] for node in _casts(graph, TensorProto.FLOAT, set(rounded))}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = back.get(name, name)
    for made in (back, rounded):
        used = results.union(*(node.input for node in graph.node))
        for node in list(graph.node):
            if node.output[0] in made and node.output[0] not in used:
                graph.node.remove(node)


def _casts(graph: Any, kind: int, origins: Set[str]) -> List[Any]:
    """Return the casts of tensors to a type."""
    casts = (node for node in graph.node if node.op_type == "Cast" and node.input[0] in origins)
    return [node for node in casts if node.attribute[0].i == kind]
