"""A delivery of a real network: the digits in ONNX Runtime, without the harness."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.job_folder import place_code
from shared.contract.artifact import Manifest
from shared.contract.codec import encode
from shared.contract.delivery import Delivery, RecordedQuality, RecordedSpeed
from shared.contract.measurement import Scope
from shared.contract.model import DataLocation, InputSpec, Network
from shared.contract.outputs import ClassificationOutputs, NamedClasses, Task
from shared.contract.stages import NetworkFiles
from tests.unit.test_delivered_process import port_of_nobody

pytest.importorskip("onnxruntime")

TEST = PRODUCT / "models" / "digits" / "data" / "test"
SHAPE = (1, 1, 32, 32)
IMAGES = 20

INPUT = InputSpec("image", SHAPE, "NCHW", channels="GRAY", mean=(127.5,), scale=(127.5,))
DIGITS = Network(
    "digits",
    Task.CLASSIFICATION,
    "",
    "digits.onnx",
    "0" * 64,
    INPUT,
    ClassificationOutputs(NamedClasses("digit", tuple("0123456789"))),
    DataLocation(folder="data"),
)


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a delivered container has it: `code`, without the harness, and `delivery`."""
    folder = tmp_path_factory.mktemp("container")
    place_code(Workspace(PRODUCT), "onnxruntime", folder)
    shutil.rmtree(folder / "code" / "shared" / "harness")
    artifact = folder / "delivery" / "artifacts" / "digits"
    artifact.mkdir(parents=True)
    shutil.copyfile(PRODUCT / "tests" / "fixtures" / "digits.onnx", artifact / "model.onnx")
    manifest = Manifest("onnx", "onnxruntime", "1.32", INPUT)
    (artifact / "manifest.json").write_text(json.dumps(encode(manifest)))
    delivery = Delivery(
        recipe="digits",
        run="made-up",
        model="digits",
        variant="baseline",
        target="onnxruntime",
        toolchain="1.32",
        networks=(NetworkFiles(DIGITS, "artifacts/digits"),),
        nodes=(),
        threads=1,
        golden="golden",
        quality=RecordedQuality("accuracy", 0.98),
        speed=RecordedSpeed(1.0, Scope.NETWORK, "a CPU"),
        tolerance=1e-3,
    )
    (folder / "delivery" / "delivery.json").write_text(json.dumps(encode(delivery)))
    images = folder / "images"
    images.mkdir()
    for path in sorted((TEST / "images").iterdir())[:IMAGES]:
        shutil.copyfile(path, images / path.name)
    return folder


def command(container: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "shared.serving", "--delivery", str(container / "delivery"), *arguments]


def run(container: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(container, *arguments), cwd=container / "code", capture_output=True, text=True, timeout=120
    )


def true_labels() -> dict[str, str]:
    with (TEST / "labels.csv").open() as file:
        return {Path(row["file"]).name: row["label"] for row in csv.DictReader(file)}


def test_the_command_line_reads(container: Path) -> None:
    """It reads the test split about as well as was measured."""
    done = run(container, "read", str(container / "images"))
    assert (done.returncode, done.stderr) == (0, "")
    lines, labels = [json.loads(line) for line in done.stdout.splitlines()], true_labels()
    right = sum(line["class"] == labels[Path(line["image"]).name] for line in lines)
    assert (len(lines), right >= IMAGES - 2) == (IMAGES, True)


def test_golden_and_self_test(container: Path) -> None:
    """Golden images of its own pass; with another network in its place they do not."""
    assert run(container, "golden", "--images", str(container / "images")).returncode == 0
    done = run(container, "self-test")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"self-test passed: {IMAGES} golden images are read as recorded")
    manifest = container / "delivery" / "artifacts" / "digits" / "manifest.json"
    before = manifest.read_text()
    manifest.write_text(before.replace("127.5", "100.0"))
    failed = run(container, "self-test")
    manifest.write_text(before)
    assert failed.returncode == 1
    assert "the output 'digit' differs by" in failed.stderr


def test_the_service_answers(container: Path) -> None:
    """A picture is read over HTTP, and the network itself gives what ONNX Runtime gives."""
    import onnxruntime

    port = port_of_nobody()
    serve = command(container, "serve", "--host", "127.0.0.1", "--port", str(port))
    with subprocess.Popen(serve, cwd=container / "code", stdout=subprocess.DEVNULL) as process:
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        deadline = time.monotonic() + 30
        while True:
            try:
                client.get("/v2/health/ready").raise_for_status()
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        image = sorted((container / "images").iterdir())[0]
        read = client.post("/v1/read", content=image.read_bytes()).json()
        assert read["found"][0]["class"] == true_labels()[image.name]
        values = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype(np.float32)
        given = {"name": "image", "datatype": "FP32", "shape": list(SHAPE), "data": values.ravel().tolist()}
        answer = client.post("/v2/models/digits/infer", json={"inputs": [given]}).json()
        session = onnxruntime.InferenceSession(container / "delivery/artifacts/digits/model.onnx")
        expected = session.run(None, {"image": values})[0]
        assert np.array(answer["outputs"][0]["data"]) == pytest.approx(expected.ravel(), abs=1e-6)
        process.terminate()
        assert process.wait(30) == 0
