"""What a site is given of a delivery that is built on its device, and what of one that is not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dockyard.deliver.bundle import FILLED, Image, write_site
from dockyard.deliver.device_site import CACHE, site_of
from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import PRODUCT, Workspace

OURS = Workspace(PRODUCT)
IMAGE = Image("dockyard-delivery/gate:1", "sha256:0", "arm64", 1)
COMMON = ("NAME", "VERSION", "IMAGE", "IMAGE_ID", "ARCHITECTURE", "DESCRIPTION", "FIGURES", "THREADS")


def files_of(folder: Path, target: str, toolchain: str) -> dict[str, str]:
    """Write a site's files; return them."""
    site = site_of(load_target(OURS, target, "test").toolchains[toolchain], "gate")
    values = {**{name: name.lower() for name in COMMON}, "MEMORY_MB": "2048", "DISK_MB": "1", "NAME": "gate"}
    write_site(folder, {**values, **site.values}, IMAGE, "", site.settings)
    return {name: (folder / name).read_text() for name in (*FILLED, "site.conf")}


def test_a_device_gets_its_runtime_its_volume_and_its_time(tmp_path: Path) -> None:
    """Every file of a delivery for a Jetson has the runtime, the volume and a start of many minutes."""
    found = files_of(tmp_path, "l4t-tensorrt", "10.3")
    assert "L4T 36.4 or later, before 37; the container runtime `nvidia`" in found["README.md"]
    for name in ("README.md", "service.unit"):
        assert f"--runtime nvidia --group-add 44 --volume gate-built:{CACHE}" in found[name], name
    assert f'    volumes: ["gate-built:{CACHE}"]\nvolumes:\n  gate-built: {{}}' in found["compose.yaml"]
    assert "    runtime: nvidia\n" in found["compose.yaml"]
    kubernetes = found["kubernetes.yaml"]
    assert "      runtimeClassName: nvidia\n" in kubernetes
    assert f"{{name: built, mountPath: {CACHE}}}" in kubernetes
    assert "failureThreshold: 900" in kubernetes
    assert "kind: PersistentVolumeClaim" in kubernetes
    assert {"RUNTIME=nvidia", "L4T_FROM=36.4", "L4T_BEFORE=37", "START_S=1800"} <= set(
        found["site.conf"].splitlines()
    )


def test_what_is_built_on_no_device_gets_none_of_it(tmp_path: Path) -> None:
    """A delivery for a CPU is as it was: no runtime, no volume, a start of two minutes, two replicas."""
    found = files_of(tmp_path, "onnxruntime", "1.32")
    whole = "".join(found.values())
    assert not re.search(r"nvidia|gate-built|runtime:|L4T|\$", whole.replace("$PWD", ""))
    assert "failureThreshold: 60" in found["kubernetes.yaml"]
    assert "replicas: 2" in found["kubernetes.yaml"]


@pytest.mark.parametrize(
    ("first", "second", "is_older"),
    [("35.4.1", "36", True), ("36.4", "36.4", False), ("36.4.3", "36.4", False), ("36.10", "36.9.9", False)],
)
def test_releases_are_compared_as_numbers(first: str, second: str, is_older: bool) -> None:
    """The installer's shell tells which of two releases of L4T is the older one."""
    script = (PRODUCT / "dockyard" / "deliver" / "site" / "install.sh").read_text()
    (line,) = re.findall(r"^release\(\) .*$", script, re.MULTILINE)
    program = f'{line.partition(" # ")[0]}\n[ "$(release {first})" -lt "$(release {second})" ]'
    assert (subprocess.run(["sh", "-c", program], check=False).returncode == 0) == is_older
