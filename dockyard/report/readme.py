"""A README's blocks of results: a recipe's answer, its table beside the thesis's speedups, its picture.

A block begins with a line that names recipe, variants and a CPU of the thesis's:

    <!-- results of lp_intel: reference, baseline, int8; beside the thesis's i5 -->
    <!-- end of results: made by ./inv docs -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dockyard.judge.assessment import Assessment
from dockyard.report import cells
from dockyard.report.cells import Column
from dockyard.report.headline import headline
from dockyard.report.thesis.figures import SPEEDUP, their_cell
from dockyard.report.thesis.section import TABLES

BLOCK = re.compile(
    r"(?P<head><!-- results of (?P<recipe>[\w-]+): (?P<variants>[^;]+); "
    r"beside the thesis's (?P<cpu>\w+) -->\n)"
    r".*?(?P<end><!-- end of results: made by ./inv docs -->)",
    re.DOTALL,
)

RowsOf = Callable[[str], Sequence[Assessment]]
"""A recipe's assessments, in the order they are read."""


def with_results(text: str, rows_of: RowsOf, plots: Path) -> str:
    """Return a README with its blocks of results written anew; those of recipes without results stay.

    Args:
        plots: the results' folder of pictures.
    """

    def written(block: re.Match[str]) -> str:
        rows = rows_of(block["recipe"])
        if not rows:
            return block[0]
        lines = _block(rows, block["variants"].split(", "), block["cpu"], plots)
        return block["head"] + "\n".join(lines) + "\n" + block["end"]

    return BLOCK.sub(written, text)


def _block(rows: Sequence[Assessment], wanted: Sequence[str], cpu: str, plots: Path) -> Iterator[str]:
    recipe, record = rows[0].recipe_name, rows[0].record
    yield f"**{headline(rows)}** `{recipe}.json`, engine {record.engine}, {_day(record.run)}:"
    yield ""
    table = cells.tabulate(_columns(cpu), [one for one in rows if one.record.variant in wanted])
    for row in (table.columns, ["---"] * len(table.columns), *table.rows):
        yield f"| {' | '.join(row)} |"
    picture = plots / f"{recipe}-{record.recipe['model']}.svg"
    if picture.is_file():
        yield from ("", f"![Speed against quality of {recipe}'s variants](results/plots/{picture.name})")


def _columns(cpu: str) -> Iterator[Column]:
    thesis: dict[str, Any] = json.loads(TABLES.read_text(encoding="utf-8"))
    yield "model, metric", lambda one: f"{one.record.model}, {one.metric}"
    yield "variant", lambda one: one.record.variant
    yield "verdict", lambda one: one.verdict.value
    yield "median ms", cells.median
    yield "speedup [95 %]", lambda one: cells.ratio(one.speedup)
    yield "quality", lambda one: cells.decimals(one.quality, 4)
    yield "drop", lambda one: f"{one.drop.estimate:+.4f}" if one.drop else cells.NOTHING
    yield f"thesis, its {cpu}", lambda one: _their_speedup(one, cpu, thesis["tables"])


def _day(run: str) -> str:
    """Return the day of a run, which its name begins with."""
    return f"{run[:4]}-{run[4:6]}-{run[6:8]}"


def _their_speedup(one: Assessment, cpu: str, tables: Sequence[Any]) -> str:
    """Return the thesis's speedup of a variant's method on its own model and CPU."""
    for table in tables:
        model = table["models"].get(one.record.model, {})
        is_it = table["target"] == one.record.target and SPEEDUP in table["theirs"] and cpu in model
        if is_it and not one.is_reference:
            return their_cell(SPEEDUP, model[cpu], one.record.method, model.get("images"))
    return cells.NOTHING
