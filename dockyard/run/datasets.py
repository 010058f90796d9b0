"""The data of a plan: generated on first use, or a user's folder; checked before any job sees it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dockyard.engines.processes import stream
from dockyard.plan.plan import Plan
from dockyard.recipe.hashing import file_hash, json_hash
from dockyard.recipe.imported import reached
from dockyard.recipe.locks import locked
from dockyard.recipe.recipes import data_folder
from dockyard.recipe.workspace import Workspace
from dockyard.run import clips
from dockyard.run.annotations import check_annotations, check_readings
from dockyard.run.boxes import check_boxes
from dockyard.run.clips import PreparedClip
from dockyard.run.image_files import Header, read_header
from dockyard.run.job_lines import read_progress
from dockyard.run.masks import check_masks
from shared.contract.clips import find_clip
from shared.contract.dataset import Sample, read_split, refuse_overlap
from shared.contract.errors import EnvironmentProblem, InputProblem
from shared.contract.model import DataLocation, Network
from shared.contract.outputs import SegmentationOutputs

OnProgress = Callable[[str, int, int], None]

SCORED_SPLITS = ("validation", "test")
"""Answers are held against what is annotated of these; a calibration needs the images alone."""


@dataclass(frozen=True)
class DataSet:
    """A model's data: its folder, a digest (SHA-256) and the number of samples of each split used.

    Attributes:
        digests: of a pipeline that reads a video there is one, of its clip.
        warnings: what is taken otherwise than it may be meant.
        clip: the video of a pipeline that reads one; None of all others.
    """

    folder: Path
    digests: Mapping[str, str]
    sizes: Mapping[str, int]
    warnings: tuple[str, ...] = ()
    clip: PreparedClip | None = None


def prepare(plan: Plan, on_progress: OnProgress) -> dict[str, DataSet]:
    """Return the data set of each model of the plan, generated where it is not there yet.

    Raises:
        InputProblem: annotations, images or a video that cannot be used, or that no answer can match; splits
            that overlap; a stream without a video.
        EnvironmentProblem: the generator failed.
    """
    found: dict[str, DataSet] = {}
    for model in plan.models:
        if plan.reads_clip(model):
            found[model] = _clip_data(plan, model, on_progress)
            continue
        folder = folder_of(plan, model, on_progress)
        on_progress(f"check the data of {model}", 0, 0)
        annotated = plan.annotated_network(model)
        splits: dict[str, list[Sample]] = {}
        warnings: list[str] = []
        for split in plan.splits_of(model):
            splits[split] = read_split(folder / split, annotated.task, annotated.outputs)
            warnings += _check(plan, model, splits[split], folder / split)
        sizes = {name: len(samples) for name, samples in splits.items()}
        found[model] = DataSet(folder, refuse_overlap(splits), sizes, tuple(warnings))
    return found


def _check(plan: Plan, model: str, samples: list[Sample], folder: Path) -> list[str]:
    """Look into the files of a split; return warnings. Raises InputProblem: one that cannot be used."""
    workspace = plan.workspace
    answering, annotated = plan.answering_network(model), plan.annotated_network(model)
    place = workspace.display_path(folder)
    headers: dict[str, Header] = {}
    for sample in samples:
        headers[sample.id] = read_header(sample.path, workspace.display_path(sample.path))
    warnings = _transparent(headers, plan.first_network(model), place)
    if folder.name in SCORED_SPLITS:
        check_boxes(samples, headers, place)
        warnings += check_annotations(annotated, samples, place)
        if annotated != answering:
            warnings += check_readings(answering, samples, place)
        if isinstance(answering.outputs, SegmentationOutputs):
            warnings += check_masks(answering.outputs.mask, samples, headers, workspace, place)
    return warnings


def _transparent(headers: Mapping[str, Header], first: Network, place: str) -> list[str]:
    """Return a warning of images that have an alpha channel."""
    names = [name for name, header in headers.items() if header.has_alpha]
    if not names:
        return []
    what = f"{len(names)} of {len(headers)} images have an alpha channel, first {names[0]}"
    key = f"$.input.background of {first.name}/model.json"
    return [f"{place}: {what}; what is transparent is laid over {first.input.background} ({key})"]


def _clip_data(plan: Plan, model: str, on_progress: OnProgress) -> DataSet:
    """Return the video of a pipeline: the recipe's own, beside model.json, or made by a generator."""
    clip = clips.named_clip(plan.workspace, plan.recipe)
    if clip is None:
        location = plan.pipeline.clip if plan.pipeline is not None else None
        if location is None:
            where = f"{plan.recipe.file}: $.stream"
            advice = "name a video file in $.stream.clip, or a clip in the pipeline's model.json"
            raise InputProblem(f"neither the recipe nor {model} has a video", where, advice)
        clip = find_clip(_located(plan.workspace, model, location, "$.clip", on_progress))
    on_progress(f"check the video of {model}", 0, 0)
    prepared, warnings = clips.checked(clip, plan.workspace, plan.answering_network(model))
    return DataSet(clip.video.parent, {clips.SPLIT: prepared.digest}, {}, tuple(warnings), prepared)


