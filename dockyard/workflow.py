"""A recipe's way, each call fed by the one before:

load_recipe -> Recipe -> make_plan -> Plan -> run_plan -> records -> judge -> verdicts -> write_report
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from dockyard.engines.choose import choose_engine
from dockyard.judge.records import make_records, new_run, publish, write_records
from dockyard.judge.verdicts import Judged, judge, requirement_met
from dockyard.plan.plan import make_plan
from dockyard.recipe.catalog import load_recipe
from dockyard.recipe.places import RESULTS, STATE, shown
from dockyard.report.report import headline, write_report
from dockyard.run import datasets
from dockyard.run import tuning_store as tuning
from dockyard.run.live_display import LiveDisplay
from dockyard.run.outcome import Outcome
from dockyard.run.runner import run_plan
from shared.contract.errors import EnvironmentProblem, JobFailed


@dataclass(frozen=True)
class Built:
    """What a build came to: its records judged, the run's name, the seconds of host and jobs."""

    judged: list[Judged]
    run: str
    host_s: float
    jobs_s: float


def build(
    recipe_name: str,
    console: Console,
    *,
    engine: str = "auto",
    context: str | None = None,
    only: str | None = None,
    force: bool = False,
    results: Path = RESULTS,
) -> Built:
    """Run a recipe from graph to report.

    Whatever happens, the run's records are kept in `.dockyard/runs/<recipe>/<run>`, failures included; the
    results folder is changed only by a run that came to its end with all of the recipe's methods.

    Raises:
        InputProblem: the recipe, a model or the data is wrong (found before anything runs).
        EnvironmentProblem: no engine, or it went away, or the disk is full.
        JobFailed: a job failed, or no variant meets the recipe's requirements.
        KeyboardInterrupt: after the records have been written.
    """
    started = time.monotonic()
    recipe = load_recipe(recipe_name)
    plan = make_plan(recipe, only)
    run = new_run()
    run_folder = STATE / "runs" / recipe.name / run
    outcomes: list[Outcome] = []
    with _one_at_a_time(), LiveDisplay(console) as display:
        chosen, why = choose_engine(engine, context, plan.toolchains, lambda line: display.progress(line[:80], 0, 0))
        display.say(f"{recipe.name}: {len(plan.jobs)} jobs on {plan.target.name} {plan.toolchain}; engine: {why}")
        data = datasets.prepare(plan, display.progress)
        digests = {model: dict(d.digests) for model, d in data.items()}
        for refused in tuning.keep_leftovers():
            display.say(f"  {refused}")
        for leftover in ("jobs", "scratch"):
            shutil.rmtree(STATE / leftover, ignore_errors=True)
            (STATE / leftover).mkdir(parents=True)
        try:
            with tempfile.TemporaryDirectory(dir=STATE / "scratch") as scratch:
                for outcome in run_plan(plan, chosen, data, display, Path(scratch), force):
                    outcomes.append(outcome)
        finally:
            records = make_records(plan, run, chosen.name, outcomes, digests)
            write_records(records, run_folder)
    judged = judge(records)
    if only is None:
        publish(run_folder, recipe.name, results)
        write_report(results)
    jobs_s = sum(o.seconds for o in outcomes)
    return Built(judged, run, time.monotonic() - started - jobs_s, jobs_s)


def summarize(built: Built, console: Console) -> None:
    """Print the verdicts, the answer in one sentence and where to read more.

    Raises:
        JobFailed: a job failed, or no variant meets the recipe's requirements.
    """
    from rich.table import Column, Table

    names = (Column(name, overflow="fold") for name in ("model", "variant", "verdict"))
    table = Table(*names, "mean ms", "speedup", "quality", "drop")
    for one in built.judged:
        times, gain, drop = one.times, one.speedup, one.drop
        table.add_row(
            one.record.model,
            one.record.variant,
            one.verdict,
            f"{times.mean:.2f}" if times else "-",
            f"{gain[0]:.2f}x" if gain else "-",
            f"{one.quality:.4f}" if one.quality is not None else "-",
            f"{drop[0]:+.4f}" if drop else "-",
        )
    console.print(table)
    console.print(headline(built.judged), soft_wrap=True, highlight=False)
    recipe = str(built.judged[0].record.recipe["name"])
    folder = shown(STATE / "runs" / recipe / built.run)
    console.print(f"report: {shown(RESULTS / 'report.md')}, records: {folder}", soft_wrap=True, highlight=False)
    share = built.host_s / built.jobs_s if built.jobs_s else 0.0
    console.print(f"jobs took {built.jobs_s:.0f} s, the rest {built.host_s:.0f} s ({share:.0%})", highlight=False)
    failed = [one for one in built.judged if one.verdict == "failed"]
    if failed:
        record = failed[0].record
        raise JobFailed(
            f"{len(failed)} of {len(built.judged)} variants failed; first: {record.reason.splitlines()[0] if record.reason else ''}",
            f"{record.model}/{record.variant}",
            "the last lines of each are in its record",
        )
    if not requirement_met(built.judged):
        raise JobFailed(headline(built.judged), recipe, "allow a larger drop, or try other optimizations")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two runs beside each other would measure each other."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentProblem(
                "another build is running in this repository", shown(STATE / "lock"), "wait for it: two would measure each other"
            ) from None
        yield
