"""What every test shares: a workspace of its own beside Dockyard's, and a data set small enough to copy."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.datasets import DataSet
from shared.contract.recipe import Recipe

ROOT = PRODUCT

# Tests interrupt what they try; a shell's background job ignores interrupts, and so would whatever it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every run: a test that fails today failed yesterday.
settings.register_profile(
    "dockyard",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("dockyard")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace of the test's own: it finds Dockyard's models and targets, and leaves nothing in Dockyard's
    folders.
    """
    root = tmp_path / "workspace"
    for kind in ("recipes", "models", ".dockyard"):
        (root / kind).mkdir(parents=True)
    return Workspace(root)


@pytest.fixture
def second_target(workspace: Workspace) -> str:
    """Another target beside Dockyard's, with two toolchains, that reads ONNX alone; return its name."""
    none = {"type": "object", "additionalProperties": False}
    trials = {
        **none,
        "properties": {"trials": {"type": "integer"}, "patience": {"type": "integer", "default": 7}},
    }
    baseline = {"description": "", "options": {"2": none, "1": none}}
    tuned = {"description": "", "data": ["validation"], "calibration_minimum": 9, "options": {"2": trials}}
    document = {
        "description": "",
        "toolchains": {"2": {}, "1": {}},
        "sources": ["ONNX"],
        "methods": {"baseline": baseline, "tuned": tuned},
    }
    folder = workspace.root / "targets" / "shelf-cpu"
    folder.mkdir(parents=True)
    (folder / "target.json").write_text(json.dumps(document))
    return "shelf-cpu"


@pytest.fixture
def digits(workspace: Workspace) -> Recipe:
    """The recipe of the example model."""
    return load_recipe(workspace, "digits.json")


@pytest.fixture
def digits_plan(workspace: Workspace, digits: Recipe) -> Plan:
    """The example model's plan."""
    return make_plan(workspace, digits)


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Write an image file whose pixels follow from a seed."""

    def write(path: Path, seed: int = 0, size: tuple[int, int] = (24, 32)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
        assert cv2.imwrite(str(path), pixels)
        return path

    return write


@pytest.fixture
def digits_data(tmp_path: Path, write_image: Callable[..., Path]) -> dict[str, DataSet]:
    """A tiny data set in the place of the example model's, as `datasets.prepare` returns it."""
    folder = tmp_path / "digits-data"
    for number, split in enumerate(("calibration", "validation", "test")):
        write_image(folder / split / "images" / "0.png", number)
        (folder / split / "labels.csv").write_text("file,label\nimages/0.png,3\n")
    digest = {split: f"{n}" * 64 for n, split in enumerate(("calibration", "validation", "test"))}
    return {"digits": DataSet(folder, digest, dict.fromkeys(digest, 1))}
