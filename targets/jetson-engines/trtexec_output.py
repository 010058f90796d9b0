"""What trtexec says and writes: its times, its summary, why it failed. Needs no vendor package."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Tuple

PREFIX = re.compile(r"^\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] \[(?P<level>[VIWEF])\] (?:\[TRT\] )?")
"""What each line begins with: the time, and how grave it is."""

THROUGHPUT = re.compile(r"^Throughput: (?P<rate>[0-9.]+(?:[eE][-+]?\d+)?) qps$")

ENQUEUE_BOUND = re.compile(r"Throughput may be bound by Enqueue Time")
UNSTABLE = re.compile(r"GPU compute time is unstable")

KEYS = ("h2dMs", "computeMs", "d2hMs", "latencyMs")
"""Of one call in milliseconds: to the GPU, on it, back, and all of that."""

STAGES: Mapping[str, str] = {
    "Failed to parse onnx file": "TensorRT does not read the graph",
    "Engine set up failed": "the engine could not be built",
    "Error opening engine file": "the engine's file cannot be opened",
    "Engine deserialization failed": "the engine was built by another TensorRT, or for another device",
    "Inference set up failed": "the engine could not be made ready to run",
}
"""What a line of trtexec means where it gave up."""


@dataclass(frozen=True)
class Clocks:
    """The three clocks of an engine's calls, in nanoseconds, one entry a call, warm-up left out.

    Attributes:
        to_gpu_ns: the inputs' way to the GPU.
        gpu_ns: the computation there.
        from_gpu_ns: the outputs' way back.
        host_ns: the sum of the three.
    """

    to_gpu_ns: Tuple[int, ...]
    gpu_ns: Tuple[int, ...]
    from_gpu_ns: Tuple[int, ...]
    host_ns: Tuple[int, ...]


def read_clocks(text: str) -> Clocks:
    """Read what `--exportTimes` wrote.

    Raises:
        ValueError: no such file of trtexec, or a time in it that is none.
    """
    entries = json.loads(text)
    if not isinstance(entries, list) or not entries:
        raise ValueError("trtexec wrote no times")
    to_gpu, gpu, from_gpu, host = (_column(entries, key) for key in KEYS)
    return Clocks(to_gpu, gpu, from_gpu, host)


def _column(entries: List[Any], key: str) -> Tuple[int, ...]:
    return tuple(_nanoseconds(entry, key) for entry in entries)


def _nanoseconds(entry: Any, key: str) -> int:
    value = entry.get(key) if isinstance(entry, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise ValueError(f"trtexec wrote a time that is none: {key} {value!r}")
    return round(value * 1e6)


@dataclass(frozen=True)
class Summary:
    """What trtexec's log says of a run.

    Attributes:
        queries_per_s: how often it ran the engine; None where it says nothing of it.
        remarks: what it warns of, that is to be known of the times.
    """

    queries_per_s: Optional[float]
    remarks: Tuple[str, ...]


def read_summary(log: str) -> Summary:
    """Read a log; lines that are none of trtexec's are passed over."""
    rate, remarks = None, []
    for line in log.splitlines():
        text = PREFIX.sub("", line.strip())
        found = THROUGHPUT.match(text)
        if found:
            rate = float(found["rate"])
        if ENQUEUE_BOUND.search(text):
            remarks.append("the host was slower at handing on the work than the GPU at doing it")
        if UNSTABLE.search(text):
            remarks.append("the GPU's times vary by more than 1 %: lock its clocks (jetson_clocks)")
    return Summary(rate, tuple(dict.fromkeys(remarks)))


def why_failed(log: str) -> str:
    """Return in a line why trtexec ended with another status than 0, from its log; empty where it is silent.

    The first stage that failed says most: those after it fail because of it.
    """
    lines = log.splitlines()
    unknown = next((line.strip() for line in lines if "Unknown option" in line), "")
    if unknown:
        return f"this release of trtexec does not take a flag: {PREFIX.sub('', unknown)}"
    errors = _errors(lines)
    meanings = [_stage(text) for text in errors]
    stages = list(filter(None, meanings))
    details = [text for text, meaning in zip(errors, meanings) if not meaning]
    return ": ".join([*stages[:1], *details[:1]])


def _stage(text: str) -> str:
    """Return what a line that names a stage means; empty for another."""
    return next((meaning for key, meaning in STAGES.items() if key in text), "")


def _errors(lines: List[str]) -> List[str]:
    found = []
    for line in lines:
        match = PREFIX.match(line.strip())
        if match and match["level"] in "EF":
            found.append(line.strip()[match.end() :].strip())
    return found
