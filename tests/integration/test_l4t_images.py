"""The images for Jetsons, as far as a machine that is none can tell: their packages, and their steps.

NVIDIA's images cannot be had without a registry, and run on a Jetson alone; what stands in for them is
tests/stand_ins/l4t_base/ and tests/stand_ins/deepstream_base/.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import docker
from dockyard import package_index
from dockyard.engines import images
from dockyard.engines.base_image import PYTHON_IMAGE
from dockyard.engines.docker_cli import HERE
from dockyard.engines.image_build import ImageBuild, run_build
from dockyard.recipe.targets import code_folders, load_target
from dockyard.recipe.workspace import PRODUCT
from tests.integration.conftest import DOCKYARD, new_workspace

TARGET = "l4t-tensorrt"
TOOLCHAINS = load_target(DOCKYARD, TARGET, "test").toolchains
DEEPSTREAM = "deepstream-l4t"
RELEASES = load_target(DOCKYARD, DEEPSTREAM, "test").toolchains
PAIRS = [
    (target, one) for target, all_of_it in ((TARGET, TOOLCHAINS), (DEEPSTREAM, RELEASES)) for one in all_of_it
]
PACKAGES = {"av", "cv2", "numpy", "psutil"}

ELF_MACHINE, AARCH64 = slice(18, 20), 183
"""Where an ELF file says what it is for, and what it says there."""

OUT_OF_REACH = re.compile(r"error sending request|failed to fetch|could not connect|dns error", re.IGNORECASE)


def uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run uv with the package index that pip has; skip the test where that does not answer."""
    program = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program is not None
    environment = {**package_index.uv_environment(), "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode and OUT_OF_REACH.search(done.stderr):
        if os.environ.get("CI"):
            pytest.fail(f"CI needs a package index: {done.stderr}")
        pytest.skip("no package index answers")
    return done


def python_of(toolchain: str, target: str = TARGET) -> str:
    """Return the release of Python that a toolchain's image has, `3.8`."""
    of = load_target(DOCKYARD, target, "test").toolchains[toolchain]
    return (of.python or "").partition(",")[0].removeprefix(">=")


@pytest.mark.parametrize(("target", "toolchain"), PAIRS)
def test_every_package_is_there_for_jetsons(tmp_path: Path, target: str, toolchain: str) -> None:
    """What is locked can be had, with its hashes, built for the JetPack's Python and an ARM."""
    lock = images.lock_file(DOCKYARD, target, toolchain)
    # GStreamer 1.16, the oldest of these, came with the C library of manylinux_2_31.
    which = ("--python-version", python_of(toolchain, target), "--python-platform", "aarch64-manylinux_2_31")
    how = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
    done = uv("pip", "install", "--target", str(tmp_path), *which, *how, "-r", str(lock))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} >= PACKAGES
    machines = {path.read_bytes()[ELF_MACHINE] for path in tmp_path.rglob("*.so")}
    assert machines == {AARCH64.to_bytes(2, "little")}


