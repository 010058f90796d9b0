"""What the report says: a section for each recipe, then what goes across recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dockyard.judge.assessment import Assessment
from dockyard.report.content import RecipeSection, Report
from dockyard.report.headline import headline
from dockyard.report.model_section import Pictures, model_section
from dockyard.report.reading_help import READING_HELP, STREAM_HELP
from dockyard.report.thesis.section import thesis_section
from dockyard.report.toolchains import toolchain_sections


def report_of(assessments: Sequence[Assessment], pictures: Pictures) -> Report:
    """Return what the report says of assessments that are in the order it has them."""
    if not assessments:
        return Report((), (), READING_HELP)
    recipes = []
    for name in dict.fromkeys(one.recipe_name for one in assessments):
        recipes.append(_recipe_section([one for one in assessments if one.recipe_name == name], pictures))
    thesis = thesis_section(assessments)
    comparisons = [*toolchain_sections(assessments), *([thesis] if thesis else [])]
    has_stream = any(one.is_stream for one in assessments)
    reading_help = (*READING_HELP, *(STREAM_HELP if has_stream else ()))
    return Report(tuple(recipes), tuple(comparisons), reading_help)


def _recipe_section(rows: Sequence[Assessment], pictures: Pictures) -> RecipeSection:
    recipe = rows[0].record.recipe
    models = []
    for model in dict.fromkeys(one.record.model for one in rows):
        models.append(model_section([one for one in rows if one.record.model == model], pictures))
    title = f"{recipe['name']}: {recipe.get('description') or recipe['model']}"
    return RecipeSection(title, headline(rows), _facts(rows), tuple(models))


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
