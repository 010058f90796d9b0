"""The docker command line, which builds images: which one, the engine it speaks to, what it answers."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dockyard.engines import NoImage
from shared.contract.errors import EnvironmentProblem

_ANSWER_S = 30  # an engine elsewhere is slow to greet
_ENGINE_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


@dataclass(frozen=True)
class ImageOnEngine:
    """An image that an engine has.

    Attributes:
        id: `sha256:...`, over all that is in it.
        architecture: as Docker calls it, `amd64` or `arm64`.
        size: bytes.
        layers: SHA-256 of the content of each, the lowest first.
    """

    id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    architecture: str = ""
    size: int = 0
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineAddress:
    """How the docker command line reaches an engine; by itself it takes the one in use.

    Attributes:
        context: a Docker context; `default` is what the environment says, else this machine's engine.
        socket: of this machine, that leads to the engine, in the place of a context.
    """

    context: str | None = None
    socket: Path | None = None

    def __str__(self) -> str:
        return f"context {self.context}" if self.context not in (None, "default") else ""


HERE = EngineAddress()
"""The engine in use."""


@dataclass(frozen=True)
class DockerCommand:
    """A docker command line and the engine it speaks to.

    Attributes:
        program: its path.
    """

    program: str
    address: EngineAddress = HERE

    def command(self, *arguments: str) -> list[str]:
        """Return a whole command line."""
        named = ("--context", self._context) if self._context else ()
        return [self.program, *named, *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment to run it in; an address beats what this process's environment says."""
        environment = dict(os.environ)
        if self.address.socket:
            for name in _ENGINE_VARIABLES:
                environment.pop(name, None)
            environment["DOCKER_HOST"] = f"unix://{self.address.socket}"
        elif self._context:
            environment.pop("DOCKER_HOST", None)
            environment["DOCKER_CONTEXT"] = self._context
        return environment

    def ask(self, *arguments: str) -> str | None:
        """Return what docker answers to a question, or None when it cannot."""
        answer = self.run(*arguments)
        return answer.stdout.strip() or None if answer is not None and answer.returncode == 0 else None

    def images(self, *tags: str) -> dict[str, ImageOnEngine]:
        """Return those of some images that the engine has, by the tag that was asked for."""
        found: dict[str, ImageOnEngine] = {}
        for names, image in self._inspect(tags):
            found.update(dict.fromkeys(names, image))
        return {tag: found[tag] for tag in tags if tag in found}

    def all_images(self) -> list[ImageOnEngine]:
        """Return the images that the engine has."""
        ids = (self.ask("image", "ls", "--quiet", "--no-trunc") or "").split()
        return [image for _, image in self._inspect(dict.fromkeys(ids))]

    def _inspect(self, names: Iterable[str]) -> Iterator[tuple[Sequence[str], ImageOnEngine]]:
        """Yield those of some images that the engine has, each with its tags."""
        answer = self.run("image", "inspect", *names)
        said = answer.stdout if answer is not None else ""
        for entry in json.loads(said or "[]"):  # those that are there, also where one is not
            labels = entry["Config"].get("Labels") or {}
            architecture, size = entry.get("Architecture", ""), entry.get("Size", 0)
            layers = tuple((entry.get("RootFS") or {}).get("Layers") or ())
            image = ImageOnEngine(entry["Id"], labels, architecture, size, layers)
            yield entry.get("RepoTags") or (), image

    def builder(self) -> str:
        """Return the builder within the engine: it builds on the engine's images and leaves its own there."""
        if self._context:
            return self._context
        if self.environment().get("DOCKER_HOST"):
            return "default"
        return self.ask("context", "show") or "default"

    @property
    def _context(self) -> str | None:
        """The context to name; a socket, and what the environment makes of `default`, need none."""
        named = self.address.context
        is_the_environments = named == "default" and bool(os.environ.get("DOCKER_HOST"))
        return None if self.address.socket or is_the_environments else named

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str] | None:
        """Run it and return what came of it; None where it takes too long."""
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


def refuse_full_disk(said: str, where: str = "") -> None:
    """Raise EnvironmentProblem where an engine says that its disk is full."""
    if "no space left on device" in said.lower():
        advice = "make room there: docker system df, docker system prune"
        raise EnvironmentProblem("the disk of the Docker engine is full", where, advice) from None


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
        EnvironmentProblem: there is none, or (NoImage) none that builds.
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
    raise NoImage(
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
