"""Every picture of the report: drawn from the records, or kept from when their data set was at hand."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dockyard.judge.assessment import Assessment
from dockyard.plan.make import make_plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.report.content import Picture, Remark
from dockyard.report.counted_objects import counts_objects
from dockyard.report.drawing.distributions import distribution
from dockyard.report.drawing.drift import drift
from dockyard.report.drawing.masks import overlay
from dockyard.report.drawing.parts import parts
from dockyard.report.drawing.plane import plane
from dockyard.report.drawing.samples import answered, caption_of, finds_boxes, flipped, samples_sheet
from dockyard.report.drawing.svg import Drawing, escaped
from dockyard.report.grouping import ModelKey, by_device, by_model, stem_of
from dockyard.report.mask_pictures import overlay_of
from dockyard.report.plot_data import plots_of
from dockyard.run import datasets
from shared.contract.dataset import Sample, read_split, refuse_overlap
from shared.contract.errors import DockyardError, InputProblem
from shared.contract.outputs import Task

SHOWN_TASKS = (Task.DETECTION, Task.TEXT_RECOGNITION)
"""What sheets of samples are drawn of."""


@dataclass(frozen=True)
class Pictures:
    """The pictures of a report.

    Attributes:
        of_models: by the group of the records and the model, in the order they are shown.
        remarks: what those of masks could not show, likewise.
        files: each picture as a file of its own.
        elements: each picture as it stands in a page.
    """

    of_models: Mapping[ModelKey, Sequence[Picture]] = field(default_factory=dict)
    remarks: Mapping[ModelKey, Sequence[Remark]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    elements: Mapping[str, str] = field(default_factory=dict)


def draw(assessments: Sequence[Assessment], sheets: Mapping[str, str]) -> Pictures:
    """Return the pictures of all models of which something was measured.

    Args:
        sheets: samples that were drawn before, by the names of their files.
    """
    found: dict[ModelKey, list[Picture]] = {}
    remarks: dict[ModelKey, Sequence[Remark]] = {}
    files, elements = {}, {}
    for key, rows in by_model(assessments).items():
        drawings, remarks[key] = _drawings(rows)
        pictures = found.setdefault(key, [])
        for drawing in drawings:
            pictures.append(Picture(drawing.file, drawing.title, drawing.caption))
            files[drawing.file], elements[drawing.file] = drawing.document, drawing.element
        sheet = sheet_file(rows)
        if sheet in sheets:
            title = _sheet_title(rows[0])
            pictures.append(Picture(sheet, title, caption_of(answered(rows))))
            files[sheet], elements[sheet] = sheets[sheet], _framed(sheets[sheet], title)
    return Pictures(found, remarks, files, elements)


def _drawings(rows: Sequence[Assessment]) -> tuple[list[Drawing], Sequence[Remark]]:
    stem, title = stem_of(rows[0]), f"{rows[0].recipe_name}: {rows[0].record.model}"
    drawings: list[Drawing | None] = [plane(plot) for plot in plots_of(rows)]
    for number, own in enumerate(by_device([one for one in rows if one.times]), 1):
        end = f"{f'-{number}' if number > 1 else ''}.svg"
        where = f"{title}, {own[0].device}"
        drawings.append(distribution(own, f"{stem}-times{end}", f"{where}: every call"))
        drawings.append(drift(own, f"{stem}-drift{end}", f"{where}: what drifts and what does not"))
        drawings.append(parts(own, f"{stem}-parts{end}", f"{where}: where the time goes"))
    masks = overlay_of(rows, f"{stem}-overlays.svg", f"{title}: what each variant found")
    if masks is not None and masks.rows:
        drawings.append(overlay(masks))
    return [one for one in drawings if one is not None], masks.remarks if masks else ()


def sheet_file(rows: Sequence[Assessment]) -> str:
    """Return the name of a model's sheet of samples: another run's is another."""
    run = re.sub(r"\W", "_", rows[0].record.run)
    return f"{stem_of(rows[0])}-samples-{run}.svg"


def _sheet_title(one: Assessment) -> str:
    return f"{one.recipe_name}: what {one.record.model} said of samples"


def _framed(document: str, title: str) -> str:
    """Return a picture that is no more than one: nothing in it runs."""
    data = base64.b64encode(document.encode()).decode()
    return f'<img alt="{escaped(title)}" src="data:image/svg+xml;base64,{data}">'


def read_sheets(folder: Path, assessments: Sequence[Assessment]) -> dict[str, str]:
    """Return the sheets of these records' runs that are kept in a folder."""
    found = {}
    for rows in by_model(assessments).values():
        path = folder / sheet_file(rows)
        if path.is_file():
            found[path.name] = path.read_text(encoding="utf-8")
    return found


def draw_sheets(
    workspace: Workspace, assessments: Sequence[Assessment], kept: Mapping[str, str]
) -> Iterator[Drawing]:
    """Yield the sheets that are not there yet, of the recipes whose data sets are at hand."""
    for rows in by_model(assessments).values():
        columns, file = answered(rows), sheet_file(rows)
        if file in kept or not columns or not (finds_boxes(columns) or flipped(columns)):
            continue
        try:
            drawn = _sheet(workspace, columns, file, _sheet_title(rows[0]))
        except (DockyardError, OSError, ValueError):
            # The recipe, its model or its data are not what was measured: nothing to show, and no error.
            continue
        if drawn is not None:
            yield drawn


def _sheet(workspace: Workspace, rows: Sequence[Assessment], file: str, title: str) -> Drawing | None:
    record = rows[0].record
    plan = make_plan(workspace, load_recipe(workspace, str(record.recipe["name"])))
    if record.model not in plan.models or plan.annotated_network(record.model).task not in SHOWN_TASKS:
        return None
    if any(map(counts_objects, rows)):
        return None  # a sheet has one answer an image
    folder = datasets.folder_at_hand(plan, record.model)
    if folder is None:
        return None
    answering = plan.answering_network(record.model)
    samples = read_split(folder / "test", answering.task, answering.outputs)
    if refuse_overlap({"test": samples})["test"] != record.data.get("test"):
        return None
    boxes = {sample.id: sample.box for sample in _with_boxes(folder / "test")}
    known = [replace(sample, box=sample.box or boxes.get(sample.id)) for sample in samples]
    return samples_sheet(rows, {sample.id: sample for sample in known}, file, title)


def _with_boxes(split: Path) -> list[Sample]:
    """Return the samples of a split where it has annotated boxes: what a pipeline reads is within them."""
    try:
        return read_split(split, Task.DETECTION)
    except InputProblem:
        return []