@pytest.fixture(params=[(TARGET, "8.5"), (DEEPSTREAM, "6.3")], ids=lambda one: str(one[0]))
def python38(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A target, and Python 3.8 with the packages that its image for JetPack 5 has, for this machine."""
    target, toolchain = request.param
    if uv("python", "find", python_of("8.5")).returncode:
        pytest.skip(f"there is no Python {python_of('8.5')} here")
    assert uv("venv", "--python", python_of("8.5"), str(tmp_path / "venv")).returncode == 0
    python = tmp_path / "venv" / "bin" / "python"
    lock = images.lock_file(DOCKYARD, target, toolchain)
    done = uv("pip", "sync", "--require-hashes", "--python", str(python), str(lock))
    assert done.returncode == 0, done.stderr
    return target, python


IMPORT_ALL = """
import importlib, pkgutil, sys
import shared
from shared.inference.session import Unsupported
packages = [(shared.__path__, "shared."), (sys.argv[1:], "")]
names = [module.name for path, prefix in packages for module in pkgutil.walk_packages(path, prefix)]
for name in names:
    try:
        importlib.import_module(name)
    except Unsupported:  # GStreamer's module, which no package index has
        pass
print(len(names))
"""


def test_code_is_imported_by_python_38(python38: tuple[str, Path]) -> None:
    """All that a job on JetPack 5 brings can be imported there, with the packages of its image."""
    target, python = python38
    folders = [str(folder) for folder in code_folders(DOCKYARD, target)]
    path = os.pathsep.join([str(PRODUCT), *folders])
    done = subprocess.run(
        [str(python), "-W", "error::DeprecationWarning:__main__", "-c", IMPORT_ALL, *folders],
        env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30


@pytest.fixture(scope="module")
def stand_in_base(docker_executor: object) -> Iterator[str]:
    """An image like NVIDIA's on this machine's engine; it and what was built on it are removed at the end."""
    tag = "dockyard/l4t-stand-in-base:test"
    folder = PRODUCT / "tests" / "stand_ins" / "l4t_base"
    run_build(ImageBuild(folder, "base", tag, {"BASE": PYTHON_IMAGE}, {}), HERE, str(folder), print)
    yield tag
    client = docker.from_env()
    made = [images.image_tag("l4t-stand-in", toolchain) for toolchain in TOOLCHAINS]
    for name in [*made, tag]:
        for image in client.images.list(name):
            client.images.remove(image.id, force=True)


LOOK = """
import json, os, subprocess, sys
import cv2, numpy, psutil, tensorrt
print(json.dumps({
    "user": [os.getuid(), os.getgid()], "folder": os.getcwd(), "home": os.environ["HOME"],
    "prefix": sys.prefix, "numpy": numpy.__version__, "cv2": cv2.__version__,
    "tensorrt": tensorrt.__version__,
    "trtexec": subprocess.check_output(["trtexec"], text=True).strip(),
    "lsmod": subprocess.check_output(["lsmod"], text=True).strip(),
    "compat": os.path.exists("/usr/local/cuda-13.2/compat"), "igpu": os.environ["AARCH64_IGPU"],
    "job": os.stat("/job").st_uid,
}))
"""


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_an_image_on_a_stand_in(stand_in_base: str, tmp_path: Path, toolchain: str) -> None:
    """On a base like NVIDIA's the image is built, and a job finds its own packages before the base's."""
    workspace = new_workspace(tmp_path / "workspace")
    shutil.copytree(PRODUCT / "docker" / TARGET, workspace.root / "docker" / "l4t-stand-in")
    folder = workspace.root / "targets" / "l4t-stand-in"
    folder.mkdir(parents=True)
    toolchains = {toolchain: {"platform": {"base": stand_in_base}}}
    document = {"description": "", "toolchains": toolchains, "sources": ["ONNX"], "methods": {}}
    (folder / "target.json").write_text(json.dumps(document))

    image = images.build_image(workspace, "l4t-stand-in", toolchain, on_line=print)
    assert images.current_image(workspace, "l4t-stand-in", toolchain) == image
    client = docker.from_env()
    said = client.containers.run(
        image, ["python", "-c", LOOK], remove=True, network_mode="none", read_only=True, tmpfs={"/tmp": ""}
    )
    lock = images.lock_file(DOCKYARD, TARGET, toolchain).read_text()
    pins = dict(re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE))
    assert json.loads(said) == {
        "user": [images.USER, images.USER],
        "folder": "/job",
        "home": "/tmp",
        "prefix": "/opt/venv",
        "numpy": pins["numpy"],
        "cv2": pins["opencv-python-headless"].rpartition(".")[0],
        "tensorrt": "stand-in",
        "trtexec": "stand-in",
        "lsmod": "stand-in",
        "compat": toolchain != "10.16",
        "igpu": "1",
        "job": images.USER,
    }


@pytest.fixture(scope="module")
def deepstream_bases(docker_executor: object) -> Iterator[tuple[str, str]]:
    """Images like NVIDIA's lean one and the one with compilers; in the end all of it is removed."""
    folder = PRODUCT / "tests" / "stand_ins" / "deepstream_base"
    tags = {stage: f"dockyard/deepstream-stand-in-{stage}:test" for stage in ("base", "devel")}
    for stage, tag in tags.items():
        run_build(ImageBuild(folder, stage, tag, {"BASE": PYTHON_IMAGE}, {}), HERE, str(folder), print)
    yield tags["base"], tags["devel"]
    client = docker.from_env()
    made = [images.image_tag("deepstream-stand-in", release) for release in RELEASES]
    for name in [*made, *tags.values()]:
        for image in client.images.list(name):
            client.images.remove(image.id, force=True)


LOOK_AT_DEEPSTREAM = """
import json, os, shutil, subprocess, sys
from pathlib import Path
import av, cv2, gi, numpy, psutil, pyds, pyservicemaker, tensorrt
print(json.dumps({
    "user": os.getuid(), "folder": os.getcwd(), "prefix": sys.prefix, "numpy": numpy.__version__,
    "parsers": Path("/opt/dockyard/lib/libdockyard_parsers.so").read_text().strip(),
    "trtexec": subprocess.check_output(["trtexec"], text=True).strip(), "tensorrt": tensorrt.__version__,
    "pyds": pyds.release, "pyservicemaker": pyservicemaker.release,
    "lsmod": bool(shutil.which("lsmod")), "compiler": shutil.which("cmake"),
    "compat": os.path.exists("/usr/local/cuda-13.2/compat"), "igpu": os.environ["AARCH64_IGPU"],
    "plugins": os.path.exists("/root/.cache/gstreamer-1.0"),
}))
"""


@pytest.mark.parametrize("release", RELEASES)
def test_a_deepstream_image_on_stand_ins(
    deepstream_bases: tuple[str, str], tmp_path: Path, release: str
) -> None:
    """The parsers are compiled in the image with compilers against its own SDK; what runs is the lean one,
    with them and with what of NVIDIA's it lacks.
    """
    base, devel = deepstream_bases
    workspace = new_workspace(tmp_path / "workspace")
    shutil.copytree(PRODUCT / "docker" / DEEPSTREAM, workspace.root / "docker" / "deepstream-stand-in")
    folder = workspace.root / "targets" / "deepstream-stand-in"
    folder.mkdir(parents=True)
    document = {
        "description": "",
        "toolchains": {release: {"platform": {"base": base, "devel": devel}}},
        "sources": ["ONNX"],
        "methods": {},
        "image_sources": ["deepstream-parsers"],
    }
    (folder / "target.json").write_text(json.dumps(document))

    image = images.build_image(workspace, "deepstream-stand-in", release, on_line=print)
    assert images.current_image(workspace, "deepstream-stand-in", release) == image
    said = docker.from_env().containers.run(
        image,
        ["python", "-c", LOOK_AT_DEEPSTREAM],
        remove=True,
        network_mode="none",
        read_only=True,
        tmpfs={"/tmp": ""},
    )
    lock = images.lock_file(DOCKYARD, DEEPSTREAM, release).read_text()
    pins = dict(re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE))
    assert json.loads(said) == {
        "user": images.USER,
        "folder": "/job",
        "prefix": "/opt/venv",
        "numpy": pins["numpy"],
        "parsers": "parsers",
        "trtexec": "stand-in",
        "tensorrt": "stand-in",
        "pyds": "stand-in",
        "pyservicemaker": "stand-in",
        "lsmod": True,
        "compiler": None,
        "compat": release != "9.1",
        "igpu": "1",
        "plugins": False,
    }
