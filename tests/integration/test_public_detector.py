"""A detector that others made is decoded by model.json alone, as its own package's code does it.

Nothing of the package is kept: it is installed into an environment that is thrown away.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.codec import encode

PACKAGE = "ddddocr==1.6.1"
"""MIT licence; a YOLOX that finds the symbols of captchas, with the code that decodes its raw outputs."""

SIZES = ((416, 416), (640, 480), (320, 240), (208, 416))
"""Width and height of the pictures. Scaled, their sides are whole pixels: others Dockyard rounds and the
package cuts off."""

MODEL: dict[str, Any] = {
    "task": "detection",
    "input": {
        "name": "images",
        "shape": [1, 3, 416, 416],
        "layout": "NCHW",
        "channels": "BGR",
        "resize": "letterbox",
        "placed": "corner",
        "pad": 114,
        "interpolation": "linear",
    },
    "outputs": {
        "box": {"tensor": "output", "form": "cxcywh", "unit": "pixels", "strides": [8, 16, 32]},
        "score": {"column": 4, "minimum": 0.1},
        "objects": {"nms_iou": 0.45, "classes": {"names": ["symbol"], "column": 5}},
    },
    "data": {"folder": "data"},
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the package, its own requirements included."""
    folder = tmp_path_factory.mktemp("public") / "venv"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    found = folder / "bin" / "python"
    command = [uv, "pip", "install", "--quiet", "--python", str(found), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(f"the package index is out of reach: {done.stderr[-200:]}")
    return found


def write_pictures(folder: Path) -> None:
    """Write pictures with symbols of several sizes and colours on a restless ground."""
    generator = np.random.default_rng(11)
    folder.mkdir()
    for number, (width, height) in enumerate(SIZES * 8):
        picture = generator.integers(150, 255, (height, width, 3), np.uint8)
        for _ in range(number % 6):
            at = tuple(int(generator.integers(20, side - 60)) for side in (width, height))
            colour = tuple(int(value) for value in generator.integers(0, 120, 3))
            symbol = "ABCDEFGHKMNPRSTUVWXYZ2345679"[int(generator.integers(28))]
            size = float(generator.uniform(1.2, 2.5))
            cv2.putText(picture, symbol, (at[0], at[1] + 40), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 4)
        cv2.imwrite(str(folder / f"{number:02}.png"), picture)


def as_theirs(box: list[float], width: int, height: int) -> list[int]:
    """A box as the package's code leaves it: within the picture, in whole pixels."""
    x0, y0, x1, y1 = box
    return [int(max(x0, 0)), int(max(y0, 0)), int(min(x1, width)), int(min(y1, height))]


def test_a_yolox_of_others(python: Path, tmp_path: Path) -> None:
    """Every box is the one of the package's own code, in the same order, in pictures of several sizes."""
    find = "import ddddocr, pathlib; print(pathlib.Path(ddddocr.__file__).parent / 'common_det.onnx')"
    graph = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True).stdout.strip()
    folder = tmp_path / "models" / "symbols"
    folder.mkdir(parents=True)
    shutil.copyfile(graph, folder / "symbols.onnx")
    digest = hashlib.sha256(Path(graph).read_bytes()).hexdigest()
    (folder / "model.json").write_text(
        json.dumps({**MODEL, "graph": {"file": "symbols.onnx", "sha256": digest}})
    )
    network = load_model(Workspace(tmp_path), "symbols", "test")
    write_pictures(tmp_path / "pictures")
    script = PRODUCT / "tests" / "fixtures" / "public_detector.py"
    command = [python, script, json.dumps(encode(network)), tmp_path / "pictures", folder / "symbols.onnx"]
    environment = {**os.environ, "PYTHONPATH": str(PRODUCT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    sizes = dict(zip(sorted(found), SIZES * 8, strict=True))
    for name, boxes in found.items():
        ours = [as_theirs(box, *sizes[name]) for box in boxes["ours"]]
        assert ours == boxes["theirs"], name
    assert sum(len(boxes["theirs"]) for boxes in found.values()) >= 20
