"""Run a plan's jobs in order; every job gives an outcome, whatever happens to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from dockyard.plan.plan import Plan, PlannedJob
from dockyard.run.attempt import Finished, Run, broken, no_device, run_alone
from dockyard.run.batches import Batch, planned_batches
from dockyard.run.datasets import DataSet
from dockyard.run.decisions import Decisions
from dockyard.run.display import Display
from dockyard.run.outcome import Outcome
from dockyard.run.placement import Placement, needs_device
from dockyard.run.round import run_round
from dockyard.run.search import search_batches
from dockyard.run.turns import Turns


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
    run, turns = Run(plan, placement, data, display, scratch, force), Turns(plan.workspace, display)
    number, total = 0, len(plan.jobs)
    for batch in _batches(run, turns, decisions):
        total = max(total, number + len(batch))
        for _, together in groupby(batch, key=_round_of):
            members = list(together)
            display.begin(members, number + 1, total)
            number += len(members)
            outcomes, problem = _run_together(run, turns, members)
            for outcome in outcomes:
                run.done[outcome.planned.job.id] = outcome
                if not _was_said(run, outcome):
                    display.outcome(outcome)
                yield outcome
            if problem is not None:
                raise problem


def _batches(run: Run, turns: Turns, decisions: Decisions) -> Iterator[Batch]:
    """Return the batches of a plan; time that a search waits for a device is none of its budget."""
    if run.plan.recipe.search is None:
        return planned_batches(run.plan, run.done, decisions)
    return search_batches(run.plan, run.done, decisions, turns.working_s)


def _run_together(run: Run, turns: Turns, members: list[PlannedJob]) -> Finished:
    """Run a job by itself, or those of a round, when it is their turn on their devices.

    What needs a device that is not there is not run.
    """
    if run.placement.missing_device and needs_device(members[0].job.parameters):
        return [no_device(run, planned) for planned in members], None
    executors = [run.placement.executor_of(planned.job) for planned in members]
    try:
        with turns.on(executors):
            return run_alone(run, members[0]) if members[0].round is None else run_round(run, members)
    except (KeyboardInterrupt, OSError) as error:  # while the turn was waited for
        ended = [broken(run, planned, error, deque()) for planned in members]
        return [outcome for outcome, _ in ended], ended[0][1]


def _was_said(run: Run, outcome: Outcome) -> bool:
    """Tell whether why a variant misses a round was said before: where it was judged, or in round 1."""
    planned = outcome.planned
    if planned.round is None or outcome.stage is None:
        return False
    is_inherited = outcome.stage != planned.job.stage.name
    return bool(run.placement.missing_device) or (is_inherited and planned.round > 1)


def _round_of(planned: PlannedJob) -> tuple[str, int | None]:
    """Return what jobs have in common that run side by side: a model's round; others run by themselves."""
    return (planned.job.id, None) if planned.round is None else (planned.job.model, planned.round)
