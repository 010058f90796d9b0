"""The files that a Python file reaches by its imports, itself included."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Find = Callable[[str], Iterable[Path]]
"""Returns the files that a module's name stands for; none for one that is not of interest."""


def reached(first: Path, find: Find) -> list[Path]:
    """Return a file and what it imports, and what that imports, each once."""
    found: dict[Path, None] = {first: None}
    ahead = [first]
    while ahead:
        for name in _imported(ahead.pop()):
            for module in find(name):
                if module not in found:
                    found[module] = None
                    ahead.append(module)
    return list(found)


def _imported(file: Path) -> Iterator[str]:
    """Yield the top-level names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
