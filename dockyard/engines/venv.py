"""The embedded engine: a virtual environment per target and toolchain on this machine, for people without Docker."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dockyard import package_index as mirror
from dockyard.engines import Ended, Limits, OnLine, entry_script, images
from dockyard.engines.processes import stream
from dockyard.recipe.catalog import load_target
from dockyard.recipe.places import STATE, shown
from shared.contract.errors import EnvironmentProblem

MARKER = "dockyard-lock"


class VenvEngine:
    """Runs jobs in `.dockyard/venvs/<target>-<toolchain>`, made with uv from the lock of the target's image."""

    name = "venv"

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        folder = self._folder(target, toolchain)
        lock = images.lock_digest(target, toolchain)
        identity = {"lock": lock}
        marker = folder / MARKER
        if marker.is_file() and marker.read_text().strip() == lock and self._python(folder).exists():
            return identity
        on_line(f"installing {target} {toolchain} into {shown(folder)}")
        shutil.rmtree(folder, ignore_errors=True)
        uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
        if uv is None:
            raise EnvironmentProblem("uv is not installed", "", "use ./inv, or: pip install uv")
        wanted = load_target(target, "venv").toolchains[toolchain].get("python", sys.executable)
        self._uv([uv, "venv", "--quiet", "--python", wanted, str(folder)], on_line)
        requirements = images.lock_file(target, toolchain)
        python = str(self._python(folder))
        self._uv([uv, "pip", "sync", "--require-hashes", "--compile-bytecode", "--python", python, str(requirements)], on_line)
        marker.write_text(lock + "\n")
        return identity

    def run(self, target: str, toolchain: str, folder: Path, limits: Limits, on_line: OnLine) -> Ended:
        python = self._python(self._folder(target, toolchain))
        environment = {
            "PATH": f"{python.parent}{os.pathsep}{os.defpath}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(folder / "code"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        started = time.monotonic()
        with subprocess.Popen(
            [str(python), str(folder / entry_script(target)), "--job", str(folder)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            expired = threading.Event()

            def expire() -> None:
                expired.set()
                _end(process)

            timer = threading.Timer(limits.time_s, expire)
            timer.daemon = True
            timer.start()
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    on_line(line.rstrip("\n"))
                code = process.wait()
            finally:
                timer.cancel()
                _end(process)
        seconds = time.monotonic() - started
        if expired.is_set():
            return Ended(code, seconds, f"stopped at its time limit of {limits.time_s} s", expired=True)
        if code < 0:
            return Ended(code, seconds, f"ended by signal {signal.Signals(-code).name}")
        return Ended(code, seconds)

    @staticmethod
    def _folder(target: str, toolchain: str) -> Path:
        return STATE / "venvs" / f"{target}-{toolchain}"

    @staticmethod
    def _python(folder: Path) -> Path:
        return folder / "bin" / "python"

    @staticmethod
    def _uv(command: list[str], on_line: OnLine) -> None:
        environment = {**mirror.uv_environment(), "UV_PYTHON_DOWNLOADS": "never"}
        environment.pop("VIRTUAL_ENV", None)
        code, lines = stream(command, environment, on_line)
        if code != 0:
            raise EnvironmentProblem(f"the virtual environment could not be made (uv exit code {code})", "", "\n  ".join(lines[-5:]))


def _end(process: subprocess.Popen[str]) -> None:
    """End a job's whole process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
