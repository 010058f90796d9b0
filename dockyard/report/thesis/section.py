"""The thesis's tables that we have records for, ours beside theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dockyard.judge.assessment import Assessment
from dockyard.plan.plan import REFERENCE_VARIANT
from dockyard.report.content import Table, TableSection
from dockyard.report.headline import runtime_of
from dockyard.report.thesis.choosing import beside, column_of, is_measured
from dockyard.report.thesis.figures import our_cells, their_cell
from dockyard.report.toolchains import release_order

TABLES = Path(__file__).with_name("tables.json")
"""What the thesis measured: for each table its target, what differs, the columns, figures by model."""

EXPLANATION = (
    "Only the speedups can be compared: its are of means, ours of medians over rounds measured in turn."
)

Columns = Mapping[str, Mapping[str, Assessment]]
"""Ours by toolchain and method."""


def thesis_section(assessments: Sequence[Assessment]) -> TableSection | None:
    """Return the thesis's tables that have records of their target; None where there is none."""
    thesis: dict[str, Any] = json.loads(TABLES.read_text(encoding="utf-8"))
    found = []
    for table in thesis["tables"]:
        methods = table.get("methods") or thesis["methods"][table["target"]]
        found.append(_table(assessments, table, methods))
    tables = tuple(table for table in found if table is not None)
    if not tables:
        return None
    hardware = ", ".join(f"{short} is an {name}" for short, name in thesis["hardware"].items())
    source = f"{thesis['source']}. Its models, data and hardware are its own: {hardware}."
    return TableSection("The thesis's tables, ours beside theirs", (source, EXPLANATION), tables)


def _table(
    assessments: Sequence[Assessment], theirs: Mapping[str, Any], methods: Mapping[str, str]
) -> Table | None:
    """Return one table, or None where we have nothing beside it.

    Args:
        theirs: one of the thesis's tables.
        methods: the thesis's names of our methods.
    """
    target = theirs["target"]
    of_streams = theirs.get("streams", False)
    ours = {model: beside(model, target, assessments, of_streams) for model in theirs["models"]}
    every = [one for own in ours.values() for one in own]
    toolchains = sorted(
        {one.record.toolchain for one in every if one.record.target == target}, key=release_order
    )
    if not toolchains:
        return None
    rows: list[tuple[str, ...]] = []
    sources: dict[str, list[str]] = {}
    for model, own in ours.items():
        columns = {toolchain: column_of(own, toolchain, list(methods)) for toolchain in toolchains}
        for method, name in methods.items():
            label = _label(theirs["models"][model].get("name", ""), name, method, columns)
            rows.append(
                (label, *_their_cells(theirs, model, method), *_our_cells(theirs, own, method, columns))
            )
            for toolchain, column in columns.items():
                if method in column and is_measured(column[method]):
                    sources.setdefault(_source(column[method]), []).append(f"{label} {toolchain}")
    title = f"Table {_numbers(theirs['numbers'])}: {theirs['name']}"
    lead = _lead(theirs, toolchains)
    return Table(
        _heads(theirs, toolchains), tuple(rows), title, lead=lead, footnotes=tuple(_footnotes(sources))
    )


def _lead(theirs: Mapping[str, Any], toolchains: Sequence[str]) -> str:
    """Return whose columns are whose, and what differs beside the hardware, which each source names."""
    whose = f"Columns of {', '.join(theirs['numbers'])} are the thesis's, of {', '.join(toolchains)} ours"
    return f"{whose}. What differs: {theirs['differs']}."


def _numbers(numbers: Mapping[str, str]) -> str:
    """Return the numbers of the thesis's tables, each with its hardware."""
    hardware: dict[str, list[str]] = {}
    for name, number in numbers.items():
        hardware.setdefault(number, []).append(name)
    return ", ".join(f"{number} ({', '.join(names)})" for number, names in hardware.items())


def _heads(theirs: Mapping[str, Any], toolchains: Sequence[str]) -> tuple[str, ...]:
    metrics = " / ".join(theirs.get("metrics", ()))
    named = [metrics if column == "quality" else column for column in theirs["ours"]]
    heads = ["method"]
    for cpu in theirs["numbers"]:
        heads += [f"{cpu} {column}" for column in theirs["theirs"]]
    for toolchain in toolchains:
        heads += [f"{toolchain} {column}" for column in named]
    return tuple(heads)


def _label(model: str, name: str, method: str, columns: Columns) -> str:
    """Return what a row is called, with what our reference ran in where that was something else."""
    label = f"{model} {name}" if model else name
    if method != REFERENCE_VARIANT:
        return label
    runtimes = {runtime_of(column[method].record) for column in columns.values() if method in column}
    others = sorted(runtime for runtime in runtimes if runtime.lower() != name.lower())
    return f"{label} (ours: {', '.join(others)})" if others else label


def _their_cells(theirs: Mapping[str, Any], model: str, method: str) -> Iterator[str]:
    known = theirs["models"][model]
    for cpu in theirs["numbers"]:
        for column in theirs["theirs"]:
            yield their_cell(column, known[cpu], method, known.get("images"))


def _our_cells(
    theirs: Mapping[str, Any], own: Sequence[Assessment], method: str, columns: Columns
) -> Iterator[str]:
    for toolchain, column in columns.items():
        others = [other for other in own if other.record.toolchain == toolchain]
        yield from our_cells(theirs["ours"], column.get(method), theirs.get("metrics", ()), others)


def _source(one: Assessment) -> str:
    """Return where a figure of ours is from."""
    return f"recipe {one.recipe_name}, run {one.record.run}, {one.device}"


def _footnotes(sources: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield which recipe and run each of our figures is from."""
    for source, cells in sources.items():
        yield f"Ours: {source}." if len(sources) == 1 else f"Ours from {source}: {', '.join(cells)}."
