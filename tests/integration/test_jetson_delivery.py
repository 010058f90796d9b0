"""A delivery for a Jetson from its build without the device to its service on one: NVIDIA's image, TensorRT,
CUDA and the device are stand-ins (tests/stand_ins/jetson_base/), all else is what ships.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console

import docker
from dockyard.deliver.verify import verify
from dockyard.delivering import deliver
from dockyard.engines import images
from dockyard.engines.base_image import PYTHON_IMAGE
from dockyard.engines.docker_cli import HERE
from dockyard.engines.image_build import ImageBuild, run_build
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.live_display import LiveDisplay
from dockyard.workflow import build
from shared.contract.errors import InputProblem
from shared.serving.first_start import WARM_S
from tests.integration.conftest import new_workspace
from tests.integration.test_delivery import Site
from tests.unit.test_delivered_process import port_of_nobody
from tests.unit.test_receipt import new_key

TARGET = "jetson-stand-in"
BASE = "dockyard/jetson-stand-in-base:test"
RECIPE = {
    "model": "digits",
    "target": TARGET,
    "device": "no-such-board",
    "optimizations": ["fp32", "int8"],
    "measure": {"threads": 2},
}


def base_image(folder: Path) -> None:
    """Build what stands in for NVIDIA's image."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here to compile the library that stands in for CUDA's")
    stand_ins = PRODUCT / "tests" / "stand_ins"
    context = folder / "base"
    context.mkdir()
    shutil.copyfile(stand_ins / "jetson_base" / "Dockerfile", context / "Dockerfile")
    (context / "stand_ins").mkdir()
    for path in (*stand_ins.glob("*.py"), stand_ins / "trtexec_flags.json"):
        shutil.copyfile(path, context / "stand_ins" / path.name)
    library = context / "libcudart.so.12"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, stand_ins / "cudart.c"], check=True)
    images.build_image(Workspace(PRODUCT), "tensorrt-onnx", "1.32", stage="runtime", on_line=print)
    onnx = images.image_tag("tensorrt-onnx", "1.32", "runtime")
    run_build(
        ImageBuild(context, "base", BASE, {"BASE": PYTHON_IMAGE, "ONNX": onnx}, {}), HERE, "base", print
    )


def stand_in_target(workspace: Workspace) -> None:
    """Have a workspace a target like `l4t-tensorrt` whose vendor's image and runtime are at hand."""
    own = workspace.root / "targets" / TARGET
    shutil.copytree(PRODUCT / "targets" / "l4t-tensorrt", own)
    shutil.copytree(PRODUCT / "docker" / "l4t-tensorrt", workspace.root / "docker" / TARGET)
    described = json.loads((own / "target.json").read_text())
    toolchain = described["toolchains"]["10.3"]
    toolchain["platform"] = {"base": BASE, "runtime": "runc", "l4t": {"from": "36.4", "before": "37"}}
    described["toolchains"] = {"10.3": toolchain}
    for method in described["methods"].values():
        for key in ("options", "search"):
            method[key] = {"10.3": method[key]["10.3"]}
    del toolchain["python"]
    (own / "target.json").write_text(json.dumps(described))


@dataclass(frozen=True)
class Made:
    workspace: Workspace
    recipe: Path
    key: Path
    folder: Path


def made_of(made: Made, output: Path, variant: str, unmeasured: bool = True) -> Path:
    with LiveDisplay(Console(file=io.StringIO())) as display:
        return deliver(
            made.workspace, str(made.recipe), output, variant, made.key, display, None, unmeasured
        ).folder


