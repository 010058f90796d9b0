"""The results folder made from its records: report.html, report.md, results.csv, plots/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dockyard.judge.assessment import RECORDS, Assessment
from dockyard.judge.record_files import read_records
from dockyard.judge.results_folder import judge_results
from dockyard.judge.verdicts import judge
from dockyard.recipe.locks import locked
from dockyard.recipe.workspace import Workspace
from dockyard.report.csv import write_csv
from dockyard.report.html import page
from dockyard.report.markdown import markdown
from dockyard.report.pictures import Pictures, draw, draw_sheets, read_sheets
from dockyard.report.readme import with_results
from dockyard.report.sections import report_of
from dockyard.run.turns import results_lock
from shared.contract.measurement import Scope
from shared.contract.record import RecordStatus

PLOTS = "plots"


def write_report(workspace: Workspace) -> list[Assessment]:
    """Write report.html, report.md, results.csv and plots/ anew from the records in results/.

    So is what the README of the workspace shows of them.

    Returns:
        The assessments, in the order they are read.

    Raises:
        InputProblem: a file among the records that is none.
    """
    with locked(results_lock(workspace)):
        assessments = judge_results(workspace.results, workspace.display_path)
        assessments.sort(key=reading_order)
        _keep_sheets(workspace, assessments)
        write_results(workspace.results, assessments)
        _write_readme(workspace, assessments)
    return assessments


def _write_readme(workspace: Workspace, assessments: Sequence[Assessment]) -> None:
    """Write the results that the workspace's own README shows anew, where it shows any."""
    readme = workspace.root / "README.md"
    before = readme.read_text(encoding="utf-8") if readme.is_file() else ""

    def of_recipe(recipe: str) -> list[Assessment]:
        origin = f"{RECORDS}/{recipe}"
        return [one for one in assessments if one.origin == origin]

    after = with_results(before, of_recipe, workspace.results / PLOTS)
    if after != before:
        readme.write_text(after, encoding="utf-8")


def write_results(results: Path, assessments: Sequence[Assessment]) -> None:
    """Write the pages, the table and the pictures of assessments that are in the order they are read.

    Sheets of samples that are in plots/ are shown; all the rest is made of the records alone, byte for byte.
    """
    pictures = draw(assessments, read_sheets(results / PLOTS, assessments))
    content = report_of(assessments, pictures)
    results.mkdir(parents=True, exist_ok=True)
    write_csv(assessments, results / "results.csv")
    (results / "report.md").write_text(markdown(content), encoding="utf-8")
    (results / "report.html").write_text(page(content, pictures.elements), encoding="utf-8")
    _write_pictures(results / PLOTS, pictures.files)


def recipe_page(workspace: Workspace, recipe: str) -> str:
    """Return what the report says of one recipe that is published, as Markdown without pictures.

    Raises:
        InputProblem: a file among the records that is none.
    """
    assessments = judge(read_records(workspace.results / "records" / recipe, workspace.display_path))
    content = report_of(sorted(assessments, key=reading_order), Pictures())
    return markdown(replace(content, comparisons=()))


def _keep_sheets(workspace: Workspace, assessments: Sequence[Assessment]) -> None:
    """Draw the sheets of samples that are not there yet and whose data sets are at hand."""
    folder = workspace.results / PLOTS
    for drawing in draw_sheets(workspace, assessments, read_sheets(folder, assessments)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / drawing.file).write_text(drawing.document, encoding="utf-8")


def _write_pictures(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.png"), *folder.glob("*.svg")):
        if old.name not in files:
            old.unlink()
    for name, document in files.items():
        (folder / name).write_text(document, encoding="utf-8")


def reading_order(one: Assessment) -> tuple[str, bool, str, bool, str, int, float, str]:
    """Return what sorts assessments as they are read.

    That is by recipe, this machine first; the pipeline after its networks; the reference first, then the
    recipe's variants as it lists their methods, a search's by their time.
    """
    record = one.record
    place = one.recipe_name, one.is_added, one.group
    return (*place, record.scope != Scope.NETWORK, record.model, *_variant_order(one))


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
