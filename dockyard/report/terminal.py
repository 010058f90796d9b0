"""What a build and a comparison of runs say on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import rich.table
from rich.console import Console

from dockyard.judge.assessment import Assessment
from dockyard.judge.compare_runs import Change, ComparedVariant, Comparison
from dockyard.report import cells
from dockyard.report.advice import advice
from dockyard.report.cells import Column
from dockyard.report.content import Decision, Table
from dockyard.report.decision import decision_of
from dockyard.report.headline import headline
from dockyard.report.write import reading_order

ANY_WIDTH = 10_000
"""Characters that no table needs."""


def _speedup(one: Assessment) -> str:
    return f"{cells.factor(one.speedup.estimate)}x" if one.speedup else cells.NOTHING


def _quality(one: Assessment) -> str:
    return cells.decimals(one.quality, 4)


def _drop(one: Assessment) -> str:
    return f"{one.drop.estimate:+.4f}" if one.drop else cells.NOTHING


def _summary_columns(rows: Sequence[Assessment]) -> Iterator[Column]:
    """Yield the columns of a build's summary; frames a second only where a stream is among its models."""
    yield "model", lambda one: one.record.model
    yield "variant", lambda one: one.record.variant
    yield "verdict", lambda one: one.verdict.value
    yield "median ms (spread)", cells.median_and_spread
    if any(one.is_stream for one in rows):
        yield "fps", lambda one: cells.decimals(one.fps if one.is_stream else None, 1)
    yield "speedup [95 %]", lambda one: cells.ratio(one.speedup)
    yield "quality", _quality
    yield "drop", _drop


COMPARED = ("model", "variant", "speedup A", "speedup B", "B / A [95 %]", "quality B - A [95 %]", "change")


def summary(assessments: Sequence[Assessment]) -> Table:
    """Return a row for each variant, failures included."""
    return cells.tabulate(_summary_columns(assessments), assessments)


def print_summary(assessments: Sequence[Assessment], console: Console) -> None:
    """Print the verdicts, what became of what is not taken, the answer in one sentence and what to do."""
    _print_table(summary(assessments), console)
    _print_rest(decision_of(assessments), console)
    _print_line(headline(assessments), console)
    _print_line(f"what to do: {advice(assessments)}", console)


def print_decisions(decisions: Sequence[Decision], console: Console) -> None:
    """Print what to take of each recipe and why, and what became of the rest."""
    for decision in decisions:
        taken = f"take {decision.take}, " if decision.take else ""
        _print_line(f"{decision.recipe} ({decision.device}): {taken}{decision.reason}", console)
        _print_rest(decision, console)
        if not decision.take:
            _print_line(f"  what to do: {decision.advice}", console)


def _print_rest(decision: Decision, console: Console) -> None:
    for heading, remarks in decision.rest:
        told = "; ".join(f"{one.subject} {one.text}" for one in remarks)
        _print_line(f"  {heading}: {told}", console)


def comparison_table(compared: Comparison) -> Table:
    """Return a row for each variant of two runs: its speedups, how they compare, and what has changed."""
    rows = []
    for one in sorted(compared.variants, key=_order):
        speedups = [_speedup(side) if side else cells.NOTHING for side in (one.first, one.second)]
        figures = [cells.ratio(one.ratio), cells.difference(one.quality_gain)]
        rows.append((one.model, one.variant, *speedups, *figures, change(one)))
    return Table(COMPARED, tuple(rows))


def _order(one: ComparedVariant) -> tuple[object, ...]:
    """Return what sorts the variants of two runs as the report has them."""
    known = one.second or one.first
    assert known is not None
    return reading_order(known)


def change(one: ComparedVariant) -> str:
    """Return what has changed in a variant, or why that cannot be said."""
    of_quality = (Change.BETTER, Change.LOSSIER)
    told = [f"other quality ({found.value})" if found in of_quality else found.value for found in one.changes]
    if not one.is_compared:
        told = []
    elif not told:
        told = ["the same"]
    return "; ".join([*told, *([one.remark] if one.remark else [])])


def print_comparison(compared: Comparison, console: Console) -> None:
    """Print the table, what else differs in the two runs, and how many variants changed."""
    _print_table(comparison_table(compared), console)
    for difference in compared.differences:
        _print_line(difference, console)
    is_compared = [one for one in compared.variants if one.is_compared]
    changed = [one for one in is_compared if one.changes]
    rest = len(compared.variants) - len(is_compared)
    line = f"{len(is_compared)} compared, {len(changed)} of them changed"
    _print_line(f"{line}; {rest} could not be compared" if rest else line, console)


def print_changes(rows: Sequence[tuple[str, str, str]], console: Console) -> None:
    """Print what something is in A and in B, a row for each thing; what differs is marked."""
    marked = [(*row, "changed" if row[1] != row[2] else "") for row in rows]
    _print_table(Table(("", "A", "B", ""), tuple(marked)), console)


def _print_line(text: str, console: Console) -> None:
    console.print(text, soft_wrap=True, highlight=False, markup=False)


def _print_table(table: Table, console: Console) -> None:
    """Print a table as wide as it needs: a name that is folded or cut is no name to copy."""
    rendered = rich.table.Table()
    for name in table.columns:
        rendered.add_column(name, no_wrap=True)
    for row in table.rows:
        rendered.add_row(*row)
    rendered.width = console.measure(rendered, options=console.options.update(max_width=ANY_WIDTH)).maximum
    console.print(rendered, crop=False, markup=False)
