"""What one call of an ONNX graph has to do."""

from __future__ import annotations

from math import prod
from typing import Any, Callable, Dict, Mapping, Sequence, Tuple

import onnx

from shared.contract.result import NetworkWork

Sizes = Sequence[int]
"""The sizes of a tensor's axes."""


def _convolution(node: Any, weights: Sizes, read: Sizes, written: Sizes) -> int:
    """Weights are [out, in of a group, ...]: each number that is written is a sum over inputs and window."""
    return prod(written) * prod(weights[1:])


def _transposed(node: Any, weights: Sizes, read: Sizes, written: Sizes) -> int:
    """Weights are [in, out of a group, ...]: each number that is read goes into outputs and window."""
    return prod(read) * prod(weights[1:])


def _product(node: Any, weights: Sizes, read: Sizes, written: Sizes) -> int:
    """Each number that is written is a sum over the first matrix's last axis."""
    return prod(written) * read[-1]


def _gemm(node: Any, weights: Sizes, read: Sizes, written: Sizes) -> int:
    """As a product, but that the first matrix may be given transposed."""
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return prod(written) * read[0 if transposed else 1]


MULTIPLICATIONS: Mapping[str, Callable[[Any, Sizes, Sizes, Sizes], int]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _gemm,
    "MatMul": _product,
}
"""Of each kind of operation that multiplies, from the shapes of its weights, its input and its output."""


def work_of(model: Any) -> NetworkWork:
    """Count what an ONNX model has to do; what has axes of no stated size counts as one there."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = _shapes(graph)
    operations, weights, activations = 0, 0, 0
    for node in graph.node:
        count = MULTIPLICATIONS.get(node.op_type)
        sizes = [shapes.get(name) for name in (*node.input[:2], node.output[0])]
        if count is None or None in sizes:
            continue
        read, by, written = (size or () for size in sizes)
        operations += 2 * count(node, by, read, written)
        weights += prod(by)
        activations += prod(read) + prod(written)
    return NetworkWork(operations, weights, activations)


def _shapes(graph: Any) -> Dict[str, Tuple[int, ...]]:
    """Return the shape of each tensor that has one."""
    found = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape"):
            found[value.name] = tuple(axis.dim_value or 1 for axis in tensor.shape.dim)
    return found