@pytest.fixture(scope="module")
def made(docker_executor: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("jetson")
    base_image(folder)
    workspace, recipe = new_workspace(folder / "workspace"), folder / "digits_jetson.json"
    stand_in_target(workspace)
    recipe.write_text(json.dumps(RECIPE))
    built = build(workspace, str(recipe), Console(quiet=True), engine="docker")
    assert built.missing_device
    own = Made(workspace, recipe, new_key(folder / "key.pem"), folder)
    made_of(own, folder / "first", "fp32")
    made_of(own, folder / "second", "int8")
    yield own
    client = docker.from_env()
    for name in ("dockyard-delivery/digits-jetson", f"dockyard/{TARGET}", BASE):
        for image in client.images.list(name):
            client.images.remove(image.id, force=True)


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site(f"dockyard-tested-{uuid4().hex[:8]}", port_of_nobody())
    yield found
    for name in ("", "-before", "-next", "-back"):
        subprocess.run(["docker", "rm", "--force", found.name + name], capture_output=True, check=False)
    subprocess.run(["docker", "volume", "rm", f"{found.name}-built"], capture_output=True, check=False)


@pytest.fixture
def l4t(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that says which release of L4T the site's device has."""
    file = tmp_path / "nv_tegra_release"
    file.write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n")
    monkeypatch.setenv("DOCKYARD_L4T_FILE", str(file))
    return file


def conf(delivery: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (delivery / "site.conf").read_text().splitlines())


def in_container(delivery: Path, volume: str, *command: str) -> list[str]:
    options = ("--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none")
    kept = ("--volume", f"{volume}:/var/cache/dockyard")
    return ["docker", "run", *options, *kept, conf(delivery)["IMAGE_ID"], *command]


def test_without_the_flag_it_is_refused(made: Made) -> None:
    """What was not measured is delivered by an explicit wish alone, and of one variant that is named."""
    with pytest.raises(InputProblem, match=r"fp32 was not measured \(no device.*\n.*--unmeasured"):
        made_of(made, made.folder / "refused", "fp32", unmeasured=False)


def test_everything_says_that_nothing_was_measured(made: Made) -> None:
    """Receipt, labels, delivery.json and the page for ops say so, with the reason and what was predicted."""
    first = made.folder / "first"
    receipt = verify(first, made.key.with_suffix(".pub"))
    assert receipt.predicate["quality"] is None
    assert receipt.predicate["not_measured"].startswith("no device 'no-such-board'")
    predicted = receipt.predicate["predicted"]["digits"]
    assert (predicted["metric"], predicted["value"] > 0.9) == ("accuracy", True)
    page = (first / "README.md").read_text()
    assert "**NOT MEASURED: no device 'no-such-board'" in page
    assert "Predicted without the device: digits accuracy " in page
    assert "--volume digits-jetson-built:/var/cache/dockyard" in page
    assert json.loads((first / "delivery.json").read_text())["speed"] is None
    client = docker.from_env()
    assert client.images.get(conf(first)["IMAGE"]).labels["dockyard.delivery.quality"] == "NOT MEASURED"


def test_it_is_built_at_the_first_start_and_served(made: Made, site: Site, l4t: Path) -> None:
    """Installed, its engine is built once and tried; the service starts with it; a newer delivery builds its
    own, and the way back needs no building.
    """
    first, second = made.folder / "first", made.folder / "second"
    image = sorted((made.workspace.model("digits") / "data" / "test" / "images").glob("*.png"))[0]
    installed = site.run(first, "install", "--key", str(made.key.with_suffix(".pub")))
    assert installed.returncode == 0, installed.stderr
    assert "digits: built in" in installed.stderr
    assert "golden images are read as expected" in installed.stderr
    assert "not measured before: no device 'no-such-board'" in installed.stdout
    assert site.version() == "fp32"
    log = subprocess.run(["docker", "logs", site.name], capture_output=True, text=True, check=True)
    assert "taken from the cache, ready to load after" in log.stderr
    read = site.read(image)["found"][0]["class"]
    upgraded = site.run(second, "install")
    assert upgraded.returncode == 0, upgraded.stderr
    assert "digits: built in" in upgraded.stderr
    assert site.read(image)["found"][0]["class"] == read
    began = time.monotonic()
    assert site.run(second, "rollback").returncode == 0
    assert (site.version(), time.monotonic() - began < 30) == ("fp32", True)


def test_a_warm_start_is_quick(made: Made, site: Site) -> None:
    """From the container's start to its readiness it takes less than what is stated."""
    first, volume = made.folder / "first", f"{site.name}-built"
    assert subprocess.run(in_container(first, volume, "self-test"), check=False).returncode == 0
    port = port_of_nobody()
    command = in_container(first, volume, "serve")
    command[2:2] = ["--detach", "--name", site.name, "--publish", f"{port}:8080"]
    command[command.index("--network") : command.index("--network") + 2] = []
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=1).close()
            break
        except OSError:
            assert time.monotonic() - began < WARM_S
            time.sleep(0.05)
    print(f"ready after {time.monotonic() - began:.2f} s")


def test_killed_while_it_builds(made: Made, site: Site) -> None:
    """Killed in the middle, the next start builds all of it, and no half of an engine is used."""
    first, volume = made.folder / "first", f"{site.name}-built"
    command = in_container(first, volume, "self-test")
    command[2:2] = ["--name", site.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "building for" in line:
                break
        time.sleep(0.5)
        subprocess.run(["docker", "kill", site.name], check=True, capture_output=True)
    done = subprocess.run(
        in_container(first, volume, "self-test"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "digits: building for" in done.stderr
    assert "self-test passed" in done.stdout


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ARCHITECTURE": "arm64"}, "this delivery is for arm64, and the engine is amd64"),
        ({"RUNTIME": "nvidia"}, "needs the container runtime nvidia, which Docker does not have"),
        ({"L4T_FROM": "39"}, "this delivery is for L4T 39 or later, before 37, and this device has 36.4.3"),
        ({"L4T_BEFORE": "36.4"}, "this device has 36.4.3"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_loaded(
    made: Made, site: Site, l4t: Path, tmp_path: Path, changes: dict[str, str], told: str
) -> None:
    """Another architecture, a missing runtime, another JetPack: a sentence, and nothing was loaded."""
    other = tmp_path / "other"
    shutil.copytree(made.folder / "first", other)
    own: dict[str, Any] = {**conf(other), **changes}
    (other / "site.conf").write_text("".join(f"{key}={value}\n" for key, value in own.items()))
    (other / "verify.sh").write_text("#!/bin/sh\n")  # it would rightly refuse a changed file
    for part in other.glob("image.tar.zst.*"):
        part.unlink()
    refused = site.run(other, "install")
    assert refused.returncode in (1, 3)
    assert told in refused.stderr
    assert "loading" not in refused.stdout


def test_another_release_is_told_by_the_container(made: Made, site: Site, l4t: Path) -> None:
    """Also without the installer: a device of another JetPack is told which delivery it needs."""
    l4t.write_text("# R35 (release), REVISION: 4.1, GCID: 1, BOARD: generic\n")
    command = in_container(made.folder / "first", f"{site.name}-built", "self-test")
    command[2:2] = ["--volume", f"{l4t}:/etc/nv_tegra_release:ro"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "needs L4T 36.4 or later, before 37, and this device has 35.4.1" in done.stderr


def test_nothing_is_left(made: Made, site: Site, l4t: Path) -> None:
    """What is uninstalled takes its image and the volume with it. (The last test: the image is gone.)"""
    assert site.run(made.folder / "first", "install").returncode == 0
    assert f"removed the volume {site.name}-built" in site.run(made.folder / "first", "uninstall").stdout
