"""A fleet's file is read and checked: what is wrong is told with its place and the nearest name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dockyard.recipe.fleet import Device, load_fleet
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem
from tests.conftest import ROOT
from tests.unit.test_commands import invoke


def write(folder: Path, devices: Any) -> Path:
    path = folder / "fleet.json"
    path.write_text(json.dumps({"devices": devices}))
    return path


def test_a_fleet_is_read(workspace: Workspace) -> None:
    """A device has its context, and may have labels and the targets that it is for."""
    path = write(
        workspace.root,
        {"one": {"context": "a"}, "two": {"context": "b", "labels": ["x"], "targets": ["tvm-llvm"]}},
    )
    assert load_fleet(workspace, path) == (
        Device("one", "a"),
        Device("two", "b", ("x",), ("tvm-llvm",)),
    )


@pytest.mark.parametrize(
    ("devices", "where", "message"),
    [
        ({}, "$.devices", "{} should be non-empty"),
        ({"one": {}}, "$.devices.one", "the key 'context' is missing"),
        ({"one": {"contxt": "a"}}, "$.devices.one", "did you mean 'context'?"),
        ({"one": {"context": "a", "targets": ["tvm-lvm"]}}, "$.devices.one.targets[0]", "'tvm-llvm'?"),
        (
            {"one": {"context": "a"}, "two": {"context": "a"}},
            "$.devices.two.context",
            "'one' has the context",
        ),
        ({"here": {"context": "a"}}, "$.devices.here", "'here' is this machine"),
        ({"my board": {"context": "a"}}, "$.devices", "'my board' does not match"),
    ],
)
def test_what_is_wrong_has_its_place(workspace: Workspace, devices: Any, where: str, message: str) -> None:
    """A wrong key, name or target is refused with file, JSON path and remedy."""
    with pytest.raises(InputProblem) as caught:
        load_fleet(workspace, write(workspace.root, devices))
    assert caught.value.where == f"fleet.json: {where}"
    assert message in str(caught.value)


def test_the_documents_example_is_a_fleet(workspace: Workspace) -> None:
    """What docs/fleet.md shows can be copied."""
    text = (ROOT / "docs" / "fleet.md").read_text()
    path = workspace.root / "fleet.json"
    path.write_text(text.split("```json\n")[1].split("```")[0])
    assert [device.name for device in load_fleet(workspace, path)] == ["lab-orin-1", "lab-orin-2", "counter"]


def test_command_takes_a_fleet(workspace: Workspace) -> None:
    """`matrix --fleet` asks each device that does for a recipe, and skips it when none of them is there."""
    recipe = {"model": "digits", "target": "intel-openvino", "optimizations": ["int8"], "device": "board"}
    (workspace.root / "recipes" / "ours.json").write_text(json.dumps(recipe))
    boards = {name: {"context": f"no-{name}", "labels": ["board"]} for name in ("b1", "b2")}
    fleet = ("--fleet", str(write(workspace.root, boards)), "--workspace", str(workspace.root))
    done = invoke("matrix", *fleet)
    assert done.returncode == 0, done.stderr
    assert any(
        "ours.json is left to another device: no device 'no-b" in line for line in done.stdout.splitlines()
    )
    assert done.stdout.splitlines()[-1].startswith("skipped     ours.json: no device 'no-b")
    refused = invoke("matrix", "--engine", "venv", *fleet)
    assert (refused.returncode, refused.stderr.splitlines()[0][:18]) == (2, "error: --fleet: a ")
