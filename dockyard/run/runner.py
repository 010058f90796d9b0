"""Run a plan's jobs in order; every job gives an outcome, whatever happens to it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dockyard.engines import Executor, FollowedFolder, JobExit, Limits
from dockyard.plan.plan import DataInput, GraphInput, JobInput, OutputInput, Plan, PlannedJob, TuningInput
from dockyard.run import artifact_cache, job_folder, tuning_store
from dockyard.run.check_result import read_result
from dockyard.run.datasets import DataSet, read_progress
from dockyard.run.decisions import Decisions
from dockyard.run.display import Display
from dockyard.run.outcome import Outcome
from dockyard.run.placement import Placement
from dockyard.run.rounds import planned_batches
from dockyard.run.search import BUDGET_SPENT, search_batches
from shared.contract.errors import DockyardError, EnvironmentProblem
from shared.contract.result import Result, Status
from shared.contract.stages import Optimize, Tuning

LOG_LINES = 40

INTERRUPTED = "interrupted"

TUNING_MB = 64
"""Of all the databases that a job may leave, packed."""

Problem = EnvironmentProblem | KeyboardInterrupt


@dataclass
class _Run:
    """A run as far as it has come."""

    plan: Plan
    placement: Placement
    data: Mapping[str, DataSet]
    display: Display
    scratch: Path
    force: bool
    done: dict[str, Outcome] = field(default_factory=dict)
    cache_keys: dict[str, str] = field(default_factory=dict)
    identities: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)


def run_plan(
    plan: Plan,
    placement: Placement,
    data: Mapping[str, DataSet],
    decisions: Decisions,
    display: Display,
    scratch: Path,
    force: bool = False,
) -> Iterator[Outcome]:
    """Run the plan's jobs, and those that their outcomes call for: more rounds, or the steps of a search.

    Args:
        data: each model's data set (`datasets.prepare`).
        scratch: an empty folder for outputs that only this run needs.
        force: make artifacts anew that an earlier run has left.

    Yields:
        One outcome a job, failures included. A job whose input is missing because an earlier one failed,
        fails too.

    Raises:
        EnvironmentProblem: after the outcome of the job that met it: the engine is gone or the disk is full.
        KeyboardInterrupt: after the outcome of the job that was interrupted.
    """
    run = _Run(plan, placement, data, display, scratch, force)
    batches = search_batches if plan.recipe.search else planned_batches
    number, total = 0, len(plan.jobs)
    for batch in batches(plan, run.done, decisions):
        total = max(total, number + len(batch))
        for planned in batch:
            number += 1
            display.job(planned, number, total)
            outcome, problem = _run_one(run, planned)
            run.done[planned.job.id] = outcome
            display.outcome(outcome)
            yield outcome
            if problem is not None:
                raise problem


def _run_one(run: _Run, planned: PlannedJob) -> tuple[Outcome, Problem | None]:
    """Return the outcome of a job, and what is to end the run after it."""
    inherited = _unmet_need(run, planned)
    if inherited is not None:
        return inherited, None
    log: deque[str] = deque(maxlen=LOG_LINES)
    try:
        return _do(run, planned, log), None
    except KeyboardInterrupt as interrupt:
        return _failed(planned, INTERRUPTED, log), interrupt
    except EnvironmentProblem as problem:
        return _failed(planned, str(problem), log), problem
    except DockyardError as problem:
        return _failed(planned, str(problem), log), None
    except OSError as error:
        found = _machine_problem(run, planned, error)
        return _failed(planned, str(found), log), found


def _unmet_need(run: _Run, planned: PlannedJob) -> Outcome | None:
    """Return the outcome of a job that misses an input, since an earlier job is not done; else None."""
    for needed in planned.needs:
        before = run.done.get(needed)
        if before is None:
            stage = planned.job.stage.name
            return Outcome(planned, Status.FAILED, "an earlier job did not run", stage)
        if before.status != Status.DONE:
            return Outcome(planned, before.status, before.reason, before.stage, log=before.log)
    return None


def _failed(planned: PlannedJob, reason: str, log: deque[str]) -> Outcome:
    return Outcome(planned, Status.FAILED, reason, planned.job.stage.name, log=tuple(log))


def _machine_problem(run: _Run, planned: PlannedJob, error: OSError) -> EnvironmentProblem:
    """Return what this machine's own error means for the user."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)
    if full:
        return EnvironmentProblem(
            "the disk is full", planned.job.id, f"make room at {run.plan.workspace.state}"
        )
    return EnvironmentProblem(f"{type(error).__name__}: {error.strerror or error}", planned.job.id)


