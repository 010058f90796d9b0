"""An artifact's folder: its files by their hashes, and its manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Optional

from shared.contract.artifact import MANIFEST_FILE, Artifact, ArtifactFile, Manifest
from shared.contract.codec import decode


def describe_artifact(folder: Path) -> Artifact:
    """Return the files below a folder with SHA-256 and size, sorted by path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return Artifact(tuple(_describe_file(path, folder) for path in paths))


def _describe_file(path: Path, folder: Path) -> ArtifactFile:
    content = path.read_bytes()
    return ArtifactFile(
        path.relative_to(folder).as_posix(), hashlib.sha256(content).hexdigest(), len(content)
    )


def read_manifest(folder: Path) -> Optional[Manifest]:
    """Return the manifest of an artifact's folder; None for that of a graph as it came, which has none.

    Raises:
        ValueError: the file is no manifest.
    """
    path = folder / MANIFEST_FILE
    return (
        decode(Manifest, json.loads(path.read_text(encoding="utf-8")), MANIFEST_FILE)
        if path.is_file()
        else None
    )
