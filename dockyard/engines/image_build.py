"""One build of a Dockerfile's stage, and what the build is lent for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dockyard import debian_index, package_index
from dockyard.engines import NoImage, OnLine
from dockyard.engines.docker_cli import DockerCommand, EngineAddress, build_client, refuse_full_disk
from dockyard.engines.image_context import build_context
from dockyard.engines.processes import stream

_PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class ImageBuild:
    """What is built.

    Attributes:
        folder: with the Dockerfile, and all that the build sees beside the sources.
        stage: the Dockerfile's stage to build.
        tag: the image's name.
        arguments: values of the Dockerfile's ARGs.
        labels: what the image is labelled with.
        sources: shared folders that it compiles, by the name that each has below `sources/`.
    """

    folder: Path
    stage: str
    tag: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    sources: Mapping[str, Path] = field(default_factory=dict)


def run_build(build: ImageBuild, address: EngineAddress, where: str, on_line: OnLine) -> str:
    """Build an image on an engine and return its ID.

    Args:
        where: the Dockerfile as a user knows it, for messages.

    Raises:
        NoImage: it cannot be built, or no docker command can build.
        EnvironmentProblem: the engine's disk is full.
    """
    docker = DockerCommand(build_client(), address)
    with (
        tempfile.TemporaryDirectory(prefix="dockyard-build-") as scratch,
        build_context(build.folder, build.sources) as context,
    ):
        id_file = Path(scratch, "image-id")
        command = docker.command(
            *("build", "--progress", "plain", "--network", "host", "--target", build.stage),
            *("--tag", build.tag, "--iidfile", str(id_file)),
            *_options("--build-arg", build.arguments),
            *_options("--label", build.labels),
            *_proxies(),
            *_secrets(Path(scratch)),
            str(context),
        )
        environment = {**docker.environment(), "DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": docker.builder()}
        code, last = stream(command, environment, on_line)
        if code != 0:
            advice = (
                "its output is above; packages come from where pip takes them (pip config, PIP_* variables)"
            )
            refuse_full_disk("\n".join(last), str(address))
            raise NoImage(f"image {build.tag} could not be built: {_reason(last)}", where, advice)
        return id_file.read_text(encoding="utf-8").strip()


def _options(option: str, values: Mapping[str, str]) -> list[str]:
    result: list[str] = []
    for name, value in values.items():
        result += [option, f"{name}={value}"]
    return result


def _proxies() -> list[str]:
    """Return options that hand on this machine's proxies, whose values docker takes from the environment."""
    result: list[str] = []
    for name in _PROXY_NAMES:
        if name in os.environ:
            result += ["--build-arg", name]
    return result


def _secrets(scratch: Path) -> list[str]:
    """Return options that lend a build this machine's certificates and mirrors; no layer keeps them."""
    options: list[str] = []
    bundle = package_index.ca_bundle()
    if bundle is not None:
        options += ["--secret", f"id=ca_bundle,src={bundle}"]
    settings = package_index.pip_settings()
    if settings:
        options += _secret("pip_conf", package_index.pip_conf(settings), scratch)
    sources = debian_index.sources()
    if sources:
        options += _secret("apt_sources", sources, scratch)
        options += _secret("apt_conf", debian_index.settings(), scratch)
    return options


def _secret(name: str, text: str, scratch: Path) -> list[str]:
    """Return the option that lends a build a text, which nobody else may read meanwhile."""
    file = scratch / name
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return ["--secret", f"id={name},src={file}"]


def _reason(last: Sequence[str]) -> str:
    """Return the line that says why a build failed, without BuildKit's own frame around it."""
    errors = [line.partition("ERROR:")[2].strip() for line in last if "ERROR:" in line]
    frame = ("executor failed", "process ", "failed to solve")
    telling = [error for error in errors if not error.startswith(frame)]
    return (telling or errors or [*last, "no output"][-1:])[-1]
