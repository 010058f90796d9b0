"""QuantizeLinear and DequantizeLinear (Q/DQ) in an ONNX graph."""

from __future__ import annotations

from typing import Any, List, Set

import onnx
from graphs import WEIGHTED

from shared.contract.model import Network

QUANTIZERS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}


def refuse_quantized(network: Network, model: Any) -> None:
    """Raise ValueError where a graph has quantized operations already."""
    found = next((node for node in model.graph.node if node.op_type in QUANTIZERS), None)
    if found is not None:
        raise ValueError(
            f"the graph of {network.name} is quantized already ({found.op_type} '{found.name}'): give the "
            "float model, or use a method that does not quantize"
        )


def quantized_nodes(model: Any) -> List[str]:
    """Return the names of the operations with weights that read what is dequantized."""
    dequantized: Set[str] = set()
    found = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            dequantized.update(node.output)
        elif node.op_type in WEIGHTED and dequantized & set(node.input):
            found.append(node.name)
    return found


def restored(quantized: Any, original: Any, names: Set[str]) -> Any:
    """Return a graph with Q/DQ, as ONNX, in which the operations of some names read what they read before.

    Args:
        original: the graph before it was quantized; its operations and tensors have the same names.
    """
    model = onnx.ModelProto()
    model.CopyFrom(quantized)
    inputs = {node.name: node.input for node in original.graph.node}
    for node in model.graph.node:
        if node.name in names:
            del node.input[:]
            node.input.extend(inputs[node.name])
    _drop_unread(model)
    read = {name for node in model.graph.node for name in node.input}
    there = {constant.name for constant in model.graph.initializer}
    missing = [one for one in original.graph.initializer if one.name in read - there]
    model.graph.initializer.extend(missing)
    return model


def _drop_unread(model: Any) -> None:
    """Remove the quantizers that nothing reads any more, and the constants that then nobody does."""
    ends = {value.name for value in model.graph.output}
    while True:
        read = ends | {name for node in model.graph.node for name in node.input}
        nodes = model.graph.node
        idle = [node for node in nodes if node.op_type in QUANTIZERS and not read & set(node.output)]
        if not idle:
            break
        for node in idle:
            model.graph.node.remove(node)
    kept = [constant for constant in model.graph.initializer if constant.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
