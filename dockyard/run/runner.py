"""Run a plan's jobs on an engine, in order; every job gives an outcome, whatever happens to it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dockyard.engines import Ended, Engine, Limits
from dockyard.plan.plan import Plan, Planned, Source
from dockyard.recipe import documents
from dockyard.recipe.places import MODELS, SHARED, STATE, TARGETS
from dockyard.run import artifact_cache as artifacts
from dockyard.run import rounds as schedule
from dockyard.run import search
from dockyard.run import tuning_store as tuning
from dockyard.run.datasets import DataSet, read_progress
from dockyard.run.outcome import Outcome
from shared.contract.errors import DockyardError, EnvironmentProblem, InputProblem
from shared.contract.steps import STEPS

LOG_LINES = 40

SAME_METRIC = 1e-6
"""Largest difference of a metric from what its samples give."""


class Display:
    """What is told of a run while it goes on; this one tells nothing."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def job(self, planned: Planned, number: int, total: int) -> None:
        """A job begins."""

    def progress(self, what: str, done: int, total: int) -> None:
        """A step of the job advanced; total 0 is unknown."""

    def outcome(self, outcome: Outcome) -> None:
        """A job ended."""


@dataclass
class _Run:
    plan: Plan
    engine: Engine
    data: Mapping[str, DataSet]
    display: Display
    force: bool
    done: dict[str, Outcome] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    identities: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)


def run_plan(
    plan: Plan, engine: Engine, data: Mapping[str, DataSet], display: Display, scratch: Path, force: bool = False
) -> Iterator[Outcome]:
    """Run the plan's jobs, and those that their outcomes call for: more rounds, or the steps of a search.

    Args:
        data: of each model (`datasets.prepare`).
        scratch: an empty folder for outputs that only this run needs.
        force: make artifacts anew that an earlier run has left.

    Yields:
        One outcome a job, failures included. A job whose input is missing because an earlier one failed fails too.

    Raises:
        EnvironmentProblem: after the outcome of the job that met it: the engine is gone or the disk is full.
        KeyboardInterrupt: after the outcome of the job that was interrupted.
    """
    run = _Run(plan, engine, data, display, force)
    batches = search.explore(plan, run.done) if plan.recipe.search else schedule.fixed(plan, run.done)
    number, total = 0, len(plan.jobs)
    for batch in batches:
        total = max(total, number + len(batch))
        for planned in batch:
            number += 1
            display.job(planned, number, total)
            outcome, problem = _run_one(run, planned, scratch)
            run.done[planned.job.id] = outcome
            display.outcome(outcome)
            yield outcome
            if problem is not None:
                raise problem


def _run_one(run: _Run, planned: Planned, scratch: Path) -> tuple[Outcome, BaseException | None]:
    job = planned.job
    for needed in planned.needs:
        before = run.done.get(needed)
        if before is None or before.status != "done":
            if before is None:
                return Outcome(planned, "failed", "an earlier job did not run", job.stage), None
            return Outcome(planned, before.status, before.reason, before.stage, log=before.log), None
    log: deque[str] = deque(maxlen=LOG_LINES)
    try:
        outcome = _work(run, planned, scratch, log)
    except KeyboardInterrupt as interrupt:
        return Outcome(planned, "failed", "interrupted", job.stage, log=tuple(log)), interrupt
    except EnvironmentProblem as problem:
        return Outcome(planned, "failed", str(problem), job.stage, log=tuple(log)), problem
    except DockyardError as problem:
        return Outcome(planned, "failed", str(problem), job.stage, log=tuple(log)), None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)
        what = "the disk is full" if full else f"{type(error).__name__}: {error.strerror or error}"
        found = EnvironmentProblem(what, job.id, f"make room at {STATE}" if full else "")
        return Outcome(planned, "failed", str(found), job.stage, log=tuple(log)), found
    return outcome, None


