"""Small stand-ins at the seams: an engine that answers without a toolchain, a session, a frozen graph, records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from dockyard.engines import Ended, Limits, OnLine
from shared.contract.job import Job
from shared.contract.model import InputSpec
from shared.contract.record import Record
from shared.runtime.run_job import describe_artifact

Answer = Callable[[Job, Path], Any]
P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=BaseException)


def attempt(kind: type[E], call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> tuple[R | None, E | None]:
    """Return what a call returns, or its error of that kind, where either is right; other errors are raised."""
    try:
        return call(*args, **kwargs), None
    except kind as error:
        return None, error


def until_raised(kind: type[E], items: Iterable[R]) -> tuple[list[R], E]:
    """Return what comes before an error of that kind, which must come, and the error."""
    found: list[R] = []
    try:
        found.extend(item for item in items)
    except kind as error:
        return found, error
    raise AssertionError(f"no {kind.__name__} came")


def good_answer(job: Job, folder: Path) -> dict[str, Any]:
    """Do what a job that goes well leaves: its outputs, and the result that is returned."""
    outputs = folder / "outputs"
    result: dict[str, Any] = {"version": 1, "status": "done", "duration_s": 1.0, "versions": {"fake": "1"}, "device": {"cpu": "fake"}}
    if job.stage == "evaluate":
        if not job.reference:
            (outputs / "reference.npz").write_bytes(b"inputs and outputs")
        result["quality"] = quality([1.0, 1.0, 0.0, 1.0])
        result["timing"] = {"scope": "network", "protocol": "dataset", "samples_ns": {"total": [5, 6, 7, 8]}}
    elif job.stage in ("convert", "optimize"):
        (outputs / "model.bin").write_text(f"{job.stage} {job.method}")
        if job.stage == "convert":
            result["conversion"] = [{"output": "digit", "difference": 0.0, "limit": 1e-3, "agrees": True}]
    else:
        total = 4_000_000 if job.method == "reference" else 1_000_000
        result["timing"] = {"scope": "network", "protocol": "repeat", "samples_ns": {"total": [total, total + 10, total + 20]}}
    result["artifact"] = describe_artifact(outputs).to_json()
    result["measured"] = {name: describe_artifact(folder / path).sha256 for name, path in job.artifacts.items()}
    return result


def quality(scores: list[float], metric: str = "accuracy") -> dict[str, Any]:
    """The quality of a set whose samples have these scores."""
    samples = [{"id": f"images/{i}.png", "scores": {metric: s}, "prediction": "3"} for i, s in enumerate(scores)]
    return {"main": metric, "metrics": {metric: sum(scores) / len(scores)}, "samples": samples}


class FakeEngine:
    """Answers each job as `good_answer` does, or as `answers` says for the jobs whose id starts with a key.

    An answer is what goes into result.json, None to leave none, or an exception, which is raised; `ran` lists
    the ids of the jobs that were run.
    """

    name = "fake"

    def __init__(self, answers: Mapping[str, Answer] | None = None, ended: Ended | None = None) -> None:
        self.answers = dict(answers or {})
        self.ended = ended
        self.ran: list[str] = []
        self.prepared: list[tuple[str, str]] = []

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        self.prepared.append((target, toolchain))
        on_line(f"preparing {target}")
        return {"lock": f"lock of {target} {toolchain}"}

    def run(self, target: str, toolchain: str, folder: Path, limits: Limits, on_line: OnLine) -> Ended:
        job = Job.from_json(json.loads((folder / "job.json").read_text()))
        self.ran.append(job.id)
        on_line(f"log of {job.id}")
        answer = next((a for key, a in self.answers.items() if job.id.startswith(key)), good_answer)(job, folder)
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            (folder / "result.json").write_text(json.dumps(answer))
        return self.ended or Ended(0, 0.5)


class FakeSession:
    """A network whose input is specified and whose outputs are given: constant tensors, or a function of the input."""

    def __init__(self, outputs: Any, spec: InputSpec) -> None:
        self.settings: Mapping[str, Any] = {"fake": True}
        self.input = spec
        self._outputs = outputs

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        return dict(self._outputs(image) if callable(self._outputs) else self._outputs)


def frozen_graph(nodes: Mapping[str, str], shapes: Mapping[str, list[int]] | None = None) -> bytes:
    """Encode a GraphDef by hand: op by node name, and the shape of each placeholder (-1 is unknown)."""

    def varint(value: int) -> bytes:
        value &= (1 << 64) - 1
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    def field(number: int, content: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(content)) + content

    graph = b""
    for name, op in nodes.items():
        node = field(1, name.encode()) + field(2, op.encode())
        if shapes and name in shapes:
            dims = b"".join(field(2, varint(1 << 3) + varint(size)) for size in shapes[name])
            node += field(5, field(1, b"shape") + field(2, field(7, dims)))
        graph += field(1, node)
    return graph


def record(variant: str = "int8", **changes: Any) -> Record:
    """A record of the example model, measured in three agreeing rounds, four times as fast as its reference."""
    reference = variant == "reference"
    median = 4_000_000 if reference else 1_000_000
    fields: dict[str, Any] = {
        "run": "20260101T000000Z",
        "recipe": {
            "name": "digits",
            "description": "",
            "model": "digits",
            "target": "intel-openvino",
            "toolchain": "",
            "optimizations": [{"method": "baseline"}, {"method": "int8"}],
            "requirements": {"max_drop": 0.02},
            "measure": {"rounds": 3},
        },
        "model": "digits",
        "variant": variant,
        "method": variant,
        "options": {},
        "target": "tensorflow" if reference else "intel-openvino",
        "toolchain": "1",
        "engine": "fake",
        "status": "measured",
        "measured_at": "2026-01-01T00:00:00+00:00",
        "device": {"cpu": "fake", "threads": 2},
        "artifacts": {"digits": [{"path": "model.bin", "sha256": "0" * 64, "bytes": 1_000_000}]},
        "quality": quality([1.0] * 100),
        "rounds_ns": [{"total": [median] * 3} for _ in range(3)],
    }
    return Record(**{**fields, **changes})
