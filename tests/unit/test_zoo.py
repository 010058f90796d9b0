"""The zoo's data: the same pictures each time, none in two splits, a label of every network for each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.dataset import SPLITS, read_split, refuse_overlap
from shared.contract.model import Network
from shared.contract.outputs import ClassificationOutputs

OURS = Workspace(PRODUCT)
MODELS = PRODUCT / "models"
ZOO = [name for name in OURS.names("models", "model.json") if name.startswith("zoo_")]
SIZES = {"calibration": 8, "validation": 8, "test": 16}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All the data, made by one process."""
    return generated(tmp_path_factory.mktemp("zoo") / "data", 1)


def generated(folder: Path, workers: int) -> Path:
    script = str(MODELS / "zoo" / "generate.py")
    subprocess.run(
        [sys.executable, script, "--output", str(folder), "--workers", str(workers)], check=True, timeout=60
    )
    return folder


def contents(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*.*")}


def network(name: str) -> Network:
    model = load_model(OURS, name, "test")
    assert isinstance(model, Network)
    return model


def test_pictures_do_not_depend_on_the_run_or_on_the_workers(data: Path, tmp_path: Path) -> None:
    """A second run, with two workers, writes the same bytes into the same files."""
    roots = (data, generated(tmp_path / "again", 2))
    first, again = (contents(root) for root in roots)
    assert first == again
    assert len(first) == len(ZOO) * (sum(SIZES.values()) + len(SPLITS))


def test_there_is_a_set_for_each_network_and_no_other(data: Path) -> None:
    """The networks of the zoo, their data sets and their recipes have the same names."""
    assert len(ZOO) == 7
    sets = {network(name).data.set for name in ZOO}
    assert sets == {path.name for path in data.iterdir()}
    assert sets == {name.removeprefix("zoo_") for name in ZOO}
    recipes = {p.stem: json.loads(p.read_text()) for p in (MODELS.parent / "recipes").glob("zoo_*.json")}
    assert {name: recipe["model"] for name, recipe in recipes.items()} == dict(zip(ZOO, ZOO))


@pytest.mark.parametrize("name", ZOO)
def test_each_picture_has_a_label_and_is_in_one_split(name: str, data: Path) -> None:
    """Every picture is labelled with a class of its network, is in no second split, and not all are of one
    class.
    """
    model = network(name)
    assert isinstance(model.outputs, ClassificationOutputs)
    classes = model.outputs.classes.names
    assert list(classes) == [str(index) for index in range(1000)]
    folder = data / str(model.data.set)
    splits = {split: read_split(folder / split, model.task) for split in SPLITS}
    refuse_overlap(splits)
    for split, samples in splits.items():
        assert [sample.path for sample in samples] == sorted((folder / split / "images").iterdir())
        assert len(samples) == SIZES[split]
        assert {sample.label for sample in samples} <= set(classes)
        assert len({sample.label for sample in samples}) > 3


@pytest.mark.parametrize("name", ZOO)
def test_a_graph_is_small_and_takes_one_picture(name: str) -> None:
    """A graph holds how its weights are made, not the weights: it is smaller than 200 kB."""
    model = network(name)
    assert model.format == "ONNX"
    assert model.input.shape == (1, 3, 224, 224)
    assert model.tensors == ("scores",)
    assert (MODELS / name / model.graph).stat().st_size < 200_000
