"""The first start of a delivery on a Jetson, and those after it, as processes over stand-ins: trtexec,
TensorRT's package and CUDA's library are not NVIDIA's, all else is what ships.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dockyard.deliver.modules import modules_needed
from dockyard.recipe.models import load_model
from dockyard.recipe.targets import code_folders
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.artifact import MANIFEST_FILE, Manifest
from shared.contract.codec import encode
from shared.contract.model import Network, PipelineNode
from shared.inference.arrays import Array
from shared.inference.pipeline import LoadedNode
from shared.serving.first_start import WARM_S
from shared.serving.golden import write_golden
from tests.conftest import ROOT
from tests.deliveries import delivery_of, image_of
from tests.fakes import FakeSession
from tests.stand_ins import trtexec as trtexec_stand_in
from tests.unit.test_delivered_process import port_of_nobody, when_ready
from tests.unit.test_l4t_tensorrt import python38

sys.path.insert(0, str(PRODUCT / "targets" / "tensorrt-engines"))
sys.path.insert(0, str(PRODUCT / "targets" / "jetson-engines"))
from device_engines import why_not_for

OURS = Workspace(PRODUCT)
TARGET, TOOLCHAIN = "l4t-tensorrt", "8.5"
OPTIONS = {"workspace_mb": 64, "builder": "trtexec"}

PROGRAM = """
import sys
from pathlib import Path

from shared.serving.command_line import main

sys.exit(main(sys.argv[2:], Path(sys.argv[1])))
"""


def doubles(image: Array) -> Mapping[str, Array]:
    """What the stand-in's engine gives."""
    return {"digit": 2 * image.reshape(1, -1)[:, :10]}


def negates(image: Array) -> Mapping[str, Array]:
    return {"digit": -image.reshape(1, -1)[:, :10]}


@dataclass
class Device:
    """A container on a device: what was delivered, the volume, and what the device has.

    Attributes:
        changes: of the environment, by which the stand-ins are another device.
    """

    folder: Path
    library: Path
    changes: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def engines(self) -> list[Path]:
        return sorted(self.cache.glob("digits-*/model.engine"))

    def start(self, *command: str) -> subprocess.Popen[str]:
        named = ("--delivery", str(self.folder / "delivery"), "--cache", str(self.cache))
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(PRODUCT / "tests" / "stand_ins")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": str(self.library.parent),
            **self.changes,
        }
        return subprocess.Popen(
            [self.python, "-c", PROGRAM, str(self.folder / "targets"), *named, *command],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str) -> tuple[int, str, str]:
        """Run a command; return its exit code, what it wrote to standard output, and to standard error."""
        with self.start(*command) as process:
            out, err = process.communicate(timeout=120)
            return process.returncode, out, err


def slowed(program: Path, seconds: float) -> None:
    """Have a program wait before it does anything."""
    lines = program.read_text().splitlines()
    program.write_text("\n".join([lines[0], f"sleep {seconds}", *lines[1:]]) + "\n")


def golden_of(folder: Path, network: Network, answers: Callable[[Array], Mapping[str, Array]]) -> None:
    """Write golden images and what a network gives for them."""
    images = folder / "images"
    images.mkdir(exist_ok=True)
    for number in range(3):
        (images / f"{number}.png").write_bytes(image_of(40 + 80 * number, (32, 32)))
    node = LoadedNode(PipelineNode("digits", "digits"), network, FakeSession(answers, network.input))
    write_golden([node], images, folder / "delivery" / "golden")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that stands in for libcudart."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here to compile the library that stands in for CUDA's")
    found = tmp_path_factory.mktemp("cuda") / "libcudart.so.12"
    source = PRODUCT / "tests" / "stand_ins" / "cudart.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(found), str(source)], check=True)
    return found


@pytest.fixture
def network() -> Network:
    found = load_model(OURS, "digits", "test")
    assert isinstance(found, Network)
    return replace(found, input=found.input.in_layout("NCHW"))


