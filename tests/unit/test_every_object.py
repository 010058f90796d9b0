"""A pipeline that reads every object: images, streams and the delivered service say the same of a frame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shared.contract.coco import TrueObject
from shared.contract.dataset import Sample
from shared.contract.job import END, GO
from shared.contract.measurement import ObjectCounts
from shared.contract.model import EVERY
from shared.contract.outputs import ObjectsOutput
from shared.contract.stages import PipelineBenchmark, PipelineEvaluate, PipelineFiles
from shared.contract.streaming import FrameReading, ReadObject, Tracking
from shared.harness.benchmark import benchmark_pipeline
from shared.harness.evaluate_pipeline import evaluate_pipeline, frames_of
from shared.harness.reference_check import what_is_wrong_end_to_end
from shared.inference.objects import read_picture
from shared.inference.pipeline import LoadedNode
from shared.inference.stream import run_stream
from shared.inference.video import open_source
from shared.serving.image_reading import read_image
from shared.serving.read_command import read_all
from tests.unit.test_pipeline import BOX, TEXT, node

SIZE = (24, 32)
LEFT, RIGHT = (2, 4, 10, 12), (18, 6, 30, 16)
A, B = (np.array([[[0.9, 0.1, 0.0], [0.0, 0.0, 0.9], [0.0, 0.0, 0.9]]]), np.array([[[0.1, 0.8, 0.1]] * 3]))
"""The texts A and BBB."""

MANY = replace(BOX, objects=ObjectsOutput(0.5))


def detect(image: Any) -> dict[str, Any]:
    """A box for each half that is not black, its score how bright that is; two boxes of the left half."""
    bright = [float(image[..., half, :].max()) / 255 for half in (slice(0, 16), slice(16, 32))]
    boxes = np.array([[LEFT, RIGHT, (3, 4, 10, 12)]], np.float32)
    return {"box": boxes, "score": np.array([bright[0], bright[1], bright[0] - 0.01])}


def read(image: Any) -> dict[str, Any]:
    """A in what is not as bright as B."""
    return {"s": A if image.max() < 200 else B}


def nodes() -> list[LoadedNode]:
    detector, reader = node("detector", MANY, detect), node("reader", TEXT, read, "detector")
    finds = replace(detector.node, network="finds", objects=EVERY)
    reads = replace(reader.node, network="reads")
    return [
        LoadedNode(finds, replace(detector.network, name="finds"), detector.session),
        LoadedNode(reads, replace(reader.network, name="reads"), reader.session),
    ]


def picture(left: int, right: int) -> Any:
    image = np.zeros((*SIZE, 3), np.uint8)
    image[4:12, 2:10], image[6:16, 18:30] = left, right
    return image


PICTURES = [picture(0, 0), picture(180, 0), picture(180, 250), picture(250, 180)]


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """A test split: nothing, one object, two, and two of which one is none."""
    images = tmp_path / "test" / "images"
    images.mkdir(parents=True)
    for number, image in enumerate(PICTURES):
        cv2.imwrite(str(images / f"{number}.png"), image)
    plates = [[], [(LEFT, "A")], [(LEFT, "A"), (RIGHT, "BBB")], [(LEFT, "A")]]
    entries = [{"id": number, "file_name": f"{number}.png"} for number in range(len(PICTURES))]
    annotations = []
    for number, true in enumerate(plates):
        for (x0, y0, x1, y1), text in true:
            said = {"bbox": [x0, y0, x1 - x0, y1 - y0], "attributes": {"reading": text}}
            annotations.append({"image_id": number, **said})
    document = {"images": entries, "annotations": annotations}
    (tmp_path / "test" / "annotations.json").write_text(json.dumps(document))
    return tmp_path / "test"


def files(loaded: Sequence[LoadedNode]) -> PipelineFiles:
    return PipelineFiles(tuple(each.node for each in loaded), ())


def test_every_object_counts(split: Path) -> None:
    """Quality is that of all objects of all images, and the record says how many were read in each."""
    parameters = PipelineEvaluate(files(nodes()), split.name)
    frames = frames_of(nodes(), parameters, split.parent)
    assert [len(frame.objects or ()) for frame in frames] == [0, 1, 2, 1]
    quality, latency = evaluate_pipeline(nodes(), frames)
    assert quality.counts == [
        ObjectCounts(),
        ObjectCounts(right=1),
        ObjectCounts(right=2),
        ObjectCounts(misread=1, invented=1),
    ]
    assert quality.metrics == pytest.approx({"exact": 6 / 9, "precision": 3 / 5, "recall": 3 / 4})
    assert [sample.prediction for sample in quality.samples] == [None, "A", "BBB, A", "BBB, A"]
    assert latency.objects == (0, 1, 2, 2)


def test_a_crowd_neither_counts_nor_costs(split: Path) -> None:
    """Where an annotation says that many are there, nothing has to be found, and nothing is invented."""
    crowd = TrueObject((0.0, 0.0, 32.0, 24.0), None, None, None, is_crowd=True)
    sample = Sample("a", split / "images" / "2.png", objects=(crowd,))
    quality, _ = evaluate_pipeline(nodes(), [sample])
    assert (quality.counts, quality.value) == ([ObjectCounts()], 1.0)


def test_a_reference_that_reads_nothing_right_is_refused(split: Path) -> None:
    """The worst images are named with all that was read in them, and all that is true."""
    frames = frames_of(nodes(), PipelineEvaluate(files(nodes()), split.name), split.parent)
    strangers = []
    for frame in frames:
        objects = tuple(replace(one, reading="C") for one in frame.objects or ())
        strangers.append(replace(frame, objects=objects))
    quality, _ = evaluate_pipeline(nodes(), strangers)
    told = what_is_wrong_end_to_end(nodes()[-1].network, strangers, quality)
    assert "exact 0.0000 on 3 sample(s) is below 0.01" in told
    assert "images/2.png: found BBB, A, true is C, C" in told


def test_the_clock_says_how_many_objects_it_timed(split: Path) -> None:
    """A time covers all readings of an image; what was read while it warmed up is left out."""
    parameters = PipelineBenchmark(files(nodes()), split.name, warmup=1, burst_s=1e-9)
    latency, _ = benchmark_pipeline(nodes(), parameters, split.parent, lambda done: END if done else GO)
    assert len(latency.objects) == len(latency.totals_ns) == sum(latency.bursts)
    steps = [times for step, times in latency.samples_ns.items() if step != "total"]
    assert latency.totals_ns == tuple(map(sum, zip(*steps, strict=True)))
    assert set(latency.objects) == {0, 1, 2}


def told(objects: Sequence[ReadObject]) -> list[Any]:
    return [(one.box, one.score, one.answers["reader"].text) for one in objects]


def test_images_streams_and_the_service_say_the_same(split: Path) -> None:
    """The same boxes with the same readings in the same order, of every image."""
    encoded = [path.read_bytes() for path in sorted((split / "images").iterdir())]
    images = [told(read_picture(nodes(), content, "image").objects) for content in encoded]
    assert [len(objects) for objects in images] == [0, 1, 2, 2]

    readings: list[FrameReading] = []
    source = open_source(str(split / "images"))
    run_stream([source], [nodes()], lambda reading, _: readings.append(reading), Tracking())
    assert [told(reading.objects) for reading in readings] == images

    for content, objects in zip(encoded, images, strict=True):
        found = read_image(nodes(), content, "image").found
        said = [(tuple(one["box"]), one["text"]) for one in found]
        expected = [(box, text) for box, _, text in objects]
        assert said == expected

    lines: list[str] = []
    read_all(nodes(), [str(split / "images")], lines.append, lines.append)
    texts = [json.loads(line).get("text") for line in lines]
    assert texts == [None, "A", "BBB", "A", "BBB", "A"]
