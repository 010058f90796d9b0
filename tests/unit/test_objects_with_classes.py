"""What a detector of several classes finds is told with its class, wherever it is told."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from shared.contract.model import DataLocation, InputSpec, Network, PipelineNode
from shared.contract.outputs import BoxClasses, BoxOutput, DetectionOutputs, ObjectsOutput, ScoreOutput, Task
from shared.inference.decoding import FoundObjects
from shared.inference.objects import read_objects
from shared.inference.pipeline import Clock, LoadedNode, run_pipeline
from shared.serving.image_reading import read_image
from tests.fakes import FakeSession

SIZE = (24, 32)
OUTPUTS = DetectionOutputs(
    BoxOutput("o", unit="pixels"),
    ScoreOutput(column=4, minimum=0.3),
    ObjectsOutput(0.5, BoxClasses(("car", "plate"), column=5, kind="number")),
)
ROWS = np.array([[[2, 3, 12, 9, 0.6, 1], [18, 10, 30, 20, 0.9, 0], [0, 0, 1, 1, 0.2, 0]]], np.float32)
TOLD = [
    {"box": [18.0, 10.0, 30.0, 20.0], "score": 0.9, "class": "car"},
    {"box": [2.0, 3.0, 12.0, 9.0], "score": 0.6, "class": "plate"},
]


def node(name: str, outputs: DetectionOutputs, rows: Any, source: str = "image") -> LoadedNode:
    spec = InputSpec("image", (1, *SIZE, 3))
    network = Network(name, Task.DETECTION, "", "g.pb", "0" * 64, spec, outputs, DataLocation())
    return LoadedNode(PipelineNode(name, name, source), network, FakeSession({"o": rows}, spec))


def picture() -> bytes:
    return cv2.imencode(".png", np.zeros((*SIZE, 3), np.uint8))[1].tobytes()


def test_a_service_tells_the_class() -> None:
    """Each object of a picture has box, score and class, the surest first."""
    reading = read_image([node("detector", OUTPUTS, ROWS)], picture(), "0.png")
    assert list(reading.found) == TOLD


def test_a_stream_tells_the_class() -> None:
    """So has each object of a frame."""
    image = np.zeros((*SIZE, 3), np.uint8)
    found = read_objects([node("detector", OUTPUTS, ROWS)], image, Clock())
    assert [(one.category, one.box) for one in found] == [
        ("car", (18.0, 10.0, 30.0, 20.0)),
        ("plate", (2.0, 3.0, 12.0, 9.0)),
    ]


def test_what_is_found_in_a_part_is_told_of_the_whole() -> None:
    """A detector on the best box of another one tells its boxes in pixels of the image."""
    first = np.array([[[8, 12, 24, 24, 0.9, 0]]], np.float32)
    inner = np.array([[[0, 0, 16, 12, 0.8, 1]]], np.float32)
    nodes = [node("cars", OUTPUTS, first), node("plates", OUTPUTS, inner, "cars")]
    passage = run_pipeline(nodes, picture(), "0.png")
    found = passage.predictions["plates"]
    assert isinstance(found, FoundObjects)
    assert found.objects[0].box == (8.0, 12.0, 16.0, 18.0)
    assert list(read_image(nodes, picture(), "0.png").found) == [
        {"box": [8.0, 12.0, 16.0, 18.0], "score": 0.8, "class": "plate"}
    ]
