"""A line to another machine over ssh: its engine's socket on this machine, and its programs' answers.

One connection carries everything: the engine's socket is forwarded (a channel costs one round trip, where
docker's own way starts ssh, and docker there, for every call), and commands share it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from dockyard.engines.endpoint import SshAddress
from dockyard.engines.ssh_errors import ssh_problem
from shared.contract.errors import EnvironmentProblem

CONNECT_S = 10
"""Seconds until a machine that does not answer is given up."""

_ANSWER_S = 30
_LEAVE_S = 3
_READY = "dockyard-line-is-up"

_OPTIONS = {
    "BatchMode": "yes",  # never a prompt: whoever runs this may not be there
    "ConnectTimeout": str(CONNECT_S),
    "ServerAliveInterval": "5",  # a line that is cut without a word is noticed after three of them
    "ServerAliveCountMax": "3",
    "ControlPersist": "no",
    "StreamLocalBindUnlink": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "RequestTTY": "no",
    "LogLevel": "ERROR",
}

# Where this process is killed ssh meets the end of its input, ends, and nobody else would remove its folder.
_AND_CLEAN = '"$@"; rm -rf -- "$0"'

_WHICH_ENGINE = (
    "docker context inspect --format '{{.Endpoints.docker.Host}}' && docker version --format '{{.Server.Os}}'"
)


class SshLine:
    """A line over ssh; it is up when this is made. Whatever becomes of this process, the line ends with it.

    Attributes:
        socket: leads to the engine there; the same after `open` was called anew.

    Raises:
        EnvironmentProblem: there is no way there, or no engine; what ssh said, and what to do.
    """

    def __init__(self, address: SshAddress) -> None:
        self._address = address
        self._folder = Path(tempfile.mkdtemp(prefix="dockyard-ssh-"))  # of this user alone
        self._process: subprocess.Popen[str] | None = None
        self.socket = self._folder / "engine"
        try:
            self.open()
        except BaseException:
            self.close()
            raise

    @property
    def is_up(self) -> bool:
        """Whether ssh is connected, as far as it knows."""
        return self._process is not None and self._process.poll() is None

    def open(self) -> None:
        """Connect, anew where it was connected before. Raises EnvironmentProblem where that cannot be."""
        self._hang_up()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            self._process = subprocess.Popen(
                ["sh", "-c", _AND_CLEAN, str(self._folder), *self._ssh("-M", f"echo {_READY} && exec cat")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C is for the host, which has yet to clean up there
            )
            assert self._process.stdout is not None
            if not any(line.strip() == _READY for line in self._process.stdout):  # a shell may greet first
                self._process.wait()
                said.seek(0)
                raise self._problem(said.read())
        self._forward(self._address.socket or self._engine_there())

    def ask(self, command: str) -> str | None:
        """Return what a command prints there; None where it fails or the line is down.

        Args:
            command: for the shell there; nothing of a user's is in it.
        """
        answer = self._run(command)
        return answer.stdout if answer is not None and answer.returncode == 0 else None

    def close(self) -> None:
        """End the line."""
        self._hang_up()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _engine_there(self) -> str:
        """Return the address of the engine that docker takes there."""
        answer = self._run(_WHICH_ENGINE)
        if answer is None or answer.returncode != 0:
            raise self._problem(answer.stderr if answer else "it does not answer")
        host = answer.stdout.split()[0] if answer.stdout.split() else ""
        scheme, _, path = host.partition("://")
        if scheme == "tcp" and path:
            return path
        if scheme != "unix" or not path:
            raise self._problem(f"docker there takes {host[:100] or 'no engine'}, no socket of its own")
        return path

    def _forward(self, engine: str) -> None:
        """Have the socket here lead to the engine's there (`tcp` ones are spoken to without TLS)."""
        answer = self._run("", "-O", "forward", "-L", f"{self.socket}:{engine}")
        if answer is None or answer.returncode != 0:
            raise self._problem(answer.stderr if answer else "it does not answer")

    def _run(self, command: str, *options: str) -> subprocess.CompletedProcess[str] | None:
        try:
            return subprocess.run(
                self._ssh(*options, command),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_ANSWER_S,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            return None

    def _ssh(self, *options_and_command: str) -> list[str]:
        *options, command = options_and_command
        words = ["ssh", "-S", str(self._folder / "control")]
        for name, value in _OPTIONS.items():
            words += ["-o", f"{name}={value}"]
        if self._address.user:
            words += ["-l", self._address.user]
        if self._address.port:
            words += ["-p", str(self._address.port)]
        return [*words, *options, "--", self._address.device, *([command] if command else [])]

    def _problem(self, said: str) -> EnvironmentProblem:
        return ssh_problem(said.splitlines(), self._address.user, self._address.device)

    def _hang_up(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):  # it would wait for calls that are under way
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