def _do(run: _Run, planned: PlannedJob, log: deque[str]) -> Outcome:
    """Do a job, or take what an earlier run made of the same."""
    job = planned.job
    executor = run.placement.executor_of(job.target)
    identity = _prepare(run, executor, planned)
    cache_key = _note_cache_key(run, executor, planned)  # of which the identity is a part
    outcome = Outcome(
        planned,
        Status.DONE,
        executor=executor.name,
        device=executor.device,
        identity=identity,
        cache_key=cache_key,
    )
    if job.stage.is_cached and not run.force and outcome.cache_key is not None:
        kept = artifact_cache.find(run.plan.workspace, outcome.cache_key)
        if kept is not None:
            return replace(outcome, outputs=kept[0], result=kept[1], cached=True)
    jobs = run.plan.workspace.state / "jobs"
    jobs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=job.id.replace("/", "-") + "-", dir=jobs) as name:
        folder = Path(name)
        job_folder.fill(run.plan, planned, run.data, run.done, folder)
        job_exit = _execute(run, executor, planned, folder, log)
        result = read_result(folder, job_exit, job.parameters)
        if _has_spent_budget(run, planned, job_exit):
            result = replace(result, status=Status.NOT_MEASURED, reason=BUDGET_SPENT)
        if result.status == Status.DONE and job.stage.is_cached and _tuning_of(planned) is not None:
            # Tuning has changed the databases, which are part of the key. Kept under the key of the changed
            # ones, the artifact is found by the next build, until one of them changes again.
            outcome = replace(outcome, cache_key=_note_cache_key(run, executor, planned))
        outputs = _keep_outputs(run, outcome, result, folder / "outputs")
    return replace(
        outcome,
        status=result.status,
        reason=result.reason,
        stage=None if result.status == Status.DONE else job.stage.name,
        result=result,
        outputs=outputs,
        log=() if result.status == Status.DONE else tuple(log),
        seconds=job_exit.seconds,
    )


def _prepare(run: _Run, executor: Executor, planned: PlannedJob) -> Mapping[str, str]:
    """Return what identifies a job's toolchain, which is made ready first."""
    toolchain = (planned.job.target, planned.job.toolchain)
    if toolchain not in run.identities:
        run.display.progress(f"prepare {' '.join(toolchain)}", 0, 0)
        on_line = _shortened(run.display)
        run.identities[toolchain] = executor.prepare(*toolchain, on_line=on_line)
    return run.identities[toolchain]


def _shortened(display: Display) -> Callable[[str], None]:
    return lambda line: display.progress(line[:80], 0, 0)


def _execute(run: _Run, executor: Executor, planned: PlannedJob, folder: Path, log: deque[str]) -> JobExit:
    """Run a filled job folder; keep the tuning databases that it leaves, however it ends."""

    def on_line(line: str) -> None:
        step = read_progress(line)
        if step is not None:
            run.display.progress(*step)
        elif line.strip():
            log.append(line)

    job, tuning = planned.job, _tuning_of(planned)
    network = bool(tuning and tuning.tracker)
    limits = Limits(_time_limit(run, planned), run.plan.recipe.measure.memory_mb, host_network=network)
    followed = FollowedFolder(job_folder.TUNING, tuning_store.SUFFIX, TUNING_MB) if tuning else None
    try:
        return executor.run(job.target, job.toolchain, folder, limits, on_line, followed)
    finally:
        if tuning:
            databases = folder / job_folder.TUNING
            for refused in tuning_store.keep(run.plan.workspace, databases, job.model, job.target):
                run.display.say(f"  {job.id}: {refused}")
                log.append(refused)


def _time_limit(run: _Run, planned: PlannedJob) -> int:
    """Return the seconds that a job may take: the recipe's limit, or what is left of a search's budget."""
    limit = run.plan.recipe.measure.time_limit_s
    return limit if planned.time_limit_s is None else min(limit, planned.time_limit_s)


def _has_spent_budget(run: _Run, planned: PlannedJob, job_exit: JobExit) -> bool:
    """Tell whether a search's budget, and not the recipe's limit, ended a job."""
    return job_exit.expired and planned.time_limit_s == _time_limit(run, planned)


def _tuning_of(planned: PlannedJob) -> Tuning | None:
    parameters = planned.job.parameters
    return parameters.tuning if isinstance(parameters, Optimize) else None


def _keep_outputs(run: _Run, outcome: Outcome, result: Result, outputs: Path) -> Path | None:
    """Move what a job left to the cache or this run's scratch; return where, None where it left nothing."""
    job = outcome.planned.job
    if result.status == Status.DONE and job.stage.is_cached and outcome.cache_key is not None:
        return artifact_cache.keep(run.plan.workspace, outcome.cache_key, outputs, result)
    if not outputs.is_dir():
        return None
    return Path(shutil.move(str(outputs), run.scratch / job.id.replace("/", "-")))


def _note_cache_key(run: _Run, executor: Executor, planned: PlannedJob) -> str:
    """Return, and note for the jobs that need this one, the hash of all that goes into a job."""
    job = planned.job
    inputs = {path: _content(run, source) for path, source in planned.inputs.items()}
    code = artifact_cache.code_hash(run.plan.workspace, job.target)
    identity = run.identities[job.target, job.toolchain]
    key = artifact_cache.cache_key(planned, identity, executor.name, inputs, code)
    run.cache_keys[job.id] = key
    return key


def _content(run: _Run, source: JobInput) -> str:
    """Return what identifies the content of an input."""
    match source:
        case GraphInput(network):
            return run.plan.networks[network].sha256
        case DataInput(model, split):
            return run.data[model].digests[split]
        case TuningInput(network, target):
            return tuning_store.digest(run.plan.workspace, network, target)
        case OutputInput(job_id, file):
            if source.is_optional and not job_folder.is_done(job_id, run.done):
                return "none"
            return f"{run.cache_keys[job_id]}/{file or ''}"
