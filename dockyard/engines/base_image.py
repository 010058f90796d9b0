"""What the images of all targets begin with, made once on an engine: Debian, Python, the user, the installer.

docker/base/ describes it: a Debian image, from a registry or made by make-base.sh without one, and on it the
stages `python` and `tools` of the Dockerfile there.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping

from dockyard.engines import NoImage, OnLine
from dockyard.engines.docker_cli import (
    DockerCommand,
    EngineAddress,
    ImageOnEngine,
    any_client,
    refuse_full_disk,
)
from dockyard.engines.image_build import ImageBuild, run_build
from dockyard.engines.processes import stream
from dockyard.recipe.hashing import file_hash, tree_hash
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import EnvironmentProblem

FOLDER = "base"
"""Below docker/, beside the targets'."""

PYTHON_IMAGE = "dockyard/python:bookworm"
"""What an image of a target begins with."""

TOOLS_IMAGE = "dockyard/tools:bookworm"
"""What its build borrows the installer from."""

LOCAL_DEBIAN = "dockyard/base:bookworm"
PUBLIC_DEBIAN = "debian:bookworm-slim"

LOCK_LABEL = "dockyard.lock"
"""SHA-256 over the files that an image was made from."""

BASE_LABEL = "dockyard.base"
"""ID of the image that an image was made on."""

_STAGES = {"python": PYTHON_IMAGE, "tools": TOOLS_IMAGE}
_TAGS = (PYTHON_IMAGE, TOOLS_IMAGE, LOCAL_DEBIAN, PUBLIC_DEBIAN)

DOCKER_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What Docker calls the architectures of `uname -m`."""


def base_digest(workspace: Workspace) -> str:
    """Return the SHA-256 over all that decides what the images `python` and `tools` are made of."""
    return tree_hash(workspace.docker(FOLDER))


def make_base(workspace: Workspace, address: EngineAddress, bootstrap: bool, on_line: OnLine) -> str:
    """Return the ID of the image `python` on an engine; it and `tools` are made where they are not current.

    Args:
        bootstrap: make Debian from its packages, without a registry.

    Raises:
        NoImage: Debian can neither be pulled nor made, or a build fails.
        EnvironmentProblem: no engine answers, or its disk is full.
    """
    docker = DockerCommand(any_client(), address)
    if docker.ask("version", "--format", "{{.Server.Version}}") is None:
        raise EnvironmentProblem(
            "no Docker engine answers",
            str(address),
            "start Docker, check 'docker version', or use --engine venv",
        )
    found = docker.images(*_TAGS)
    if bootstrap and _debian_here(workspace, found) != LOCAL_DEBIAN:
        _make_debian(workspace, docker, on_line)
        found = docker.images(*_TAGS)
    debian = _debian_here(workspace, found)
    digest = base_digest(workspace)
    if all(_is_current(found.get(tag), digest, found.get(debian or "")) for tag in _STAGES.values()):
        return found[PYTHON_IMAGE].id
    debian = debian or _fetch_debian(workspace, docker, on_line)
    folder = workspace.docker(FOLDER)
    labels = {LOCK_LABEL: digest, BASE_LABEL: docker.images(debian)[debian].id}
    for stage, tag in _STAGES.items():
        on_line(f"building {tag} on {debian}")
        build = ImageBuild(folder, stage, tag, {"BASE": debian}, labels)
        run_build(build, address, workspace.display_path(folder / "Dockerfile"), on_line)
    return docker.images(PYTHON_IMAGE)[PYTHON_IMAGE].id


def fetch_vendor_base(tag: str, address: EngineAddress, on_line: OnLine) -> str:
    """Return the ID of a vendor's image on an engine, which pulls it where it has none of that tag.

    Raises:
        NoImage: it is not there and cannot be pulled.
        EnvironmentProblem: the engine's disk is full.
    """
    docker = DockerCommand(any_client(), address)
    found = docker.images(tag)
    if tag in found:
        return found[tag].id
    on_line(f"pulling {tag}")
    code, last = stream(docker.command("pull", tag), docker.environment(), on_line)
    found = docker.images(tag)
    if code == 0 and tag in found:
        return found[tag].id
    reason = last[-1] if last else "no reason given"
    refuse_full_disk(reason, str(docker.address))
    architecture = docker.ask("version", "--format", "{{.Server.Arch}}")
    raise NoImage(
        f"the base image {tag} is not there and cannot be pulled ({reason})",
        str(address),
        f"where a registry is in reach: docker pull --platform linux/{architecture} {tag}, "
        f"then docker save {tag} | ssh DEVICE docker load",
    )


def _is_current(image: ImageOnEngine | None, digest: str, debian: ImageOnEngine | None) -> bool:
    """Tell whether an image was made from today's files, on the Debian that is there now, if one is."""
    if image is None or image.labels.get(LOCK_LABEL) != digest:
        return False
    return debian is None or image.labels.get(BASE_LABEL) == debian.id


def _debian_here(workspace: Workspace, found: Mapping[str, ImageOnEngine]) -> str | None:
    """Return the tag of the Debian to build on that an engine has; another make-base.sh's is none."""
    local = found.get(LOCAL_DEBIAN)
    script = workspace.docker(FOLDER) / "make-base.sh"
    if local is not None and local.labels.get(LOCK_LABEL) == file_hash(script):
        return LOCAL_DEBIAN
    return PUBLIC_DEBIAN if PUBLIC_DEBIAN in found else None


def _fetch_debian(workspace: Workspace, docker: DockerCommand, on_line: OnLine) -> str:
    """Pull the Debian to build on, or make it where it cannot be pulled; return its tag."""
    on_line(f"pulling {PUBLIC_DEBIAN}")
    code, last = stream(docker.command("pull", PUBLIC_DEBIAN), docker.environment(), on_line)
    if code == 0:
        return PUBLIC_DEBIAN
    if shutil.which("mmdebstrap") is not None:
        on_line("no registry in reach; making the base from Debian's packages")
        _make_debian(workspace, docker, on_line)
        return LOCAL_DEBIAN
    reason = last[-1] if last else "no reason given"
    refuse_full_disk(reason, str(docker.address))
    raise NoImage(
        f"there is no base image: {PUBLIC_DEBIAN} cannot be pulled ({reason})",
        str(docker.address),
        "without a registry: apt-get install mmdebstrap, then ./inv images --bootstrap",
    )


def _make_debian(workspace: Workspace, docker: DockerCommand, on_line: OnLine) -> None:
    """Make Debian from its packages, on this machine, for an engine of the same kind."""
    script = workspace.docker(FOLDER) / "make-base.sh"
    where = workspace.display_path(script)
    if shutil.which("mmdebstrap") is None:
        raise NoImage(
            "mmdebstrap is not installed; it makes the base image where no registry is in reach",
            where,
            "Debian and Ubuntu: apt-get install mmdebstrap",
        )
    engine = docker.ask("version", "--format", "{{.Server.Arch}}")
    here = DOCKER_NAMES.get(platform.machine(), platform.machine())
    if engine is not None and engine != here:
        raise NoImage(
            f"the base image is made for {here}, and the engine is {engine}",
            str(docker.address),
            f"run {where} on a machine of that kind, or load {PUBLIC_DEBIAN} on the engine",
        )
    code, last = stream([str(script)], docker.environment(), on_line)
    if code != 0:
        reason = "\n  ".join(last[-4:])
        refuse_full_disk(reason, where)
        raise NoImage(f"the base image could not be made (exit code {code})", where, reason)
