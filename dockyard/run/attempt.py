"""One job: made ready, run by itself, and what came of it, whatever happens."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dockyard.engines import Executor, FollowedFolder, JobExit, Limits
from dockyard.plan.plan import (
    ClipInput,
    DataInput,
    GraphInput,
    JobInput,
    OutputInput,
    Plan,
    PlannedJob,
    TuningInput,
)
from dockyard.run import artifact_cache, clips, compilations, job_folder, tuning_store
from dockyard.run.check_result import read_result
from dockyard.run.datasets import DataSet
from dockyard.run.display import Display
from dockyard.run.job_lines import read_progress
from dockyard.run.object_quality import with_mean_ap
from dockyard.run.outcome import Outcome
from dockyard.run.placement import Placement
from dockyard.run.search import BUDGET_SPENT
from shared.contract.errors import DockyardError, EnvironmentProblem
from shared.contract.result import Result, Status
from shared.contract.stages import Compile, Evaluate, Optimize, StreamConfigure, Tuning

LOG_LINES = 40

LOG_LINE = 4000
"""Characters of a line that are kept."""

INTERRUPTED = "interrupted"

TUNING_MB = 64
"""Of all the databases that a job may leave, packed."""

Problem = EnvironmentProblem | KeyboardInterrupt


@dataclass
class Run:
    """A run as far as it has come."""

    plan: Plan
    placement: Placement
    data: Mapping[str, DataSet]
    display: Display
    scratch: Path
    force: bool
    done: dict[str, Outcome] = field(default_factory=dict)
    cache_keys: dict[str, str] = field(default_factory=dict)
    identities: dict[tuple[str, str, str], Mapping[str, str]] = field(default_factory=dict)


Finished = tuple[list[Outcome], Problem | None]
"""Outcomes, and what is to end the run after them."""


def run_alone(run: Run, planned: PlannedJob) -> Finished:
    """Run a job by itself."""
    inherited = unmet_need(run, planned)
    if inherited is not None:
        return [inherited], None
    log: deque[str] = deque(maxlen=LOG_LINES)
    try:
        return [_do(run, planned, log)], None
    except (KeyboardInterrupt, DockyardError, OSError) as error:
        failed, problem = broken(run, planned, error, log)
        return [failed], problem


def broken(
    run: Run, planned: PlannedJob, error: BaseException, log: deque[str]
) -> tuple[Outcome, Problem | None]:
    """Return the outcome of a job that an error ended, and what is to end the run after it.

    Raises:
        BaseException: the error, where it is a defect of ours.
    """
    if isinstance(error, KeyboardInterrupt):
        return _failed(planned, INTERRUPTED, log), error
    if isinstance(error, EnvironmentProblem):
        return _failed(planned, str(error), log), error
    if isinstance(error, DockyardError):
        return _failed(planned, str(error), log), None
    if isinstance(error, OSError):
        found = _machine_problem(run, planned, error)
        return _failed(planned, str(found), log), found
    raise error


def unmet_need(run: Run, planned: PlannedJob) -> Outcome | None:
    """Return the outcome of a job that misses an input, since an earlier job is not done; else None."""
    for needed in planned.needs:
        before = run.done.get(needed)
        if before is None:
            stage = planned.job.stage.name
            return Outcome(planned, Status.FAILED, "an earlier job did not run", stage)
        if before.status != Status.DONE:
            return inherited(planned, before)
    return None


def no_device(run: Run, planned: PlannedJob) -> Outcome:
    """Return the outcome of a job that is to run on a device that is not there."""
    missed = unmet_need(run, planned)
    if missed is not None:
        return missed
    return Outcome(planned, Status.NOT_MEASURED, run.placement.missing_device, planned.job.stage.name)


def inherited(planned: PlannedJob, before: Outcome) -> Outcome:
    """Return the outcome of a job that is not done because an earlier one was not."""
    return Outcome(planned, before.status, before.reason, before.stage, log=before.log)


def _failed(planned: PlannedJob, reason: str, log: deque[str]) -> Outcome:
    return Outcome(planned, Status.FAILED, reason, planned.job.stage.name, log=tuple(log))


def _machine_problem(run: Run, planned: PlannedJob, error: OSError) -> EnvironmentProblem:
    """Return what this machine's own error means for the user."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)
    if full:
        return EnvironmentProblem(
            "the disk is full", planned.job.id, f"make room at {run.plan.workspace.state}"
        )
    return EnvironmentProblem(f"{type(error).__name__}: {error.strerror or error}", planned.job.id)


