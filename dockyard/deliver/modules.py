"""The modules that load a target's artifacts: those that its serving.py reaches, and no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.contract.errors import InputProblem

FIRST = "serving"


def modules_needed(folders: Sequence[Path], target: str) -> list[Path]:
    """Return the files of a target's own modules that run an artifact.

    Args:
        folders: whose modules lie together in its jobs; the last one is the target's own.

    Raises:
        InputProblem: the target has none that does.
    """
    known: dict[str, Path] = {}
    for folder in folders:
        known.update({file.stem: file for file in folder.glob("*.py")})
    if FIRST not in known:
        what, advice = f"artifacts of {target} are not delivered", "a target that is has a serving.py"
        raise InputProblem(what, f"targets/{target}", advice)
    found: dict[str, Path] = {}
    waiting = [FIRST]
    while waiting:
        name = waiting.pop()
        found[name] = known[name]
        waiting += [one for one in _imported(known[name]) if one in known and one not in found]
    return sorted(found.values())


def _imported(file: Path) -> Iterator[str]:
    """Yield the modules that a file names, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
