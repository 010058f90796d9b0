"""The results folder made from its records: results.csv, report.md, plots/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dockyard.judge.assessment import Assessment
from dockyard.judge.record_files import read_records
from dockyard.judge.verdicts import judge
from dockyard.recipe.locks import locked
from dockyard.recipe.workspace import Workspace
from dockyard.report.csv import write_csv
from dockyard.report.markdown import markdown
from dockyard.report.model_section import Pictures
from dockyard.report.sections import report_of
from dockyard.run.turns import results_lock
from shared.contract.measurement import Scope
from shared.contract.record import RecordStatus


def write_report(workspace: Workspace) -> list[Assessment]:
    """Write results.csv, report.md and plots/ anew from the records in results/records/.

    Returns:
        The assessments, in the order they are read.

    Raises:
        InputProblem: a file among the records that is none.
    """
    with locked(results_lock(workspace)):
        return _write(workspace)


def recipe_page(workspace: Workspace, recipe: str) -> str:
    """Return what the report says of one recipe that is published, as Markdown without pictures.

    Raises:
        InputProblem: a file among the records that is none.
    """
    assessments = judge(read_records(workspace.results / "records" / recipe, workspace.display_path))
    content = report_of(sorted(assessments, key=reading_order), Pictures())
    return markdown(replace(content, comparisons=()))


def _write(workspace: Workspace) -> list[Assessment]:
    results = workspace.results
    assessments = judge(read_records(results / "records", workspace.display_path))
    assessments.sort(key=reading_order)
    results.mkdir(parents=True, exist_ok=True)
    write_csv(assessments, results / "results.csv")
    content = report_of(assessments, _write_pictures(assessments, results / "plots"))
    (results / "report.md").write_text(markdown(content), encoding="utf-8")
    return assessments


def _write_pictures(assessments: Sequence[Assessment], folder: Path) -> Pictures:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    if not assessments:
        return Pictures()
    # Matplotlib takes long to load.
    from dockyard.report.overlays import write_overlays
    from dockyard.report.plots import write_plots

    overlays, remarks = write_overlays(assessments, folder)
    return Pictures(frozenset([*write_plots(assessments, folder), *overlays]), remarks)


def reading_order(one: Assessment) -> tuple[str, bool, str, int, float, str]:
    """Return what sorts assessments as they are read.

    That is by recipe, the pipeline after its networks; the reference first, then the recipe's variants as it
    lists their methods, a search's by their time.
    """
    record = one.record
    return (one.recipe_name, record.scope != Scope.NETWORK, record.model, *_variant_order(one))


def _variant_order(one: Assessment) -> tuple[int, float, str]:
    record, listed = one.record, one.record.recipe["optimizations"]
    if one.is_reference:
        return 0, 0.0, ""
    if isinstance(listed, Mapping):
        rank = 1 if record.status == RecordStatus.MEASURED else 2
        return rank, one.pace_ms.estimate if one.pace_ms else 0.0, record.variant
    methods = [optimization["method"] for optimization in listed]
    place = methods.index(record.method) if record.method in methods else len(methods)
    return 1, place, record.variant
