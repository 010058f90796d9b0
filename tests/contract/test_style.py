"""What ruff has no rule for: one comprehension in a statement, so that a reader takes one step at a time."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FOLDERS = ("dockyard", "shared", "targets", "models", "docker", "tests")
FILES = sorted(
    path for folder in FOLDERS for path in ROOT.glob(f"{folder}/**/*.py") if "__pycache__" not in path.parts
)


def comprehensions(node: ast.AST) -> int:
    """The comprehensions in a node, those in statements below it left out."""
    count = 0
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.stmt):
            count += isinstance(child, COMPREHENSIONS) + comprehensions(child)
    return count


def crowded(code: str) -> list[int]:
    """The lines of the statements with more than one comprehension."""
    statements = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.stmt)]
    return [statement.lineno for statement in statements if comprehensions(statement) > 1]


@pytest.mark.parametrize("path", [*FILES, ROOT / "tasks.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_one_comprehension_in_a_statement(path: Path) -> None:
    """No statement holds two comprehensions."""
    assert crowded(path.read_text(encoding="utf-8")) == []


def test_the_check_sees_two() -> None:
    """Two comprehensions in one statement are seen, one in each of two statements are not."""
    assert crowded("x = [a for a in [b for b in c]]") == [1]
    assert crowded("x = [a for a in c]\ny = [b for b in x]") == []
