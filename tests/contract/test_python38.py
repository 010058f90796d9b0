"""The code that containers share runs on Python 3.8, which the older Jetson images have."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

SHARED = sorted(path for path in ROOT.glob("shared/**/*.py") if "__pycache__" not in path.parts)
NEW_NAMES = {
    "removeprefix",
    "removesuffix",
    "is_relative_to",
    "with_stem",
    "hardlink_to",
    "bit_count",
    "pairwise",
    "batched",
}
NEW_MODULES = {"zoneinfo", "graphlib", "tomllib"}
NEW_IN = {
    "functools": {"cache"},
    "typing": {"TypeAlias", "ParamSpec", "Self", "Annotated", "NotRequired", "assert_never", "TypeGuard"},
}
GENERICS = {
    "list",
    "dict",
    "tuple",
    "set",
    "frozenset",
    "type",
    "deque",
    "defaultdict",
    "OrderedDict",
    "Counter",
}


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that is evaluated when the code runs: all but annotations, which `from __future__` leaves
    alone.
    """
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child
                yield from run_time_nodes(child)


def newer(path: Path) -> list[str]:
    """What a file uses at run time that Python 3.8 does not have."""
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    abstract = {alias.name for node in imported if node.module == "collections.abc" for alias in node.names}
    found = []
    for node in run_time_nodes(tree):
        line = getattr(node, "lineno", 0)
        found += [f"{line}: {what}" for what in newer_in_node(node, GENERICS | abstract)]
    return found


def newer_in_node(node: ast.AST, generics: set[str]) -> Iterator[str]:
    """What one node uses that Python 3.8 does not have."""
    match node:
        case ast.Subscript(value=ast.Name(id=name)) if name in generics:
            yield f"{name}[...] outside an annotation"
        case ast.BinOp(left=left, op=ast.BitOr(), right=right) if _is_type(left) or _is_type(right):
            yield "X | Y outside an annotation"
        case ast.Attribute(attr=name) if name in NEW_NAMES:
            yield f".{name}"
        case ast.Call(func=ast.Name(id="zip"), keywords=[_, *_]):
            yield "zip(strict=...)"
        case ast.keyword(arg="slots" | "kw_only" as name):
            yield f"dataclass({name}=...)"
        case ast.Match():
            yield "match"
        case ast.ImportFrom(module=module, names=aliases):
            names = {alias.name for alias in aliases}
            new = names & NEW_IN.get(module or "", set())
            yield from (f"from {module} import {name}" for name in sorted(new))
            yield from (f"import {name}" for name in {module} & NEW_MODULES)
        case ast.Import(names=aliases):
            yield from (f"import {alias.name}" for alias in aliases if alias.name in NEW_MODULES)


def _is_type(node: ast.AST) -> bool:
    none = isinstance(node, ast.Constant) and node.value is None
    return none or (
        isinstance(node, ast.Name) and node.id in GENERICS | {"int", "str", "float", "bool", "bytes", "Path"}
    )


@pytest.mark.parametrize("path", SHARED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shared_code_runs_on_python_38(path: Path) -> None:
    """What containers share parses as Python 3.8, evaluates no annotation and uses nothing newer when it
    runs.
    """
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    assert newer(path) == []
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
        ("X = list[int]", "list[...]"),
        ("X = int | None", "X | Y"),
        ("from collections.abc import Mapping\nX = Mapping[str, int]", "Mapping[...]"),
        ("'a'.removeprefix('b')", ".removeprefix"),
        ("zip([], [], strict=True)", "zip(strict=...)"),
        ("from functools import cache", "from functools import cache"),
        ("from __future__ import annotations\ndef f(x: list[int]) -> int | None: ...", ""),
    ],
)
def test_what_is_newer_is_seen(tmp_path: Path, code: str, told: str) -> None:
    """The check above sees what it is to see, and lets annotations be."""
    (tmp_path / "code.py").write_text(code)
    found = newer(tmp_path / "code.py")
    assert (told in found[0]) if told else (found == [])
