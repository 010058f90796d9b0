"""The code that older Jetson images run, which have Python 3.8, uses nothing newer, as vermin knows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from vermin import Config, SourceVisitor

from dockyard.recipe.targets import code_folders, load_target
from dockyard.recipe.workspace import Workspace
from tests.conftest import ROOT

PYTHON = (3, 8)

METHODS = {"removeprefix", "removesuffix", "is_relative_to", "with_stem", "hardlink_to", "bit_count"}
"""Newer methods of strings, paths and numbers; vermin sees them only where their value stands there."""


def on_python_38() -> Iterator[Path]:
    """Yield the files of what runs on Python 3.8: what containers share, and targets with such toolchains."""
    ours = Workspace(ROOT)
    folders = {ROOT / "shared"}
    for name in ours.names("targets", "target.json"):
        pythons = [one.python or "" for one in load_target(ours, name, "test").toolchains.values()]
        if any(python.startswith(">=3.8") for python in pythons):
            folders.update(code_folders(ours, name))
    for folder in sorted(folders):
        yield from sorted(folder.rglob("*.py"))


def newer(path: Path) -> list[str]:
    """Return what a file uses, as it runs, that is newer than Python 3.8; newer syntax raises SyntaxError."""
    tree = ast.parse(path.read_text(), feature_version=PYTHON)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            found.append(f"L{node.lineno}: .{node.attr}")
        for field in {"annotation", "returns"} & set(node._fields):  # what nothing evaluates
            if getattr(node, field) is not None:
                setattr(node, field, ast.Constant(None))
    config = Config()
    config.add_target(PYTHON, exact=False)
    config.set_only_show_violations(True)
    config.set_verbose(3)  # with lines
    config.set_eval_annotations(True)
    config.enable_feature("union-types")  # of flags, `re.A | re.M`, it thinks that they are types, too
    visitor = SourceVisitor(config)
    visitor.set_no_lines(set())  # no comment makes an exception
    visitor.tour(tree)
    if visitor.minimum_versions()[-1] > PYTHON:
        found += visitor.output_text().splitlines()
    return found


def test_the_jetsons_code_is_looked_at() -> None:
    """What is looked at are the shared code and that of a target for Jetsons."""
    top = {path.relative_to(ROOT).parts[:2] for path in on_python_38()}
    assert {("shared", "contract"), ("shared", "harness"), ("targets", "jetson-engines")} <= top


@pytest.mark.parametrize("path", [*on_python_38()], ids=lambda path: str(path.relative_to(ROOT)))
def test_code_runs_on_python_38(path: Path) -> None:
    """What older Jetson images run parses as Python 3.8, evaluates no annotation and uses nothing newer."""
    assert newer(path) == []
    tree = ast.parse(path.read_text())
    annotated = any(isinstance(node, (ast.AnnAssign, ast.arg)) for node in ast.walk(tree))
    futures = {
        a.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for a in node.names
    }
    assert "annotations" in futures or not annotated


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("X = list[int]", "list[..]"),
        ("X = int | None", "X | Y"),
        ("from pathlib import Path\nX = None | Path", "X | Y"),
        ("isinstance(1, int | str)", "X | Y"),
        ("from collections.abc import Mapping\nX = Mapping[str, int]", "collections.abc.Mapping[..]"),
        ("from collections import deque\nX = deque[int]", "collections.deque[..]"),
        ("class Own(dict[str, int]): ...", "dict[..]"),
        ("'a'.removeprefix('b')", ".removeprefix"),
        ("def f(path): return path.is_relative_to('/')", ".is_relative_to"),
        ("zip([], [], strict=True)", "zip(strict)"),
        ("from dataclasses import dataclass\n@dataclass(slots=True)\nclass Own: ...", "dataclass(slots)"),
        ("from functools import cache", "functools.cache"),
        ("import itertools\nitertools.pairwise([])", "itertools.pairwise"),
        ("from typing import TypeAlias", "typing.TypeAlias"),
        ("import tomllib", "tomllib"),
        ("from zoneinfo import ZoneInfo", "zoneinfo"),
        ("from enum import StrEnum", "enum.StrEnum"),
        ("import ast\nast.unparse", "ast.unparse"),
        ("{} | {'a': 1}", "dict union"),
        ("from __future__ import annotations\ndef f(x: list[int]) -> int | None: ...", ""),
        ("from __future__ import annotations\nclass Own:\n    x: dict[str, int] | None = None", ""),
    ],
)
def test_what_is_newer_is_seen(tmp_path: Path, code: str, told: str) -> None:
    """The check above sees what it is to see, with its place, and lets annotations be."""
    (tmp_path / "code.py").write_text(code)
    found = newer(tmp_path / "code.py")
    assert (told in found[0] and found[0].startswith("L")) if told else (found == [])


@pytest.mark.parametrize("code", ["match 1:\n    case _: ...", "with (open('a') as a, open('b') as b): ..."])
def test_newer_syntax_is_seen(tmp_path: Path, code: str) -> None:
    """Syntax that Python 3.8 does not read is an error."""
    (tmp_path / "code.py").write_text(code)
    with pytest.raises(SyntaxError):
        newer(tmp_path / "code.py")