def folder_of(plan: Plan, model: str, on_progress: OnProgress) -> Path:
    """Return where a model's splits are: the recipe's own data, beside model.json, or made by a generator."""
    location, workspace = plan.data_of(model), plan.workspace
    if plan.recipe.data is not None:
        own = data_folder(workspace, plan.recipe)
        return own / location.set if location.set and (own / location.set).is_dir() else own
    return _located(workspace, model, location, "$.data", on_progress)


def folder_at_hand(plan: Plan, model: str) -> Path | None:
    """Return where a model's splits are; None where a generator would have to make them first."""
    location = plan.data_of(model)
    if plan.recipe.data is None and location.generator is not None:
        script = _script(plan.workspace, location.generator)
        if not script.is_file() or not _generated_folder(plan.workspace, location.generator, script).is_dir():
            return None
    return folder_of(plan, model, lambda *_: None)


def _located(
    workspace: Workspace, model: str, location: DataLocation, key: str, on_progress: OnProgress
) -> Path:
    """Return the folder that a model.json names under a key; a generator's is filled on first use."""
    home = workspace.model(model)
    if location.folder is not None:
        folder = (home / location.folder).resolve()
        if home.resolve() not in folder.parents:
            where = f"{workspace.display_path(home / 'model.json')}: {key}.folder"
            raise InputProblem(f"the path '{location.folder}' leaves the model's folder", where)
        return folder
    assert location.generator is not None
    assert location.set is not None
    return generated(workspace, location.generator, on_progress) / location.set


def generated(workspace: Workspace, generator: str, on_progress: OnProgress) -> Path:
    """Return `.dockyard/data/<generator>-<hash of its code>`, which a generator fills on first use.

    Raises:
        InputProblem: there is no such generator.
        EnvironmentProblem: it failed.
    """
    script = _script(workspace, generator)
    where = workspace.display_path(script)
    if not script.is_file():
        raise InputProblem(f"there is no generator '{generator}'", where)
    folder = _generated_folder(workspace, generator, script)
    # Workspaces may share the data by a link.
    with locked(folder.parent / f".{folder.name}.lock"):
        if not folder.is_dir():
            _generate(script, folder, where, on_progress)
    return folder


def _generate(script: Path, folder: Path, where: str, on_progress: OnProgress) -> None:
    """Let a generator fill a folder.

    Raises:
        EnvironmentProblem: it failed.
    """

    def on_line(line: str) -> None:
        step = read_progress(line)
        if step is not None:
            on_progress(*step)

    workers = str(len(os.sched_getaffinity(0)))
    command = [sys.executable, str(script), "--output", str(folder), "--workers", workers]
    code, last = stream(command, None, on_line)
    if code != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise EnvironmentProblem(
            f"the data generator failed (exit code {code})", where, "\n  ".join(last[-3:])
        )


def _script(workspace: Workspace, generator: str) -> Path:
    return workspace.folder("models", generator, "generate.py") / "generate.py"


def _generated_folder(workspace: Workspace, generator: str, script: Path) -> Path:
    return workspace.state / "data" / f"{generator}-{generator_hash(workspace, script)[:12]}"


def generator_hash(workspace: Workspace, script: Path) -> str:
    """Return a hash over the code of a generator: its script and what that imports of any model's folder.

    Two models may have a module of the same name, and only the script knows which it takes: both count.
    """
    found = reached(script, lambda name: _modules(workspace, name))
    return json_hash(sorted([f"{path.parent.name}/{path.name}", file_hash(path)] for path in found))


def _modules(workspace: Workspace, name: str) -> Iterator[Path]:
    for place in workspace.places:
        yield from place.glob(f"models/*/{name}.py")
