"""A detector of many objects goes the whole way, to a mAP that is known by hand, in float32 and in int8."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.recipe.workspace import Workspace
from dockyard.report.write import write_report
from dockyard.workflow import build
from shared.contract.dataset import SPLITS
from shared.contract.record import RecordStatus
from tests.integration.conftest import new_workspace
from tests.onnx_files import squares_detector

HEIGHT, WIDTH, SIDE, STRIDE = 96, 128, 16, 8
IMAGES = 32
COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0)}
"""Blue, green, red."""

SHIFT = 3
"""Pixels by which green is annotated beside where it is: an IoU of 13 / 19, right at four of the ten IoUs."""

MODEL: dict[str, Any] = {
    "task": "detection",
    "input": {
        "name": "image",
        "shape": [1, 3, HEIGHT, WIDTH],
        "layout": "NCHW",
        "scale": [255.0],
        "resize": "letterbox",
    },
    "outputs": {
        "box": {"tensor": "output0", "form": "cxcywh", "unit": "pixels", "columns_first": True},
        "score": {"minimum": 0.3},
        "objects": {"nms_iou": 0.5, "classes": {"names": list(COLOURS), "column": 4}},
    },
    "data": {"folder": "data"},
    "expect": 0.65,
}
RECIPES: dict[str, dict[str, Any]] = {
    "onnxruntime": {"target": "onnxruntime", "optimizations": ["baseline", "int8"]},
    "intel-openvino": {
        "target": "intel-openvino",
        "optimizations": ["baseline", "int8", {"method": "int8-accuracy-aware", "max_drop": 0.05}],
    },
}
JOINED = ("intel-openvino", "int8")
"""Quantizes the output too, in which centres of up to 128 pixels and scores of up to 1 have one scale."""

MEASURE = {"threads": 2, "cycles": 3, "burst_s": 0.02, "warmup": 1, "max_rounds": 3}


def write_split(folder: Path, seed: int) -> None:
    """Write pictures of nought to four squares on the places that the detector knows, in two sizes."""
    generator = np.random.default_rng(seed)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (folder / "images").mkdir(parents=True)
    for number in range(IMAGES):
        picture = generator.integers(0, 60, (HEIGHT, WIDTH, 3), np.uint8)
        for place in generator.permutation(12)[: number % 5]:
            name = list(COLOURS)[int(generator.integers(2))]
            x, y = int(place % 4) * 32 + STRIDE, int(place // 4) * 32 + STRIDE
            picture[y : y + SIDE, x : x + SIDE] = COLOURS[name]
            bbox = [x + (SHIFT if name == "green" else 0), y, SIDE, SIDE]
            annotations.append({"image_id": number, "category_id": list(COLOURS).index(name), "bbox": bbox})
        if number % 2:  # the same squares in a picture of twice the size: that is undone
            picture = picture.repeat(2, axis=0).repeat(2, axis=1)
            for one in annotations:
                if one["image_id"] == number:
                    one["bbox"] = [side * 2 for side in one["bbox"]]
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        height, width = picture.shape[:2]
        images.append({"id": number, "file_name": f"{number}.png", "width": width, "height": height})
    categories = [{"id": number, "name": name} for number, name in enumerate(COLOURS)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def workspace(docker_executor: object, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the detector and its data."""
    found = new_workspace(tmp_path_factory.mktemp("objects") / "workspace")
    folder = found.root / "models" / "squares"
    for seed, split in enumerate(SPLITS):
        write_split(folder / "data" / split, seed)
    graph = squares_detector(SIDE, STRIDE, HEIGHT, WIDTH)
    (folder / "squares.onnx").write_bytes(graph)
    told = {"file": "squares.onnx", "sha256": hashlib.sha256(graph).hexdigest()}
    (folder / "model.json").write_text(json.dumps({**MODEL, "graph": told}))
    return found


@pytest.fixture(scope="module", params=list(RECIPES))
def built(workspace: Workspace, request: pytest.FixtureRequest) -> dict[str, Assessment]:
    """What a whole build in containers found, by variant."""
    recipe = {
        "model": "squares",
        "requirements": {"max_drop": 0.02},
        "measure": MEASURE,
        **RECIPES[request.param],
    }
    (workspace.root / "recipes" / f"{request.param}.json").write_text(json.dumps(recipe))
    found = build(workspace, request.param, Console(quiet=True), engine="docker")
    return {one.record.variant: one for one in found.assessments}


def keeping(built: dict[str, Assessment]) -> dict[str, Assessment]:
    """The variants whose output is not quantized as one."""
    return {name: one for name, one in built.items() if (one.record.target, name) != JOINED}


def test_the_map_is_the_known_one(built: dict[str, Assessment]) -> None:
    """Red is right at every IoU, green at four of ten: every variant has a mAP of 0.7, and of 1 at 0.5."""
    for variant, one in keeping(built).items():
        assert one.record.status == RecordStatus.MEASURED, f"{variant}: {one.record.reason}"
        assert one.record.quality is not None
        metrics = one.record.quality.metrics
        assert metrics["mAP"] == pytest.approx(0.7, abs=1e-6), variant
        assert metrics["mAP50"] == pytest.approx(1.0, abs=1e-6), variant
        assert one.metric == "mAP"


def test_every_object_is_in_the_record(built: dict[str, Assessment]) -> None:
    """Images hold nought to four objects, and the record has each with its score and class."""
    quality = built["int8-accuracy-aware" if "int8-accuracy-aware" in built else "int8"].record.quality
    assert quality is not None
    assert quality.truth is not None
    assert quality.truth.classes == ("red", "green")
    for sample in quality.samples:
        assert len(sample.prediction or ()) == len(quality.truth.objects[sample.id])
    assert {len(objects) for objects in quality.truth.objects.values()} == set(range(5))


def test_nothing_is_lost(built: dict[str, Assessment]) -> None:
    """No variant loses of its mAP, which the interval says, too; none is too lossy."""
    for variant, one in keeping(built).items():
        if not one.is_reference:
            assert one.drop is not None, variant
            assert (one.drop.estimate, one.drop.low, one.drop.high) == pytest.approx((0, 0, 0), abs=1e-6)
            assert one.verdict != Verdict.TOO_LOSSY
            assert one.flipped == ()


def test_what_quantizes_boxes_and_scores_as_one_is_found_out(built: dict[str, Assessment]) -> None:
    """Where one scale takes the scores the mAP is lost, the verdict says so, and accuracy-aware quantization
    gives it back.
    """
    lossy = built["int8"]
    if (lossy.record.target, "int8") == JOINED:
        assert lossy.drop is not None
        assert (lossy.verdict, lossy.drop.estimate) == (Verdict.TOO_LOSSY, pytest.approx(0.7))
        assert len(lossy.flipped) > 0
        repaired = built["int8-accuracy-aware"].drop
        assert repaired is not None
        assert repaired.high <= 0.05


def test_the_report_says_map(workspace: Workspace, built: dict[str, Assessment]) -> None:
    """Report and CSV have mAP where others have their metric."""
    write_report(workspace)
    report = (workspace.results / "report.md").read_text()
    assert "mAP" in report
    assert "| 0.7000 |" in report
    assert ",mAP,0.7," in (workspace.results / "results.csv").read_text()
