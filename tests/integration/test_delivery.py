"""A delivery made of a real build, verified, installed beside an older one, cut off, rolled back, removed."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
import pytest
from rich.console import Console

from dockyard.deliver.bundle import archive_size, read_layers
from dockyard.deliver.changes import changes
from dockyard.deliver.verify import verify
from dockyard.delivering import deliver
from dockyard.recipe.workspace import Workspace
from dockyard.run.live_display import LiveDisplay
from dockyard.workflow import build
from shared.contract.codec import decode
from shared.contract.errors import InputProblem
from shared.contract.record import Record
from tests.integration.conftest import new_workspace
from tests.integration.second_engine import SecondEngine
from tests.integration.service_load import load
from tests.integration.test_build import DIGITS
from tests.unit.test_receipt import new_key
from tests.videos import frame_of, write_video

CUTS = 10
RESTED_S = 60.0


@dataclass(frozen=True)
class Made:
    """A recipe that was built, a key, and two deliveries of it."""

    workspace: Workspace
    recipe: Path
    key: Path
    first: Path
    second: Path


def made_of(workspace: Workspace, recipe: Path, output: Path, key: Path, variant: str) -> Path:
    with LiveDisplay(Console(file=io.StringIO())) as display:
        return deliver(workspace, str(recipe), output, variant, key, display).folder


@pytest.fixture(scope="module")
def made(docker_executor: object, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("delivery")
    workspace, recipe = new_workspace(folder / "workspace"), folder / "delivered_digits.json"
    recipe.write_text(json.dumps({**DIGITS, "optimizations": ["baseline", "int8"]}))
    printed = io.StringIO()
    build(workspace, str(recipe), Console(file=printed, width=200), engine="docker")
    key = new_key(folder / "key.pem")
    first = made_of(workspace, recipe, folder / "first", key, "baseline")
    return Made(workspace, recipe, key, first, made_of(workspace, recipe, folder / "second", key, "int8"))


@dataclass(frozen=True)
class Site:
    """A client's machine: a name of its own for the service, a port that is free, and where its engine is."""

    name: str
    port: int
    engine: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **({"DOCKER_HOST": self.engine} if self.engine else {})}

    def command(self, delivery: Path, *arguments: str) -> list[str]:
        return ["sh", str(delivery / "install.sh"), *arguments, "--name", self.name, "--port", str(self.port)]

    def run(self, delivery: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = self.command(delivery, *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self.environment)

    def docker(self, *arguments: str) -> str:
        """What docker says of this machine's engine; nothing where it fails."""
        command = ["docker", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.environment
        ).stdout

    def version(self) -> str:
        """The variant that answers, by its image; empty where none does."""
        form = '{{.State.Running}} {{index .Config.Labels "org.opencontainers.image.version"}}'
        said = self.docker("container", "inspect", "--format", form, self.name).split()
        return said[1].split("-")[0] if said[:1] == ["true"] else ""

    def read(self, image: Path) -> dict[str, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/read", image.read_bytes())
        with urllib.request.urlopen(request, timeout=30) as answer:
            document: dict[str, Any] = json.load(answer)
            return document


@pytest.fixture
def site(made: Made) -> Iterator[Site]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Site(f"dockyard-tested-{uuid4().hex[:8]}", port)
    yield found
    # The images are those of the tests before and after, too: the containers alone are removed.
    for name in ("", "-before", "-next", "-back"):
        subprocess.run(["docker", "rm", "--force", found.name + name], capture_output=True, check=False)


def test_it_is_bound_to_what_was_measured(made: Made) -> None:
    """The receipt names graph, artifact, image and figures; the evidence is beside it, and signed."""
    receipt = verify(made.second, made.key.with_suffix(".pub"))
    record = decode(Record, json.loads((made.second / "evidence" / "record.json").read_text()))
    assert receipt.predicate["artifacts"]["digits"] == record.artifacts["digits"].artifact.sha256
    assert receipt.predicate["graphs"] == record.graphs
    assert record.quality is not None
    assert receipt.predicate["quality"]["accuracy"] == record.quality.metrics["accuracy"]
    assert "| int8 |" in (made.second / "evidence" / "report.md").read_text()
    bill = json.loads((made.second / "evidence" / "bill-of-materials.cdx.json").read_text())
    names = {one["name"].lower() for one in bill["components"]}
    assert {"numpy", "openvino", "starlette"} <= names
    assert not {"nncf", "pip", "tensorflow"} & names, "nothing of the build tools is inside"


def test_what_an_older_delivery_has_is_left_out(made: Made, site: Site, tmp_path: Path) -> None:
    """It is installed where the older one is, whose image is all that it needs; elsewhere it says so."""
    output = tmp_path / "small"
    with LiveDisplay(Console(file=io.StringIO())) as display:
        deliver(made.workspace, str(made.recipe), output, "int8", made.key, display, made.first)
    whole, small = map(archive_size, (made.second, output))
    assert small < whole / 20
    conf = dict(line.split("=", 1) for line in (made.first / "site.conf").read_text().splitlines())
    assert f"BASE_ID={conf['IMAGE_ID']}\n" in (output / "site.conf").read_text()
    assert site.run(made.first, "install").returncode == 0
    remove_image(output)
    installed = site.run(output, "install")
    assert installed.returncode == 0, installed.stderr
    assert site.version() == "int8"


def test_two_deliveries_side_by_side(made: Made) -> None:
    """What changes for the client is told: the variant and its figures; of packages nothing here."""
    rows = {row.what: row for row in changes(made.first, made.second)}
    assert (rows["variant"].first, rows["variant"].second) == ("baseline", "int8")
    assert rows["run"].first == rows["run"].second
    assert rows["image"].first != rows["image"].second
    assert not [what for what in rows if what.startswith("pkg:")]


def remove_image(delivery: Path) -> None:
    """Remove a delivery's image from the engine, as on a machine that has never had it."""
    conf = dict(line.split("=", 1) for line in (delivery / "site.conf").read_text().splitlines())
    subprocess.run(["docker", "rmi", "--force", conf["IMAGE_ID"]], capture_output=True, check=True)


def test_the_same_record_gives_the_same_layers(made: Made, tmp_path: Path) -> None:
    again = made_of(made.workspace, made.recipe, tmp_path / "again", made.key, "int8")
    assert read_layers(again) == read_layers(made.second)
    with pytest.raises(InputProblem, match="already"):
        made_of(made.workspace, made.recipe, tmp_path / "again", made.key, "int8")


def test_it_is_installed_beside_the_older_one_and_rolled_back(made: Made, site: Site) -> None:
    """Verified with the key, tested by itself, switched over when healthy; answers are those of the model."""
    public = str(made.key.with_suffix(".pub"))
    image = sorted((made.workspace.model("digits") / "data" / "test" / "images").glob("*.png"))[0]
    installed = site.run(made.first, "install", "--key", public)
    assert installed.returncode == 0, installed.stderr
    assert "self-test passed" in installed.stdout
    assert site.version() == "baseline"
    first = site.read(image)["found"][0]["class"]
    assert site.run(made.second, "install", "--key", public).returncode == 0
    assert site.version() == "int8"
    assert site.read(image)["found"][0]["class"] == first
    assert site.run(made.second, "rollback").returncode == 0
    assert site.version() == "baseline"
    status = site.run(made.second, "status").stdout
    assert "running baseline" in status
    assert "exited int8" in status


READ_INSIDE = """
import sys, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8080/v1/read", sys.stdin.buffer.read()).read().decode())
"""


def test_an_engine_without_a_network(made: Made, second_engine: SecondEngine) -> None:
    """All that is needed is in the folder: installed, read with, updated, rolled back and removed in an
    engine that has neither images nor a network of any kind.
    """
    site = Site(f"dockyard-tested-{uuid4().hex[:8]}", 8080, f"unix://{second_engine.socket}")
    image = sorted((made.workspace.model("digits") / "data" / "test" / "images").glob("*.png"))[0]
    for delivery, version in ((made.first, "baseline"), (made.second, "int8")):
        installed = site.run(delivery, "install")
        assert installed.returncode == 0, installed.stderr
        assert "self-test passed" in installed.stdout
        assert site.version() == version
    assert (
        site.docker("container", "inspect", "--format", "{{.State.Health.Status}}", site.name) == "healthy\n"
    )
    inside = ["docker", "exec", "--interactive", site.name, "python", "-c", READ_INSIDE]
    told = subprocess.check_output(inside, input=image.read_bytes(), env=site.environment)
    assert json.loads(told)["found"][0]["class"].isdigit()
    assert site.run(made.second, "rollback").returncode == 0
    assert site.version() == "baseline"
    assert site.run(made.second, "uninstall").returncode == 0
    assert site.docker("container", "ls", "--all", "--quiet") == ""
    assert "dockyard-delivery" not in site.docker("image", "ls")


def statuses_logged(site: Site) -> Counter[int]:
    """How many requests to read an image the service says that it has answered, by status."""
    lines = [json.loads(line) for line in site.docker("logs", site.name).splitlines()]
    return Counter(line["status"] for line in lines if line.get("path") == "/v1/read")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_it_ends_and_begins_under_load(made: Made, site: Site, how: str) -> None:
    """Told to stop it answers all that it has accepted: each answer that it logs has come to its client.
    Killed it loses what it was at, gives no wrong answer, and serves again when it is started.
    """
    image = sorted((made.workspace.model("digits") / "data" / "test" / "images").glob("*.png"))[0]
    assert site.run(made.second, "install").returncode == 0
    expect = json.dumps(site.read(image)["found"][0]["class"])
    address = site.docker("container", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", site.name)
    url = f"http://{address.strip()}:8080/v1/read"
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(lambda: asyncio.run(load(url, image.read_bytes(), expect, 16, 8.0)))
        time.sleep(3)
        site.docker(how, site.name)
        logged = statuses_logged(site) - Counter({200: 1})  # the one that asked what to expect
        assert site.docker("container", "inspect", "--format", "{{.State.Running}}", site.name) == "false\n"
        seen = loading.result()
    assert all("Error: " in wrong or "Timeout: " in wrong for wrong in seen.wrong), seen.wrong
    assert logged[200] > 50
    if how == "stop":
        assert seen.statuses == logged
        assert site.docker("container", "inspect", "--format", "{{.State.ExitCode}}", site.name) == "0\n"
    print(how, dict(logged), "answered", dict(seen.statuses), "never accepted", len(seen.wrong))
    site.docker("start", site.name)
    deadline = time.monotonic() + 60
    while site.docker("inspect", "--format", "{{.State.Health.Status}}", site.name).strip() != "healthy":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert json.dumps(site.read(image)["found"][0]["class"]) == expect


def test_what_does_not_fit_changes_nothing(made: Made, site: Site, tmp_path: Path) -> None:
    """A port that is taken, a foreign key, a file that was changed: told, and the version that ran runs."""
    assert site.run(made.first, "install").returncode == 0
    foreign = new_key(tmp_path / "foreign.pem").with_suffix(".pub")
    refused = site.run(made.second, "install", "--key", str(foreign))
    assert refused.returncode == 1
    assert "it is signed by" in refused.stderr
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        elsewhere = Site(site.name, taken.getsockname()[1])
        failed = elsewhere.run(made.second, "install")
    assert failed.returncode == 1
    assert "is the port taken?" in failed.stderr
    assert site.version() == "baseline"
    assert site.run(made.second, "install", "--cpu").returncode == 2


def without_engine(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call a delivery's `run` as somebody who is nobody here, in an environment of his own."""
    command = ["sh", str(folder / "run"), *arguments]
    return subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *command],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "TMPDIR": str(folder.parent / "tmp")},
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_it_runs_without_an_engine(made: Made) -> None:
    """Without docker, root and a home, in folders with blanks: images and a video are read as the container
    does; what was changed by a byte is refused before anything is unpacked.
    """
    place = Path(tempfile.mkdtemp(prefix="run without "))
    place.chmod(0o755)
    try:
        folder, temporary = place / "a delivery", place / "tmp"
        shutil.copytree(made.second, folder)
        temporary.mkdir()
        temporary.chmod(0o777)
        image = sorted((made.workspace.model("digits") / "data" / "test" / "images").glob("*.png"))[0]
        shutil.copyfile(image, place / "a digit.png")
        pixels = cv2.imread(str(image))
        assert pixels is not None
        write_video(place / "a video.mp4", [frame_of(np.asarray(pixels))] * 2)
        inputs = [str(place / "a digit.png"), str(place / "a video.mp4"), str(place / "missing.png")]
        read = without_engine(folder, "read", *inputs)
        assert read.returncode == 1, read.stderr
        assert "missing.png" in read.stderr
        lines = [json.loads(line) for line in read.stdout.splitlines()]
        assert [Path(line["image"]).name for line in lines] == ["a digit.png", "a video.mp4", "a video.mp4"]
        assert len({line["class"] for line in lines}) == 1
        tested = without_engine(folder, "self-test")
        assert (tested.returncode, "self-test passed" in tested.stdout) == (0, True), tested.stderr
        shutil.rmtree(temporary / "dockyard-65534")
        with (folder / "image.tar.zst.001").open("r+b") as file:
            file.seek(1000)
            file.write(bytes(1))
        refused = without_engine(folder, "read", *inputs)
        assert refused.returncode == 1
        assert "a file is not as it was made" in refused.stderr
        assert not list((temporary / "dockyard-65534").iterdir())
    finally:
        shutil.rmtree(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_disk_without_room_for_it(made: Made, tmp_path: Path) -> None:
    """What cannot be unpacked is told in a line with the folder, and leaves nothing of it."""
    small = tmp_path / "small disk"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "none", str(small)], check=True)
    try:
        environment = {**os.environ, "DOCKYARD_UNPACKED": str(small / "here")}
        command = ["sh", str(made.second / "run"), "self-test"]
        failed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert failed.returncode == 3
        assert f"is there room on the disk? {small}/here" in failed.stderr
        assert not list((small / "here").iterdir())
        command = ["sh", str(made.second / "copy.sh"), str(small / "copy")]
        failed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert failed.returncode == 1
        assert "is there room on the disk? then call this again" in failed.stderr
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def test_it_has_what_it_needs_and_no_more(made: Made) -> None:
    """No shell, no installer, no other device's code: and under 500 MB with what decodes videos."""
    conf = dict(line.split("=", 1) for line in (made.second / "site.conf").read_text().splitlines())
    listing = (
        "import os; print(*os.listdir('/usr/bin'), *os.listdir('/usr/sbin'), *os.listdir('/opt/venv/bin'))"
    )
    command = ["docker", "run", "--rm", "--entrypoint", "python", conf["IMAGE_ID"], "-c", listing]
    names = set(subprocess.check_output(command, text=True).split())
    assert "python3.11" in names
    assert not {"sh", "bash", "dash", "apt", "dpkg", "perl", "tar", "pip"} & names
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", conf["IMAGE_ID"]]
    assert int(subprocess.check_output(command)) < 500e6


def test_without_what_decodes_videos(made: Made, tmp_path: Path) -> None:
    """Where images alone are read the image has under 400 MB, and a video is refused in one line."""
    output = tmp_path / "images"
    with LiveDisplay(Console(file=io.StringIO())) as display:
        delivered = deliver(
            made.workspace, str(made.recipe), output, "int8", None, display, decodes_videos=False
        )
    assert delivered.image.size < 400e6
    command = ["docker", "run", "--rm", delivered.image.id, "read", "a.mp4"]
    read = subprocess.run(command, capture_output=True, text=True, check=False)
    assert read.returncode == 1
    assert "a.mp4: it is a video, and this delivery reads images alone" in read.stderr


def test_cut_off_at_any_moment_a_version_runs(made: Made, site: Site) -> None:
    """Killed without a chance to tidy up, ten times, later each time: after the next call a version runs."""
    assert site.run(made.first, "install").returncode == 0
    started = time.monotonic()
    assert site.run(made.second, "install").returncode == 0
    whole_s = time.monotonic() - started
    for cut in range(CUTS):
        with subprocess.Popen(
            site.command(made.first if cut % 2 == 0 else made.second, "install"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            time.sleep(whole_s * (cut + 0.5) / CUTS)
            os.killpg(process.pid, signal.SIGKILL)
        mended = site.run(made.second, "rollback")
        assert site.version() in ("baseline", "int8"), f"cut {cut}: {mended.stderr}"
    assert site.run(made.second, "install").returncode == 0
    assert site.version() == "int8"
