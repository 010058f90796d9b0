"""A detector whose model.json, graph or data cannot be meant is refused before anything runs."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import Workspace
from dockyard.run.annotations import check_annotations
from dockyard.run.boxes import check_boxes
from dockyard.run.image_files import read_header
from shared.contract.coco import TrueObject
from shared.contract.codec import decode, encode
from shared.contract.dataset import Sample, boxes_of
from shared.contract.errors import InputProblem
from shared.contract.model import Network
from shared.contract.object_shapes import unreadable_objects
from shared.contract.outputs import (
    Anchors,
    BoxClasses,
    BoxOutput,
    DetectionOutputs,
    ObjectsOutput,
    ScoreOutput,
    Task,
)
from tests.fakes import frozen_graph
from tests.unit.test_scoring import network

GRAPH = frozen_graph(
    {"image": "Placeholder", "boxes": "Concat", "scores": "Softmax"}, {"image": [1, 32, 32, 3]}
)
CLASSES = {"names": ["car", "plate"], "tensor": "scores"}
MODEL: dict[str, Any] = {
    "task": "detection",
    "graph": {"file": "net.pb", "sha256": hashlib.sha256(GRAPH).hexdigest()},
    "input": {"name": "image", "shape": [1, 32, 32, 3]},
    "outputs": {"box": {"tensor": "boxes"}, "objects": {"nms_iou": 0.5, "classes": CLASSES}},
    "data": {"folder": "data"},
}

Load = Callable[..., Network]


@pytest.fixture
def load(workspace: Workspace) -> Load:
    """Load a model whose box, objects or outputs are changed."""
    folder = workspace.root / "models" / "net"
    folder.mkdir(parents=True)
    (folder / "net.pb").write_bytes(GRAPH)

    def call(**outputs: Any) -> Network:
        document = {**MODEL, "outputs": {**MODEL["outputs"], **outputs}}
        (folder / "model.json").write_text(json.dumps(document))
        found = load_model(workspace, "net", "test")
        assert isinstance(found, Network)
        return found

    return call


def test_a_model_of_many_objects(load: Load) -> None:
    """What model.json says is what a job is told, tensors of classes and counts included."""
    net = load(objects={"nms_iou": None, "classes": CLASSES, "count": "boxes"}, category="plate")
    assert isinstance(net.outputs, DetectionOutputs)
    assert (net.outputs.finds_many, net.outputs.category, net.tensors) == (True, "plate", ("boxes", "scores"))
    assert decode(Network, encode(net)) == net


ANCHORS = np.asarray([[0.5, 0.5, 0.1, 0.2], [0.25, 0.25, 0.5, 0.5]])


@pytest.mark.parametrize("ending", ["csv", "npy"])
def test_anchors_are_read_from_their_file(load: Load, workspace: Workspace, ending: str) -> None:
    """The file's numbers are part of the network: they travel with it, and others make another model."""
    path = workspace.root / "models" / "net" / f"anchors.{ending}"
    np.save(path, ANCHORS) if ending == "npy" else np.savetxt(path, ANCHORS, delimiter=",")
    net = load(box={"tensor": "boxes", "form": "cxcywh", "anchors": {"file": path.name}})
    assert isinstance(net.outputs, DetectionOutputs)
    assert net.outputs.box.anchors is not None
    values = np.frombuffer(base64.b64decode(net.outputs.box.anchors.values), "<f4").reshape(-1, 4)
    assert values == pytest.approx(ANCHORS)


BAD_ANCHORS = {
    "three.csv": "1,2,3\n",
    "text.csv": "a,b,c,d\n",
    "infinite.csv": "1,2,3,inf\n",
    "empty.csv": "",
    "no.npy": "no numpy",
    "many.npy": "PK",
}


