"""Engines: which one is taken and why; a job in a virtual environment is bounded and ends with its host."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines import FollowedFolder, JobExit, Limits, entry_script, images
from dockyard.engines.archives import receive
from dockyard.engines.choice import choose_executor
from dockyard.engines.docker import fetch_followed
from dockyard.engines.host_process import machine_id
from dockyard.engines.job_container import MAX_LINE, log_lines
from dockyard.engines.time_limit import time_limit
from dockyard.engines.venv import VenvExecutor
from dockyard.recipe.hashing import json_hash
from dockyard.recipe.workspace import PRODUCT, SHARED, Workspace
from shared.contract.errors import EnvironmentProblem, InputProblem, JobFailed
from tests.unit.test_unpack import archive


@pytest.fixture
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no Docker engine answers and no context is known."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker-config"))
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    command = tmp_path / "bin" / "docker"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")


def ignore(line: str) -> None:
    """Take a line and do nothing with it."""


def test_unknown_engine(workspace: Workspace) -> None:
    """An engine that is none is refused with the nearest."""
    with pytest.raises(InputProblem, match="did you mean 'docker'") as caught:
        choose_executor(workspace, "dokcer", None, [], ignore)
    assert caught.value.where == "--engine"


def test_context_is_dockers(workspace: Workspace) -> None:
    """A Docker context beside `--engine venv` is refused."""
    with pytest.raises(InputProblem, match="--context"):
        choose_executor(workspace, "venv", "jetson", [], ignore)


def test_venv_as_asked(workspace: Workspace) -> None:
    """Virtual environments are taken when they are asked for."""
    executor, why = choose_executor(workspace, "venv", None, [], ignore)
    assert (executor.name, why) == ("venv", "virtual environments, as asked")


@pytest.mark.usefixtures("no_docker")
def test_auto_without_an_engine(workspace: Workspace) -> None:
    """Where no engine answers auto takes virtual environments and says why in one line."""
    executor, why = choose_executor(workspace, "auto", None, [("tensorflow", "2.21")], ignore)
    assert executor.name == "venv"
    assert why.startswith("virtual environments, because no Docker engine answers")
    assert "\n" not in why


def test_virtual_environments_have_no_vendors_image(workspace: Workspace) -> None:
    """What a toolchain asks of a machine is asked without Docker, too, before the work begins."""
    pairs = [("tensorflow", "2.21"), ("l4t-tensorrt", "10.3")]
    (finding,) = VenvExecutor(workspace).examine(pairs)
    assert (finding.level, finding.what.startswith("l4t-tensorrt 10.3 ")) == ("bad", True)


@pytest.mark.usefixtures("no_docker")
def test_docker_without_an_engine(workspace: Workspace) -> None:
    """Docker asked for where no engine answers is a problem of the environment, with what to do."""
    with pytest.raises(EnvironmentProblem, match="no Docker engine answers") as caught:
        choose_executor(workspace, "docker", None, [], ignore)
    assert caught.value.exit_code == 3
    assert "--engine venv" in caught.value.advice


@pytest.mark.usefixtures("no_docker")
@pytest.mark.parametrize("wanted", ["auto", "docker"])
def test_unknown_context(workspace: Workspace, wanted: str) -> None:
    """A Docker context that is not there is told by name, also with auto."""
    with pytest.raises(EnvironmentProblem, match="there is no Docker context 'jetson'"):
        choose_executor(workspace, wanted, "jetson", [], ignore)


LIMITS = Limits(time_s=30, memory_mb=1000)


class JobOfOne:
    """A job folder whose entry script is given, in a virtual environment that is this test's own Python."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        python = workspace.state / "venvs" / "made-up-1" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        self.workspace, self.folder = workspace, folder
        self.lines: list[str] = []

    def write(self, script: str) -> None:
        shutil.copytree(SHARED, self.folder / "code" / "shared", dirs_exist_ok=True)
        path = self.folder / entry_script("made-up")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import json, os, subprocess, sys, time\n" + script)

    def run(self, script: str, limits: Limits = LIMITS) -> JobExit:
        self.write(script)
        return VenvExecutor(self.workspace).run("made-up", "1", self.folder, limits, self.lines.append)


