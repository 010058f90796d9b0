"""The data of a plan: generated on first use, or a user's folder; checked before any job sees it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockyard.engines.processes import stream
from dockyard.plan.plan import Plan
from dockyard.recipe.catalog import data_folder
from dockyard.recipe.hashing import tree_hash
from dockyard.recipe.places import MODELS, STATE, shown
from shared.contract.dataset import Sample, read_split, refuse_overlap
from shared.contract.errors import EnvironmentProblem, InputProblem
from shared.contract.job import PROGRESS_KEY

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DataSet:
    """A model's data: its folder, a digest (SHA-256) and the number of samples of each split used."""

    folder: Path
    digests: Mapping[str, str]
    sizes: Mapping[str, int]


def prepare(plan: Plan, on_progress: OnProgress) -> dict[str, DataSet]:
    """Return the data set of each model of the plan, generated where it is not there yet.

    Raises:
        InputProblem: annotations or images that cannot be used, splits that overlap.
        EnvironmentProblem: the generator failed.
    """
    found: dict[str, DataSet] = {}
    for model in plan.models:
        folder = _folder(plan, model, on_progress)
        on_progress(f"check the data of {model}", 0, 0)
        splits: dict[str, list[Sample]] = {s: read_split(folder / s, plan.task_of(model)) for s in plan.splits_of(model)}
        for samples in splits.values():
            _check_headers(samples)
        digests = refuse_overlap(splits)
        found[model] = DataSet(folder, digests, {name: len(samples) for name, samples in splits.items()})
    return found


def _folder(plan: Plan, model: str, on_progress: OnProgress) -> Path:
    entry = plan.data_of(model)
    if plan.recipe.data is not None:
        own = data_folder(plan.recipe)
        return own / str(entry["set"]) if "set" in entry and (own / str(entry["set"])).is_dir() else own
    if "folder" in entry:
        folder = (MODELS / model / str(entry["folder"])).resolve()
        if (MODELS / model).resolve() not in folder.parents:
            raise InputProblem(f"the path '{entry['folder']}' leaves the model's folder", f"models/{model}/model.json: $.data.folder")
        return folder
    return generated(str(entry["generator"]), on_progress) / str(entry["set"])


def generated(generator: str, on_progress: OnProgress) -> Path:
    """Return the folder that a generator fills, `.dockyard/data/<model>-<hash of its code>`; filled on first use."""
    script = MODELS / generator / "generate.py"
    if not script.is_file():
        raise InputProblem(f"there is no generator '{generator}'", shown(script))
    folder = STATE / "data" / f"{generator}-{tree_hash(script.parent, '*.py')[:12]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)

    def on_line(line: str) -> None:
        step = read_progress(line)
        if step is not None:
            on_progress(*step)

    workers = str(len(os.sched_getaffinity(0)))
    code, last = stream([sys.executable, str(script), "--output", str(folder), "--workers", workers], None, on_line)
    if code != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise EnvironmentProblem(f"the data generator failed (exit code {code})", shown(script), "\n  ".join(last[-3:]))
    return folder


def read_progress(line: str) -> tuple[str, int, int] | None:
    """Return (what, done, total) of a progress line, or None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        step: Any = json.loads(line)[PROGRESS_KEY]
        return str(step["what"])[:80], int(step["done"]), int(step["total"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _check_headers(samples: list[Sample]) -> None:
    from PIL import Image, UnidentifiedImageError

    for sample in samples:
        try:
            with Image.open(sample.path) as image:
                image.verify()
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputProblem(
                f"no readable image ({type(error).__name__})", shown(sample.path), "restore it or take its row out"
            ) from None
