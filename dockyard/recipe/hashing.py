"""Hashes of files, folders and JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def tree_hash(folder: Path, pattern: str = "*") -> str:
    """Return one SHA-256 over the paths and contents of the files below a folder that match a pattern."""
    files = sorted(p for p in folder.rglob(pattern) if p.is_file() and "__pycache__" not in p.parts)
    return json_hash([[str(p.relative_to(folder)), file_hash(p)] for p in files])


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file, or of the paths and contents of a folder's files."""
    return tree_hash(path) if path.is_dir() else file_hash(path)


def content_bytes(path: Path) -> int:
    """Return the size in bytes of a file, or of a folder's files."""
    return (
        sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
        if path.is_dir()
        else path.stat().st_size
    )


def json_hash(document: Any) -> str:
    """Return the SHA-256 of a document's canonical JSON."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
