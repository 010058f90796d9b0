"""The layers that an engine came to have, as TensorRT's inspector and trtexec tell them as JSON.

The form is NVIDIA's and differs from release to release: what is not understood is left out, never guessed.
Needs no vendor package.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping, Sequence, Tuple

PRECISIONS: Mapping[str, str] = {
    "float": "fp32",
    "fp32": "fp32",
    "half": "fp16",
    "fp16": "fp16",
    "int8": "int8",
    "bf16": "bf16",
    "bfloat16": "bf16",
    "fp8": "fp8",
}
"""By a word of `Format/Datatype`: `Half`, or `Thirty-two wide channel vectorized row major Int8 format`."""

OPERATION = re.compile(r"\[ONNX Layer: ([^\]]*)\]")
"""A node of the graph, in a layer's `Metadata`; that came with TensorRT 8.6."""

BETWEEN = re.compile(r" \+ | \|\| ")
"""What stands between the nodes in a layer's name, which tells them in TensorRT 8.5."""

MULTIPLIES = re.compile(r"convolution|\bconv\b|gemm|fprop|matrix_?multiply|fully_?connected", re.IGNORECASE)
"""What convolutions and matrix products have in kind or kernel: `CaskConvolution`, `sm80_xmma_gemm_...`."""


@dataclass(frozen=True)
class EngineLayer:
    """A layer of an engine.

    Attributes:
        operations: names of the graph's nodes that it does the work of.
        kind: as the engine calls it, for example `CaskConvolution`.
        reads, writes: precisions, without repetition, in their order; a convolution in int8 reads it first.
        multiplies: it is a convolution or a matrix product.
    """

    operations: Tuple[str, ...]
    kind: str
    reads: Tuple[str, ...]
    writes: Tuple[str, ...]
    multiplies: bool


def read_layers(text: str) -> Tuple[EngineLayer, ...]:
    """Read the layers in the order they run. Of one without details only its name is known.

    Raises:
        ValueError: no layers of TensorRT.
    """
    document = json.loads(text)
    layers = document.get("Layers") if isinstance(document, dict) else None
    if not isinstance(layers, list):
        raise ValueError("there are no layers in what TensorRT wrote of the engine")
    return tuple(_layer(layer) for layer in layers)


def _layer(entry: Any) -> EngineLayer:
    if not isinstance(entry, dict):
        return EngineLayer(_operations(str(entry), ""), "", (), (), False)
    kind = str(entry.get("LayerType", ""))
    told = f"{kind} {entry.get('ParameterType', '')} {entry.get('TacticName', '')}"
    return EngineLayer(
        _operations(str(entry.get("Name", "")), str(entry.get("Metadata", ""))),
        kind,
        _precisions(entry.get("Inputs")),
        _precisions(entry.get("Outputs")),
        # A layer that only changes the form of what a convolution reads has its name too.
        bool(MULTIPLIES.search(told)) and "reformat" not in kind.lower(),
    )


def _operations(name: str, metadata: str) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(OPERATION.findall(metadata) or BETWEEN.split(name)))


def _precisions(tensors: Any) -> Tuple[str, ...]:
    found = []
    for tensor in tensors if isinstance(tensors, list) else []:
        words = str(tensor.get("Format/Datatype", "")) if isinstance(tensor, dict) else ""
        found += [PRECISIONS[word] for word in re.findall(r"\w+", words.lower()) if word in PRECISIONS]
    return tuple(dict.fromkeys(found))


def precisions_of(layers: Sequence[EngineLayer], nodes: Iterable[str]) -> Dict[str, str]:
    """Return the precision in which the engine multiplies for each node of the graph that is found in it.

    That is the precision of what its convolution or matrix product reads first; of a node that became part of
    another layer, what that reads first.
    """
    by_node: Dict[str, EngineLayer] = {}
    for layer in sorted(layers, key=lambda one: not one.multiplies):
        for name in layer.operations:
            by_node.setdefault(name, layer)
    return {name: by_node[name].reads[0] for name in nodes if name in by_node and by_node[name].reads}