def _do(run: Run, planned: PlannedJob, log: deque[str]) -> Outcome:
    """Do a job, or take what this run or an earlier one made of the same."""
    job = planned.job
    outcome = begin(run, planned)
    known = _known(run, outcome)
    if known is not None:
        return known
    with filled_folder(run, planned) as folder:
        job_exit = _execute(run, planned, folder, log)
        result = read_result(folder, job_exit, job.parameters)
        result = with_mean_ap(result, job, run.data)
        if _has_spent_budget(run, planned, job_exit):
            result = replace(result, status=Status.NOT_MEASURED, reason=BUDGET_SPENT)
        if result.status == Status.DONE and job.stage.is_cached and _tuning_of(planned) is not None:
            # Tuning has changed the databases, which are part of the key. Kept under the key of the changed
            # ones, the artifact is found by the next build, until one of them changes again.
            outcome = replace(outcome, cache_key=_note_cache_key(run, planned))
        outputs = _keep_outputs(run, outcome, result, folder / "outputs")
    return concluded(outcome, result, outputs, log, job_exit.seconds)


def begin(run: Run, planned: PlannedJob) -> Outcome:
    """Make a job's toolchain ready; return what is known of the outcome before the job runs."""
    executor = run.placement.executor_of(planned.job)
    identity = _prepare(run, executor, planned)
    return Outcome(
        planned,
        Status.DONE,
        executor=executor.name,
        device=executor.device,
        place=executor.place,
        identity=identity,
        cache_key=_note_cache_key(run, planned),  # of which the identity is a part
    )


def _known(run: Run, begun: Outcome) -> Outcome | None:
    """Return the outcome of a job that is known: what is kept, or what this run found of the same bytes."""
    job = begun.planned.job
    if job.stage.is_cached and not run.force and begun.cache_key is not None:
        kept = artifact_cache.find(run.plan.workspace, begun.cache_key)
        if kept is not None:
            return replace(begun, outputs=kept[0], result=kept[1], cached=True)
    for before in run.done.values():
        if before.result is not None and _judges_the_same(run, begun.planned, before.planned):
            return replace(begun, status=before.status, result=before.result, cached=True)
    return None


def _judges_the_same(run: Run, planned: PlannedJob, before: PlannedJob) -> bool:
    """Tell whether an earlier job has judged the quality of the same bytes in the same way.

    Two methods often leave the same artifact: an accuracy-aware one that had nothing to put back.
    """
    if not isinstance(planned.job.parameters, Evaluate):
        return False
    mine, other = planned.job, before.job
    return (
        (mine.target, mine.toolchain, mine.parameters) == (other.target, other.toolchain, other.parameters)
        and run.done[other.id].status == Status.DONE
        and _artifact_of(run, planned) == _artifact_of(run, before)
    )


def _artifact_of(run: Run, planned: PlannedJob) -> str | None:
    """Return the SHA-256 of what a job that judges a quality is given; None of a graph as it came."""
    for source in planned.inputs.values():
        made = run.done[source.job_id].result if isinstance(source, OutputInput) and not source.file else None
        if made is not None:
            return made.artifact.sha256
    return None


@contextmanager
def filled_folder(run: Run, planned: PlannedJob) -> Iterator[Path]:
    """Yield a job's folder, and remove it at the end."""
    jobs = run.plan.workspace.state / "jobs" / run.plan.recipe.name
    jobs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=planned.job.id.replace("/", "-") + "-", dir=jobs) as name:
        folder = Path(name)
        job_folder.fill(run.plan, planned, run.data, run.done, folder)
        yield folder


def concluded(
    begun: Outcome, result: Result, outputs: Path | None, log: deque[str], seconds: float
) -> Outcome:
    """Return the outcome of a job that has ended."""
    is_done = result.status == Status.DONE
    return replace(
        begun,
        status=result.status,
        reason=result.reason,
        stage=None if is_done else begun.planned.job.stage.name,
        result=result,
        outputs=outputs,
        log=() if is_done else tuple(log),
        seconds=seconds,
    )


def _prepare(run: Run, executor: Executor, planned: PlannedJob) -> Mapping[str, str]:
    """Return what identifies a job's toolchain, which is made ready first."""
    toolchain = (planned.job.target, planned.job.toolchain)
    there = (executor.name, *toolchain)
    if there not in run.identities:
        run.display.progress(f"prepare {' '.join(toolchain)}", 0, 0)
        on_line = _shortened(run.display)
        run.identities[there] = executor.prepare(*toolchain, on_line=on_line)
        run.display.progress("", 0, 0)
    return run.identities[there]


def _shortened(display: Display) -> Callable[[str], None]:
    return lambda line: display.progress(line[:80], 0, 0)