@pytest.mark.parametrize("name", [*BAD_ANCHORS, "missing.csv", "../net.pb"])
def test_anchors_that_are_none(load: Load, workspace: Workspace, name: str) -> None:
    """A file that is not there, leaves the folder or holds something else is refused with its place."""
    if name in BAD_ANCHORS:
        (workspace.root / "models" / "net" / name).write_text(BAD_ANCHORS[name])
    with pytest.raises(InputProblem, match=name.replace(".", r"\.")) as caught:
        load(box={"tensor": "boxes", "form": "cxcywh", "anchors": {"file": name}})
    assert caught.value.where.endswith("$.outputs.box.anchors.file")
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"objects": {}}, "nms_iou"),
        ({"objects": {"nms_iou": 2}}, "maximum"),
        ({"objects": {"nms_iou": None, "class": {}}}, "did you mean 'classes'"),
        ({"objects": {"nms_iou": None, "classes": {"names": ["a"]}}}, "classes"),
        ({"objects": {"nms_iou": None, "classes": {**CLASSES, "background": 3}}}, "background 3 is beyond"),
        (
            {"objects": {"nms_iou": None, "classes": {**CLASSES, "kind": "number", "background": 0}}},
            "no score",
        ),
        ({"box": {"tensor": "boxes", "strides": [8]}}, "strides with the form 'xyxy'"),
        (
            {"box": {"tensor": "boxes", "form": "cxcywh", "strides": [8], "anchors": {"file": "x"}}},
            "cells and",
        ),
    ],
)
def test_what_contradicts_itself(load: Load, workspace: Workspace, outputs: Any, message: str) -> None:
    """A key that is missing, misspelt, out of range or at odds with another is refused, and named."""
    (workspace.root / "models" / "net" / "x").write_text("0,0,1,1\n")
    with pytest.raises(InputProblem, match=message) as caught:
        load(**outputs)
    assert "model.json: $.outputs" in str(caught.value)


MANY = DetectionOutputs(
    BoxOutput("b", "cxcywh", "pixels"),
    ScoreOutput(column=4),
    ObjectsOutput(0.5, BoxClasses(("x", "y"), column=5)),
)
BEST = DetectionOutputs(BoxOutput("b"), ScoreOutput("s"))
TURNED = replace(MANY, box=replace(MANY.box, columns_first=True))
GRIDS = replace(MANY, box=replace(MANY.box, strides=(8, 16)))
VALUES = base64.b64encode(np.zeros((3, 4), "<f4").tobytes()).decode()
SSD = DetectionOutputs(
    BoxOutput("b", "cxcywh", anchors=Anchors("a.csv", values=VALUES)),
    None,
    ObjectsOutput(0.5, BoxClasses(("x", "y"), "s", background=0)),
)


@pytest.mark.parametrize(
    ("outputs", "shapes", "key"),
    [
        (MANY, {"b": [1, 20, 7]}, None),
        (MANY, {"b": [1, -1, 7]}, None),
        (MANY, {"b": [-1, -1, -1]}, None),
        (MANY, {"b": [20, 7]}, None),
        (MANY, {}, None),
        (MANY, {"b": [1, 20, 6]}, "objects.classes"),
        (MANY, {"b": [1, 20, 9]}, "objects.classes.names"),
        (MANY, {"b": [1, 7, 8400]}, "objects.classes.names"),
        (MANY, {"b": [7]}, None),
        (MANY, {"b": []}, "box.tensor"),
        (TURNED, {"b": [7]}, "box.tensor"),
        (DetectionOutputs(BoxOutput("b")), {"b": [1, 4]}, None),
        (DetectionOutputs(BoxOutput("b"), ScoreOutput("s")), {"b": [1, 1, 4], "s": [1]}, None),
        (
            DetectionOutputs(BoxOutput("b"), ScoreOutput("s")),
            {"b": [1, 9, 4], "s": [1, 9, 2]},
            "score.tensor",
        ),
        (DetectionOutputs(BoxOutput("b", first=1)), {"b": [1, 9, 4]}, "box.first"),
        (TURNED, {"b": [1, 7, 8400]}, None),
        (TURNED, {"b": [1, 8400, 6]}, "objects.classes.names"),
        (GRIDS, {"b": [1, 4 * 6 + 2 * 3, 7]}, None),
        (GRIDS, {"b": [1, 24, 7]}, "box.strides"),
        (SSD, {"b": [1, 3, 4], "s": [1, 3, 3]}, None),
        (SSD, {"b": [1, 3, 1, 4], "s": [1, 9]}, None),
        (SSD, {"b": [1, 5, 4]}, "box.anchors.file"),
        (SSD, {"b": [1, 3, 4], "s": [1, 3, 2]}, "objects.classes.names"),
    ],
)
def test_shapes_that_cannot_be_read(
    outputs: DetectionOutputs, shapes: dict[str, Any], key: str | None
) -> None:
    """Columns, boxes and classes are counted as far as a graph says, and the key at odds is named."""
    wrong = unreadable_objects(outputs, (32, 48), shapes)
    assert (wrong.key if wrong else None) == key


