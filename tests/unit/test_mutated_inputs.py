"""However a model's folder or its data is changed, it is taken, or refused in the project's own words."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.models import load_model
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run import datasets
from shared.contract.dataset import SPLITS, read_split
from shared.contract.errors import DockyardError, InputProblem
from shared.harness.mask_scoring import true_mask
from shared.inference.image_files import UnreadableImage, read_image
from tests.fakes import attempt

MODELS = ("digits", "lp_reader", "lp_detector", "damage_detector", "license_plate")
RECIPES = {"digits": "digits.json", "reader": "untuned_lp_reader.json", "masks": "damage_intel.json"}

scalars = st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=3)
anything = scalars | st.lists(scalars, max_size=4) | st.dictionaries(st.text(max_size=4), scalars, max_size=2)


def places(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key and every position in a document."""
    for key, item in document.items() if isinstance(document, dict) else enumerate(document):
        yield (*place, key)
        if isinstance(item, (dict, list)):
            yield from places(item, (*place, key))


def changed(data: st.DataObject, document: Any) -> Any:
    """A document in which one thing is another, is gone, or has come."""
    document = copy.deepcopy(document)
    *way, last = data.draw(st.sampled_from(list(places(document))))
    holder = document
    for key in way:
        holder = holder[key]
    if isinstance(holder, dict) and data.draw(st.booleans()):
        if data.draw(st.booleans()):
            del holder[last]
        else:
            holder[data.draw(st.text(max_size=5))] = data.draw(anything)
    else:
        holder[last] = data.draw(anything)
    return document


@pytest.fixture
def own_models(workspace: Workspace) -> Workspace:
    """A workspace with Dockyard's models as its own."""
    for name in MODELS:
        folder = workspace.root / "models" / name
        folder.mkdir()
        for path in (PRODUCT / "models" / name).glob("*.*"):
            if path.suffix in (".json", ".pb"):
                shutil.copy(path, folder)
    return workspace


@given(st.data())
@pytest.mark.parametrize("name", MODELS)
def test_any_model_json_is_taken_or_refused(own_models: Workspace, name: str, data: st.DataObject) -> None:
    """Whatever stands in a model.json, the model is loaded or refused at a place in that file."""
    document = json.loads((PRODUCT / "models" / name / "model.json").read_text())
    for _ in range(data.draw(st.integers(1, 2))):
        document = changed(data, document)
    (own_models.root / "models" / name / "model.json").write_text(json.dumps(document))
    model, problem = attempt(InputProblem, load_model, own_models, name, "test")
    assert (model is None) != (problem is None)
    assert problem is None or f"models/{name}/" in problem.where


@pytest.fixture
def plans(workspace: Workspace) -> dict[str, Plan]:
    """A plan for each kind of annotation, on a user's own data of two images a split."""
    made: dict[str, Plan] = {}
    for kind, recipe in RECIPES.items():
        plan = make_plan(workspace, load_recipe(workspace, recipe))
        made[kind] = replace(plan, recipe=replace(plan.recipe, data=kind))
        for number, split in enumerate(SPLITS):
            write_split(workspace.root / f"{kind}-whole" / split, number)
    return made


def write_split(folder: Path, seed: int) -> None:
    for part in ("images", "masks", "labelme"):
        (folder / part).mkdir(parents=True)
    for number in range(2):
        pixels = np.random.default_rng(2 * seed + number).integers(0, 256, (6, 8, 3), np.uint8)
        assert cv2.imwrite(str(folder / "images" / f"{number}.png"), pixels)
    assert cv2.imwrite(str(folder / "masks" / "0.png"), np.eye(6, 8, dtype=np.uint8) * 255)
    shape = {"label": "dent", "shape_type": "polygon", "points": [[0, 0], [4, 0], [0, 4]]}
    drawn = {"imageWidth": 8, "imageHeight": 6, "shapes": [shape]}
    (folder / "labelme" / "1.json").write_text(json.dumps(drawn))
    (folder / "labels.csv").write_text("file,label\nimages/0.png,7\nimages/1.png,8\n")
    (folder / "readings.csv").write_text("file,reading,country\nimages/0.png,AB12,D\nimages/1.png,CD3,\n")


def spoil(data: st.DataObject, path: Path) -> None:
    """Change a file as people, programs and disks do."""
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    few = data.draw(st.binary(max_size=5))
    mode = data.draw(st.sampled_from(["1", "L", "P", "LA", "RGBA", "CMYK", "I;16"]))
    form = data.draw(st.sampled_from(["PNG", "TIFF", "GIF", "PCX", "BMP"]))
    how = data.draw(st.integers(0, 9))
    if how < 5:
        whole = (content[:cut], few, content[cut:] + few, content[:cut] + few + content[cut + len(few) :])
        path.write_bytes((*whole, content.replace(b",", few))[how])
        return
    if how == 5:
        path.write_bytes(content.decode("latin-1").encode("utf-16"))
        return
    path.unlink()
    if how == 6:
        path.mkdir()
    elif how == 7:
        path.symlink_to(path.parent / data.draw(st.sampled_from(["gone", path.name, ".", "../images/0.png"])))
    elif how == 8:
        path.write_bytes(content)
        path.rename(path.parent / data.draw(st.sampled_from([".hidden", "Thumbs.db", "9.png", "x"])))
    else:
        image = Image.new("RGB" if mode == "I;16" else "L", (8, 6), 255).convert("RGB")
        wide = Image.fromarray(np.full((6, 8), 4095, np.uint16))
        try:
            (wide if mode == "I;16" else image.convert(mode)).save(path, form)
        except (OSError, ValueError):
            path.write_bytes(few)


@given(st.data())
@pytest.mark.parametrize("kind", RECIPES)
def test_any_data_folder_is_taken_or_refused(plans: dict[str, Plan], kind: str, data: st.DataObject) -> None:
    """Whatever happens to the files of a data folder, it is refused, or its jobs can read it."""
    plan = plans[kind]
    root = plan.workspace.root
    shutil.rmtree(root / kind, ignore_errors=True)
    shutil.copytree(root / f"{kind}-whole", root / kind)
    for _ in range(data.draw(st.integers(1, 2))):
        files = sorted(path for path in (root / kind).rglob("*.*") if path.is_file())
        spoil(data, data.draw(st.sampled_from(files)))
    (model,) = plan.models
    found, problem = attempt(DockyardError, datasets.prepare, plan, lambda *_: None)
    assert problem is None or isinstance(problem, InputProblem)
    if found is None:
        return
    for split in SPLITS:
        for sample in read_split(root / kind / split, plan.annotated_network(model).task):
            pixels, error = attempt(UnreadableImage, read_image, sample.path)
            assert (pixels is None) != (error is None)
            if kind == "masks" and split != "calibration":
                attempt(UnreadableImage, true_mask, plan.networks[model], sample)