@pytest.fixture
def device(tmp_path: Path, library: Path, network: Network) -> Device:
    own = tmp_path / "targets" / TARGET
    own.mkdir(parents=True)
    for module in modules_needed(code_folders(OURS, TARGET), TARGET):
        shutil.copyfile(module, own / module.name)
    shutil.copyfile(PRODUCT / "targets" / TARGET / "target.json", own / "target.json")
    place = tmp_path / "delivery"
    delivery_of(
        place,
        network,
        target=TARGET,
        toolchain=TOOLCHAIN,
        quality=None,
        speed=None,
        building={"digits": OPTIONS},
        not_measured="no device 'jetson'",
    )
    prepared = place / "artifacts" / "digits"
    settings = {"precision": "fp16", "rest": "float16", "float32": [], "weighted": []}
    manifest = Manifest("onnx", "tensorrt-onnx", "1.32", network.input, settings=settings)
    (prepared / MANIFEST_FILE).write_text(json.dumps(encode(manifest)))
    (prepared / "model.onnx").write_bytes(b"\x08 fp16")
    golden_of(tmp_path, network, doubles)
    for name in ("bin", "cache"):
        (tmp_path / name).mkdir()
    trtexec_stand_in.install(tmp_path / "bin", TOOLCHAIN)
    return Device(tmp_path, library)


def test_built_once_and_then_taken(device: Device) -> None:
    """The first start builds, tries the golden images and reads; the next one builds nothing, and is ready
    in less than the seconds that are stated. What is read is alone on standard output.
    """
    image = str(device.folder / "images" / "1.png")
    code, out, err = device.run("read", image)
    assert code == 0, err
    assert [json.loads(line)["image"] for line in out.splitlines()] == [image]
    assert "digits: building for 8.5.2.2, Orin, 8.7, 8, unknown" in err
    assert "3 golden images are read as expected" in err
    (engine,) = device.engines()
    made = engine.stat().st_mtime_ns
    began = time.monotonic()
    code, again, err = device.run("read", image)
    assert (code, again) == (0, out)
    assert time.monotonic() - began < WARM_S
    assert err.startswith("taken from the cache, ready to load after 0.")
    assert [one.stat().st_mtime_ns for one in device.engines()] == [made]
    assert not list(device.cache.glob(".making-*"))


def test_the_self_test_says_that_nothing_was_measured(device: Device) -> None:
    """Its sentence has this device's time, and why there is none to hold it against."""
    code, out, _ = device.run("self-test")
    assert code == 0
    assert "3 golden images are read as recorded" in out
    assert "a call here; not measured before: no device 'jetson'" in out


@pytest.mark.parametrize("damage", ["cut off", "other bytes", "manifest", "no note"])
def test_a_damaged_cache_is_built_anew(device: Device, damage: str) -> None:
    """Whatever of the cache is not as it was made, it is told, built and tried anew."""
    assert device.run("self-test")[0] == 0
    (engine,) = device.engines()
    content = engine.read_bytes()
    if damage == "cut off":
        engine.write_bytes(content[:-2])
    elif damage == "other bytes":
        engine.write_bytes(content[:-2] + b"zz")
    elif damage == "manifest":
        (engine.parent / MANIFEST_FILE).write_text("{}")
    else:
        (engine.parent / "made.json").unlink()
    code, _, err = device.run("self-test")
    assert code == 0
    assert "digits: what is kept is damaged: it is built anew" in err
    assert engine.read_bytes() == content


