"""Two runs of the same recipe, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dockyard.judge.assessment import Assessment
from dockyard.judge.record_files import read_records
from dockyard.judge.verdicts import judge
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem, nearest


@dataclass(frozen=True)
class ComparedVariant:
    """A variant in two runs; None where a run does not have it."""

    model: str
    variant: str
    first: Assessment | None
    second: Assessment | None


def find_run(workspace: Workspace, name: str) -> Path:
    """Return a run's folder, given as a path, as `<recipe>/<run>` or by its name. Raises InputProblem."""
    every = workspace.state / "runs"
    runs = {path.name: path for path in every.glob("*/*") if path.is_dir()}
    if name in runs:
        return runs[name]
    for folder in (every / name, Path(name)):
        if name and folder.is_dir():
            return folder
    raise InputProblem(f"there is no run '{name}'", ".dockyard/runs", nearest(name, runs))


def compare_runs(workspace: Workspace, first: str, second: str) -> list[ComparedVariant]:
    """Return each model's variants in both runs.

    Args:
        first, second: each a run's folder, or its name.

    Raises:
        InputProblem: a run that is not there or has no records, or runs of two recipes.
    """
    sides = [_assessments(workspace, name) for name in (first, second)]
    recipes = {one.recipe_name for side in sides for one in side.values()}
    if len(recipes) > 1:
        raise InputProblem(f"the runs are of different recipes: {', '.join(sorted(recipes))}")
    keys = dict.fromkeys(key for side in sides for key in side)
    return [ComparedVariant(*key, sides[0].get(key), sides[1].get(key)) for key in keys]


def _assessments(workspace: Workspace, name: str) -> dict[tuple[str, str], Assessment]:
    folder = find_run(workspace, name)
    assessments = judge(read_records(folder, workspace.display_path))
    if not assessments:
        where = workspace.display_path(folder)
        raise InputProblem(
            "there are no records in it", where, "name the folder of a run, below .dockyard/runs/"
        )
    return {(one.record.model, one.record.variant): one for one in assessments}
