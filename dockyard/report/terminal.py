"""What a build and a comparison of runs say on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import rich.table
from rich.console import Console

from dockyard.judge.assessment import Assessment
from dockyard.judge.compare_runs import ComparedVariant
from dockyard.report import cells
from dockyard.report.cells import Column
from dockyard.report.content import Table
from dockyard.report.headline import headline

LONG_COLUMNS = ("model", "variant", "verdict")
"""Columns whose cells go on in the next line rather than being cut."""

Cell = Callable[[Assessment], str]


def _speedup(one: Assessment) -> str:
    return f"{one.speedup.estimate:.2f}x" if one.speedup else cells.NOTHING


def _quality(one: Assessment) -> str:
    return cells.decimals(one.quality, 4)


def _drop(one: Assessment) -> str:
    return f"{one.drop.estimate:+.4f}" if one.drop else cells.NOTHING


SUMMARY: tuple[Column, ...] = (
    ("model", lambda one: one.record.model),
    ("variant", lambda one: one.record.variant),
    ("verdict", lambda one: one.verdict.value),
    ("mean ms", cells.mean),
    ("speedup", _speedup),
    ("quality", _quality),
    ("drop", _drop),
)

COMPARED: tuple[Column, ...] = (("speedup", _speedup), ("median ms", cells.median), ("quality", _quality))
"""What is put side by side of two runs."""


def summary(assessments: Sequence[Assessment]) -> Table:
    """Return a row for each variant, failures included."""
    return cells.tabulate(SUMMARY, assessments)


def print_summary(assessments: Sequence[Assessment], console: Console) -> None:
    """Print the verdicts and the answer in one sentence."""
    console.print(_rendered(summary(assessments)))
    console.print(headline(assessments), soft_wrap=True, highlight=False, markup=False)


def comparison(variants: Sequence[ComparedVariant]) -> Table:
    """Return a row for each variant of two runs, its figures in the one beside those in the other."""
    names = ["model", "variant"]
    for name, _ in COMPARED:
        names += [f"{name} A", f"{name} B"]
    rows = []
    for variant in variants:
        row = [variant.model, variant.variant]
        for _, cell in COMPARED:
            row += [_cell(cell, variant.first), _cell(cell, variant.second)]
        rows.append(tuple(row))
    return Table(tuple(names), tuple(rows))


def comparison_table(variants: Sequence[ComparedVariant]) -> rich.table.Table:
    """Return `comparison` for a console."""
    return _rendered(comparison(variants))


def _cell(cell: Cell, one: Assessment | None) -> str:
    return cell(one) if one else cells.NOTHING


def _rendered(table: Table) -> rich.table.Table:
    rendered = rich.table.Table()
    for name in table.columns:
        rendered.add_column(name, overflow="fold" if name in LONG_COLUMNS else "ellipsis")
    for row in table.rows:
        rendered.add_row(*row)
    return rendered