def test_killed_in_the_middle(device: Device) -> None:
    """Killed while it builds, it leaves nothing that is used: the next start builds all of it."""
    program = device.folder / "bin" / "trtexec"
    quick = program.read_text()
    slowed(program, 60)
    with device.start("self-test") as process:
        while not list(device.cache.glob(".making-*")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert device.engines() == []
    program.write_text(quick)
    code, _, err = device.run("self-test")
    assert code == 0, err
    assert "digits: building" in err
    assert not list(device.cache.glob(".making-*"))


def test_told_to_end_while_it_builds(device: Device) -> None:
    """A stop is not waited out by trtexec: it ends with the container's signal."""
    slowed(device.folder / "bin" / "trtexec", 60)
    with device.start("serve", "--port", "0") as process:
        while not list(device.cache.glob(".making-*")):
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
    assert time.monotonic() - began < 10


def test_two_at_once_build_once(device: Device) -> None:
    """Two containers of one volume that start together: one builds, the other one waits and takes it."""
    slowed(device.folder / "bin" / "trtexec", 0.5)
    with device.start("self-test") as first, device.start("self-test") as second:
        told = [first.communicate(timeout=60)[1], second.communicate(timeout=60)[1]]
    assert (first.returncode, second.returncode) == (0, 0)
    assert sorted("building for" in one for one in told) == [False, True]


def test_who_needs_nothing_built_waits_for_nobody(device: Device) -> None:
    """While another version builds, one whose engines are there starts at once."""
    assert device.run("self-test")[0] == 0
    with (device.cache / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, _, err = device.run("self-test")
    assert (code, err.startswith("taken from the cache")) == (0, True)


def test_another_gpu_or_release_has_its_own(device: Device) -> None:
    """An engine that another GPU or TensorRT built is not loaded: each has its own, and both stay."""
    assert device.run("self-test")[0] == 0
    device.changes["STAND_IN_GPU"] = "Xavier"
    code, _, err = device.run("self-test")
    assert (code, "building for 8.5.2.2, Xavier" in err) == (0, True)
    device.changes["STAND_IN_TENSORRT"] = "10.3.0.26"
    trtexec_stand_in.install(device.folder / "bin", "10.3")
    code, _, err = device.run("self-test")
    assert (code, "building for 10.3.0.26, Xavier" in err) == (0, True)
    assert len(device.engines()) == 3
    device.changes.clear()
    trtexec_stand_in.install(device.folder / "bin", TOOLCHAIN)
    assert "taken from the cache" in device.run("self-test")[2]


def test_an_engine_that_does_not_agree_is_not_used(device: Device, network: Network) -> None:
    """What reads the golden images in another way is an error in a line or two, at each start, not served."""
    golden_of(device.folder, network, negates)
    for _ in range(2):
        code, out, err = device.run("serve", "--port", "0")
        assert (code, out) == (1, "")
        error = err[err.index("error:") :].splitlines()
        assert "what was built here reads 3 of 3 golden images in another way" in error[0]
        assert len(error) <= 2
    assert not list(device.cache.glob("agreed-*"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"NO_DRIVER": "1"}, "no NVIDIA GPU is here"), ({"LD_LIBRARY_PATH": "/nowhere"}, "CUDA's runtime")],
)
def test_without_a_gpu(device: Device, changes: Mapping[str, str], told: str) -> None:
    """Without the device's runtime that is said in a sentence; the code is of a machine that is not ready."""
    device.changes.update(changes)
    code, _, err = device.run("self-test")
    assert code == 3
    assert told in err
    assert "Traceback" not in err


def test_what_cannot_be_built(device: Device) -> None:
    """TensorRT's own line says why, and there is nothing left that would be taken for an engine."""
    (device.folder / "delivery" / "artifacts" / "digits" / "model.onnx").write_bytes(b"\x08 no kernel")
    code, _, err = device.run("self-test")
    assert code == 1
    assert "it cannot be built here: " in err
    assert "Could not find any implementation for node conv" in err
    assert device.engines() == []


def test_nowhere_to_keep_it(device: Device) -> None:
    """Without the volume it says which option brings it."""
    device.cache.rmdir()
    code, _, err = device.run("self-test")
    assert code == 3
    assert f"--volume NAME:{device.cache}" in err


def test_it_serves_on_the_python_of_jetpack_5(device: Device) -> None:
    """With the packages that the oldest image has, the engine is built, and the service answers."""
    device.python = python38()
    lacks = subprocess.run(
        [device.python, "-c", "import starlette, uvicorn"], capture_output=True, check=False
    )
    if lacks.returncode:
        pytest.skip("this Python 3.8 has not what is in docker/delivery/vendor/requirements.txt")
    port = port_of_nobody()
    process = device.start("serve", "--host", "127.0.0.1", "--port", str(port))
    try:
        client = when_ready(process, port)
        read = client.post("/v1/read", content=(device.folder / "images" / "1.png").read_bytes())
        assert (read.status_code, len(read.json()["found"])) == (200, 1)
    finally:
        process.terminate()
        process.communicate(timeout=30)


WANTED: Mapping[str, Any] = {
    "8.5": {"from": "35.2", "before": "36"},
    "10.3": {"from": "36.4", "before": "37"},
    "10.16": {"from": "39"},
}


@pytest.mark.parametrize(
    ("l4t", "told"),
    [
        ("36.4.3", ""),
        (None, ""),
        (
            "35.4.1",
            "needs L4T 36.4 or later, before 37, and this device has 35.4.1: ask for the delivery for 8.5",
        ),
        ("39.1", "this device has 39.1: ask for the delivery for 10.16"),
        ("32.7.1", "this device has 32.7.1: there is no delivery for that release"),
    ],
)
def test_which_delivery_would_fit(l4t: str | None, told: str) -> None:
    """A device of another L4T is told before TensorRT is touched, with the delivery that is for it."""
    assert why_not_for(l4t, "10.3", WANTED).endswith(told)
    assert bool(why_not_for(l4t, "10.3", WANTED)) == bool(told)
