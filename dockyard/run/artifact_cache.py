"""Artifacts that earlier runs made, found again by the hash of everything that went into them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dockyard.plan.plan import Planned
from dockyard.recipe.hashing import file_hash, json_hash, tree_hash
from dockyard.recipe.places import SHARED, STATE, TARGETS
from shared.contract.job import Artifact

KEPT_STAGES = ("convert", "optimize")
"""What may be reused. Quality and speed are measured anew in every run."""


def code_hash(target: str) -> str:
    """Return the hash of the code that travels with a target's jobs."""
    return json_hash([tree_hash(SHARED, "*.py"), tree_hash(TARGETS / target)])


def key_of(planned: Planned, identity: Mapping[str, str], engine: str, inputs: Mapping[str, str]) -> str:
    """Return the hash of all that decides what a job makes.

    Args:
        planned: the job.
        identity: of the toolchain (`Engine.prepare`).
        engine: the engine's name.
        inputs: input path -> what identifies its content (a checksum, a digest, an earlier job's key).
    """
    job = planned.job
    return json_hash(
        {
            "job": {k: v for k, v in job.to_json().items() if k not in ("id", "measure")},
            "threads": job.measure.get("threads"),
            "identity": dict(identity),
            "engine": engine,
            "inputs": dict(inputs),
            "code": code_hash(job.target),
        }
    )


def find(key: str) -> tuple[Path, dict[str, Any]] | None:
    """Return the outputs' folder and the result kept under a key, or None; a damaged one counts as none."""
    folder = STATE / "artifacts" / key
    try:
        result: dict[str, Any] = json.loads((folder / "result.json").read_text())
        artifact = Artifact.from_json(result["artifact"])
        whole = all(file_hash(folder / "outputs" / f.path) == f.sha256 for f in artifact.files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return (folder / "outputs", result) if whole else None


def keep(key: str, outputs: Path, result: Mapping[str, Any]) -> Path:
    """Keep a job's outputs under a key, whole or not at all, and return where they lie."""
    folder = STATE / "artifacts" / key
    partial = folder.with_name(f"{key}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    shutil.move(str(outputs), partial / "outputs")
    (partial / "result.json").write_text(json.dumps(result))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder / "outputs"
