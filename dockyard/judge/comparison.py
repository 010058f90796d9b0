"""Two runs of the same recipe, side by side."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from dockyard.judge.records import read_records
from dockyard.judge.verdicts import Judged, judge
from dockyard.recipe.places import STATE
from shared.contract.errors import InputProblem, nearest


def find_run(name: str) -> Path:
    """Return a run's folder, given as a path or as the run's name. Raises InputProblem."""
    runs = {p.name: p for p in (STATE / "runs").glob("*/*") if p.is_dir()}
    given = Path(name)
    if given.is_dir():
        return given
    if name not in runs:
        raise InputProblem(f"there is no run '{name}'", ".dockyard/runs", nearest(name, runs))
    return runs[name]


def compare_runs(a: str, b: str) -> Table:
    """Return a table of both runs' speedup and quality for each model and variant.

    Raises:
        InputProblem: a run that is not there, or runs of two recipes.
    """
    first, second = ({(j.record.model, j.record.variant): j for j in judge(read_records(find_run(n)))} for n in (a, b))
    recipes = {str(j.record.recipe["name"]) for j in [*first.values(), *second.values()]}
    if len(recipes) != 1:
        raise InputProblem(f"the runs are of different recipes: {', '.join(sorted(recipes))}")
    table = Table("model", "variant", "speedup A", "speedup B", "median ms A", "median ms B", "quality A", "quality B")
    for key in dict.fromkeys([*first, *second]):
        pair = [first.get(key), second.get(key)]
        cells = [[_gain(one), _median(one), _quality(one)] for one in pair]
        table.add_row(*key, *(side[i] for i in range(3) for side in cells))
    return table


def _gain(one: Judged | None) -> str:
    return f"{one.speedup[0]:.2f}x" if one and one.speedup else "-"


def _median(one: Judged | None) -> str:
    return f"{one.times.median:.2f}" if one and one.times else "-"


def _quality(one: Judged | None) -> str:
    return f"{one.quality:.4f}" if one and one.quality is not None else "-"
