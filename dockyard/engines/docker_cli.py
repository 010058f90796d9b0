"""The docker command line, which builds images: which one, the engine it speaks to, what it answers."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.contract.errors import EnvironmentProblem, nearest

_ANSWER_S = 30  # an engine behind ssh is slow to greet


@dataclass(frozen=True)
class ImageOnEngine:
    """An image that an engine has.

    Attributes:
        id: `sha256:...`, over all that is in it.
    """

    id: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """Where a Docker context leads.

    Attributes:
        host: as `ssh://user@device`.
        tls: folder with ca.pem, cert.pem and key.pem; None where TLS is not spoken.
        is_verified: whether the engine's certificate is.
    """

    host: str
    tls: Path | None = None
    is_verified: bool = True


@dataclass(frozen=True)
class DockerCommand:
    """A docker command line and the engine it speaks to.

    Attributes:
        program: its path.
        context: a Docker context; None takes the one in use.
    """

    program: str
    context: str | None = None

    def command(self, *arguments: str) -> list[str]:
        """Return a whole command line."""
        named = ("--context", self.context) if self.context else ()
        return [self.program, *named, *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment to run it in; a context that was named beats what the environment says."""
        environment = dict(os.environ)
        if self.context:
            environment.pop("DOCKER_HOST", None)
            environment["DOCKER_CONTEXT"] = self.context
        return environment

    def ask(self, *arguments: str) -> str | None:
        """Return what docker answers to a question, or None when it cannot."""
        answer = self._run(*arguments)
        return answer.stdout.strip() or None if answer is not None and answer.returncode == 0 else None

    def images(self, *tags: str) -> dict[str, ImageOnEngine]:
        """Return those of some images that the engine has, by the tag that was asked for."""
        answer = self._run("image", "inspect", *tags)
        if answer is None:
            return {}
        found: dict[str, ImageOnEngine] = {}
        for entry in json.loads(answer.stdout or "[]"):  # those that are there, also where one is not
            image = ImageOnEngine(entry["Id"], entry["Config"].get("Labels") or {})
            found.update(dict.fromkeys(entry.get("RepoTags") or (), image))
        return {tag: found[tag] for tag in tags if tag in found}

    def builder(self) -> str:
        """Return the builder within the engine: it builds on the engine's images and leaves its own there."""
        if self.context:
            return self.context
        if "DOCKER_HOST" in os.environ:
            return "default"
        return self.ask("context", "show") or "default"

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str] | None:
        try:
            return subprocess.run(
                self.command(*arguments),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_ANSWER_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None


def context_endpoint(name: str) -> Endpoint:
    """Return where a Docker context leads.

    The SDK finds contexts only where the user has a config.json beside them.

    Raises:
        EnvironmentProblem: there is no such context, or docker is not installed.
    """
    docker = DockerCommand(any_client())
    answer = docker.ask("context", "inspect", name)
    if answer is None:
        known = (docker.ask("context", "ls", "--format", "{{.Name}}") or "").split()
        raise EnvironmentProblem(f"there is no Docker context '{name}'", "--context", nearest(name, known))
    (context,) = json.loads(answer)
    endpoint = context["Endpoints"]["docker"]
    tls = (
        Path(context["Storage"]["TLSPath"], "docker") if "docker" in (context["TLSMaterial"] or {}) else None
    )
    return Endpoint(endpoint["Host"], tls, not endpoint.get("SkipTLSVerify", False))


def any_client() -> str:
    """Return the first docker command line of this machine. Raises EnvironmentProblem when there is none."""
    clients = _clients()
    if not clients:
        raise EnvironmentProblem("docker is not installed", "", "install Docker Engine, or use --engine venv")
    return clients[0]


@functools.cache
def build_client() -> str:
    """Return the first docker command line of this machine that builds with BuildKit.

    A newer client needs the buildx component for that, an older one does not:
    where several are installed the one that builds is not always the first.

    Raises:
        EnvironmentProblem: there is none.
    """
    any_client()
    for client in _clients():
        help_text = subprocess.run(
            [client, "build", "--help"],
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        if "--secret" in help_text:
            return client
    raise EnvironmentProblem(
        "no docker command here can build with BuildKit",
        ", ".join(_clients()),
        "install Docker's buildx (package docker-buildx or docker-buildx-plugin), or use --engine venv",
    )


def _clients() -> list[str]:
    """Return every docker command line of this machine, in the order of the PATH."""
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    clients: dict[str, str] = {}
    for folder in [*folders, "/usr/bin"]:
        client = shutil.which("docker", path=folder)
        if client is not None:
            clients.setdefault(os.path.realpath(client), client)
    return list(clients.values())
