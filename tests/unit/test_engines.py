"""Engines: which one is taken and why, and that a job in a virtual environment is bounded and ends with its run."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import psutil
import pytest

from dockyard.engines import Ended, Limits, entry_script, images
from dockyard.engines.choose import choose_engine
from dockyard.engines.venv import VenvEngine
from shared.contract.errors import EnvironmentProblem, InputProblem


@pytest.fixture
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no Docker engine answers and no context is known."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker-config"))
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)


def ignore(line: str) -> None:
    """Take a line and do nothing with it."""


def test_unknown_engine() -> None:
    """An engine that is none is refused with the nearest."""
    with pytest.raises(InputProblem, match="did you mean 'docker'") as caught:
        choose_engine("dokcer", None, {}, ignore)
    assert caught.value.where == "--engine"


def test_context_is_dockers() -> None:
    """A Docker context beside `--engine venv` is refused."""
    with pytest.raises(InputProblem, match="--context"):
        choose_engine("venv", "jetson", {}, ignore)


def test_venv_as_asked() -> None:
    """Virtual environments are taken when they are asked for."""
    engine, why = choose_engine("venv", None, {}, ignore)
    assert (engine.name, why) == ("venv", "virtual environments, as asked")


@pytest.mark.usefixtures("no_docker")
def test_auto_without_an_engine() -> None:
    """Where no engine answers auto takes virtual environments and says why in one line."""
    engine, why = choose_engine("auto", None, {"tensorflow": "2.21"}, ignore)
    assert engine.name == "venv"
    assert why.startswith("virtual environments, because no Docker engine answers")
    assert "\n" not in why


@pytest.mark.usefixtures("no_docker")
def test_docker_without_an_engine() -> None:
    """Docker asked for where no engine answers is a problem of the environment, with what to do."""
    with pytest.raises(EnvironmentProblem, match="no Docker engine answers") as caught:
        choose_engine("docker", None, {}, ignore)
    assert caught.value.exit_code == 3
    assert "--engine venv" in caught.value.advice


@pytest.mark.usefixtures("no_docker")
@pytest.mark.parametrize("wanted", ["auto", "docker"])
def test_unknown_context(wanted: str) -> None:
    """A Docker context that is not there is told by name, also with auto."""
    with pytest.raises(EnvironmentProblem, match="there is no Docker context 'jetson'"):
        choose_engine(wanted, "jetson", {}, ignore)


LIMITS = Limits(time_s=30, memory_mb=1000)


class Job:
    """A job folder whose entry script is given, in a virtual environment that is this test's own Python."""

    def __init__(self, state: Path, folder: Path) -> None:
        python = state / "venvs" / "made-up-1" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        self.folder = folder
        self.lines: list[str] = []

    def run(self, script: str, limits: Limits = LIMITS) -> Ended:
        path = self.folder / entry_script("made-up")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import json, os, subprocess, sys, time\n" + script)
        return VenvEngine().run("made-up", "1", self.folder, limits, self.lines.append)


@pytest.fixture
def job(state: Path, tmp_path: Path) -> Job:
    return Job(state, tmp_path / "job")


def test_job_runs_in_its_folder(job: Job) -> None:
    """A job gets its folder as argument, working directory and home, its code on the path, and its lines are handed on."""
    told = "[sys.argv[1:], os.getcwd(), os.environ['HOME'], os.environ['PYTHONPATH']]"
    ended = job.run(f"print(json.dumps({told}))\nprint('two', file=sys.stderr)\nsys.exit(3)")
    folder = str(job.folder)
    assert (ended.exit_code, ended.reason) == (3, "")
    assert sorted(job.lines) == sorted([json.dumps([["--job", folder], folder, folder, f"{folder}/code"]), "two"])
    assert ended.seconds > 0


def test_secrets_stay_outside(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine's environment holds is not handed to a job."""
    monkeypatch.setenv("INDEX_PASSWORD", "hunter2")
    job.run("print(dict(os.environ))")
    assert "hunter2" not in job.lines[0]


def test_any_byte_may_be_printed(job: Job) -> None:
    """A job may print bytes that are no text."""
    assert job.run(r"sys.stdout.buffer.write(b'\xff\xfe\nok\n')").exit_code == 0
    assert job.lines[-1] == "ok"


FORK = "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\nprint(child.pid, flush=True)\n"


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


def test_time_limit(job: Job) -> None:
    """A job that passes its time limit is ended with all that it started, and told so."""
    ended = job.run(FORK + "time.sleep(60)", Limits(time_s=1, memory_mb=1000))
    assert ended.reason == "stopped at its time limit of 1 s"
    assert ended.seconds < 20
    assert ends(int(job.lines[0]))


def test_nothing_is_left_running(job: Job) -> None:
    """What a job started and left behind ends with it."""
    job.run(FORK.replace("[sys.executable", "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, args=[sys.executable"))
    assert ends(int(job.lines[0]))


def test_interrupt(job: Job) -> None:
    """Ctrl-C while a job runs ends the job with all that it started."""
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    path = job.folder / entry_script("made-up")
    path.parent.mkdir(parents=True)
    path.write_text("import subprocess, sys, time\n" + FORK + "time.sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        VenvEngine().run("made-up", "1", job.folder, LIMITS, interrupt)
    assert ends(pids[0])


def test_killed(job: Job) -> None:
    """A job that a signal ended is told with the signal's name."""
    assert job.run("os.kill(os.getpid(), 9)").reason == "ended by signal SIGKILL"


def test_environment_is_made_once(state: Path) -> None:
    """An environment whose lock has not changed is taken as it is."""
    folder = state / "venvs" / "tensorflow-2.21"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    lock = images.lock_digest("tensorflow", "2.21")
    (folder / "dockyard-lock").write_text(lock + "\n")
    lines: list[str] = []
    assert VenvEngine().prepare("tensorflow", "2.21", lines.append) == {"lock": lock}
    assert lines == []
