"""What one call of an OpenVINO model has to do."""

from __future__ import annotations

from math import prod
from typing import Any, Callable, Mapping, Sequence

from shared.contract.result import NetworkWork

Sizes = Sequence[int]
"""The sizes of a tensor's axes."""


def _convolution(weights: Sizes, read: Sizes, written: Sizes) -> int:
    """Weights are [out, in, ...]: each number that is written is a sum over inputs and window."""
    return prod(written) * prod(weights[1:])


def _group_convolution(weights: Sizes, read: Sizes, written: Sizes) -> int:
    """Weights are [groups, out, in, ...]."""
    return prod(written) * prod(weights[2:])


def _transposed(weights: Sizes, read: Sizes, written: Sizes) -> int:
    """Weights are [in, out, ...]: each number that is read goes into outputs and window."""
    return prod(read) * prod(weights[1:])


def _group_transposed(weights: Sizes, read: Sizes, written: Sizes) -> int:
    """Weights are [groups, in, out, ...]."""
    return prod(read) * prod(weights[2:])


def _product(weights: Sizes, read: Sizes, written: Sizes) -> int:
    """Each number that is written sums over the axis that both have, which is not in it."""
    rows = written[-2] if len(written) > 1 else 1
    return prod(written) * (prod(read[-2:]) // rows)


MULTIPLICATIONS: Mapping[str, Callable[[Sizes, Sizes, Sizes], int]] = {
    "Convolution": _convolution,
    "GroupConvolution": _group_convolution,
    "ConvolutionBackpropData": _transposed,
    "GroupConvolutionBackpropData": _group_transposed,
    "MatMul": _product,
}
"""Of each kind of operation that multiplies, from the shapes of its weights, its input and its output."""


def work_of(model: Any) -> NetworkWork:
    """Count what a model has to do; a batch that is left open counts as one."""
    operations, weights, activations = 0, 0, 0
    for node in model.get_ops():
        count = MULTIPLICATIONS.get(node.get_type_name())
        if count is None:
            continue
        read, by, written = map(_sizes, (node.input(0), node.input(1), node.output(0)))
        operations += 2 * count(by, read, written)
        weights += prod(by)
        activations += prod(read) + prod(written)
    return NetworkWork(operations, weights, activations)


def _sizes(port: Any) -> Sizes:
    return tuple(1 if size.is_dynamic else size.get_length() for size in port.get_partial_shape())