def _work(run: _Run, planned: Planned, scratch: Path, log: deque[str]) -> Outcome:
    job = planned.job
    toolchain = (job.target, job.toolchain)
    if toolchain not in run.identities:
        run.display.progress(f"prepare {job.target} {job.toolchain}", 0, 0)
        run.identities[toolchain] = run.engine.prepare(*toolchain, on_line=lambda line: run.display.progress(line[:80], 0, 0))
    identity = run.identities[toolchain]
    key = _key(run, planned)
    if job.stage in artifacts.KEPT_STAGES and not run.force:
        kept = artifacts.find(key)
        if kept is not None:
            return Outcome(planned, "done", result=kept[1], outputs=kept[0], cached=True, identity=identity)
    jobs = STATE / "jobs"
    jobs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=job.id.replace("/", "-") + "-", dir=jobs) as name:
        folder = Path(name)
        assemble(run, planned, folder)

        def on_line(line: str) -> None:
            step = read_progress(line)
            if step is not None:
                run.display.progress(*step)
            elif line.strip():
                log.append(line)

        measure = run.plan.recipe.measure
        limit = min(measure.time_limit_s, planned.time_limit_s or measure.time_limit_s)
        try:
            ended = run.engine.run(*toolchain, folder, Limits(limit, measure.memory_mb, host_network=bool(job.tracker)), on_line)
        finally:
            for refused in tuning.keep(folder / "tuning", job.model, job.target) if job.tuning else []:
                run.display.say(f"  {job.id}: {refused}")
                log.append(refused)
        result = read_result(folder, ended, job.stage)
        if ended.expired and planned.time_limit_s == limit:
            result.update(status="not measured", reason=search.SPENT)
        outputs = folder / "outputs"
        if result["status"] == "done" and job.stage in artifacts.KEPT_STAGES:
            if job.tuning:
                key = _key(run, planned)  # of the databases as they are now: what is made of them is made
            outputs = artifacts.keep(key, outputs, result)
        elif outputs.is_dir():
            outputs = Path(shutil.move(str(outputs), scratch / job.id.replace("/", "-")))
    return Outcome(
        planned,
        result["status"],
        result.get("reason", ""),
        "" if result["status"] == "done" else job.stage,
        result,
        outputs,
        tuple(log) if result["status"] != "done" else (),
        identity=identity,
        seconds=ended.seconds,
    )


def _key(run: _Run, planned: Planned) -> str:
    """Return, and note, the hash of all that goes into a job."""
    job = planned.job
    inputs = {path: _content(run, source) for path, source in planned.sources.items()}
    run.keys[job.id] = artifacts.key_of(planned, run.identities[job.target, job.toolchain], run.engine.name, inputs)
    return run.keys[job.id]


def _content(run: _Run, source: Source) -> str:
    """Return what identifies the content of an input."""
    if source.kind == "graph":
        return run.plan.networks[source.name].sha256
    if source.kind == "data":
        return run.data[source.name].digests[source.part]
    if source.kind == "tuning":
        return tuning.digest(source.name, source.part)
    return f"{run.keys[source.name]}/{source.part}"


def assemble(run: _Run, planned: Planned, folder: Path) -> None:
    """Fill a job folder: job.json, the code that runs in the target's environment, the inputs."""
    job = planned.job
    (folder / "job.json").write_text(json.dumps(job.to_json()))
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SHARED, folder / "code" / "shared", ignore=ignore)
    shutil.copytree(TARGETS / job.target, folder / "code" / "targets" / job.target, ignore=ignore)
    (folder / "outputs").mkdir()
    for path, source in planned.sources.items():
        destination = folder / "inputs" / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        if source.kind == "graph":
            graph = run.plan.networks[source.name].graph
            (destination / graph).parent.mkdir(parents=True)
            origin = MODELS / source.name / graph
            (shutil.copytree if origin.is_dir() else shutil.copyfile)(origin, destination / graph)
        elif source.kind == "data":
            shutil.copytree(run.data[source.name].folder / source.part, destination)
        elif source.kind == "tuning":
            for made in (destination, folder / "tuning"):
                made.mkdir()
            for database in tuning.of_model(source.name, source.part).values():
                shutil.copyfile(database, destination / database.name)
        else:
            outputs = run.done[source.name].outputs
            assert outputs is not None
            if source.part:
                shutil.copyfile(outputs / source.part, destination)
            else:
                shutil.copytree(outputs, destination)


