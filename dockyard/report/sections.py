"""What the report says: decisions, the table, then a section for each recipe and what goes across them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dockyard.judge.assessment import Assessment
from dockyard.report.content import RecipeSection, Report
from dockyard.report.counted_objects import counts_objects
from dockyard.report.decision import decisions_of
from dockyard.report.grouping import by_group, by_model
from dockyard.report.headline import headline
from dockyard.report.model_section import model_section
from dockyard.report.overview import overview
from dockyard.report.pictures import Pictures
from dockyard.report.reading_help import OBJECT_HELP, READING_HELP, STREAM_HELP
from dockyard.report.thesis.section import thesis_section
from dockyard.report.toolchains import toolchain_sections


def report_of(assessments: Sequence[Assessment], pictures: Pictures) -> Report:
    """Return what the report says of assessments that are in the order it has them."""
    thesis = thesis_section(assessments)
    return Report(
        decisions=decisions_of(assessments),
        overview=overview(assessments),
        recipes=tuple(_recipe_section(rows, pictures) for rows in by_group(assessments).values()),
        comparisons=(*toolchain_sections(assessments), *([thesis] if thesis else [])),
        reading_help=tuple(_reading_help(assessments)),
    )


def _reading_help(assessments: Sequence[Assessment]) -> Iterator[str]:
    """Yield how to read the report, and what of it only some of it needs."""
    yield from READING_HELP
    if any(map(counts_objects, assessments)):
        yield from OBJECT_HELP
    if any(one.is_stream for one in assessments):
        yield from STREAM_HELP


def _recipe_section(rows: Sequence[Assessment], pictures: Pictures) -> RecipeSection:
    first = rows[0]
    recipe = first.record.recipe
    models = tuple(model_section(own, pictures) for own in by_model(rows).values())
    title = f"{recipe['name']}: {recipe.get('description') or recipe['model']}"
    if first.is_added:
        title += f" (added from another machine: {first.device}, run {first.record.run})"
    return RecipeSection(first.group, title, headline(rows), _facts(rows), models)


def _facts(rows: Sequence[Assessment]) -> str:
    """Return what was required and what it was measured on, by the first record that knows."""
    first = rows[0].record
    required = ", ".join(f"{key} {value}" for key, value in first.recipe["requirements"].items())
    if first.recipe.get("device") and not any(one.record.rounds for one in rows):
        return f"Required: {required}. Not measured on '{first.recipe['device']}'; run {first.run}."
    measured = next((one.record for one in rows if one.record.device), first)
    device: Mapping[str, Any] = measured.device
    load = device.get("load_before")
    load_before = f"{load:.1f}" if isinstance(load, (int, float)) else "?"
    return (
        f"Required: {required}. Device: {device.get('cpu', 'unknown')} ({device.get('flags', '')}), "
        f"{device.get('threads', '?')} threads pinned to CPUs {device.get('affinity', '?')}, load before "
        f"{load_before}; engine {measured.engine}; run {first.run}."
    )
