"""Outputs of the detectors that people export are decoded as their authors do, by model.json alone."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared.contract.outputs import (
    Anchors,
    BoxClasses,
    BoxOutput,
    DetectionOutputs,
    ObjectsOutput,
    ScoreOutput,
    Task,
)
from shared.inference.boxes import iou
from shared.inference.decoding import FoundObjects, ScoredBox, decode_box, decode_boxes, predict
from shared.inference.preprocess import Placement
from tests.unit.test_scoring import network

NAMES = ("car", "plate")
AS_IT_IS = Placement(1.0, 1.0, 0.0, 0.0)
SIZE = (64, 96)
"""Height and width of the input."""

CAR, PLATE = (8.0, 16.0, 40.0, 48.0), (60.0, 10.0, 80.0, 20.0)


def told(outputs: DetectionOutputs, tensors: dict[str, Any], most: int = 100) -> list[Any]:
    """What is found, rounded: name, score, box."""
    found = decode_boxes(outputs, SIZE, tensors, AS_IT_IS, most)
    return [(one.name, round(one.score or 0, 4), tuple(np.round(one.box, 3).tolist())) for one in found]


BOTH = [("car", 0.9, CAR), ("plate", 0.6, PLATE)]


def centre_and_size(box: tuple[float, ...]) -> list[float]:
    x0, y0, x1, y1 = box
    return [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]


@pytest.mark.parametrize("numbered_from", [0, 1])
def test_tensorflows_detection_api(numbered_from: int) -> None:
    """Boxes after suppression: fractions with y first, scores, numbers of classes, and how many count."""
    boxes = np.zeros((1, 4, 4), np.float32)
    for row, box in enumerate((CAR, PLATE, CAR)):
        boxes[0, row] = [box[1] / 64, box[0] / 96, box[3] / 64, box[2] / 96]
    outputs = DetectionOutputs(
        BoxOutput("detection_boxes", "yxyx"),
        ScoreOutput("detection_scores", minimum=0.3),
        ObjectsOutput(
            None, BoxClasses(NAMES, "detection_classes", None, "number", numbered_from), "num_detections"
        ),
    )
    tensors = {
        "detection_boxes": boxes,
        "detection_scores": np.array([[0.9, 0.6, 0.5, 0.4]], np.float32),
        "detection_classes": np.array([[0, 1, 1, 0]], np.float32) + numbered_from,
        "num_detections": np.array([2.0], np.float32),
    }
    assert told(outputs, tensors) == BOTH


def yolo(objectness: bool, columns_first: bool) -> tuple[DetectionOutputs, np.ndarray]:
    """A raw YOLO head of three boxes, the third nearly the first; v5 has an objectness, v8 columns first."""
    rows = []
    near = tuple(side + 1 for side in CAR)
    for box, share, best in ((CAR, 0.9, 0), (PLATE, 0.6, 1), (near, 0.8, 0)):
        classes = [0.1, 0.1]
        classes[best] = 1.0 if objectness else share
        rows.append([*centre_and_size(box), *([share] if objectness else []), *classes])
    table = np.asarray(rows, np.float32)[None]
    outputs = DetectionOutputs(
        BoxOutput("output0", "cxcywh", "pixels", columns_first=columns_first),
        ScoreOutput(None, 4 if objectness else None, 0.3),
        ObjectsOutput(0.5, BoxClasses(NAMES, column=5 if objectness else 4)),
    )
    return outputs, table.swapaxes(1, 2) if columns_first else table


@pytest.mark.parametrize("objectness", [True, False])
@pytest.mark.parametrize("columns_first", [True, False])
def test_yolo_v5_and_v8(objectness: bool, columns_first: bool) -> None:
    """Centres and sizes in pixels; objectness times the best class, or that alone; suppressed by class."""
    outputs, table = yolo(objectness, columns_first)
    assert told(outputs, {"output0": table}) == BOTH


def test_only_boxes_of_one_class_suppress_each_other() -> None:
    """Two boxes in one place are two objects where their classes differ, and the limit is as stated."""
    rows = np.asarray([[*centre_and_size(CAR), 0.9, 0.1], [*centre_and_size(CAR), 0.1, 0.8]], np.float32)[
        None
    ]
    outputs = DetectionOutputs(
        BoxOutput("o", "cxcywh", "pixels"), None, ObjectsOutput(0.5, BoxClasses(NAMES, column=4))
    )
    assert [name for name, *_ in told(outputs, {"o": rows})] == ["car", "plate"]
    alone = DetectionOutputs(outputs.box, ScoreOutput(column=4), ObjectsOutput(0.5))
    assert [name for name, *_ in told(alone, {"o": rows})] == [None]


def test_boxes_and_classes_in_one_tensor_after_suppression() -> None:
    """Six columns, corners, score and number of the class, as graphs that end with suppression give them."""
    rows = np.asarray([[*PLATE, 0.6, 1], [*CAR, 0.9, 0], [0, 0, 0, 0, 0, 0]], np.float32)[None]
    outputs = DetectionOutputs(
        BoxOutput("o", unit="pixels"),
        ScoreOutput(column=4, minimum=0.25),
        ObjectsOutput(None, BoxClasses(NAMES, column=5, kind="number")),
    )
    assert told(outputs, {"o": rows}) == BOTH


def test_yolox() -> None:
    """The cells and strides of the grids are undone, grid after grid and row by row."""
    strides = (8, 16)
    cells = [
        (column, row, stride)
        for stride in strides
        for row in range(64 // stride)
        for column in range(96 // stride)
    ]
    table = np.zeros((1, len(cells), 7), np.float32)
    for box, score, best, place in ((CAR, 0.9, 0, 30), (PLATE, 0.6, 1, 100)):
        x, y, width, height = centre_and_size(box)
        column, row, stride = cells[place]
        raw = [x / stride - column, y / stride - row, np.log(width / stride), np.log(height / stride)]
        table[0, place] = [*raw, score, *([1.0, 0.0] if best == 0 else [0.0, 1.0])]
    outputs = DetectionOutputs(
        BoxOutput("o", "cxcywh", "pixels", strides=strides),
        ScoreOutput(column=4, minimum=0.1),
        ObjectsOutput(0.45, BoxClasses(NAMES, column=5)),
    )
    assert told(outputs, {"o": table}) == BOTH


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("form", ["cxcywh", "cycxhw"])
def test_ssd(activation: str, form: str) -> None:
    """Centres and sizes beside anchors; scores before a softmax with background or a sigmoid."""
    anchors = np.asarray([[0.2, 0.5, 0.3, 0.5], [0.7, 0.2, 0.2, 0.2], [0.5, 0.5, 0.1, 0.1]], np.float32)
    boxes = np.zeros((1, 3, 4), np.float32)
    for row, box in enumerate((CAR, PLATE)):
        x, y, width, height = np.asarray(centre_and_size(box)) / (96, 64, 96, 64)
        ax, ay, aw, ah = anchors[row]
        raw = [(x - ax) / aw / 0.1, (y - ay) / ah / 0.1, np.log(width / aw) / 0.2, np.log(height / ah) / 0.2]
        boxes[0, row] = raw if form == "cxcywh" else [raw[i] for i in (1, 0, 3, 2)]
    shares = np.asarray([[0.05, 0.9, 0.05], [0.2, 0.2, 0.6], [0.98, 0.01, 0.01]])
    background = 0 if activation == "softmax" else None
    scores = np.log(shares) if activation == "softmax" else np.log(shares / (1 - shares))[:, 1:]
    packed = base64.b64encode(anchors.astype("<f4").tobytes()).decode()
    outputs = DetectionOutputs(
        BoxOutput("boxes", form, "relative", anchors=Anchors("anchors.npy", values=packed)),
        ScoreOutput(minimum=0.3),
        ObjectsOutput(0.5, BoxClasses(NAMES, "scores", activation=activation, background=background)),
    )
    tensors = {"boxes": boxes, "scores": scores[None].astype(np.float32)}
    assert told(outputs, tensors) == [
        (name, score, pytest.approx(box, abs=0.01)) for name, score, box in BOTH
    ]


def test_a_single_box_may_be_raw_too() -> None:
    """The best box alone is decoded in the same way, with columns first."""
    outputs, table = yolo(objectness=True, columns_first=True)
    single = DetectionOutputs(outputs.box, outputs.score)
    assert decode_box(single, SIZE, {"output0": table}, AS_IT_IS) == pytest.approx(CAR)


def test_a_letterbox_is_undone() -> None:
    """What is found is in pixels of the image, with its class; nothing found is no prediction."""
    outputs, table = yolo(objectness=True, columns_first=False)
    net = network(Task.DETECTION, outputs)
    placement = Placement(2.0, 2.0, 4.0, 8.0)
    found = predict(net, {"output0": table}, placement)
    assert isinstance(found, FoundObjects)
    assert found.objects[0] == ScoredBox((2.0, 4.0, 18.0, 20.0), pytest.approx(0.9), "car")
    assert predict(net, {"output0": np.zeros((1, 3, 7))}, placement) is None


numbers = st.floats(-100, 100, width=32) | st.sampled_from([np.nan, np.inf, -np.inf])


@given(arrays.arrays(np.float32, (1, 12, 7), elements=numbers), st.floats(0, 1), st.integers(1, 9))
def test_whatever_comes_out(table: np.ndarray, limit: float, most: int) -> None:
    """Of any numbers the found are finite, sure enough, the surest first, and apart within a class."""
    outputs = DetectionOutputs(
        BoxOutput("o", "cxcywh", "pixels"),
        ScoreOutput(column=4, minimum=0.1, activation="sigmoid"),
        ObjectsOutput(limit, BoxClasses(NAMES, column=5, activation="softmax")),
    )
    found = decode_boxes(outputs, SIZE, {"o": table}, AS_IT_IS, most)
    scores = [one.score or 0.0 for one in found]
    assert len(found) <= most
    assert scores == sorted(scores, reverse=True)
    assert all(0.1 <= score <= 1 for score in scores)
    for number, one in enumerate(found):
        assert np.isfinite(one.box).all()
        for other in found[:number]:
            assert one.name != other.name or iou(one.box, other.box) <= limit + 1e-6
