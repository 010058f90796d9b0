"""A recipe whose device is not there: what needs none is made, and nothing is said to be measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dockyard.judge.record_files import read_records, write_records
from dockyard.recipe.workspace import Workspace
from dockyard.workflow import build
from shared.contract.errors import InputProblem
from shared.contract.record import RecordStatus
from tests.builders import record

RecipeFile = Callable[[dict[str, Any]], Path]
RECIPE = {
    "model": "digits",
    "target": "intel-openvino",
    "optimizations": ["int8"],
    "device": "no-such-board",
    "measure": {"threads": 2},
}
NO_DEVICE = "no device 'no-such-board' (there is no Docker context 'no-such-board')"


@pytest.mark.usefixtures("docker_executor")
def test_what_needs_no_device_is_made(recipe_file: RecipeFile, workspace: Workspace) -> None:
    """The artifact is made and kept, its record has it, and nothing has a figure; results that were measured
    earlier stay.
    """
    file = str(recipe_file(RECIPE))
    built = build(workspace, file, Console(quiet=True), engine="docker")
    assert built.missing_device == NO_DEVICE
    found = {one.record.variant: one.record for one in built.assessments}
    assert {one.status for one in found.values()} == {RecordStatus.NOT_MEASURED}
    assert {one.reason for one in found.values()} == {NO_DEVICE}
    assert not any(one.rounds for one in found.values())
    assert found["int8"].quality is None
    made = found["int8"].artifacts["digits"]
    assert made.artifact.files
    assert (workspace.state / "artifacts" / str(made.cache_key) / "outputs").is_dir()
    published = workspace.results / "records" / str(found["int8"].recipe["name"])
    assert len(read_records(published)) == 2
    write_records([record("int8")], published)
    build(workspace, file, Console(quiet=True), engine="docker")
    assert any(one.rounds for one in read_records(published))


def test_an_engine_without_devices_is_refused(recipe_file: RecipeFile, workspace: Workspace) -> None:
    """Virtual environments are of this machine: a recipe for a device is not measured there unnoticed."""
    with pytest.raises(InputProblem, match="--engine venv knows none"):
        build(workspace, str(recipe_file(RECIPE)), Console(quiet=True), engine="venv")
