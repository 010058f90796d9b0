"""Tiny graphs as people have them, each through the reference and the real converters: one input ships, and
the outputs are the reference's.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dockyard.engines.venv import VenvExecutor
from dockyard.recipe.hashing import content_hash
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.outcome import Outcome
from shared.contract.result import Status
from tests.integration.conftest import DOCKYARD, new_workspace
from tests.integration.unmeasured import run_unmeasured

GRAPHS = PRODUCT / "tests" / "fixtures" / "graphs_as_found.py"
SIDE = 8
NAMES = ["zero", "one", "two", "three"]

NEW, OLD = "baseline", {"method": "baseline", "toolchain": "2023.3"}
"""Of OpenVINO, whose own frontends read graphs, and mo of the older release."""

ORT, TVM = ({"method": "baseline", "target": target} for target in ("onnxruntime", "tvm-llvm"))
"""Of ONNX alone: that of the graph, or what the reference makes of it."""

REAL = {"scale": [255]}
"""How pixels become the real numbers that a graph takes."""

TFLITE = "StatefulPartitionedCall_1"
TFLITE_FEED = "serving_default_image"
ONNX = {"layout": "NCHW", "shape": [1, 1, SIDE, SIDE], **REAL}


@pytest.fixture(scope="module")
def graphs(venv_executor: VenvExecutor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the graphs: each tells how bright its input is, in four classes."""
    folder = tmp_path_factory.mktemp("graphs")
    python = DOCKYARD.state / "venvs" / "tensorflow-2.21" / "bin" / "python"
    environment: dict[str, str] = {"PATH": os.defpath, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([python, GRAPHS, folder], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with images of four levels of grey."""
    workspace = new_workspace(tmp_path_factory.mktemp("as found") / "workspace")
    for number, split in enumerate(("calibration", "validation", "test")):
        images = workspace.root / "data" / split / "images"
        images.mkdir(parents=True)
        with (images.parent / "labels.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "label"])
            for index in range(12):
                pixels = np.full((SIDE, SIDE), 85 * (index % 4), np.uint8)
                pixels[0, :] = (20 * index + number) % 256
                cv2.imwrite(str(images / f"{index}.png"), pixels)
                rows.writerow([f"images/{index}.png", NAMES[index % 4]])
    return workspace


Outcomes = dict[str, Outcome]
Run = Callable[..., Outcomes]


@pytest.fixture
def run(workspace: Workspace, graphs: Path, venv_executor: VenvExecutor, tmp_path: Path) -> Run:
    """Run a graph's jobs but for the benchmarks; return their outcomes by job id."""

    def start(graph: str, optimizations: list[Any], tensor: str = "digit", **changes: Any) -> Outcomes:
        put_model(workspace, graphs / graph, tensor, changes)
        recipe = {"model": "tried", "target": "intel-openvino", "optimizations": optimizations}
        _, outcomes = run_unmeasured(workspace, {**recipe, "data": "data"}, tmp_path)
        return {one.planned.job.id: one for one in outcomes}

    return start


def put_model(workspace: Workspace, graph: Path, tensor: str, changes: dict[str, Any]) -> None:
    """Put a graph into the workspace as the one model, `tried`, that it has."""
    folder = workspace.root / "models" / "tried"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (shutil.copytree if graph.is_dir() else shutil.copyfile)(graph, folder / graph.name)
    of_input = {"name": "image", "shape": [1, SIDE, SIDE, 1], "channels": "GRAY", **changes.pop("input", {})}
    document = {
        "task": "classification",
        "graph": {"file": graph.name, "sha256": content_hash(folder / graph.name)},
        "input": of_input,
        "outputs": {"classes": {"tensor": tensor, "names": NAMES}},
        "data": {"folder": "data"},
        **changes,
    }
    (folder / "model.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("graph", "optimizations", "said"),
    [
        ("kept.pb", [NEW, OLD, ORT], {"input": REAL, "constants": {"keep_prob": 1, "training": False}}),
        ("two.keras", [ORT], {"constants": {"im_shape": [[SIDE, SIDE]]}}),
        ("served", [NEW, OLD, ORT], {"constants": {"phase": False}}),
        ("beside.onnx", [NEW, OLD, ORT, TVM], {"input": ONNX, "constants": {"im_shape": [[SIDE, 1]]}}),
        ("half.pb", [NEW, OLD, ORT], {"input": REAL}),
        ("half.onnx", [NEW, ORT, TVM], {"input": {**ONNX, "dtype": "float16"}}),
        ("bytes.pb", [NEW, ORT, TVM], {}),
        ("second.pb", [NEW, OLD, ORT], {"input": REAL, "tensor": "parts:1"}),
        ("open.onnx", [NEW, ORT, TVM], {"input": ONNX}),
        ("apart.onnx", [NEW, OLD, ORT, TVM], {"input": ONNX}),
        ("quantized.onnx", [NEW, ORT], {"input": ONNX}),
        ("int8.tflite", [NEW], {"input": {"name": TFLITE_FEED, **REAL}, "tensor": TFLITE}),
        ("uint8.tflite", [NEW], {"input": {"name": TFLITE_FEED}, "tensor": TFLITE}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_ships_with_one_input(
    run: Run, graph: str, optimizations: list[Any], said: dict[str, Any]
) -> None:
    """Whatever a graph takes, the reference and what each toolchain makes of it are right on every image."""
    for job_id, found in run(graph, optimizations, **said).items():
        assert found.status == Status.DONE, f"{job_id}: {found.reason}"
        assert found.result is not None
        assert all(row.agrees for row in found.result.differences)
        quality = found.result.quality
        assert quality is None or quality.value == 1, job_id


def test_a_toolchain_that_reads_8_bits_wrong(run: Run) -> None:
    """What a toolchain gets wrong in a quantized graph, OpenVINO of 2023 its 8-bit ends, is seen."""
    found = run("uint8.tflite", [OLD], TFLITE, input={"name": TFLITE_FEED})
    first = next(one for one in found.values() if one.status != Status.DONE)
    assert (first.status, first.planned.job.stage.name) == (Status.FAILED, "convert")
    assert "the converted graph disagrees with the reference" in first.reason
    assert "with the batch left open too" in first.reason


def test_nothing_to_quantize(run: Run) -> None:
    """A graph without a convolution or a matrix product is left as it is, and the notes count 0."""
    quantizing = [{"method": "int8", "target": target} for target in ("intel-openvino", "onnxruntime")]
    found = run("plain.onnx", [*quantizing, {"method": "int8-accuracy-aware"}], input=ONNX)
    made = [one for job_id, one in found.items() if job_id.endswith("/optimize")]
    assert len(made) == 3
    for one in made:
        assert one.status == Status.DONE, one.reason
        assert one.result is not None
        assert one.result.notes.quantized_operations == 0
