"""The streets that are generated: up to four plates a frame, true to what is said of them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from dockyard.recipe.workspace import PRODUCT
from shared.contract.dataset import Sample, read_split
from shared.contract.outputs import BoxOutput, DetectionOutputs, ObjectsOutput, Task
from shared.inference.boxes import shared_area

MODELS = PRODUCT / "models"
MANY = DetectionOutputs(BoxOutput("b"), objects=ObjectsOutput(0.5))
FRAMES = {"calibration": 2, "validation": 2, "test": 12}

GENERATE = """
import json, sys
from pathlib import Path
if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from generate import generate
    generate(Path(sys.argv[2]), int(sys.argv[3]), frames=json.loads(sys.argv[4]))
"""

FIRST_SCENE = """
import sys
sys.path.insert(0, sys.argv[1])
from scenes import jpeg_bytes, render_scene, sample_rng
scene = render_scene(sample_rng(20240501, "test", 0))
sys.stdout.buffer.write(jpeg_bytes(scene.pixels, scene.quality))
"""


def generated(folder: Path, frames: dict[str, int], workers: int) -> Path:
    """Generate a set of so many frames; return its folder."""
    script = folder.with_suffix(".py")
    script.write_text(GENERATE)
    place = str(MODELS / "license_plate_streets")
    command = [sys.executable, str(script), place, str(folder), str(workers), json.dumps(frames)]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "streets"


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(tmp_path_factory.mktemp("streets") / "few", FRAMES, 2)


def frames_of(streets: Path, split: str) -> list[Sample]:
    return read_split(streets / split, Task.DETECTION, MANY)


def test_the_same_bytes_whatever_the_number_of_workers(streets: Path, tmp_path: Path) -> None:
    again = generated(tmp_path / "again", {**FRAMES, "test": 2}, 1)
    for image in sorted((again / "test" / "images").iterdir()):
        assert image.read_bytes() == (streets / "test" / "images" / image.name).read_bytes()
    first, second = (json.loads((one / "test" / "annotations.json").read_text()) for one in (again, streets))
    assert first["annotations"] == second["annotations"][: len(first["annotations"])]


def test_a_frame_has_none_to_four_plates_that_lie_in_it_apart(streets: Path) -> None:
    frames = frames_of(streets, "test")
    counts = [len(frame.objects or ()) for frame in frames]
    assert (len(frames), min(counts) >= 0, max(counts) <= 4, len(set(counts)) >= 3) == (12, True, True, True)
    for frame in frames:
        boxes = [one.box for one in frame.objects or ()]
        for x0, y0, x1, y1 in boxes:
            assert 0 <= x0 < x1 <= 1280
            assert 0 <= y0 < y1 <= 720
            assert 39 <= x1 - x0 <= 251
        assert not any(shared_area(one, other) for one, other in combinations(boxes, 2))


def test_every_plate_says_what_it_reads_and_no_two_splits_share_one(streets: Path) -> None:
    readings: dict[str, set[Any]] = {}
    for split in FRAMES:
        plates = [one for frame in frames_of(streets, split) for one in frame.objects or ()]
        assert all(one.reading and one.country for one in plates)
        readings[split] = {one.reading for one in plates}
    assert not any(one & other for one, other in combinations(readings.values(), 2))


def test_the_scenes_with_one_plate_are_what_they_were() -> None:
    """Figures that are published hold for these bytes."""
    command = [sys.executable, "-c", FIRST_SCENE, str(MODELS / "license_plate")]
    scene = subprocess.run(command, check=True, capture_output=True).stdout
    assert (
        hashlib.sha256(scene).hexdigest()
        == "3410a3f2aacfc4b104e573049c65d5f3026b3143b313c2cd5b1b95c77c7d62d3"
    )
