"""Which engine is meant: what the docker command line takes by context, environment and settings."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dockyard.engines.docker_cli import DockerCommand, EngineAddress, any_client
from shared.contract.errors import EnvironmentProblem, nearest

DEFAULT = "default"
"""The context that docker makes of the environment: DOCKER_HOST, or this machine's own socket."""

_ADVICE = "start Docker, check 'docker version', or use --engine venv"
_LOCAL = ("unix://", "npipe://")


class NoSuchContext(EnvironmentProblem):
    """A Docker context was asked for, by whatever means, that is not there."""


@dataclass(frozen=True)
class SshAddress:
    """Where ssh leads.

    Attributes:
        user: empty for ssh's own choice; so is `port`, where it is None.
        socket: of the engine there; empty for the one that docker uses there.
    """

    device: str
    user: str = ""
    port: int | None = None
    socket: str = ""


@dataclass(frozen=True)
class Endpoint:
    """An engine that docker knows the way to.

    Attributes:
        context: its Docker context; `default` for what the environment says.
        host: as `ssh://user@device`.
        tls: folder with ca.pem, cert.pem and key.pem; None where there is none, or the environment says it.
        is_verified: whether the engine's certificate is.
    """

    context: str
    host: str
    tls: Path | None = None
    is_verified: bool = True

    @property
    def is_local(self) -> bool:
        """Whether it is reached by a socket of this machine."""
        return self.host.startswith(_LOCAL)

    @property
    def name(self) -> str:
        """What a record calls the executor: `docker`, or `docker:` with what tells it from this machine's."""
        if self.context != DEFAULT:
            return f"docker:{self.context}"
        return "docker" if self.is_local else f"docker:{self.host}"

    @property
    def ssh(self) -> SshAddress | None:
        """Where ssh leads; None where it is not ssh. Raises EnvironmentProblem where the address is wrong."""
        if not self.host.startswith("ssh://"):
            return None
        try:
            url = urlsplit(self.host)
            port = url.port
        except ValueError:
            raise self._wrong("it is no address") from None
        if not url.hostname or url.hostname.startswith("-"):
            raise self._wrong("it names no machine")
        if url.password is not None:
            raise self._wrong("a password cannot be given: ssh keys are used")
        return SshAddress(url.hostname, url.username or "", port, url.path.rstrip("/"))

    def _wrong(self, why: str) -> EnvironmentProblem:
        advice = 'as: docker context create jetson --docker "host=ssh://user@device"'
        return EnvironmentProblem(f"'{self.host}' leads nowhere: {why}", f"context {self.context}", advice)


def resolve(context: str | None = None) -> Endpoint:
    """Return the engine that docker would take: a context that is named beats the environment.

    The SDK would look for contexts only beside a config.json, and take this machine's socket otherwise.

    Args:
        context: its name; None for what docker takes by itself: DOCKER_HOST, DOCKER_CONTEXT, the context in
            use (`docker context use`), this machine's socket.

    Raises:
        NoSuchContext: there is none of that name.
        EnvironmentProblem: docker is not installed, or does not answer.
    """
    docker = DockerCommand(any_client())
    answer = docker.run("context", "inspect", *([context] if context else []))
    if answer is None:
        raise EnvironmentProblem("no Docker engine answers, docker itself neither", "", _ADVICE)
    wanted = context or os.environ.get("DOCKER_CONTEXT", "")
    if answer.returncode != 0:
        said = answer.stderr.strip()
        if context or "context" in said.lower():
            where = "--context" if context else "DOCKER_CONTEXT"
            raise _no_such_context(wanted, where, said)
        raise EnvironmentProblem(
            f"no Docker engine answers ({said[:200] or 'docker gives no reason'})", "", _ADVICE
        )
    (found,) = json.loads(answer.stdout)
    return _endpoint(found)


def _endpoint(found: Mapping[str, Any]) -> Endpoint:
    endpoint = found["Endpoints"]["docker"]
    is_default = found["Name"] == DEFAULT
    has_tls = "docker" in (found.get("TLSMaterial") or {}) and not is_default
    tls = Path(found["Storage"]["TLSPath"], "docker") if has_tls else None
    return Endpoint(found["Name"], endpoint["Host"], tls, not endpoint.get("SkipTLSVerify", False))


def _no_such_context(wanted: str, where: str, said: str) -> NoSuchContext:
    docker = DockerCommand(any_client(), EngineAddress(DEFAULT))
    known = (docker.ask("context", "ls", "--format", "{{.Name}}") or "").split()
    if not wanted:
        return NoSuchContext(f"the Docker context in use is not there ({said[:200]})", "docker context use")
    return NoSuchContext(f"there is no Docker context '{wanted}'", where, nearest(wanted, known))