def read_result(folder: Path, ended: Ended, stage: str) -> dict[str, Any]:
    """Read what a job left; a job that the engine ended, or that left nothing valid, has failed."""
    if ended.reason:
        return {"version": 1, "status": "failed", "reason": ended.reason}
    schema = documents.load_schema(SHARED / "contract" / "result.schema.json")
    path = folder / "result.json"
    if not path.is_file():
        return {"version": 1, "status": "failed", "reason": f"the job ended with exit code {ended.exit_code} and left no result"}
    try:
        result: dict[str, Any] = documents.parse(path.read_text(encoding="utf-8"))
        documents.check(result, schema, "result.json")
        _check_whole(stage, result)
    except (InputProblem, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:500]
        return {"version": 1, "status": "failed", "reason": f"the job left a result that cannot be used: {reason}"}
    return result


def _check_whole(stage: str, result: Mapping[str, Any]) -> None:
    """Refuse a `done` result without what its stage is for. Raises InputProblem."""
    if result["status"] != "done":
        return
    needed = {"convert": ("artifact", "conversion"), "optimize": ("artifact",), "evaluate": ("quality", "timing"), "benchmark": ("timing",)}
    missing = [key for key in needed.get(stage, ()) if not result.get(key)]
    if missing:
        raise InputProblem(f"a done {stage} without {missing[0]}")
    if "timing" in result:
        _check_times(result["timing"])
    if "quality" in result:
        _check_quality(result["quality"])


def _check_times(timing: Mapping[str, Any]) -> None:
    samples = timing["samples_ns"]
    total = samples.get("total", [])
    if not total or min(total) <= 0:
        raise InputProblem("a timing without samples, or with a time of zero")
    if timing["scope"] == "pipeline" and any(len(samples.get(step, [])) != len(total) for step in STEPS):
        raise InputProblem(f"a pipeline's timing without each of its steps: {', '.join(STEPS)}")


def _check_quality(quality: Mapping[str, Any]) -> None:
    metrics, samples = quality["metrics"], quality["samples"]
    if quality["main"] not in metrics:
        raise InputProblem("a quality without its main metric")
    for name, value in metrics.items():
        if name == "iou_set":
            _check_pixels(value, samples)
            continue
        values = [s["scores"][name] for s in samples if name in s["scores"]]
        if not values or abs(float(np.mean(values)) - value) > SAME_METRIC:
            raise InputProblem(f"the metric {name} is not the mean of its samples' scores")


def _check_pixels(iou_set: float, samples: Sequence[Mapping[str, Any]]) -> None:
    """Refuse an IoU of the set that its samples' pixels do not give, or pixels that are not those of a sample's IoU."""
    pixels = [s.get("pixels", [1, 0]) for s in samples]
    if any(union < inter for inter, union in pixels):
        raise InputProblem("the metric iou_set without the pixels of each sample")
    inter, union = (sum(counts) for counts in zip(*pixels))
    if abs((inter / union if union else 1.0) - iou_set) > SAME_METRIC:
        raise InputProblem("the metric iou_set is not the one of its samples' pixels")
    for sample, (inter, union) in zip(samples, pixels):
        if abs((inter / union if union else 1.0) - sample["scores"].get("iou", -1.0)) > SAME_METRIC:
            raise InputProblem(f"the iou of {sample['id']} is not the one of its pixels")
