"""What the documents quote is what the program says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

SAYS = re.compile(r"^\| it says \| do \|\n\| --- \| --- \|\n((?:\|.*\n)+)", re.MULTILINE)
PAGES = sorted(page for page in ROOT.glob("docs/**/*.md") if SAYS.search(page.read_text()))
CODE = [*ROOT.glob("dockyard/**/*.py"), *ROOT.glob("shared/**/*.py"), *ROOT.glob("targets/**/*.py")]


def told(node: ast.AST) -> str:
    """What a text in the code says, with `...` for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(told(value) if isinstance(value, ast.Constant) else "..." for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return told(node.left) + told(node.right)
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return re.sub(r"\{\w+\}", "...", node.value) if is_text else ""


@pytest.fixture(scope="module")
def texts() -> str:
    """Every text in the code of host, containers and targets, a line each."""
    found = set[str]()
    for path in [*CODE, ROOT / "inv", ROOT / "tasks.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            found.add(re.sub(r"[. ]*\.\.\.[. ]*", "...", told(node)))
    return "\n".join(sorted(found))


def quoted(page: Path) -> Iterator[str]:
    """The messages that a page says what to do about."""
    for table in SAYS.findall(page.read_text()):
        for row in table.splitlines():
            yield row.split(" | ")[0].removeprefix("| ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_messages_that_are_explained_are_still_said(page: Path, texts: str) -> None:
    """Each message in a table of what to do is a text of the code, `...` standing for what is filled in."""
    unsaid = []
    for message in quoted(page):
        parts = [part.strip() for part in message.strip(". ").split("...") if part.strip()]
        pattern = r"\.\.\.".join(map(re.escape, parts))
        if not re.search(pattern, texts):
            unsaid.append(message)
    assert unsaid == []


def test_there_is_something_to_look_up() -> None:
    """The page of messages has them, and so has the Jetson's."""
    assert {"troubleshooting", "jetson"} <= {page.stem for page in PAGES}
    assert sum(1 for _ in quoted(ROOT / "docs" / "troubleshooting.md")) > 30
