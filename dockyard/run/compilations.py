"""What compilations on a device leave for the next ones there: timings of kernels, as the vendor writes them.

.dockyard/devices/<device>/<target>-<toolchain>/<name>.cache

The files are handed back to the device alone that they came from, unread: nothing here opens them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dockyard.recipe.workspace import Workspace
from shared.contract.job import Job
from shared.contract.stages import Compile

SUFFIX = ".cache"

LIMIT_MB = 64
"""Of all that a job may leave; TensorRT writes a few."""


def folder_of(workspace: Workspace, device: str, target: str, toolchain: str) -> Path:
    """Return where a device's files of a toolchain are kept, whether there are any or not."""
    return workspace.state / "devices" / device / f"{target}-{toolchain}"


def place(workspace: Workspace, device: str, job: Job, folder: Path) -> None:
    """Copy into the folder of a job that compiles what the last one has left on its device."""
    destination = _cache(job, folder)
    destination.mkdir()
    for path in sorted(folder_of(workspace, device, job.target, job.toolchain).glob(f"*{SUFFIX}")):
        shutil.copyfile(path, destination / path.name)


def keep(workspace: Workspace, device: str, job: Job, folder: Path) -> None:
    """Keep what a job that compiles has left; each file takes the place of the one before at once."""
    kept = folder_of(workspace, device, job.target, job.toolchain)
    for path in sorted(_cache(job, folder).glob(f"*{SUFFIX}")):
        if path.is_file() and not path.is_symlink():
            kept.mkdir(parents=True, exist_ok=True)
            partial = kept / f"{path.name}.{os.getpid()}.partial"
            shutil.copyfile(path, partial)
            partial.replace(kept / path.name)


def _cache(job: Job, folder: Path) -> Path:
    assert isinstance(job.parameters, Compile)
    return folder / job.parameters.cache
