"""The layers of an engine and the types that they compute in, read from the engine's file without a GPU.

TensorRT's own inspector needs the engine loaded, and that a GPU. An engine built with detailed names holds
its programs as text, though: tensors with their types, and the kernels between them with the layers of the
ONNX that went into each. The form is NVIDIA's and not documented: what is not understood is left out, never
guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, List, Sequence, Tuple

PROGRAM = re.compile(rb"\nmain \{\n(.*?)\n(?:shape_main \{|\})", re.DOTALL)
TENSOR = re.compile(rb'\n  (?:sub_)?tensor=\{ [^\n]*?name="([^"\n]*)"[^\n]*? type=(\w+) \}')
KERNEL = re.compile(rb"(?:^|\n)  (\w+)=\{ name=")
READS = re.compile(rb"input(?:_args)?=\{([^}\n]*)\}")
WRITES = re.compile(rb"output(?:_args)?=\{([^}\n]*)\}")
NAME = re.compile(rb'"([^"\n]*)"')
LAYER = re.compile(rb"\[ONNX Layer: ([^\]\n]*)\]")

PRECISIONS = {"int8": "int8", "half": "fp16", "float": "fp32", "bf16": "bf16", "float8": "fp8"}
"""By the engine's name of a type that is computed with; other types are those of indices."""

MULTIPLIES = ("corrltn", "fully_connected")
"""Kinds of kernels that are convolutions and matrix products."""


@dataclass(frozen=True)
class EngineLayer:
    """A kernel of an engine.

    Attributes:
        kind: as the engine calls it, for example `corrltn` for a convolution.
        reads: precisions of what it reads, without repetition, in their order; of a convolution in int8 the
            first is `int8`.
        writes: precisions of what it writes.
        layers: names of the ONNX nodes that it does the work of.
    """

    kind: str
    reads: Tuple[str, ...]
    writes: Tuple[str, ...]
    layers: Tuple[str, ...]


def read_layers(plan: bytes) -> Tuple[EngineLayer, ...]:
    """Return the kernels of an engine's first program in the order they run; none where nothing is known."""
    program = PROGRAM.search(plan)
    if program is None:
        return ()
    types = {
        name: PRECISIONS.get(kind.decode(), "") for name, kind in TENSOR.findall(plan, 0, program.start())
    }
    text = program.group(1)
    starts = [match.start() for match in KERNEL.finditer(text)]
    found = []
    for start, end in zip(starts, [*starts[1:], len(text)]):
        found.append(_layer(text[start:end], types))
    return tuple(found)


def _layer(text: bytes, types: Dict[bytes, str]) -> EngineLayer:
    kind = KERNEL.match(text)
    assert kind is not None
    layers = [name.decode("utf-8", "replace") for name in LAYER.findall(text)]
    return EngineLayer(
        kind.group(1).decode(),
        _precisions(READS, text, types),
        _precisions(WRITES, text, types),
        tuple(dict.fromkeys(layers)),
    )


def _precisions(pattern: "re.Pattern[bytes]", text: bytes, types: Dict[bytes, str]) -> Tuple[str, ...]:
    names: List[bytes] = []
    for group in pattern.findall(text):
        names += NAME.findall(group)
    found = (types.get(name, "") for name in names)
    return tuple(dict.fromkeys(filter(None, found)))


def precisions_of(layers: Sequence[EngineLayer], nodes: Iterable[str]) -> Dict[str, str]:
    """Return the precision in which the engine multiplies for each ONNX node that is found in it.

    That is the precision of what the node's convolution or matrix product reads first; of one that became
    part of another kernel, what that reads first.
    """
    by_node: Dict[str, EngineLayer] = {}
    for layer in sorted(layers, key=lambda one: one.kind not in MULTIPLIES):
        for name in layer.layers:
            by_node.setdefault(name, layer)
    return {name: by_node[name].reads[0] for name in nodes if name in by_node and by_node[name].reads}
