"""Artifacts that earlier runs made, found again by the hash of everything that went into them.

.dockyard/artifacts/<key>/outputs/        the artifact
.dockyard/artifacts/<key>/result.json     what came of the job that made it
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from dockyard.plan.plan import PlannedJob
from dockyard.recipe.hashing import file_hash, json_hash, tree_hash
from dockyard.recipe.targets import code_folders
from dockyard.recipe.workspace import SHARED, Workspace
from shared.contract.codec import DecodeError, decode, encode
from shared.contract.result import Result

JOB_PARTS = ("contract", "inference", "harness")
"""Of shared/: what travels with jobs. What serves at a client's has no part in what they make."""


def code_hash(workspace: Workspace, target: str, shared: Path = SHARED) -> str:
    """Return the hash of the code that travels with a target's jobs."""
    parts = [tree_hash(shared / part, "*.py") for part in JOB_PARTS]
    return json_hash([*parts, *map(tree_hash, code_folders(workspace, target)[::-1])])


def cache_key(
    planned: PlannedJob, identity: Mapping[str, str], executor: str, inputs: Mapping[str, str], code: str
) -> str:
    """Return the hash of all that decides what a job makes.

    Args:
        planned: the job.
        identity: what identifies the toolchain (`Executor.prepare`).
        executor: the name of this machine's, or the device of another one.
        inputs: input path -> what identifies its content (a checksum, a digest, an earlier job's key).
        code: `code_hash` of the job's target.
    """
    job = {key: value for key, value in encode(planned.job).items() if key != "id"}
    document = {
        "job": job,
        "identity": dict(identity),
        "executor": executor,
        "inputs": dict(inputs),
        "code": code,
    }
    return json_hash(document)


def folder_of(workspace: Workspace, key: str) -> Path:
    """Return the folder of a key, whether there is something or not."""
    return workspace.state / "artifacts" / key


def find(workspace: Workspace, key: str) -> tuple[Path, Result] | None:
    """Return the outputs' folder and the result kept under a key, or None; a damaged one counts as none."""
    folder = folder_of(workspace, key)
    try:
        result = decode(Result, json.loads((folder / "result.json").read_text()))
        whole = all(
            file_hash(folder / "outputs" / file.path) == file.sha256 for file in result.artifact.files
        )
    except (OSError, ValueError, DecodeError):
        return None
    return (folder / "outputs", result) if whole else None


def keep(workspace: Workspace, key: str, outputs: Path, result: Result) -> Path:
    """Keep a job's outputs under a key, whole or not at all, and return where they lie."""
    folder = folder_of(workspace, key)
    partial = folder.with_name(f"{key}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    shutil.move(str(outputs), partial / "outputs")
    (partial / "result.json").write_text(json.dumps(encode(result)))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder / "outputs"
