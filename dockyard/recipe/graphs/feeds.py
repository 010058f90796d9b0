"""What a graph is fed: the type of its image, and the constants that its other inputs take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dockyard.recipe.graphs import GraphOutline
from shared.contract.constants import fed_sizes
from shared.contract.errors import InputProblem, nearest
from shared.contract.model import EIGHT_BITS, FED_TYPES, FLOAT16, Network

INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "uint8": (0, 2**8 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
"""Types of whole numbers, with the least and the largest of each."""

REAL = ("float32", "float16", "float64")


def fed_type(network: Network, outline: GraphOutline, stated: str | None, where: str) -> str:
    """Return what a network's image is fed as (`InputSpec.dtype`), by the type that its graph has.

    Args:
        network: as model.json has it.
        stated: the type that model.json says; None where it leaves that to the graph.
        where: model.json's path in messages.

    Raises:
        InputProblem: model.json and graph disagree, or the graph takes what no image is fed as.
    """
    name = network.input.name
    own = outline.types.get(name)
    if own is None:
        return network.input.dtype
    if own not in FED_TYPES:
        raise InputProblem(
            f"the input '{name}' is {own} in the graph; an image is fed as float32, float16 or uint8",
            f"{where}: $.input.name",
            "export the graph with one of these, or cut it behind its first cast (conversion.input)",
        )
    if stated not in (None, own):
        raise InputProblem(
            f"the input '{name}' is {own} in the graph, not {stated}",
            f"{where}: $.input.dtype",
            "leave it out: it is read from the graph",
        )
    return FED_TYPES[own]


def arithmetic_of(network: Network, outline: GraphOutline) -> str:
    """Return what a graph computes in: what takes half precision goes on in it."""
    if outline.quantized:
        return EIGHT_BITS
    return FLOAT16 if outline.types.get(network.input.name) == FLOAT16 else network.arithmetic


def check_constants(network: Network, outline: GraphOutline, where: str) -> None:
    """Check that each input that the outputs need beside the image has a constant, and one that fits.

    Args:
        network: as model.json has it.
        where: model.json's path in messages.

    Raises:
        InputProblem: an input without a constant, with what to write; a constant for none, or of another
            type or shape.
    """
    place = f"{where}: $.constants"
    others = [name for name in outline.inputs if name != network.input.name]
    for name, value in network.constants.items():
        if name == network.input.name:
            raise InputProblem(f"'{name}' takes the image", place, "leave it out, or correct $.input.name")
        if name not in others:
            advice = nearest(name, others)
            raise InputProblem(f"the graph {network.graph} has no other input '{name}'", place, advice)
        _check_value(value, outline, name, f"{place}['{name}']")
    for name in outline.needed(network.tensors, network.input.name):
        if name not in network.constants:
            own, shape = outline.types.get(name, ""), outline.inputs[name]
            kind = " ".join(filter(None, (own, "" if shape is None else str(list(shape)))))
            raise InputProblem(
                f"the graph {network.graph} takes '{name}'{kind and f' ({kind})'} beside the image",
                place,
                f'say what it is always fed, as "constants": {{"{name}": {_example(own)}}}',
            )


def _example(own: str) -> str:
    return "false" if own == "bool" else "1" if own in INTEGERS else "1.0"


def _check_value(value: Any, outline: GraphOutline, name: str, where: str) -> None:
    """Raise InputProblem where a constant is not of its input's type or shape."""
    try:
        fed_sizes(value, outline.inputs[name])
    except ValueError as error:
        raise InputProblem(f"the constant for '{name}' does not fit: {error}", where) from None
    own = outline.types.get(name, "float32")
    for number in _numbers(value):
        if not _fits(number, own):
            what = f"'{name}' is {own} in the graph, which {str(number).lower()} is not"
            raise InputProblem(what, where, f"write a value like {_example(own)}")


def _numbers(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    else:
        yield value


def _fits(number: Any, own: str) -> bool:
    if own == "bool" or isinstance(number, bool):
        return own == "bool" and isinstance(number, bool)
    if own in INTEGERS:
        least, most = INTEGERS[own]
        return isinstance(number, int) and least <= number <= most
    return own in REAL and abs(number) <= LARGEST_REAL[own]


LARGEST_REAL = {"float16": 65504.0, "float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
"""By IEEE 754."""