@pytest.fixture
def job(workspace: Workspace, tmp_path: Path) -> JobOfOne:
    return JobOfOne(workspace, tmp_path / "job")


def test_job_runs_in_its_folder(job: JobOfOne) -> None:
    """A job gets its folder as argument, working directory and home, and its code on the path."""
    found = "[sys.argv[1:], os.getcwd(), os.environ['HOME'], os.environ['PYTHONPATH']]"
    left = job.run(f"print(json.dumps({found}))\nprint('two', file=sys.stderr)\nsys.exit(3)")
    folder = str(job.folder)
    assert (left.exit_code, left.reason) == (3, "")
    wanted = [json.dumps([["--job", folder], folder, folder, f"{folder}/code"]), "two"]
    assert sorted(job.lines) == sorted(wanted)
    assert left.seconds > 0


def test_secrets_stay_outside(job: JobOfOne, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine's environment holds is not handed to a job."""
    monkeypatch.setenv("INDEX_PASSWORD", "hunter2")
    job.run("print(dict(os.environ))")
    assert "hunter2" not in job.lines[0]


def test_any_byte_may_be_printed(job: JobOfOne) -> None:
    """A job may print bytes that are no text."""
    assert job.run(r"sys.stdout.buffer.write(b'\xff\xfe\nok\n')").exit_code == 0
    assert job.lines[-1] == "ok"


FORK = """child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
print(child.pid, flush=True)
"""
QUIET_FORK = FORK.replace("])", "], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)")


def ends(pid: int) -> bool:
    """Tell whether a process is gone within a few seconds (a zombie is)."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_time_limit(job: JobOfOne) -> None:
    """A job that passes its time limit is ended with all that it started, and the reason says so."""
    left = job.run(FORK + "time.sleep(60)", Limits(time_s=1, memory_mb=1000))
    assert (left.reason, left.expired) == ("stopped at its time limit of 1 s", True)
    assert left.seconds < 20
    assert ends(int(job.lines[0]))


def test_nothing_is_left_running(job: JobOfOne) -> None:
    """What a job started and left behind ends with it."""
    job.run(QUIET_FORK)
    assert ends(int(job.lines[0]))


def test_interrupt(job: JobOfOne) -> None:
    """Ctrl-C while a job runs ends the job with all that it started."""
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    job.write(FORK + "time.sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        VenvExecutor(job.workspace).run("made-up", "1", job.folder, LIMITS, interrupt)
    assert ends(pids[0])


def test_killed(job: JobOfOne) -> None:
    """A job that a signal ended is told with the signal's name."""
    assert job.run("os.kill(os.getpid(), 9)").reason == "ended by signal SIGKILL"


HOST = """
import sys
from pathlib import Path
from dockyard.engines import Limits
from dockyard.engines.venv import VenvExecutor
from dockyard.recipe.workspace import Workspace
show = lambda line: print(line, flush=True)
VenvExecutor(Workspace(Path(sys.argv[1]))).run("made-up", "1", Path(sys.argv[2]), Limits(60, 1000), show)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_host_that_is_killed(job: JobOfOne, number: signal.Signals) -> None:
    """A host that is killed, and can end nothing itself, takes its job with it and all that this started."""
    job.write(QUIET_FORK + "print(os.getpid(), flush=True)\ntime.sleep(60)")
    command = [sys.executable, "-c", HOST, str(job.workspace.root), str(job.folder)]
    with subprocess.Popen(
        command, cwd=PRODUCT, stdout=subprocess.PIPE, text=True, preexec_fn=listen_to_hangups
    ) as host:
        assert host.stdout is not None
        pids = [int(host.stdout.readline()), int(host.stdout.readline())]
        assert all(psutil.pid_exists(pid) for pid in pids)
        os.kill(host.pid, number)
        assert all(ends(pid) for pid in pids)


def listen_to_hangups() -> None:
    """Undo what nohup does, under which the tests may run."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_other_jobs_live_on(job: JobOfOne) -> None:
    """The end of a job does not touch a process that another one started."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        assert job.run("print('over')").exit_code == 0
        time.sleep(0.2)
        assert other.poll() is None
        other.kill()


def test_environment_is_made_once(workspace: Workspace) -> None:
    """An environment whose lock has not changed is taken as it is."""
    folder = workspace.state / "venvs" / "tensorflow-2.21"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    lock = images.lock_digest(workspace, "tensorflow", "2.21")
    (folder / "dockyard-lock").write_text(lock + "\n")
    lines: list[str] = []
    assert VenvExecutor(workspace).prepare("tensorflow", "2.21", lines.append) == {"lock": lock}
    assert lines == []


def test_device_is_this_machine(workspace: Workspace, tmp_path: Path) -> None:
    """All executors of virtual environments on one machine have one device, whatever the workspace."""
    device = VenvExecutor(workspace).device
    assert device == VenvExecutor(Workspace(tmp_path)).device
    assert device


def test_device_outlives_a_restart(workspace: Workspace) -> None:
    """It follows from what names the machine alone, not from its boot: what is kept for it is found again."""
    assert VenvExecutor(workspace).device == json_hash(["venv", machine_id()])[:16]
    assert machine_id() == json_hash([platform.node(), machine_file()])[:16]


def machine_file() -> str:
    """Return what the system wrote when it was installed, if anything."""
    path = Path("/etc/machine-id")
    return path.read_text().strip() if path.is_file() else ""


def test_time_limit_that_is_kept() -> None:
    """What ends before its time limit is left alone, also later."""
    calls: list[str] = []
    with time_limit(0.2, lambda: calls.append("ended")) as expired:
        pass
    time.sleep(0.4)
    assert (calls, expired.is_set()) == ([], False)


def test_time_limit_that_is_passed() -> None:
    """What takes longer is ended, once, and the event says so."""
    ended = threading.Event()
    with time_limit(0.05, ended.set) as expired:
        assert ended.wait(10)
    assert expired.is_set()


class FakeContainer:
    """A container whose job folder holds files by path; all else is not there."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def fetch(self, folder: str, into: Path, limit_mb: int) -> None:
        members = [
            (name.removeprefix(str(Path(folder).parent) + "/"), content)
            for name, content in self.files.items()
            if name.startswith(folder + "/")
        ]
        receive([archive(*members).getvalue()], into, limit_mb << 20)


def test_followed_folder(tmp_path: Path) -> None:
    """Of a followed folder the files with the suffix are fetched; each takes the place of the one before."""
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "a.json.gz").write_bytes(b"old")
    files = {
        "found/a.json.gz": b"new",
        "found/a.json.gz.part": b"half",
        "found/b.json.gz": b"b",
        "outputs/c": b"c",
    }
    fetch_followed(FakeContainer(files), FollowedFolder("found", ".json.gz", 1), tmp_path)
    kept = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {"a.json.gz": b"new", "b.json.gz": b"b"}


def test_followed_folder_that_is_too_large(tmp_path: Path) -> None:
    """A followed folder with more than may be in it is refused, and what was fetched before stays."""
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "a.bin").write_bytes(b"old")
    with pytest.raises(JobFailed, match="more than 1 MB"):
        fetch_followed(
            FakeContainer({"found/a.bin": b"x" * (2 << 20)}), FollowedFolder("found", ".bin", 1), tmp_path
        )
    assert (tmp_path / "found" / "a.bin").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["found"]


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_lines_of_a_log(chunks: list[bytes]) -> None:
    """A log's lines are the same however the engine cuts the stream, and none is too long."""
    whole = b"".join(chunks)
    wanted = [line.decode("utf-8", "replace") for line in whole.split(b"\n")]
    wanted = wanted[:-1] if not wanted[-1] else wanted
    assert list(log_lines(chunks)) == wanted


def test_line_without_end_is_cut() -> None:
    """A line that never ends takes no more than its part of memory."""
    (line,) = log_lines([b"x" * 10_000] * 50)
    assert len(line) == MAX_LINE
