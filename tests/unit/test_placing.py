"""What needs no device is made on this machine, by what can make it here."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from dockyard.placing import beside_a_device
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from tests.fakes import FakeExecutor, QuietDisplay
from tests.stand_ins.engine import StandInEngine

RECIPE = {"model": "digits", "target": "l4t-tensorrt", "toolchain": "10.3", "optimizations": ["fp16"]}


@pytest.fixture
def jetson_plan(workspace: Workspace) -> Plan:
    """A plan whose graphs this machine prepares, for a Jetson."""
    (workspace.root / "recipes" / "board.json").write_text(json.dumps(RECIPE))
    return make_plan(workspace, load_recipe(workspace, "board.json"))


def jetson() -> FakeExecutor:
    """A device that is not this machine."""
    return FakeExecutor(name="docker:jetson", device="jetson", is_local=False)


def test_images_of_what_prepares_are_made_first(
    jetson_plan: Plan, engine_elsewhere: StandInEngine, workspace: Workspace
) -> None:
    """This machine's engine gets the images of what is done here, and none for the device."""
    engine_elsewhere.has_base(workspace)
    display = QuietDisplay()
    with closing(beside_a_device(jetson_plan, jetson(), display)) as placement:
        assert placement.maker is not None
        assert (placement.maker.name, placement.no_reference) == ("docker", "")
    images = {"default: dockyard/tensorflow:2.21", "default: dockyard/tensorrt-onnx:1.32"}
    assert set(engine_elsewhere.builds()) == images


def test_virtual_environments_prepare_where_images_cannot_be_made(
    jetson_plan: Plan, this_engine: StandInEngine, workspace: Workspace
) -> None:
    """Where an image for what is done here cannot be made, virtual environments do it; why is told."""
    this_engine.has_base(workspace)
    this_engine.cannot_build("no route to the package index")
    display = QuietDisplay()
    with closing(beside_a_device(jetson_plan, jetson(), display)) as placement:
        assert placement.maker is not None
        assert placement.maker.name == "venv"
    assert "virtual environments, because the image could not be made" in display.lines[0]
    assert "no route to the package index" in display.lines[0]
