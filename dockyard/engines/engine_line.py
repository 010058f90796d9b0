"""The way to an engine, kept open: a socket of this machine, TCP, or a line over ssh that may drop."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import docker.errors
import requests
import urllib3.exceptions
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

import docker
from dockyard.engines import LineLost, OnLine
from dockyard.engines.docker_cli import EngineAddress, refuse_full_disk
from dockyard.engines.endpoint import DEFAULT, Endpoint
from dockyard.engines.processes import ask_here
from dockyard.engines.ssh_line import SshLine
from shared.contract.errors import EnvironmentProblem
from shared.contract.job import PROGRESS_KEY

T = TypeVar("T")

PATIENCE_S = 900.0
"""Seconds that a dropped line is waited for."""

LOST = (
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.ProtocolError,
    ConnectionError,
)
"""How calls end when the line to the engine, or the engine, goes away."""

ENGINE_ERRORS = (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
_TRIES = 7
_TIMEOUT_S = 120


class EngineLine:
    """A client of an engine that outlives what happens to the line.

    Attributes:
        client: may be called by several threads.
        address: for the docker command line.
        outages: how often the line, or the engine, was away and came back.

    Raises:
        EnvironmentProblem: no engine answers there.
    """

    def __init__(self, endpoint: Endpoint, patience_s: float = PATIENCE_S) -> None:
        self.endpoint = endpoint
        self.outages = 0
        self._patience_s = 0.0 if endpoint.is_local else patience_s
        self._lock = threading.Lock()
        where = endpoint.ssh
        self._ssh = None if where is None else SshLine(where)
        self.address = self._address()
        try:
            with engine_errors("no Docker engine answers"):
                self.client = self._make_client()
                self.client.ping()
        except BaseException:
            self.close()
            raise

    def again(self, call: Callable[[], T], on_line: OnLine, given_up: threading.Event | None = None) -> T:
        """Return what a call returns, which is made anew where the line drops meanwhile.

        Args:
            call: that may be made twice.
            on_line: is told that the line is down.
            given_up: set when nobody waits for the answer any more.

        Raises:
            LineLost: the line did not come back in time, or nobody waits.
        """
        for attempt in range(_TRIES - 1):
            seen = self.outages
            try:
                return call()
            except LOST as error:
                self.restore(seen, error, on_line, given_up)
            if attempt and not self.endpoint.is_local:  # an engine that stops answers a while, and breaks off
                (given_up or threading.Event()).wait(min(2**attempt * _FIRST_PAUSE_S, _LONGEST_PAUSE_S))
        return call()

    def restore(
        self, seen: int, error: Exception, on_line: OnLine, given_up: threading.Event | None = None
    ) -> None:
        """Wait until the engine answers again, with longer and longer pauses.

        Args:
            seen: `outages` before the call that failed: where several threads meet one outage, one mends it.

        Raises:
            LineLost: it does not come back in time.
        """
        gone = given_up or threading.Event()
        deadline = time.monotonic() + self._patience_s
        pause_s = _FIRST_PAUSE_S
        with self._lock:
            while self.outages == seen:
                problem = self._try_to_mend()
                if problem is None:
                    self.outages += 1
                    return
                if gone.is_set() or time.monotonic() + pause_s > deadline:
                    raise self._lost(problem or _one_line(error))
                left_s = deadline - time.monotonic()
                on_line(progress_line(f"no line to {self.endpoint.host}; tried for {left_s:.0f} s more"))
                gone.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def break_off(self, seen: int) -> None:
        """Cut the line, on which a call was lost, so that everybody who uses it learns of it.

        Args:
            seen: `outages` before that call.
        """
        if self._ssh is None:
            return
        with self._lock, suppress(EnvironmentProblem):
            if self.outages == seen:
                self._ssh.open()
                self.outages += 1

    def ask(self, command: str) -> str | None:
        """Return what a command prints on the engine's machine; None where it fails or none can be asked.

        Args:
            command: for a shell; nothing of a user's is in it.
        """
        if self._ssh is not None:
            return self._ssh.ask(command)
        return ask_here(command) if self.endpoint.is_local else None

    def close(self) -> None:
        """End the line."""
        client = getattr(self, "client", None)
        if client is not None:
            client.close()
        if self._ssh is not None:
            self._ssh.close()

    def _try_to_mend(self) -> str | None:
        """Return why the engine still does not answer, or None where it does."""
        try:
            if self._ssh is not None and not self._ssh.is_up:
                self._ssh.open()
            self.client.ping()
        except EnvironmentProblem as problem:
            return problem.what
        except (*LOST, *ENGINE_ERRORS) as error:
            return _one_line(error)
        return None

    def _lost(self, reason: str) -> LineLost:
        if self.endpoint.is_local:
            return LineLost(f"the Docker engine is gone ({reason})", "", "look at 'docker version'")
        what = f"the line to {self.endpoint.host} was lost and did not come back ({reason})"
        return LineLost(what, self.endpoint.name, "what runs there runs on: the next build collects it")

    def _address(self) -> EngineAddress:
        if self._ssh is not None:
            return EngineAddress(socket=self._ssh.socket)
        return EngineAddress(self.endpoint.context)

    def _make_client(self) -> docker.DockerClient:
        if self._ssh is not None:
            return docker.DockerClient(base_url=f"unix://{self._ssh.socket}", timeout=_TIMEOUT_S)
        folder = self.endpoint.tls
        tls: TLSConfig | bool = False
        if self.endpoint.context == DEFAULT and not self.endpoint.is_local:
            tls = kwargs_from_env().get("tls", False)
        elif folder is not None:
            pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
            tls = TLSConfig(pair, ca_cert=str(folder / "ca.pem"), verify=self.endpoint.is_verified)
        return docker.DockerClient(base_url=self.endpoint.host, tls=tls, timeout=_TIMEOUT_S)


@contextmanager
def engine_errors(what: str) -> Iterator[None]:
    """Turn an engine's error into an EnvironmentProblem that begins with `what`."""
    try:
        yield
    except (*ENGINE_ERRORS, *LOST) as error:
        reason = _one_line(error)
        refuse_full_disk(reason)
        advice = "look at 'docker version', or use --engine venv"
        raise EnvironmentProblem(f"{what} ({reason})", "", advice) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def progress_line(what: str) -> str:
    """Return the line that a job prints to show what it does."""
    return json.dumps({PROGRESS_KEY: {"what": what, "done": 0, "total": 0}})
