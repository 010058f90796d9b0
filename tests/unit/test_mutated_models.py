"""Whatever model.json or its graph has wrong is refused in a line or two, never with another error."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.plan.make import make_plan
from dockyard.recipe.hashing import content_hash
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem
from shared.contract.recipe import Optimization, Recipe
from tests.fakes import attempt

FIXTURES = PRODUCT / "tests" / "fixtures"
GRAPHS = {
    "digits.pb": PRODUCT / "models" / "digits" / "digits.pb",
    **{name: FIXTURES / name for name in ("digits.keras", "digits.onnx", "digits.tflite", "custom.onnx")},
}
NAMES = {"digits.tflite": ("serving_default_image", "StatefulPartitionedCall_1")}
DIGITS = json.loads((PRODUCT / "models" / "digits" / "model.json").read_text())
TASKS: dict[str, Any] = {
    "classification": DIGITS["outputs"],
    "segmentation": {"mask": {"tensor": "digit", "kind": "softmax", "foreground": 1}},
    "detection": {"box": {"tensor": "digit", "first": 0}, "score": {"column": 4, "minimum": 0.5}},
    "text-recognition": {
        "symbols": {"tensors": ["digit"], "alphabet": "012345678", "decoder": "ctc", "blank": 9},
        "country": {"tensor": "digit", "names": ["a", "b"]},
    },
}

texts = st.sampled_from(["", "digit", "image", "digit:1", "image:0", "..", "a/b", "\0", "x" * 5000, "🚗.pb"])
scalars = st.none() | st.booleans() | st.integers(-3, 70) | st.sampled_from([2**70, 1e308, -0.5]) | texts
values = scalars | st.lists(scalars, max_size=4) | st.dictionaries(texts, scalars, max_size=2)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of everything in a document."""
    items: dict[Any, Any] = {}
    if isinstance(value, (dict, list)):
        items = value if isinstance(value, dict) else dict(enumerate(value))
    for key, inner in items.items():
        yield (*place, key)
        yield from places(inner, (*place, key))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A model.json of any task with up to three of its values changed, left out or added to."""
    task = draw(st.sampled_from(sorted(TASKS)))
    document = copy.deepcopy({**DIGITS, "task": task, "outputs": TASKS[task], "constants": {"image": 1}})
    if draw(st.booleans()):
        del document["constants"]
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(places(document))))
        holder = document
        for key in way:
            holder = holder[key]
        if draw(st.booleans()):
            holder[last] = draw(values)
        elif isinstance(holder, dict):
            holder[draw(texts) if draw(st.booleans()) else last] = draw(values)
        else:
            del holder[last]
    return document


@pytest.fixture
def model(workspace: Workspace) -> Path:
    """The folder of a model `tried` with every graph."""
    folder = workspace.root / "models" / "tried"
    folder.mkdir()
    for name, source in GRAPHS.items():
        shutil.copyfile(source, folder / name)
    return folder


def is_planned_or_refused(workspace: Workspace, recipe: Recipe) -> bool:
    """Tell whether a plan is made of the model, or it is refused with its file in a line or two."""
    both = (Optimization("baseline"), Optimization("baseline", target="onnxruntime"))
    tried = replace(recipe, model="tried", optimizations=both)
    _, problem = attempt(InputProblem, make_plan, workspace, tried)
    return problem is None or (len(str(problem).splitlines()) <= 2 and bool(problem.where))


@given(documents(), st.sampled_from(sorted(GRAPHS)), st.booleans())
def test_any_model_json_is_planned_or_refused(
    workspace: Workspace, model: Path, digits: Recipe, document: dict[str, Any], graph: str, is_whole: bool
) -> None:
    """A model.json with anything changed in it is planned, or refused with its place."""
    if is_whole and isinstance(document.get("graph"), dict):
        document["graph"] = {"file": graph, "sha256": content_hash(model / graph)}
    (model / "model.json").write_text(json.dumps(document))
    assert is_planned_or_refused(workspace, digits)


@st.composite
def damages(draw: st.DrawFn) -> tuple[str, bytes]:
    """A graph with a few of its bits turned over, most of them where its names are, or cut off."""
    name = draw(st.sampled_from(sorted(GRAPHS)))
    content = bytearray(GRAPHS[name].read_bytes())
    near = st.integers(0, 400) | st.integers(len(content) - 4000, len(content) - 1)
    for _ in range(draw(st.integers(0, 4))):
        content[draw(near | st.integers(0, len(content) - 1)) % len(content)] ^= 1 << draw(st.integers(0, 7))
    return name, bytes(content[: draw(st.none() | st.integers(0, len(content)))])


@given(damages(), st.sampled_from(sorted(TASKS)))
def test_any_damage_of_a_graph_is_planned_or_refused(
    workspace: Workspace, model: Path, digits: Recipe, damage: tuple[str, bytes], task: str
) -> None:
    """A graph with bits turned over or its end cut off is planned, or refused with its place."""
    name, content = damage
    (model / name).write_bytes(content)
    feed, tensor = NAMES.get(name, ("image", "digit"))
    outputs = json.loads(json.dumps(TASKS[task]).replace('"digit"', json.dumps(tensor)))
    document = {**DIGITS, "task": task, "outputs": outputs}
    document["input"] = {**DIGITS["input"], "name": feed}
    if name.endswith(".onnx"):
        document["input"] |= {"layout": "NCHW", "shape": [1, 1, 32, 32]}
    document["graph"] = {"file": name, "sha256": content_hash(model / name)}
    (model / "model.json").write_text(json.dumps(document))
    assert is_planned_or_refused(workspace, digits)
