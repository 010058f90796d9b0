"""What every test shares: places of its own instead of the repository's, and a data set small enough to copy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from dockyard.engines import venv
from dockyard.plan.plan import Plan, make_plan
from dockyard.recipe import catalog
from dockyard.recipe.catalog import load_recipe
from dockyard.recipe.places import TARGETS
from dockyard.run import artifact_cache as artifacts
from dockyard.run import datasets
from dockyard.run import runner as run
from dockyard.run import tuning_store as tuning
from dockyard.run.datasets import DataSet
from shared.contract.recipe import Recipe

ROOT = Path(__file__).resolve().parent.parent

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
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `.dockyard` folder of the test's own, so that nothing is reused from the repository's or left in it."""
    folder = tmp_path / "state"
    folder.mkdir()
    for module in (artifacts, datasets, run, tuning, venv):
        monkeypatch.setattr(module, "STATE", folder)
    return folder


@pytest.fixture
def second_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another target beside the repository's, with two toolchains, that reads ONNX alone; return its name."""
    folder = tmp_path / "targets"
    shutil.copytree(TARGETS, folder)
    none = {"type": "object", "additionalProperties": False}
    trials = {**none, "properties": {"trials": {"type": "integer"}}}
    methods = {
        "baseline": {"description": "", "options": {"2": none, "1": none}},
        "tuned": {"description": "", "data": ["validation"], "calibration_minimum": 9, "options": {"2": trials}},
    }
    document = {"description": "", "toolchains": {"2": {}, "1": {}}, "sources": ["ONNX"], "methods": methods}
    (folder / "shelf-cpu").mkdir()
    (folder / "shelf-cpu" / "target.json").write_text(json.dumps(document))
    for module in (artifacts, catalog, run):
        monkeypatch.setattr(module, "TARGETS", folder)
    return "shelf-cpu"


@pytest.fixture
def digits() -> Recipe:
    """The recipe of the example model."""
    return load_recipe("digits.json")


@pytest.fixture
def digits_plan(digits: Recipe) -> Plan:
    """The example model's plan."""
    return make_plan(digits)


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
