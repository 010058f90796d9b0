"""The table below the decisions: every variant of each recipe's own model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dockyard.judge.assessment import Assessment
from dockyard.report import cells
from dockyard.report.cells import Column
from dockyard.report.content import Table

COLUMNS: tuple[Column, ...] = (
    ("recipe", lambda one: one.recipe_name),
    ("variant", lambda one: one.record.variant),
    ("device", lambda one: one.device if one.record.device else cells.NOTHING),
    ("verdict", lambda one: one.verdict.value),
    ("speedup [95 %]", lambda one: cells.ratio(one.speedup)),
    ("ms", cells.median),
    ("fps", lambda one: cells.decimals(one.fps if one.is_stream else None, 1)),
    ("metric", lambda one: one.metric or cells.NOTHING),
    ("quality", lambda one: cells.decimals(one.quality, 4)),
    ("drop [95 %]", lambda one: cells.difference(one.drop)),
    ("MB", lambda one: cells.decimals(one.size_mb or None)),
)

FOOTNOTE = (
    "ms is the median of a call, of a pipeline's image or of a stream's frame from arrival to output. "
    "Speedup and drop are over the reference of the same run. A pipeline's networks are in its section."
)


def overview(assessments: Sequence[Assessment]) -> Table:
    """Return a row for each variant of a recipe's own model, less those that a search left at once."""
    rows = [one for one in assessments if one.is_of_recipes_model and not one.was_left]
    if not rows:
        return Table((), ())
    return replace(cells.tabulate(COLUMNS, rows), footnotes=(FOOTNOTE,))
