"""outputs.txt: what networks' outputs mean, for the parsers in C++. README.md describes the form."""

from __future__ import annotations

import math
from typing import Iterator, List, Sequence, Tuple
from urllib.parse import quote

from shared.contract.errors import InputProblem
from shared.contract.model import Network
from shared.contract.outputs import (
    ClassificationOutputs,
    DetectionOutputs,
    NamedClasses,
    SymbolsOutput,
    TextOutputs,
)

VERSION = 1

MOST_BYTES, MOST_LINE_BYTES = 1 << 20, 4096
"""Of the text, and of one of its lines, as the parsers read them."""

MOST_NETWORKS, MOST_POSITIONS, MOST_NAMES, MOST_COLUMNS = 64, 1024, 1 << 16, 1 << 20

KEPT = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}"
"""Printable ASCII that is not encoded, beside letters, digits and what `quote` always keeps."""

Line = Tuple[str, str]
"""A key, and its value as it stands on the line."""


def outputs_text(networks: Sequence[Tuple[str, Network]]) -> str:
    """Return the text of outputs.txt.

    Args:
        networks: with the name that each is called by in messages.

    Raises:
        InputProblem: the form does not have it: a segmenter, a name that stands twice, more than is read.
    """
    names = [name for name, _ in networks]
    if not 0 < len(names) <= MOST_NETWORKS or len(set(names)) < len(names):
        raise InputProblem(f"the parsers read 1 to {MOST_NETWORKS} networks, each with a name of its own")
    lines: List[Line] = [("dockyard-outputs", str(VERSION))]
    for name, network in networks:
        lines += [("network", _encoded(name, name)), ("task", network.task.value)]
        lines += _lines_of(name, network)
    written = [f"{key} {value}" for key, value in lines]
    longest = max(written, key=len)
    if len(longest) > MOST_LINE_BYTES:
        raise InputProblem(f"'{longest[:60]}...' is longer than the {MOST_LINE_BYTES} bytes of a line")
    text = "\n".join(written) + "\n"
    if len(text) > MOST_BYTES:
        raise InputProblem(f"outputs.txt would have {len(text)} bytes, and {MOST_BYTES} are read")
    return text


def _lines_of(name: str, network: Network) -> Iterator[Line]:
    """Yield what a network's outputs mean."""
    outputs = network.outputs
    if isinstance(outputs, DetectionOutputs):
        yield from _detection(name, outputs)
    elif isinstance(outputs, TextOutputs):
        yield from _symbols(name, outputs.symbols)
        if outputs.country is not None:
            yield from _classes(name, "country", outputs.country)
    elif isinstance(outputs, ClassificationOutputs):
        yield from _classes(name, "class", outputs.classes)
    else:
        raise InputProblem(
            f"the parsers read no masks ({network.task.value})", name, "leave it out of outputs.txt"
        )


def _detection(name: str, outputs: DetectionOutputs) -> Iterator[Line]:
    box, score = outputs.box, outputs.score
    for key in _unknown_to_parsers(outputs):
        advice = "give the graph what follows, or leave it out of outputs.txt"
        raise InputProblem(f"the parsers do not know model.json's {key}", name, advice)
    yield "box.tensor", _encoded(name, box.tensor)
    yield "box.form", box.form
    yield "box.unit", box.unit
    yield "box.first", _whole(name, "the first column of the box", box.first, MOST_COLUMNS)
    if score is None or (score.tensor is None and score.column is None):
        return
    if not math.isfinite(score.minimum):
        raise InputProblem(f"the minimum of the score is {score.minimum}", name)
    if score.tensor is not None:
        yield "score.tensor", _encoded(name, score.tensor)
    else:
        yield "score.column", _whole(name, "the column of the score", score.column or 0, MOST_COLUMNS)
    yield "score.minimum", repr(float(score.minimum))
    if outputs.objects is not None:
        limit = outputs.objects.nms_iou
        yield "objects.nms_iou", repr(1.0 if limit is None else float(limit))


def _unknown_to_parsers(outputs: DetectionOutputs) -> Iterator[str]:
    """Yield what is said of boxes that the form does not have."""
    box, score, objects = outputs.box, outputs.score, outputs.objects
    said = {
        "outputs.box.form cycxhw": box.form == "cycxhw",
        "outputs.box.columns_first": box.columns_first,
        "outputs.box.strides": box.strides is not None,
        "outputs.box.anchors": box.anchors is not None,
        "outputs.score.activation": score is not None and score.activation is not None,
        "outputs.objects.classes": objects is not None and objects.classes is not None,
        "outputs.objects.count": objects is not None and objects.count is not None,
        "outputs.objects without a score": objects is not None and score is None,
    }
    yield from (key for key, is_said in said.items() if is_said)


def _symbols(name: str, symbols: SymbolsOutput) -> Iterator[Line]:
    yield from _repeated(name, "symbols.tensor", symbols.tensors, MOST_POSITIONS)
    yield "symbols.decoder", symbols.decoder
    if symbols.blank is not None:
        yield "symbols.blank", _whole(name, "the class of the blank", symbols.blank, len(symbols.alphabet))
    yield from _repeated(name, "symbol", tuple(symbols.alphabet), MOST_NAMES)


def _classes(name: str, key: str, classes: NamedClasses) -> Iterator[Line]:
    yield f"{key}.tensor", _encoded(name, classes.tensor)
    yield from _repeated(name, key, classes.names, MOST_NAMES)


def _repeated(name: str, key: str, values: Sequence[str], most: int) -> Iterator[Line]:
    if not 0 < len(values) <= most:
        raise InputProblem(f"there are {len(values)} of '{key}', and 1 to {most} are read", name)
    for value in values:
        yield key, _encoded(name, value)


def _whole(name: str, what: str, number: int, most: int) -> str:
    if not 0 <= number <= most:
        raise InputProblem(f"{what} is {number}, and 0 to {most} are read", name)
    return str(number)


def _encoded(name: str, text: str) -> str:
    """Return a text as it stands on a line: what is no printable ASCII, a space or % is %XX for each byte."""
    try:
        return quote(text, safe=KEPT)
    except UnicodeEncodeError:
        raise InputProblem(f"{text!r} is no text that UTF-8 can hold", name) from None