DETECTOR = network(Task.DETECTION, MANY)


def sample(
    *objects: TrueObject, name: str = "images/0.png", size: tuple[float, float] | None = None
) -> Sample:
    return Sample(name, Path(name), objects=objects, size=size)


def test_categories_that_the_network_has_not() -> None:
    """A category that is none of the network's names is refused with the nearest name."""
    mistaken = sample(TrueObject((0, 0, 9, 9), "x"), TrueObject((0, 0, 9, 9), "Y"))
    with pytest.raises(InputProblem, match="did you mean 'y'"):
        check_annotations(DETECTOR, [mistaken], "test")


def test_no_object_at_all() -> None:
    """A split without an object says nothing of a detector, and crowds are none."""
    crowd = sample(TrueObject((0, 0, 9, 9), "x", is_crowd=True))
    with pytest.raises(InputProblem, match="no object is annotated"):
        check_annotations(DETECTOR, [crowd, sample(name="1")], "test")


def test_several_categories_for_a_network_that_knows_one() -> None:
    """Objects of several categories that would count as one are a warning, with what to do."""
    alone = network(Task.DETECTION, replace(MANY, objects=ObjectsOutput(0.5)))
    both = sample(*[TrueObject((0, 0, 9, 9), name) for name in ("x", "x", "y")])
    (warning,) = check_annotations(alone, [both], "test")
    assert "objects of 2 categories count as one, most of them are 'x'; outputs.category" in warning


def box(x: float, y: float, width: float, height: float) -> TrueObject:
    return TrueObject((x, y, x + width, y + height))


@pytest.mark.parametrize(
    ("objects", "size", "orientation", "reason"),
    [
        ([box(0, 0, 32, 24)], (32, 24), 1, ""),
        ([box(-1, -2, 34, 27)], (32, 24), 1, ""),
        ([box(0, 0, 32, 24)], None, 1, ""),
        ([], (640, 480), 1, ""),
        ([box(0, 0, 24, 32)], (24, 32), 6, ""),
        ([box(0, 0, 9, 9)], (640, 480), 1, "annotated as 640 x 480 pixels, and the image has 32 x 24"),
        ([box(0, 0, 9, 9)], (32, 24), 6, "its EXIF data turns it"),
        ([box(20, 10, 30, 20)], (32, 24), 1, "leaves the image of 32 x 24 pixels"),
        ([box(-3, 0, 9, 9)], None, 1, "leaves the image"),
    ],
)
def test_boxes_lie_in_their_picture(
    tmp_path: Path, objects: list[TrueObject], size: Any, orientation: int, reason: str
) -> None:
    """A size or a box that is not the shown picture's is refused; a pixel of rounding is not."""
    path = tmp_path / "0.jpg"
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", (32, 24)).save(path, exif=exif)
    annotated = sample(*objects, size=size)
    headers = {annotated.id: read_header(path, "0.jpg")}
    if not reason:
        check_boxes([annotated], headers, "test")
        return
    with pytest.raises(InputProblem, match=reason) as caught:
        check_boxes([annotated], headers, "test")
    assert caught.value.where == "test: images/0.png"
    assert len(boxes_of(annotated)) == 1
