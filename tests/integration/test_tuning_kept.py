"""What a container leaves in a followed folder is on the host, however it ends, and before it does."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from dockyard.engines import FollowedFolder, Limits
from dockyard.engines.docker import DockerExecutor
from dockyard.recipe.workspace import SHARED
from shared.contract.errors import EnvironmentProblem
from tests.fakes import attempt
from tests.integration.conftest import DOCKYARD, containers_of_job

TARGET, TOOLCHAIN = "intel-openvino", "2026.4"
NAME = "znver4.json.gz"
FOLLOWED = FollowedFolder("tuning", ".json.gz", 64)


@pytest.fixture(scope="module")
def executor() -> DockerExecutor:
    """A real Docker engine that looks at the databases twice a second."""
    try:
        found = DockerExecutor(DOCKYARD, fetch_s=0.5)
        found.prepare(TARGET, TOOLCHAIN, print)
    except EnvironmentProblem as problem:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs a container engine: {problem}")
        pytest.skip(f"no container engine: {problem.what}")
    return found


WRITER = f"""
import os, pathlib, sys, time
job = pathlib.Path('/job')
def write(text):
    (job / 'tmp').write_text(text)
    os.replace(job / 'tmp', job / 'tuning' / '{NAME}')
"""
"""The beginning of a job that leaves its files whole or not at all."""


@pytest.fixture
def tuning_job(tmp_path: Path) -> Callable[[str], Path]:
    """Make the folder of a job that tunes: it writes the bytes `one`, prints `one`, and goes on as the text
    says.
    """

    def make(then: str) -> Path:
        folder = tmp_path / f"job-{uuid4().hex}"  # what tells its container from those of other tests
        shutil.copytree(SHARED, folder / "code" / "shared")
        script = folder / "code" / "targets" / TARGET / "entry.py"
        script.parent.mkdir(parents=True)
        script.write_text(f"{WRITER}write('one')\nprint('one', flush=True)\n{then}\n")
        for name in ("outputs", "tuning"):
            (folder / name).mkdir()
        return folder

    return make


def interrupt(line: str) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("then", "limits", "on_line"),
    [
        ("sys.exit(0)", Limits(60, 512), print),
        ("sys.exit(1)", Limits(60, 512), print),
        ("time.sleep(600)", Limits(3, 512), print),
        ("data = [bytearray(8 << 20) for _ in range(1000)]", Limits(60, 128), print),
        ("time.sleep(600)", Limits(60, 512), interrupt),
    ],
    ids=["done", "failed", "time limit", "memory", "interrupt"],
)
def test_databases_come_back(
    executor: DockerExecutor,
    tuning_job: Callable[[str], Path],
    then: str,
    limits: Limits,
    on_line: Callable[[str], None],
) -> None:
    """However a container ends, its databases are on the host before it is removed."""
    folder = tuning_job(then)
    attempt(KeyboardInterrupt, executor.run, TARGET, TOOLCHAIN, folder, limits, on_line, FOLLOWED)
    assert (folder / "tuning" / NAME).read_text() == "one"
    assert sorted(p.name for p in folder.iterdir()) == ["code", "outputs", "tuning"]
    assert containers_of_job(folder.name) == []


def test_databases_come_back_meanwhile(executor: DockerExecutor, tuning_job: Callable[[str], Path]) -> None:
    """While a container still tunes, what it has found out so far is on the host; at its end, all of it."""
    folder = tuning_job("time.sleep(4)\nprint('two', flush=True)\ntime.sleep(1)\nwrite('three')")
    seen: list[tuple[str, str]] = []

    def look(line: str) -> None:
        path = folder / "tuning" / NAME
        seen.append((line, path.read_text() if path.is_file() else ""))

    executor.run(TARGET, TOOLCHAIN, folder, Limits(60, 512), look, FOLLOWED)
    assert seen[1] == ("two", "one")
    assert (folder / "tuning" / NAME).read_text() == "three"


def test_what_is_no_plain_file_does_not_come_back(
    executor: DockerExecutor, tuning_job: Callable[[str], Path]
) -> None:
    """A link among the databases is told and not followed; the job's end is what it was."""
    place = f"job / 'tuning' / '{NAME}'"
    folder = tuning_job(f"os.remove({place})\nos.symlink('/etc/passwd', {place})\nsys.exit(5)")
    lines: list[str] = []
    left = executor.run(TARGET, TOOLCHAIN, folder, Limits(60, 512), lines.append, FOLLOWED)
    assert (left.exit_code, left.reason) == (5, "")
    assert "could not be fetched" in lines[-1]
    assert not (folder / "tuning" / NAME).is_symlink()


NETWORK = "import socket\nprint('interfaces', sorted(n for _, n in socket.if_nameindex()), flush=True)"


def test_only_a_tracker_opens_the_network(
    executor: DockerExecutor, tuning_job: Callable[[str], Path]
) -> None:
    """A job that tunes on this machine has no network; one that tunes on others has this machine's."""
    folder = tuning_job(NETWORK)
    lines: list[str] = []
    executor.run(TARGET, TOOLCHAIN, folder, Limits(60, 512), lines.append)
    executor.run(TARGET, TOOLCHAIN, folder, Limits(60, 512, host_network=True), lines.append)
    closed, opened = (line for line in lines if line.startswith("interfaces"))
    assert closed == "interfaces ['lo']"
    assert all(repr(name) in opened for _, name in socket.if_nameindex())
