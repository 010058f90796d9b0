"""What a job says that it found is held against the truth by the host, and believed as far as it fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockyard.judge.verdicts import judge
from dockyard.run.datasets import DataSet
from dockyard.run.object_quality import with_mean_ap
from shared.contract.codec import decode, encode
from shared.contract.job import Job
from shared.contract.measurement import MEAN_AP, MEAN_AP_50, Quality, SampleScore
from shared.contract.outputs import BoxClasses, BoxOutput, DetectionOutputs, ObjectsOutput, Task
from shared.contract.record import Record, RecordStatus
from shared.contract.result import Result, Status
from shared.contract.stages import Evaluate, NetworkFiles
from tests import builders
from tests.unit.test_coco import document, written
from tests.unit.test_scoring import network

OUTPUTS = DetectionOutputs(BoxOutput("b"), objects=ObjectsOutput(0.5, BoxClasses(("car", "plate"), "c")))
NETWORK = network(Task.DETECTION, OUTPUTS)
IMAGES = 40
BOX = (1.0, 2.0, 11.0, 22.0)


@pytest.fixture
def data(tmp_path: Path, write_image: Callable[..., Path]) -> dict[str, DataSet]:
    """A data set of images with a plate each, the first with a car, too."""
    split = tmp_path / "test"
    names = tuple(f"{number:02}.png" for number in range(IMAGES))
    for number, name in enumerate(names):
        write_image(split / "images" / name, number)
    annotations = [{"image_id": number} for number in range(IMAGES)]
    written(split, document({"category_id": 1, "bbox": [15, 2, 10, 20]}, *annotations, names=names))
    return {"net": DataSet(tmp_path, {}, {})}


def job(expect: float | None = None, is_reference: bool = False) -> Job:
    files = NetworkFiles(replace(NETWORK, expect=expect), "net")
    parameters = Evaluate(files, "data/test", is_reference=is_reference)
    return Job("net/reference/evaluate", "net", "tensorflow", "2", "reference", 1, parameters)


def result(*found: Any, name: str = "{:02}.png") -> Result:
    """A result in which every image has the same objects."""
    names = [f"images/{name}".format(number) for number in range(IMAGES)]
    samples = tuple(SampleScore(one, {"ap": 0.9}, found or None) for one in names)
    return Result(Status.DONE, quality=Quality("ap", {"ap": 0.9}, samples))


def test_the_host_computes_the_map(data: dict[str, DataSet]) -> None:
    """The main metric is mAP, of the truth that the host has; the score of an image stays beside it."""
    quality = with_mean_ap(result((*BOX, 0.9, 1.0)), job(), data).quality
    assert quality is not None
    assert quality.metrics == {MEAN_AP: pytest.approx(0.5), MEAN_AP_50: pytest.approx(0.5), "ap": 0.9}
    assert (quality.main, quality.sample_metric) == (MEAN_AP, "ap")
    assert quality.truth is not None
    assert quality.truth.classes == ("car", "plate")
    assert quality.truth.objects["images/00.png"] == ((15, 2, 25, 22, 0, 0), (*BOX, 1, 0))
    assert decode(Quality, json.loads(json.dumps(encode(quality)))) == quality


def test_nothing_found(data: dict[str, DataSet]) -> None:
    """A detector that finds nothing has a mAP of 0."""
    quality = with_mean_ap(result(), job(), data).quality
    assert quality is not None
    assert quality.value == 0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (result((*BOX, 0.9, 2.0)), "no box with a score and a class"),
        (result((*BOX, 0.9, 0.5)), "no box with a score and a class"),
        (result((*BOX, 0.9)), "no box with a score and a class"),
        (result(*[(*BOX, 0.9, 1.0)] * 101), "not 100 objects or fewer"),
        (result((*BOX, 0.9, 1.0), name="other{}.png"), "the test split does not have"),
    ],
)
def test_what_is_no_list_of_objects(data: dict[str, DataSet], given: Result, reason: str) -> None:
    """Objects of unknown classes or images, or too many, fail the job with the reason."""
    failed = with_mean_ap(given, job(), data)
    assert failed.status == Status.FAILED
    assert reason in failed.reason


def test_what_model_json_expects(data: dict[str, DataSet]) -> None:
    """A reference below the mAP that model.json expects has failed; a variant is judged by its drop."""
    found = result((*BOX, 0.9, 1.0))
    below = with_mean_ap(found, job(0.6, is_reference=True), data)
    assert below.status == Status.FAILED
    assert "mAP 0.5000 on 40 sample(s) is below the 0.6 that model.json expects" in below.reason
    assert with_mean_ap(found, job(0.5, is_reference=True), data).status == Status.DONE
    assert with_mean_ap(found, job(0.6), data).status == Status.DONE


def test_a_variant_is_judged_by_its_map(data: dict[str, DataSet]) -> None:
    """Drop, interval and verdict are of the mAP, flips of single images; a record can be read back."""

    def record(variant: str, *found: Any, ap: float) -> Record:
        quality = with_mean_ap(result(*found), job(), data).quality
        assert quality is not None
        samples = tuple(replace(sample, scores={"ap": ap}) for sample in quality.samples)
        rounds = builders.rounds(*([2.0] * 3 if variant == "reference" else [1.0] * 3))
        return builders.record(variant, quality=replace(quality, samples=samples), rounds=rounds)

    reference = record("reference", (*BOX, 0.9, 1.0), ap=1.0)
    worse = record("int8", (1, 2, 11, 16, 0.9, 1.0), ap=0.4)  # IoU 0.7: right at five of ten
    found = judge([reference, decode(Record, json.loads(json.dumps(encode(worse))))])[1]
    assert found.record.status == RecordStatus.MEASURED
    assert (found.metric, found.quality) == (MEAN_AP, pytest.approx(0.25))
    assert found.drop is not None
    assert found.drop.estimate == pytest.approx(0.25)
    assert found.drop.low == pytest.approx(found.drop.high, abs=0.3)
    assert len(found.flipped) == IMAGES
