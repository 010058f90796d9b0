"""Records of the example model and their parts, and changes of a target, made in a line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dockyard.judge.assessment import Assessment
from dockyard.judge.verdicts import judge
from dockyard.recipe.workspace import Workspace
from shared.contract.artifact import Artifact, ArtifactFile
from shared.contract.codec import encode
from shared.contract.measurement import (
    Burst,
    Latency,
    Quality,
    SampleScore,
    Scope,
    Throughput,
    TimingProtocol,
)
from shared.contract.record import Record, RecordedArtifact, RecordStatus, Round
from shared.contract.result import Notes, Table
from shared.contract.streaming import StreamSettings

SHA256 = "0" * 64


def quality(scores: Sequence[float], metric: str = "accuracy") -> Quality:
    """The quality of a set whose samples have these scores."""
    samples = [SampleScore(f"images/{i}.png", {metric: score}, "3") for i, score in enumerate(scores)]
    return Quality(metric, {metric: sum(scores) / len(scores)}, tuple(samples))


def latency(
    *totals_ns: int, protocol: TimingProtocol = TimingProtocol.REPEAT, **steps_ns: Sequence[int]
) -> Latency:
    """The latency of calls; with the times of a pipeline's steps, that of a pipeline."""
    steps = {step: tuple(times) for step, times in steps_ns.items()}
    scope = Scope.PIPELINE if steps else Scope.NETWORK
    return Latency(scope, protocol, {"total": totals_ns, **steps})


def rounds(*medians_ms: float) -> tuple[Round, ...]:
    """Rounds of one burst of three calls that each take so many milliseconds."""
    measured = [latency(*[round(median * 1e6)] * 3) for median in medians_ms]
    return tuple(Round(number, one) for number, one in enumerate(measured, 1))


def bursts(*rounds_ms: Sequence[float], group: int = 1) -> tuple[Round, ...]:
    """Rounds whose bursts, of five calls, each take so many milliseconds a call."""
    found = []
    for number, medians_ms in enumerate(rounds_ms, 1):
        calls = [round(median * 1e6) for median in medians_ms for _ in range(5)]
        measured = replace(latency(*calls), bursts=(5,) * len(medians_ms))
        found.append(Round(number, measured, group))
    return tuple(found)


def throughput(*fps: float, latency_ms: float = 20.0, cpu_ms: float = 0.0, **steps_ms: float) -> Throughput:
    """Bursts of three frames of a stream, at so many frames a second; the rest is of each frame."""
    frames = 3 * len(fps)
    bursts = tuple(Burst(3, 3 / rate) for rate in fps)
    steps = {step: round(ms * 1e6) * frames for step, ms in steps_ms.items()}
    return Throughput((round(latency_ms * 1e6),) * frames, bursts, 0, steps, cpu_ms / 1e3 * frames)


def streams(*fps: float, peak_mb: float | None = None, **of_frames: float) -> tuple[Round, ...]:
    """Rounds of one burst of a stream that each processed so many frames a second (`throughput`)."""
    measured = [throughput(rate, **of_frames) for rate in fps]
    return tuple(Round(number, one, 1, peak_mb) for number, one in enumerate(measured, 1))


def artifact(
    network: str = "digits", size: int = 1_000_000, cache_key: str | None = None, content: str = ""
) -> dict[str, Any]:
    """What was measured of a network: one file of so many bytes."""
    files = Artifact((ArtifactFile("model.bin", hashlib.sha256(content.encode()).hexdigest(), size),))
    return {network: RecordedArtifact(files, cache_key)}


def record(variant: str = "int8", **changes: Any) -> Record:
    """A record of the example model: three agreeing rounds, four times as fast as its reference."""
    reference = variant == "reference"
    one = Record(
        run="20260101T000000Z",
        recipe={
            "name": "digits",
            "description": "",
            "model": "digits",
            "target": "intel-openvino",
            "toolchain": "",
            "optimizations": [{"method": "baseline"}, {"method": "int8"}],
            "requirements": {"max_drop": 0.02},
            "measure": {"rounds": 3},
        },
        model="digits",
        variant=variant,
        method=variant,
        options={},
        target="tensorflow" if reference else "intel-openvino",
        toolchain="1",
        engine="fake",
        status=RecordStatus.MEASURED,
        measured_at="2026-01-01T00:00:00+00:00",
        device={"cpu": "fake", "threads": 2},
        settings={"runtime": "TensorFlow"} if reference else {},
        artifacts=artifact(content=variant),
        quality=quality([1.0] * 100),
        rounds=rounds(4.0, 4.0, 4.0) if reference else rounds(1.0, 1.0, 1.0),
    )
    return replace(one, **changes)


STREAM_STEPS_MS = {"decode": 1.0, "colour": 0.5, "finder_input": 0.5, "finder": 6.0, "finder_output": 0.5}
STREAM_STEPS_MS |= {"track": 0.1, "wait": 1.4}


def stream_record(variant: str = "int8", **changes: Any) -> Record:
    """A record of a stream of the example model: 40 frames a second where its reference reads 10."""
    reference = variant == "reference"
    rate, latency_ms = (10.0, 99.0) if reference else (40.0, 45.0)
    one = record(variant)
    settings = {"one_by_one": True} if reference else encode(StreamSettings(workers=3, threads=1, decoders=2))
    tried = Table("Settings tried", ("settings", "frames a second"), (("3 at once", "40.0"),), folded=True)
    stream = replace(
        one,
        recipe={**one.recipe, "stream": {"interval": 1, "vote": False}},
        scope=Scope.STREAM,
        rounds=streams(rate, rate, rate, latency_ms=latency_ms, peak_mb=321.0, cpu_ms=9.5, **STREAM_STEPS_MS),
        settings={"finder": {"runtime": "TensorFlow"}, "stream": settings},
        notes={} if reference else {one.model: Notes(("the search ended with its time",), (tried,))},
        data={"clip": SHA256},
    )
    return replace(stream, **changes)


def failed(variant: str = "int8", reason: str = "broken", **changes: Any) -> Record:
    """A record of a variant that could not be made."""
    nothing = {"status": RecordStatus.FAILED, "stage": "optimize", "quality": None, "rounds": ()}
    return record(variant, **{**nothing, "reason": reason, **changes})


def requiring(one: Record, **requirements: float) -> Record:
    """A record whose recipe asks for more than a small drop."""
    return replace(one, recipe={**one.recipe, "requirements": {"max_drop": 0.02, **requirements}})


def assessment(variant: str = "int8", **changes: Any) -> Assessment:
    """A record beside its reference, with figures and verdict."""
    return judge([record("reference"), record(variant, **changes)])[1]


def change_target(workspace: Workspace, target: str, **changes: Any) -> None:
    """Change entries of the target.json of a target of the workspace's own."""
    path = workspace.target(target) / "target.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def share(workspace: Workspace, target: str, folder: str, module: str = "graphs.py") -> Path:
    """Give a target of the workspace's own a module in a folder that it shares, and return the folder."""
    place = workspace.root / "targets" / folder
    place.mkdir()
    (place / module).write_text("1")
    change_target(workspace, target, shares=[folder])
    return place
