"""The documents as a site: MkDocs, in an environment of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from dockyard.engines.processes import stream
from dockyard.engines.venv import find_uv, run_uv
from dockyard.recipe.workspace import PRODUCT
from shared.contract.errors import EnvironmentProblem, JobFailed

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "docs", "results")
"""What is on the site, beside the pages of models and benchmarks."""

LOCK = PRODUCT / "requirements-docs.txt"
PYTHON = (3, 11)
"""What Material needs, as requirements-docs.in says."""


def build_site(folder: Path, on_line: Callable[[str], None]) -> None:
    """Write the documents as a site of plain files; a link that leads nowhere ends it.

    Args:
        folder: the site's; what is in it goes.

    Raises:
        EnvironmentProblem: this Python is too old, or the environment could not be made.
        JobFailed: MkDocs refuses a page.
    """
    if sys.version_info < PYTHON:
        wanted = ".".join(map(str, PYTHON))
        raise EnvironmentProblem(f"the site needs Python {wanted}", "--site", f"python{wanted} inv docs ...")
    state = PRODUCT / ".dockyard"
    _lay_out(state / "documents")
    python = _environment(state / "venvs" / "docs", on_line)
    command = [str(python), "-m", "mkdocs", "build", "--clean", "--config-file", str(PRODUCT / "mkdocs.yml")]
    code, lines = stream([*command, "--site-dir", str(folder.resolve())], None, on_line)
    if code != 0:
        raise JobFailed("the site was not made", "mkdocs.yml", "\n  ".join(lines[-5:]))


def _lay_out(folder: Path) -> None:
    """Copy the documents as they lie to each other, so that their links lead to the same places."""
    shutil.rmtree(folder, ignore_errors=True)
    found = [*PRODUCT.glob("models/*/README.md"), *PRODUCT.glob("benchmarks/*/README.md")]
    pages = [str(page.relative_to(PRODUCT)) for page in found]
    for name in (*DOCUMENTS, *pages):
        source, copy = PRODUCT / name, folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copy(source, copy)
    report = folder / "results" / "report.md"
    # What is folded is Markdown, too: GitHub knows that by itself, MkDocs is told.
    report.write_text(report.read_text(encoding="utf-8").replace("<details>", '<details markdown="1">'))


def _environment(folder: Path, on_line: Callable[[str], None]) -> Path:
    """Return the Python of an environment that has what the lock names, made or brought to it."""
    python = folder / "bin" / "python"
    uv = find_uv()
    sync = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(LOCK)]
    made = [] if python.exists() else [[uv, "venv", "--quiet", "--python", sys.executable, str(folder)]]
    for command in (*made, sync):
        run_uv(command, on_line)
    return python
