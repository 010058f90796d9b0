"""What needs no device is made on this machine, by what can make it here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing

import pytest

from dockyard.engines import LineLost, NoImage, OnLine, WordsLost
from dockyard.placing import beside_a_device
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import EnvironmentProblem
from tests.fakes import FakeExecutor, QuietDisplay
from tests.stand_ins.engine import StandInEngine

RECIPE = {"model": "digits", "target": "l4t-tensorrt", "toolchain": "10.3", "optimizations": ["fp16"]}


@pytest.fixture
def jetson_plan(workspace: Workspace) -> Plan:
    """A plan whose graphs this machine prepares, for a Jetson."""
    (workspace.root / "recipes" / "board.json").write_text(json.dumps(RECIPE))
    return make_plan(workspace, load_recipe(workspace, "board.json"))


class Jetson(FakeExecutor):
    """A device that is not this machine, and can make no toolchain ready where a problem says so."""

    def __init__(self, problem: EnvironmentProblem | None = None) -> None:
        super().__init__(name="docker:jetson", device="jetson", is_local=False)
        self._problem = problem

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        if self._problem is not None:
            raise self._problem
        return super().prepare(target, toolchain, on_line)


def test_images_of_what_prepares_are_made_first(
    jetson_plan: Plan, engine_elsewhere: StandInEngine, workspace: Workspace
) -> None:
    """This machine's engine gets the images of what is done here, and none for the device."""
    engine_elsewhere.has_base(workspace)
    display = QuietDisplay()
    with closing(beside_a_device(jetson_plan, Jetson(), display)) as placement:
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
    with closing(beside_a_device(jetson_plan, Jetson(), display)) as placement:
        assert placement.maker is not None
        assert placement.maker.name == "venv"
    assert "virtual environments, because the image could not be made" in display.lines[0]
    assert "no route to the package index" in display.lines[0]


@pytest.mark.usefixtures("this_engine")
def test_a_reference_without_its_image_is_measured_here(jetson_plan: Plan) -> None:
    """Where the reference's image cannot be had on the device, it is measured here, and that is said."""
    display = QuietDisplay()
    device = Jetson(NoImage("image dockyard/tensorflow:2.21 could not be built"))
    with closing(beside_a_device(jetson_plan, device, display)) as placement:
        assert "could not be built" in placement.no_reference
    assert "it is measured here" in display.lines[-1]


@pytest.mark.usefixtures("this_engine")
@pytest.mark.parametrize(
    "problem",
    [
        LineLost("the line was lost"),
        WordsLost("the line dropped"),
        EnvironmentProblem("the disk of the Docker engine is full"),
    ],
)
def test_a_device_that_goes_is_no_missing_reference(jetson_plan: Plan, problem: EnvironmentProblem) -> None:
    """A lost line or a full disk ends the run, and does not cost it the speedups of hours."""
    with pytest.raises(type(problem), match=problem.what):
        beside_a_device(jetson_plan, Jetson(problem), QuietDisplay())
