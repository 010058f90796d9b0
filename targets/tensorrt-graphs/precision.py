"""The types that a strongly typed TensorRT network computes in, written into its ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Set

import onnx
from graphs import feeding
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel
from quantizers import QUANTIZERS


def decoding(source: Path) -> Set[str]:
    """Return the names of the nodes of a float graph that come after the last one with weights."""
    model = onnx.load(source)
    before = set(feeding(model, set()))
    return {node.name for node in model.graph.node} - before


def to_float16(source: Path, target: Path, in_float32: Set[str]) -> None:
    """Write a graph with its operations in float16; its input and outputs keep their types.

    Quantizers stay float32, since a float16 scale of weights would be a subnormal number; casts stand
    around them.

    Args:
        in_float32: names of nodes that stay float32: `decoding` of the graph before it was quantized. They
            are cheap, and compute positions in pixels and exponents, for which 11 bits are too few.
    """
    typed = convert_float_to_float16(
        onnx.load(source),
        keep_io_types=True,
        op_block_list=[*DEFAULT_OP_BLOCK_LIST, *sorted(QUANTIZERS)],
        node_block_list=sorted(in_float32),
    )
    # Casts were added at the end, which checkers of graphs refuse.
    OnnxModel.graph_topological_sort(typed.graph)
    onnx.save(typed, target)
