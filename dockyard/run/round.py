"""A measuring round of a model: the reference and its variants side by side, as many as memory holds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from dockyard.engines import JobExit, WordsLost
from dockyard.plan.jobs import evaluate_id
from dockyard.plan.plan import PlannedJob
from dockyard.run.attempt import (
    LOG_LINE,
    LOG_LINES,
    Finished,
    Problem,
    Run,
    begin,
    broken,
    concluded,
    filled_folder,
    inherited,
    limits_of,
    unmet_need,
)
from dockyard.run.check_result import read_result
from dockyard.run.display import Display
from dockyard.run.job_lines import read_progress
from dockyard.run.memory import groups_that_fit
from dockyard.run.outcome import Outcome
from dockyard.run.side_by_side import Ending, Start, run_side_by_side
from shared.contract.device import AFTER, BEFORE
from shared.contract.errors import DockyardError
from shared.contract.result import Result, Status

STEADY_TRIES = 3
"""How often a round is measured whose line keeps dropping."""


def run_round(run: Run, members: Sequence[PlannedJob]) -> Finished:
    """Run the benchmarks of a round, the reference first, each of which gives an outcome."""
    no_reference = _not_able(run, members[0])
    if no_reference is not None:
        return [no_reference, *(inherited(planned, no_reference) for planned in members[1:])], None
    outcomes: list[Outcome] = []
    able: list[PlannedJob] = []
    for planned in members:
        missing = _not_able(run, planned)
        if missing is None:
            able.append(planned)
        else:
            outcomes.append(missing)
    if _is_alone(run, able):
        reason = "none of its variants can be measured beside it"
        stage = members[0].job.stage.name
        return [Outcome(members[0], Status.NOT_MEASURED, reason, stage), *outcomes], None
    for group in _groups(run, able):
        found, problem = _run_steadily(run, group)
        outcomes += found
        if problem is not None:
            return outcomes, problem
    return outcomes, None


def _is_alone(run: Run, able: Sequence[PlannedJob]) -> bool:
    """Tell whether only the reference is left; a search goes on to other variants beside it."""
    return len(able) == 1 and run.plan.recipe.search is None


def _not_able(run: Run, planned: PlannedJob) -> Outcome | None:
    """Return the outcome of a benchmark that an earlier failure of its variant has settled; else None."""
    return unmet_need(run, planned) or _failed_before(run, planned)


def _groups(run: Run, able: Sequence[PlannedJob]) -> list[list[PlannedJob]]:
    """Return the benchmarks that memory holds at once, the reference in each group."""
    peaks = [_peak_mb(run, planned) for planned in able]
    memory_mb = min(run.placement.executor_of(planned.job).memory_mb for planned in able)
    groups = groups_that_fit(peaks, memory_mb)
    if len(groups) > 1:
        run.display.say(f"  {memory_mb} MB do not hold all {len(able)} at once: {len(groups)} groups")
    found = []
    for number, group in enumerate(groups, 1):
        found.append([_in_group(able[index], number) for index in group])
    return found


def _failed_before(run: Run, planned: PlannedJob) -> Outcome | None:
    """Return the outcome of a job whose variant failed before, judged or measured; else None."""
    for before in run.done.values():
        is_own = (before.planned.job.model, before.planned.variant) == (planned.job.model, planned.variant)
        if is_own and before.status != Status.DONE:
            return inherited(planned, before)
    return None


def _peak_mb(run: Run, planned: PlannedJob) -> float:
    """Return the memory that a variant took when its quality was judged, in MB; 0 where that is not known."""
    evaluated = run.done.get(evaluate_id(planned.job.model, planned.variant or ""))
    return evaluated.result.peak_mb if evaluated and evaluated.result else 0.0


def _in_group(planned: PlannedJob, number: int) -> PlannedJob:
    """Return a job as it runs in a group; the reference is in each, and every job has an id of its own."""
    if number == 1:
        return planned
    return replace(planned, job=replace(planned.job, id=f"{planned.job.id}.{number}"), group=number)


class _GroupWatcher:
    """Keeps the last lines of each benchmark of a group and shows how far they are."""

    def __init__(self, display: Display, count: int, cycles: int) -> None:
        self.logs: list[deque[str]] = [deque(maxlen=LOG_LINES) for _ in range(count)]
        self._display, self._cycles = display, cycles

    def line(self, number: int, text: str) -> None:
        step = read_progress(text)
        if step is not None:
            self._display.progress(*step)
        elif text.strip():
            self.logs[number].append(text[:LOG_LINE])

    def cycle(self, done: int) -> None:
        self._display.progress("bursts in turn, cycle", done, self._cycles)


def _run_steadily(run: Run, members: Sequence[PlannedJob]) -> Finished:
    """Run benchmarks side by side, anew where the line to their engine dropped.

    What was measured before is thrown away for all of them: bursts of which nobody knows whether they were
    told to run pair with none.
    """
    for attempt in range(1, STEADY_TRIES + 1):
        found, problem = _run_group(run, members)
        if not isinstance(problem, WordsLost):
            break
        if attempt < STEADY_TRIES:
            run.display.say("  the line to the engine dropped and is back: the round is measured anew")
    return found, problem


def _run_group(run: Run, members: Sequence[PlannedJob]) -> Finished:
    """Run benchmarks side by side, the reference first."""
    cycles = run.plan.recipe.measure.cycles
    watcher = _GroupWatcher(run.display, len(members), cycles)
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            begun = [begin(run, planned) for planned in members]
            folders = [stack.enter_context(filled_folder(run, planned)) for planned in members]
            starts = [_start(run, *each) for each in zip(members, folders)]
            before = _observed(run, members)
            endings = run_side_by_side(starts, cycles, watcher)
            after = _observed(run, members)
            seconds = (time.monotonic() - started) / len(members)
            outcomes: list[Outcome] = []
            problem: Problem | None = None
            for outcome, folder, ending, log in zip(begun, folders, endings, watcher.logs):
                if isinstance(ending.left, BaseException):
                    failed, found = broken(run, outcome.planned, ending.left, log)
                    outcomes.append(failed)
                    problem = _worse(problem, found)
                else:
                    result = _benchmark_result(outcome.planned, folder, ending.left, ending)
                    name = outcome.executor or ""
                    result = _between(result, before.get(name, {}), after.get(name, {}))
                    outcomes.append(concluded(outcome, result, None, log, seconds))
            return outcomes, problem
    except (KeyboardInterrupt, DockyardError, OSError) as error:
        both = [broken(run, planned, error, log) for planned, log in zip(members, watcher.logs)]
        return [outcome for outcome, _ in both], both[0][1]


def _observed(run: Run, members: Sequence[PlannedJob]) -> dict[str, Mapping[str, str]]:
    """Return the state of each executor's device that no job can read, by the executor's name."""
    executors = [run.placement.executor_of(planned.job) for planned in members]
    by_name = {executor.name: executor for executor in executors}
    return {name: executor.observe(run.plan.toolchains) for name, executor in by_name.items()}


def _between(result: Result, before: Mapping[str, str], after: Mapping[str, str]) -> Result:
    """Return a benchmark's result with what its device was besides, before and after."""
    device = dict(result.device)
    for name, state in ((BEFORE, before), (AFTER, after)):
        read = device.get(name)
        device[name] = {**(read if isinstance(read, Mapping) else {}), **state}
    return replace(result, device=device) if result.device else result


def _worse(one: Problem | None, other: Problem | None) -> Problem | None:
    """Return that of two problems which nothing is done anew for, else the first there is."""
    return other if one is None or (isinstance(one, WordsLost) and other is not None) else one


def _start(run: Run, planned: PlannedJob, folder: Path) -> Start:
    """Return what runs a benchmark whose folder is filled."""
    job = planned.job
    executor = run.placement.executor_of(job)
    return lambda on_line, on_started: executor.run(
        job.target, job.toolchain, folder, limits_of(run, planned), on_line, on_started=on_started
    )


def _benchmark_result(planned: PlannedJob, folder: Path, left: JobExit, ending: Ending) -> Result:
    """Read what a benchmark left; one that ran other bursts than it was told to has failed."""
    result = read_result(folder, left, planned.job.parameters)
    measured = result.measurement
    if result.status == Status.DONE and measured is not None and len(measured.bursts) != ending.bursts:
        told = f"told to run {ending.bursts} bursts it ran {len(measured.bursts)}"
        return Result(Status.FAILED, f"the job left a result that cannot be used: {told}")
    return result
