"""The folder of a job, filled: job.json, the code that runs in the target's environment, the inputs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from dockyard.plan.plan import (
    ClipInput,
    DataInput,
    GraphInput,
    JobInput,
    OutputInput,
    Plan,
    PlannedJob,
    TuningInput,
)
from dockyard.recipe.targets import code_folders
from dockyard.recipe.workspace import SHARED, Workspace
from dockyard.run import clips, tuning_store
from dockyard.run.artifact_cache import JOB_PARTS
from dockyard.run.datasets import DataSet
from dockyard.run.decisions import Done
from shared.contract.codec import encode
from shared.contract.result import Status

TUNING = "tuning"
"""The folder in which a job that tunes leaves the databases that are new or changed."""


def fill(plan: Plan, planned: PlannedJob, data: Mapping[str, DataSet], done: Done, folder: Path) -> None:
    """Fill an empty job folder."""
    job = planned.job
    (folder / "job.json").write_text(json.dumps(encode(job)))
    place_code(plan.workspace, job.target, folder)
    (folder / "outputs").mkdir()
    for path, source in planned.inputs.items():
        destination = folder / "inputs" / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        _place(plan, source, data, done, destination)
        if isinstance(source, TuningInput):
            (folder / TUNING).mkdir()


def place_code(workspace: Workspace, target: str, folder: Path) -> None:
    """Copy the code of a target's jobs into a job folder; modules that it shares come beside its own."""
    ignore = shutil.ignore_patterns("__pycache__")
    for part in JOB_PARTS:
        shutil.copytree(SHARED / part, folder / "code" / "shared" / part, ignore=ignore)
    shutil.copyfile(SHARED / "__init__.py", folder / "code" / "shared" / "__init__.py")
    for modules in code_folders(workspace, target):
        shutil.copytree(modules, folder / "code" / "targets" / target, ignore=ignore, dirs_exist_ok=True)


def _place(plan: Plan, source: JobInput, data: Mapping[str, DataSet], done: Done, destination: Path) -> None:
    """Copy one input to its place."""
    match source:
        case GraphInput(network):
            graph = plan.networks[network].graph
            _copy(plan.workspace.model(network) / graph, destination / graph)
        case DataInput(model, split):
            # Links are followed: people's data sets may be farms of them.
            shutil.copytree(
                data[model].folder / split, destination, ignore=_loops, ignore_dangling_symlinks=True
            )
        case ClipInput(model):
            clip = data[model].clip
            assert clip is not None, f"{model} reads a video and has none"
            clips.place(clip, destination)
        case TuningInput(network, target):
            destination.mkdir()
            for database in tuning_store.databases_of(plan.workspace, network, target).values():
                _copy(database, destination / database.name)
        case OutputInput(job_id, file):
            if source.is_optional and not is_done(job_id, done):
                return
            outputs = done[job_id].outputs
            assert outputs is not None, f"{job_id} is done and left no outputs"
            _copy(outputs / file if file else outputs, destination)


def _loops(folder: str, names: list[str]) -> list[str]:
    """Return which names in a folder are links to a folder that it lies in."""
    here = Path(folder).resolve()
    return [name for name in names if (here / name).is_symlink() and (here / name).resolve() in _line(here)]


def _line(folder: Path) -> tuple[Path, ...]:
    """Return a folder and all that it lies in."""
    return folder, *folder.parents


def is_done(job_id: str, done: Done) -> bool:
    """Tell whether a job ran and succeeded."""
    return job_id in done and done[job_id].status == Status.DONE


def _copy(origin: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        shutil.copytree(origin, destination)
    else:
        shutil.copyfile(origin, destination)
