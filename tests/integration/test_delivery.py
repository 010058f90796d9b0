"""A delivery made of a real build, verified, installed beside an older one, cut off, rolled back, removed."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
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

from dockyard.deliver.bundle import read_layers
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
from tests.integration.test_build import DIGITS
from tests.unit.test_receipt import new_key

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
    workspace, recipe = new_workspace(folder / "workspace"), folder / "digits.json"
    recipe.write_text(json.dumps({**DIGITS, "optimizations": ["baseline", "int8"]}))
    printed = io.StringIO()
    build(workspace, str(recipe), Console(file=printed, width=200), engine="docker")
    key = new_key(folder / "key.pem")
    first = made_of(workspace, recipe, folder / "first", key, "baseline")
    return Made(workspace, recipe, key, first, made_of(workspace, recipe, folder / "second", key, "int8"))


@dataclass(frozen=True)
class Site:
    """A client's machine: a name of its own for the service, and a port that is free."""

    name: str
    port: int

    def command(self, delivery: Path, *arguments: str) -> list[str]:
        return ["sh", str(delivery / "install.sh"), *arguments, "--name", self.name, "--port", str(self.port)]

    def run(self, delivery: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(delivery, *arguments), capture_output=True, text=True, check=False)

    def version(self) -> str:
        """The variant that answers, by its image; empty where none does."""
        form = '{{.State.Running}} {{index .Config.Labels "org.opencontainers.image.version"}}'
        command = ["docker", "container", "inspect", "--format", form, self.name]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
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
    whole, small = ((one / "image.tar.zst").stat().st_size for one in (made.second, output))
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
