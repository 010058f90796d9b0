"""Imports run one way, and the code that containers share runs on Python 3.8."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

STANDARD = sys.stdlib_module_names
VENDORS = {
    "keras",
    "nncf",
    "onnx",
    "onnxruntime",
    "openvino",
    "pycuda",
    "pyds",
    "tensorflow",
    "tensorrt",
    "tensorrt_rtx",
    "tf2onnx",
    "torch",
    "tvm",
    "tvm_ffi",
    "xgboost",
    "ziglang",
}
HARNESS = {"numpy", "cv2", "psutil", "cpuinfo"}


def files(*patterns: str) -> list[Path]:
    return sorted(p for pattern in patterns for p in ROOT.glob(pattern) if "__pycache__" not in p.parts)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it; relative ones by their full name."""
    found: set[str] = set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *(node.module.split(".") if node.module else [])])
            found |= {module} if node.module else {f"{module}.{alias.name}" for alias in node.names}
            if module in ("shared", "dockyard"):
                found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def top(module: str) -> str:
    return module.split(".")[0]


def below(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


HOST = files("dockyard/**/*.py", "tasks.py")
CONTRACT = files("shared/contract/**/*.py")
RUNTIME = files("shared/runtime/**/*.py")
ENTRIES = files("targets/**/*.py")
MODELS = files("models/**/*.py")


def test_every_part_of_the_house_is_looked_at() -> None:
    """The tests below look at files of every part."""
    assert all(len(part) > 1 for part in (HOST, CONTRACT, RUNTIME, ENTRIES, MODELS))


@pytest.mark.parametrize("path", HOST, ids=shown)
def test_host(path: Path) -> None:
    """The host imports no vendor package, and of the containers' side only the contract."""
    for module in imports(path):
        assert top(module) not in VENDORS | {"targets", "models", "cv2"}, module
        if top(module) == "shared":
            assert module == "shared" or below(module, "shared.contract"), module


@pytest.mark.parametrize("path", CONTRACT, ids=shown)
def test_contract(path: Path) -> None:
    """The contract imports the standard library and itself."""
    for module in imports(path):
        assert top(module) in STANDARD or below(module, "shared.contract"), module


@pytest.mark.parametrize("path", RUNTIME, ids=shown)
def test_runtime(path: Path) -> None:
    """The harness imports the contract, itself, the standard library and the four packages of every image."""
    for module in imports(path):
        assert top(module) in STANDARD | HARNESS or below(module, "shared.contract") or below(module, "shared.runtime"), module


@pytest.mark.parametrize("path", ENTRIES, ids=shown)
def test_entries(path: Path) -> None:
    """An entry script, and the modules beside it, import one another, the shared code, numpy, psutil and their vendors."""
    for module in imports(path):
        allowed = STANDARD | VENDORS | {"numpy", "psutil"} | {p.stem for p in path.parent.glob("*.py")}
        assert top(module) in allowed or below(module, "shared.contract") or below(module, "shared.runtime"), module


@pytest.mark.parametrize("path", [*CONTRACT, *RUNTIME, *ENTRIES, *MODELS], ids=shown)
def test_nothing_looks_back_at_the_host(path: Path) -> None:
    """Nothing that runs in a container, and no model, imports the host."""
    assert not [m for m in imports(path) if top(m) in ("dockyard", "tasks", "invoke", "docker", "rich")]


@pytest.mark.parametrize("path", files("dockyard/**/*.py", "shared/**/*.py", "targets/**/*.py", "models/**/*.py"), ids=shown)
def test_invoke_is_for_the_tasks(path: Path) -> None:
    """Nothing but tasks.py imports Invoke."""
    assert not [m for m in imports(path) if top(m) == "invoke"]


def test_requirements_hold_no_vendor() -> None:
    """The host's locked requirements hold none of the vendors' packages."""
    pinned = {line.split("==")[0].lower() for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    assert pinned
    assert not pinned & {v.replace("_", "-") for v in VENDORS}


SHARED = [*CONTRACT, *RUNTIME, *files("shared/*.py")]
NEW_NAMES = {"removeprefix", "removesuffix", "is_relative_to", "with_stem", "hardlink_to", "bit_count", "pairwise", "batched"}
NEW_MODULES = {"zoneinfo", "graphlib", "tomllib"}
GENERICS = {"list", "dict", "tuple", "set", "frozenset", "type", "deque", "defaultdict", "OrderedDict", "Counter"}


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that is evaluated when the code runs: all but annotations, which `from __future__` leaves alone."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child
                yield from run_time_nodes(child)


def newer(path: Path) -> list[str]:
    """What a file uses at run time that Python 3.8 does not have."""
    found = []
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    abstract = {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == "collections.abc" for a in n.names}
    for node in run_time_nodes(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in GENERICS | abstract:
            found.append(f"{line}: {node.value.id}[...] outside an annotation")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and any(_is_type(side) for side in (node.left, node.right)):
            found.append(f"{line}: X | Y outside an annotation")
        elif isinstance(node, ast.Attribute) and node.attr in NEW_NAMES:
            found.append(f"{line}: .{node.attr}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip" and node.keywords:
            found.append(f"{line}: zip(strict=...)")
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if node.module == "functools" and "cache" in names:
                found.append(f"{line}: from {node.module} import {', '.join(sorted(names))}")
            if node.module == "typing" and names & {
                "TypeAlias",
                "ParamSpec",
                "Self",
                "Annotated",
                "NotRequired",
                "assert_never",
                "TypeGuard",
            }:
                found.append(f"{line}: from typing import {', '.join(sorted(names))}")
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = {node.module} if isinstance(node, ast.ImportFrom) else {alias.name for alias in node.names}
            found += [f"{line}: import {m}" for m in modules & NEW_MODULES]
        if isinstance(node, ast.keyword) and node.arg in ("slots", "kw_only"):
            found.append(f"{line}: dataclass({node.arg}=...)")
    return found


def _is_type(node: ast.AST) -> bool:
    none = isinstance(node, ast.Constant) and node.value is None
    return none or (isinstance(node, ast.Name) and node.id in GENERICS | {"int", "str", "float", "bool", "bytes", "Path"})


@pytest.mark.parametrize("path", SHARED, ids=shown)
def test_shared_code_runs_on_python_38(path: Path) -> None:
    """What containers share parses as Python 3.8, evaluates no annotation and uses nothing newer when it runs."""
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    assert newer(path) == []
    annotated = any(isinstance(node, (ast.AnnAssign, ast.arg)) for node in ast.walk(tree))
    futures = {a.name for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__" for a in node.names}
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
