"""Small stand-ins at the seams: an executor that answers without a toolchain, a session, a display, a frozen
graph.
"""

from __future__ import annotations

import hashlib
import json
import queue
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from dockyard.engines import Finding, FollowedFolder, JobExit, Limits, OnLine, OnStarted
from dockyard.plan.plan import PlannedJob
from dockyard.run.outcome import Outcome
from shared.contract.artifact import Artifact, ArtifactFile
from shared.contract.codec import decode, encode
from shared.contract.job import END, GO, READY_KEY, Job
from shared.contract.measurement import TimingProtocol
from shared.contract.model import InputSpec
from shared.contract.result import Notes, OutputDifference, Result, Status
from shared.contract.stages import (
    Compile,
    Convert,
    Evaluate,
    NetworkBenchmark,
    Optimize,
    Predict,
    StreamBenchmark,
    StreamConfigure,
    StreamEvaluate,
    artifacts_of,
)
from shared.inference.arrays import Array
from tests.builders import latency, quality, throughput

Document = dict[str, Any]
Answer = Callable[[Job, Path], "Document | BaseException | None"]
P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=BaseException)


def attempt(
    kind: type[E], call: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> tuple[R | None, E | None]:
    """Return what a call returns, or its error of that kind, where either is right; others are raised."""
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


def artifact_of(folder: Path) -> Artifact:
    """Return the files below a folder, as the harness describes them."""
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            name = str(path.relative_to(folder))
            files.append(ArtifactFile(name, hashlib.sha256(content).hexdigest(), len(content)))
    return Artifact(tuple(files))


def good_result(job: Job, folder: Path) -> Result:
    """Do what a job that goes well leaves: its outputs, and the result that is returned (of one burst)."""
    outputs, parameters = folder / "outputs", job.parameters
    parts: dict[str, Any] = {}
    if isinstance(parameters, Evaluate):
        if parameters.is_reference:
            (outputs / "reference.npz").write_bytes(b"inputs and outputs")
        parts = {
            "quality": quality([1.0, 1.0, 0.0, 1.0]),
            "measurement": latency(5, 6, protocol=TimingProtocol.DATASET),
        }
    elif isinstance(parameters, Predict):
        parts = {"quality": quality([1.0, 1.0, 0.0, 0.0])}
    elif isinstance(parameters, (Convert, Optimize, Compile)):
        (outputs / "model.bin").write_text(f"{job.stage.name} {job.method}")
        if isinstance(parameters, Convert):
            parts = {"differences": (OutputDifference("digit", 0.0, 1e-3, True),)}
    elif isinstance(parameters, NetworkBenchmark):
        total = 4_000_000 if job.method == "reference" else 1_000_000
        parts = {"measurement": latency(total, total + 10, total + 20)}
    else:
        parts = _stream_parts(job, outputs)
    return Result(
        Status.DONE,
        duration_s=1.0,
        peak_mb=100.0,
        versions={"fake": "1"},
        device={"cpu": "fake"},
        artifact=artifact_of(outputs),
        measured=_measured(job, folder),
        **parts,
    )


def _measured(job: Job, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of what a job's networks were loaded from, and of a stream's settings."""
    given = artifacts_of(job.parameters)
    found = {files.network.name: artifact_of(folder / files.folder).sha256 for files in given}
    settings = getattr(job.parameters, "settings", None)
    return {**found, job.model: artifact_of(folder / settings).sha256} if settings else found


def _stream_parts(job: Job, outputs: Path) -> dict[str, Any]:
    """Do what a stream's job leaves, and return its part of the result: ten or forty frames a second."""
    frames = throughput(10.0 if job.method == "reference" else 40.0, latency_ms=20.0, decode=1.0)
    if isinstance(job.parameters, StreamConfigure):
        (outputs / "stream.json").write_text(f"settings of {job.method}")
        return {"notes": Notes(("settings were searched",))}
    if isinstance(job.parameters, StreamEvaluate):
        if job.parameters.is_reference:
            (outputs / "readings.truth.jsonl").write_text("")
        return {"quality": quality([1.0, 1.0, 0.0, 1.0]), "measurement": frames}
    return {"measurement": frames} if isinstance(job.parameters, StreamBenchmark) else {}


def good_answer(job: Job, folder: Path) -> Document:
    """Return what a job that goes well writes to result.json."""
    document: Document = encode(good_result(job, folder))
    return document


class FakeExecutor:
    """Answers each job as `good_answer` does, or as `answers` says for the jobs whose id starts with a key.

    An answer is what goes into result.json, None to leave none, or an exception, which is raised. What it
    says of a benchmark is one burst's, and comes as often as the host asked for one.

    Attributes:
        ran: the ids of the jobs that were run, in their order.
        keys: what each job's work was identified by.
        prepared: the toolchains that were made ready.
        followed: the folder that was to be followed, by job id.
        bursts: the ids of the benchmarks in the order that they were told to run a burst.
        state: the device's.
        observed: after how many bursts it was asked for.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        left: JobExit | None = None,
        name: str = "fake",
        device: str = "here",
        memory_mb: int = 24_000,
        is_local: bool = True,
    ) -> None:
        self.name, self.device, self.memory_mb = name, device, memory_mb
        self.is_local = is_local
        self.place: Mapping[str, str] = {"engine_host": f"{name}://{device}"}
        self.answers = dict(answers or {})
        self.left = left
        self.ran: list[str] = []
        self.keys: dict[str, str] = {}
        self.prepared: list[tuple[str, str]] = []
        self.followed: dict[str, FollowedFolder | None] = {}
        self.limits: dict[str, Limits] = {}
        self.bursts: list[str] = []
        self.state: Mapping[str, str] = {}
        self.observed: list[int] = []

    def close(self) -> None:
        pass

    def examine(self, toolchains: Iterable[tuple[str, str]]) -> Iterable[Finding]:
        return ()

    def observe(self, toolchains: Iterable[tuple[str, str]]) -> Mapping[str, str]:
        self.observed.append(len(self.bursts))
        return self.state

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        self.prepared.append((target, toolchain))
        on_line(f"preparing {target}")
        return {"lock": f"lock of {target} {toolchain}"}

    def run(
        self,
        target: str,
        toolchain: str,
        folder: Path,
        limits: Limits,
        on_line: OnLine,
        followed: FollowedFolder | None = None,
        on_started: OnStarted | None = None,
        key: str = "",
    ) -> JobExit:
        job = decode(Job, json.loads((folder / "job.json").read_text()))
        self.ran.append(job.id)
        self.keys[job.id] = key
        self.followed[job.id], self.limits[job.id] = followed, limits
        on_line(f"log of {job.id}")
        chosen = next((answer for key, answer in self.answers.items() if job.id.startswith(key)), good_answer)
        bursts = 0 if on_started is None else self._wait_for_words(job, on_line, on_started)
        if bursts is None:
            return JobExit(137, 0.5, "killed")
        answer = chosen(job, folder)
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            _repeat(answer, bursts)
            (folder / "result.json").write_text(json.dumps(answer))
        return self.left or JobExit(0, 0.5)

    def _wait_for_words(self, job: Job, on_line: OnLine, on_started: OnStarted) -> int | None:
        """Run a burst at each word; return how many there were, None for a job that was killed."""
        words: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()
        on_started(words.put)
        done = 0
        on_line(json.dumps({READY_KEY: done}))
        while (word := words.get()) == GO:
            self.bursts.append(job.id)
            done += 1
            on_line(json.dumps({READY_KEY: done}))
        return done if word == END else None


def _repeat(answer: Document, bursts: int) -> None:
    """Have an answer's latency, or its throughput, come as often as bursts were asked for."""
    measured = answer.get("measurement")
    if bursts and isinstance(measured, dict) and measured.get("kind") == "throughput":
        for name in ("bursts", "latency_ns"):
            measured[name] = list(measured[name]) * bursts
    if bursts and isinstance(measured, dict) and measured.get("kind") == "latency" and not measured["bursts"]:
        samples = measured["samples_ns"]
        measured["bursts"] = [max(map(len, samples.values()), default=0)] * bursts
        measured["samples_ns"] = {step: list(times) * bursts for step, times in samples.items()}


class QuietDisplay:
    """Keeps what it is given, and shows nothing."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, int, int]] = []
        self.outcomes: list[str] = []
        self.steps: list[str] = []
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def begin(self, members: Sequence[PlannedJob], number: int, total: int) -> None:
        self.jobs += [(planned.job.id, number + place, total) for place, planned in enumerate(members)]

    def progress(self, what: str, done: int, total: int) -> None:
        self.steps.append(what)

    def outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome.planned.job.id)


class FakeSession:
    """A network whose input is specified and whose outputs are given: constant tensors, or a function of the
    input.
    """

    def __init__(self, outputs: Any, spec: InputSpec) -> None:
        self.settings: Mapping[str, Any] = {"fake": True}
        self.input = spec
        self._outputs = outputs

    def run(self, image: Array) -> dict[str, Array]:
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