def _execute(run: Run, planned: PlannedJob, folder: Path, log: deque[str]) -> JobExit:
    """Run a filled job folder; keep what it leaves for the next of its kind, however it ends."""

    def on_line(line: str) -> None:
        step = read_progress(line)
        if step is not None:
            run.display.progress(*step)
        elif line.strip():
            log.append(line[:LOG_LINE])

    job, tuning = planned.job, _tuning_of(planned)
    executor = run.placement.executor_of(job)
    followed = None
    if tuning:
        followed = FollowedFolder(job_folder.TUNING, tuning_store.SUFFIX, TUNING_MB)
    elif isinstance(job.parameters, Compile):
        compilations.place(run.plan.workspace, executor.device, job, folder)
        followed = FollowedFolder(job.parameters.cache, compilations.SUFFIX, compilations.LIMIT_MB)
    try:
        key = "" if run.force else run.cache_keys[job.id]
        limits = limits_of(run, planned)
        return executor.run(job.target, job.toolchain, folder, limits, on_line, followed, key=key)
    finally:
        if tuning:
            databases = folder / job_folder.TUNING
            for refused in tuning_store.keep(run.plan.workspace, databases, job.model, job.target):
                run.display.say(f"  {job.id}: {refused}")
                log.append(refused)
        if isinstance(job.parameters, Compile):
            compilations.keep(run.plan.workspace, executor.device, job, folder)


def limits_of(run: Run, planned: PlannedJob) -> Limits:
    tuning = _tuning_of(planned)
    network = bool(tuning and tuning.tracker)
    return Limits(_time_limit(run, planned), run.plan.recipe.measure.memory_mb, host_network=network)


def _time_limit(run: Run, planned: PlannedJob) -> int:
    """Return the seconds that a job may take: the recipe's limit, or what is left of a search's budget."""
    limit = run.plan.recipe.measure.time_limit_s
    return limit if planned.time_limit_s is None else min(limit, planned.time_limit_s)


def _has_spent_budget(run: Run, planned: PlannedJob, job_exit: JobExit) -> bool:
    """Tell whether a search's budget, and not the recipe's limit, ended a job."""
    return job_exit.expired and planned.time_limit_s == _time_limit(run, planned)


def _tuning_of(planned: PlannedJob) -> Tuning | None:
    parameters = planned.job.parameters
    return parameters.tuning if isinstance(parameters, Optimize) else None


def _keep_outputs(run: Run, outcome: Outcome, result: Result, outputs: Path) -> Path | None:
    """Move what a job left to the cache or this run's scratch; return where, None where it left nothing."""
    job = outcome.planned.job
    if result.status == Status.DONE and job.stage.is_cached and outcome.cache_key is not None:
        return artifact_cache.keep(run.plan.workspace, outcome.cache_key, outputs, result)
    if not outputs.is_dir():
        return None
    return Path(shutil.move(str(outputs), run.scratch / job.id.replace("/", "-")))


def _note_cache_key(run: Run, planned: PlannedJob) -> str:
    """Return, and note for the jobs that need this one, the hash of all that goes into a job."""
    job = planned.job
    executor = run.placement.executor_of(job)
    inputs = {path: _content(run, source) for path, source in planned.inputs.items()}
    code = artifact_cache.code_hash(run.plan.workspace, job.target)
    identity = run.identities[executor.name, job.target, job.toolchain]
    # An engine elsewhere is the device that it is, by whatever name it is reached: what was made for it is of
    # use on no other one.
    # The settings of a stream are those of a device wherever it is.
    is_portable = executor.is_local and not isinstance(job.parameters, StreamConfigure)
    where = executor.name if is_portable else executor.device
    key = artifact_cache.cache_key(planned, identity, where, inputs, code)
    run.cache_keys[job.id] = key
    return key


def _content(run: Run, source: JobInput) -> str:
    """Return what identifies the content of an input."""
    match source:
        case GraphInput(network):
            return run.plan.networks[network].sha256
        case DataInput(model, split):
            return run.data[model].digests[split]
        case ClipInput(model):
            return run.data[model].digests[clips.SPLIT]
        case TuningInput(network, target):
            return tuning_store.digest(run.plan.workspace, network, target)
        case OutputInput(job_id, file):
            if source.is_optional and not job_folder.is_done(job_id, run.done):
                return "none"
            # Its bytes, however they came to be: a device that joins later has its own reference, and what is
            # converted and found to agree with that is the same.
            made = run.done[job_id].result
            assert made is not None, f"{job_id} is done and has no result"
            return f"{made.artifact.sha256}/{file or ''}"
