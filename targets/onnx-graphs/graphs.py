"""An ONNX graph made ready to be optimized, and which of its operations are worth it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Set

import onnx
import onnx_models
from onnxruntime.quantization import quant_pre_process

from shared.contract.model import Network

WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
"""Types of operations that multiply by weights, where one of their first two inputs is constant."""


def prepare(network: Network, source: Path, target: Path) -> int:
    """Write the part of a graph between the network's input and its tensors; return its number of nodes.

    Shapes are inferred, constants folded, batch norms merged into convolutions, nodes named, each by its own.

    Raises:
        ValueError: the graph has no tensor of that name.
    """
    onnx.save(onnx_models.read(network, source), target)
    # Shapes are all known, so that the symbolic inference, which needs SymPy, finds nothing more.
    quant_pre_process(target, target, skip_symbolic_shape=True)
    model = onnx.load(target)
    name_nodes(model)
    onnx.save(model, target)
    return len(model.graph.node)


def name_nodes(model: Any) -> None:
    """Give a name to each node that has none, or that of another one: quantization finds nodes by name."""
    taken: Set[str] = {""}
    for number, node in enumerate(model.graph.node):
        if node.name in taken:
            node.name = f"{node.op_type}_{number}"
        taken.add(node.name)


def weighted(model: Any) -> List[str]:
    """Return the names of the nodes with weights."""
    constants = {constant.name for constant in model.graph.initializer}
    return [node.name for node in model.graph.node if has_weights(node, constants)]


def has_weights(node: Any, constants: Set[str]) -> bool:
    """Tell whether a node multiplies by weights, which are among the constants."""
    return node.op_type in WEIGHTED and bool(constants & set(node.input[:2]))


def opset(model: Any) -> int:
    """Return the version of ONNX's own operators that a graph is of."""
    return int(next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")))


def feeding(model: Any, ignored: Set[str]) -> List[str]:
    """Return the names of the nodes with weights, and of those from which one with weights is reached.

    What comes after, as the decoding of boxes, is cheap and loses most when it is quantized.

    Args:
        ignored: names of nodes that are none of them, and whose weights do not count.
    """
    constants = {constant.name for constant in model.graph.initializer}
    needed: Set[str] = set()
    found = []
    for node in reversed(model.graph.node):
        is_ignored = node.name in ignored
        if (has_weights(node, constants) and not is_ignored) or needed & set(node.output):
            # An optional input that is left out is an empty name.
            needed |= set(filter(None, node.input))
            if not is_ignored:
                found.append(node.name)
    return found[::-1]
