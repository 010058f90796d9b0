"""What a build sees: the folder with the Dockerfile, and the sources of shared folders that it compiles."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dockyard.recipe.hashing import file_hash, json_hash

SOURCES = "sources"
"""The folder of the build's context that they lie in, each in one of its own name."""

MODULES = ("*.py", "*.pyc", "__pycache__")
"""What a shared folder has for jobs, and no image is made from."""


def sources_digest(folder: Path) -> str:
    """Return the SHA-256 over what an image is made from in a shared folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_for_jobs(path)]
    return json_hash([[str(path.relative_to(folder)), file_hash(path)] for path in files])


def _is_for_jobs(path: Path) -> bool:
    return any(path.match(pattern) for pattern in MODULES) or "__pycache__" in path.parts


@contextmanager
def build_context(folder: Path, sources: Mapping[str, Path]) -> Iterator[Path]:
    """Yield the folder that a build sees.

    It is put together where there are sources: the docker of many a device can send one folder alone.

    Args:
        folder: with the Dockerfile.
        sources: shared folders, by the name that each has below `sources/`.
    """
    if not sources:
        yield folder
        return
    with TemporaryDirectory(prefix="dockyard-context-") as scratch:
        context = Path(scratch, "context")
        shutil.copytree(folder, context)
        for name, place in sources.items():
            shutil.copytree(place, context / SOURCES / name, ignore=shutil.ignore_patterns(*MODULES))
        yield context
