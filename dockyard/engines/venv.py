"""The embedded engine, for people without Docker: virtual environments on this machine."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from dockyard import package_index
from dockyard.engines import (
    LAUNCHER,
    Finding,
    FollowedFolder,
    JobExit,
    Limits,
    OnLine,
    OnStarted,
    entry_script,
    images,
)
from dockyard.engines.host_process import machine_id
from dockyard.engines.lifeline import lifeline
from dockyard.engines.preflight import examine_machine
from dockyard.engines.processes import ask_here, stream
from dockyard.engines.time_limit import time_limit
from dockyard.recipe.hashing import json_hash
from dockyard.recipe.locks import locked
from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import Workspace
from shared.contract.cgroup import memory_limit
from shared.contract.errors import EnvironmentProblem

MARKER = "dockyard-lock"


class VenvExecutor:
    """Runs jobs in `.dockyard/venvs/<target>-<toolchain>`, made with uv from the lock of the target's image.

    Its device is this machine, the same after a restart: what was made on it is found again.
    """

    name = "venv"
    is_local = True

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.device = json_hash([self.name, machine_id()])[:16]
        self.place: Mapping[str, str] = {}
        self.memory_mb = int(min(psutil.virtual_memory().total, memory_limit()) / 1e6)

    def close(self) -> None:
        pass

    def examine(self, toolchains: Iterable[tuple[str, str]]) -> Iterator[Finding]:
        for target, toolchain in toolchains:
            wanted = load_target(self._workspace, target, "venv").toolchains[toolchain].platform
            yield from examine_machine(f"{target} {toolchain}", wanted, platform.machine(), ask_here)

    def observe(self, toolchains: Iterable[tuple[str, str]]) -> Mapping[str, str]:
        return {}

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        folder = self._folder(target, toolchain)
        lock = images.lock_digest(self._workspace, target, toolchain)
        # Workspaces may share the environments by a link.
        with locked(folder.parent / f".{folder.name}.lock"):
            if not _is_made(folder, lock):
                self._make(folder, lock, target, toolchain, on_line)
        return {"lock": lock}

    def _make(self, folder: Path, lock: str, target: str, toolchain: str, on_line: OnLine) -> None:
        """Make an environment anew.

        Args:
            lock: digest of the lock file, which marks it as whole.
        """
        on_line(f"installing {target} {toolchain} into {self._workspace.display_path(folder)}")
        shutil.rmtree(folder, ignore_errors=True)
        uv = find_uv()
        wanted = load_target(self._workspace, target, "venv").toolchains[toolchain].python or sys.executable
        run_uv([uv, "venv", "--quiet", "--python", wanted, str(folder)], on_line)
        requirements = str(images.lock_file(self._workspace, target, toolchain))
        sync = [uv, "pip", "sync", "--require-hashes", "--compile-bytecode", "--python", str(_python(folder))]
        run_uv([*sync, requirements], on_line)
        (folder / MARKER).write_text(lock + "\n")

    def run(
        self,
        target: str,
        toolchain: str,
        folder: Path,
        limits: Limits,
        on_line: OnLine,
        followed: FollowedFolder | None = None,
        on_started: OnStarted | None = None,
        key: str = "",
    ) -> JobExit:
        """Run a job as Executor.run has it; what it leaves in a followed folder is in `folder` at once."""
        python = _python(self._folder(target, toolchain))
        started = time.monotonic()
        with (
            lifeline() as end_with_host,
            subprocess.Popen(
                [
                    str(python),
                    str(folder / LAUNCHER),
                    str(folder / entry_script(target)),
                    "--job",
                    str(folder),
                ],
                cwd=folder,
                env=_environment(python, folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            ) as process,
        ):
            try:
                end_with_host(process.pid)
                if on_started is not None:
                    on_started(lambda word: _send(process, word))
                with time_limit(limits.time_s, lambda: _end(process)) as expired:
                    assert process.stdout is not None
                    for line in process.stdout:
                        on_line(line.rstrip("\n"))
                    code = process.wait()
            finally:
                _end(process)
        seconds = time.monotonic() - started
        if expired.is_set():
            return JobExit(code, seconds, f"stopped at its time limit of {limits.time_s} s", expired=True)
        if code < 0:
            return JobExit(code, seconds, f"ended by signal {signal.Signals(-code).name}")
        return JobExit(code, seconds)

    def _folder(self, target: str, toolchain: str) -> Path:
        return self._workspace.state / "venvs" / f"{target}-{toolchain}"


def _is_made(folder: Path, lock: str) -> bool:
    """Tell whether an environment is there, whole, from a lock file of this digest."""
    marker = folder / MARKER
    return marker.is_file() and marker.read_text().strip() == lock and _python(folder).exists()


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _environment(python: Path, folder: Path) -> dict[str, str]:
    """Return a job's whole environment: nothing of this machine's goes in, which may hold secrets."""
    return {
        "PATH": f"{python.parent}{os.pathsep}{os.defpath}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(folder / "code"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def find_uv() -> str:
    """Return uv's path: the one beside this Python, else the first on the PATH."""
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    uv = shutil.which("uv", path=folders)
    if uv is None:
        raise EnvironmentProblem("uv is not installed", "", "use ./inv, or: pip install uv")
    return uv


def run_uv(command: list[str], on_line: OnLine) -> None:
    """Run uv as pip is set up here.

    Raises:
        EnvironmentProblem: it fails.
    """
    environment = {**package_index.uv_environment(), "UV_PYTHON_DOWNLOADS": "never"}
    environment.pop("VIRTUAL_ENV", None)
    code, lines = stream(command, environment, on_line)
    if code != 0:
        what = f"the virtual environment could not be made (uv exit code {code})"
        raise EnvironmentProblem(what, "", "\n  ".join(lines[-5:]))


def _send(process: subprocess.Popen[str], word: signal.Signals) -> None:
    if word == signal.SIGKILL:
        _end(process)
    else:
        process.send_signal(word)


def _end(process: subprocess.Popen[str]) -> None:
    """End a job's whole process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
