"""A recipe's jobs without its benchmarks, for tests of what is made and what it is worth."""

from __future__ import annotations

import io
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from dockyard.judge.decisions import RoundDecisions
from dockyard.judge.records import make_records
from dockyard.placing import place
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.run import datasets
from dockyard.run.live_display import LiveDisplay
from dockyard.run.outcome import Outcome
from dockyard.run.runner import run_plan
from shared.contract.record import Record
from shared.contract.result import Status

UNMEASURED = {"threads": 2, "max_rounds": 3}
"""Of a recipe: no rounds beyond those that are left out."""


def unmeasured(workspace: Workspace, recipe: dict[str, Any], scratch: Path) -> dict[str, Record]:
    """Run a recipe's jobs, each of which has to succeed; return the records by variant.

    Args:
        scratch: a folder for its recipe and what comes of it.
    """
    plan, outcomes = run_unmeasured(workspace, recipe, scratch)
    for one in outcomes:
        assert one.status == Status.DONE, f"{one.planned.job.id}: {one.reason}"
    return {record.variant: record for record in make_records(plan, "unmeasured", outcomes, {})}


def run_unmeasured(workspace: Workspace, recipe: dict[str, Any], scratch: Path) -> tuple[Plan, list[Outcome]]:
    """Run a recipe's jobs in virtual environments, less its benchmarks; return their plan and outcomes.

    Args:
        scratch: a folder for its recipe and what comes of it.
    """
    file = scratch / "unmeasured.json"
    file.write_text(json.dumps({**recipe, "measure": UNMEASURED}))
    plan = make_plan(workspace, load_recipe(workspace, str(file)))
    plan = replace(plan, jobs=tuple(one for one in plan.jobs if one.round is None))
    outputs = scratch / "outputs"
    outputs.mkdir()
    with (
        LiveDisplay(Console(file=io.StringIO())) as display,
        closing(place(plan, "venv", None, display, must_measure=False)) as placement,
    ):
        data = datasets.prepare(plan, display.progress)
        return plan, list(run_plan(plan, placement, data, RoundDecisions(), display, outputs))
