"""A recipe's way, each call fed by the one before:

load_recipe -> Recipe -> make_plan -> Plan -> run_plan -> outcomes -> make_records -> judge -> write_report
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.decisions import RoundDecisions
from dockyard.judge.measurements import call_times_ns
from dockyard.judge.record_files import publish, read_records, write_records
from dockyard.judge.records import make_records, new_run
from dockyard.judge.verdicts import judge, requirement_met, why_nothing_is_measured
from dockyard.placing import NoDevice, place
from dockyard.plan.make import make_plan
from dockyard.published import this_cpu, why_data_outdated, why_outdated
from dockyard.recipe.locks import lock_file, locked, locked_if_free
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.report.terminal import print_summary
from dockyard.report.write import write_report
from dockyard.run import datasets, tuning_store
from dockyard.run.display import Display
from dockyard.run.live_display import LiveDisplay
from dockyard.run.outcome import Outcome
from dockyard.run.runner import run_plan
from dockyard.run.turns import Turns, results_lock
from shared.contract.errors import EnvironmentProblem, JobFailed


@dataclass(frozen=True)
class BuildResult:
    """What a build came to.

    Attributes:
        records: the folder of its records.
        host_s, jobs_s: seconds of the host and of the jobs.
        missing_device: why the recipe's device was not there; empty where it was.
    """

    workspace: Workspace
    assessments: list[Assessment]
    records: Path
    host_s: float
    jobs_s: float
    missing_device: str = ""


def build(
    workspace: Workspace,
    recipe_name: str,
    console: Console,
    *,
    engine: str = "auto",
    context: str | None = None,
    only: str | None = None,
    force: bool = False,
    must_measure: bool = False,
) -> BuildResult:
    """Run a recipe from graph to report.

    Where the recipe's own device is not there, all that needs none is done, and nothing is measured. Other
    recipes may be built meanwhile: on each device the builds take turns.

    Args:
        context: a Docker context in place of the recipe's device; None takes the recipe's.
        must_measure: do nothing where the device is not there.

    Whatever happens, the run's records are kept in `.dockyard/runs/<recipe>/<run>`, failures included; the
    results folder is changed only by a run that came to its end with all of the recipe's methods.

    Raises:
        InputProblem: the recipe, a model or the data is wrong (found before anything runs).
        NoDevice: the device is not there, and `must_measure`.
        EnvironmentProblem: no engine, or it went away, or the disk is full; the recipe is being built.
        KeyboardInterrupt: after the records have been written.
    """
    started = time.monotonic()
    recipe = load_recipe(workspace, recipe_name)
    plan = make_plan(workspace, recipe, only)
    run = new_run()
    run_folder = workspace.state / "runs" / recipe.name / run
    outcomes: list[Outcome] = []
    with (
        LiveDisplay(console) as display,
        _only_build_of(workspace, recipe.name, display),
        closing(place(plan, engine, context, display, must_measure)) as placement,
    ):
        with Turns(workspace, display).here():
            data = datasets.prepare(plan, display.progress)
        _say_warnings(data, display)
        scratches = workspace.state / "scratch" / recipe.name
        scratches.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=scratches) as scratch:
                for outcome in run_plan(
                    plan, placement, data, RoundDecisions(), display, Path(scratch), force
                ):
                    outcomes.append(outcome)
        finally:
            digests = {model: dict(found.digests) for model, found in data.items()}
            records = make_records(plan, run, outcomes, digests)
            write_records(records, run_folder)
    if only is None and _publish(workspace, recipe.name, run_folder, placement.missing_device):
        with LiveDisplay(console) as display, Turns(workspace, display).here():
            display.progress("write the report", 0, 0)
            write_report(workspace)
    jobs_s = sum(outcome.seconds for outcome in outcomes)
    host_s = time.monotonic() - started - jobs_s
    return BuildResult(workspace, judge(records), run_folder, host_s, jobs_s, placement.missing_device)


def _publish(workspace: Workspace, recipe_name: str, run_folder: Path, missing_device: str) -> bool:
    """Publish a run, and tell whether it was: one without its device replaces none that was measured."""
    with locked(results_lock(workspace)):
        if missing_device:
            published = read_records(workspace.results / "records" / recipe_name, workspace.display_path)
            if any(record.rounds for record in published):
                return False
        publish(run_folder, recipe_name, workspace.results)
    return True


def up_to_date(
    workspace: Workspace,
    recipe_name: str,
    console: Console,
    *,
    engine: str = "auto",
    context: str | None = None,
) -> list[Assessment]:
    """Return a recipe's published results where a build would measure the same again; else none, and say why.

    Raises:
        InputProblem: the recipe, a model, the data or a published record is wrong.
    """
    plan = make_plan(workspace, load_recipe(workspace, recipe_name))
    name = plan.recipe.name
    with locked(results_lock(workspace)):
        records = read_records(workspace.results / "records" / name, workspace.display_path)
    reason = why_outdated(plan, records, this_cpu(), engine, context)
    if not reason:
        with LiveDisplay(console) as display, Turns(workspace, display).here():
            data = datasets.prepare(plan, display.progress)
        reason = why_data_outdated(records, {model: found.digests for model, found in data.items()})
    told = f"building, because {reason}" if reason else f"up to date: run {records[0].run} measured the same"
    console.print(f"{name}: {told}", soft_wrap=True, highlight=False, markup=False)
    return [] if reason else judge(records)


def summarize(built: BuildResult, console: Console) -> None:
    """Print the verdicts, the answer in one sentence, what to do, and where to read more.

    Raises:
        JobFailed: a job failed, or what the recipe requires was not reached.
        NoDevice: the recipe's device was not there, or nothing of it can run here.
        EnvironmentProblem: what was measured has no reference beside it.
    """
    print_summary(built.assessments, console)
    report = built.workspace.display_path(built.workspace.results / "report.md")
    records = built.workspace.display_path(built.records)
    console.print(f"report: {report}, records: {records}", soft_wrap=True, highlight=False)
    console.print(_durations(built), soft_wrap=True, highlight=False)
    failed = [one.record for one in built.assessments if one.verdict == Verdict.FAILED]
    if failed:
        first = failed[0]
        reason, *more = first.reason.splitlines() or [""]
        raise JobFailed(
            f"{len(failed)} of {len(built.assessments)} variants failed; first: {reason}",
            f"{first.model}/{first.variant}",
            "\n".join(more).strip() or "the last lines of each are in its record",
        )
    recipe = str(built.assessments[0].record.recipe["name"])
    missing = f"not measured: {built.missing_device}" if built.missing_device else ""
    missing = missing or why_nothing_is_measured(built.assessments)
    if missing:
        advice = f"what needs no device is made and kept; where one is: ./inv build --recipe {recipe}"
        has_times = any(one.has_times_alone for one in built.assessments)
        raise (EnvironmentProblem if has_times else NoDevice)(missing, recipe, advice)
    if not requirement_met(built.assessments):
        raise JobFailed("what the recipe requires was not reached", recipe)


def _durations(built: BuildResult) -> str:
    """Return how long a build took, and of that its jobs and the clock in them."""
    rounds = [one for assessment in built.assessments for one in assessment.record.rounds]
    timed_s = sum(sum(call_times_ns(one.measured)) for one in rounds) / 1e9
    in_jobs = f"{built.jobs_s:.0f} s in jobs ({timed_s:.0f} s of them under the clock)"
    return f"took {built.host_s + built.jobs_s:.0f} s: {in_jobs}, {built.host_s:.0f} s in between"


def _say_warnings(data: Mapping[str, datasets.DataSet], display: Display) -> None:
    for model, found in data.items():
        for warning in found.warnings:
            display.say(f"  {model}: {warning}")


@contextmanager
def _only_build_of(workspace: Workspace, recipe_name: str, display: Display) -> Iterator[None]:
    """Hold a recipe, of which there is one build at a time; clear away what killed builds of any have left.

    Raises:
        EnvironmentProblem: the recipe is being built.
    """
    lock = _recipe_lock(workspace, recipe_name)
    with ExitStack() as stack:
        with locked(lock_file(workspace, "leftovers")):  # whoever looks for leftovers holds other recipes
            _, is_held = stack.enter_context(locked_if_free(lock))
            if not is_held:
                what, advice = f"another build of {recipe_name} is running in this workspace", "wait for it"
                raise EnvironmentProblem(what, workspace.display_path(lock), advice)
            _clear_leftovers(workspace, recipe_name, display)
        yield


def _recipe_lock(workspace: Workspace, recipe_name: str) -> Path:
    return lock_file(workspace, f"recipe-{recipe_name}")


def _clear_leftovers(workspace: Workspace, own: str, display: Display) -> None:
    """Keep what killed runs had tuned, and remove the rest that they left; living ones hold their recipe.

    Args:
        own: the name of the recipe that this build holds.
    """
    jobs, scratch = workspace.state / "jobs", workspace.state / "scratch"
    for recipe_name in sorted({path.name for folder in (jobs, scratch) for path in folder.glob("*")}):
        with ExitStack() as stack:
            if recipe_name != own:
                _, is_held = stack.enter_context(locked_if_free(_recipe_lock(workspace, recipe_name)))
                if not is_held:
                    continue
            for refused in tuning_store.keep_leftovers(workspace, jobs / recipe_name):
                display.say(f"  {refused}")
            for folder in (jobs, scratch):
                shutil.rmtree(folder / recipe_name, ignore_errors=True)
