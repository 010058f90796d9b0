"""The container images of the targets: what they are made from, whether they are current, how they are built.

A target is a folder under `docker/` with a Dockerfile; a toolchain of it is a
`requirements-<toolchain>.txt` there. Building is left to the docker command
line, because BuildKit is not in reach of the Docker SDK.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dockyard.engines import OnLine
from dockyard.engines.base_image import (
    BASE_LABEL,
    FOLDER,
    LOCK_LABEL,
    PYTHON_IMAGE,
    TOOLS_IMAGE,
    base_digest,
    make_base,
)
from dockyard.engines.docker_cli import HERE, DockerCommand, EngineAddress, any_client
from dockyard.engines.image_build import ImageBuild, run_build
from dockyard.recipe.hashing import file_hash, json_hash
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem, nearest

ImageStage = Literal["runtime", "build"]
IMAGE_STAGES: tuple[ImageStage, ...] = ("runtime", "build")
"""What runs an artifact and nothing else, and that together with what converts and optimizes."""

USER = 10001
"""The id of the images' user `dockyard`, and of its group."""

RUNTIME_SUFFIX = "-runtime"
"""What follows the toolchain in the name of its runtime stage's image."""


def targets(workspace: Workspace) -> list[str]:
    """Return every target that has an image to build."""
    return [name for name in workspace.names("docker", "Dockerfile") if name != FOLDER]


def toolchains(workspace: Workspace, target: str) -> list[str]:
    """Return the toolchains that a target's image can have. Raises InputProblem when it has no image."""
    known = targets(workspace)
    if target not in known:
        raise InputProblem(f"no image is described for target '{target}'", "docker/", nearest(target, known))
    locks = workspace.docker(target).glob("requirements-*.txt")
    names = [file.stem.removeprefix("requirements-") for file in locks]
    return sorted(name for name in names if not name.endswith(RUNTIME_SUFFIX))


def lock_file(workspace: Workspace, target: str, toolchain: str, stage: ImageStage = "build") -> Path:
    """Return the locked requirements that an image, or a virtual environment in its place, is made from.

    Raises:
        InputProblem: there is no such image.
    """
    known = toolchains(workspace, target)
    if toolchain not in known:
        where = f"docker/{target}/"
        raise InputProblem(
            f"target '{target}' has no toolchain '{toolchain}'", where, nearest(toolchain, known)
        )
    folder = workspace.docker(target)
    runtime = folder / f"requirements-{toolchain}{RUNTIME_SUFFIX}.txt"
    if stage == "runtime" and runtime.exists():
        return runtime
    return folder / f"requirements-{toolchain}.txt"


def image_tag(target: str, toolchain: str, stage: ImageStage = "build") -> str:
    """Return the name of an image, for example `dockyard/intel-openvino:2026.4`."""
    return f"dockyard/{target}:{toolchain}{RUNTIME_SUFFIX if stage == 'runtime' else ''}"


def lock_digest(workspace: Workspace, target: str, toolchain: str) -> str:
    """Return the SHA-256 over what decides what is in an image: Dockerfile, locked requirements, base."""
    locks = [lock_file(workspace, target, toolchain, stage) for stage in IMAGE_STAGES]
    files = [workspace.docker(target) / "Dockerfile", *locks]
    return json_hash([base_digest(workspace), *(file_hash(file) for file in files)])


def current_image(
    workspace: Workspace,
    target: str,
    toolchain: str,
    *,
    address: EngineAddress = HERE,
    stage: ImageStage = "build",
) -> str | None:
    """Return the ID of the image that an engine has, when it was built from today's files; else None.

    One that was built on another base than the engine has now is not current.
    """
    tag = image_tag(target, toolchain, stage)
    found = DockerCommand(any_client(), address).images(tag, PYTHON_IMAGE)
    image, base = found.get(tag), found.get(PYTHON_IMAGE)
    if image is None or image.labels.get(LOCK_LABEL) != lock_digest(workspace, target, toolchain):
        return None
    return image.id if base is None or image.labels.get(BASE_LABEL) == base.id else None


def build_image(
    workspace: Workspace,
    target: str,
    toolchain: str,
    *,
    address: EngineAddress = HERE,
    bootstrap: bool = False,
    stage: ImageStage = "build",
    on_line: OnLine,
) -> str:
    """Build a target's image on an engine, and the base where it is not current; return the image's ID.

    Args:
        bootstrap: make the base without a registry.

    Raises:
        InputProblem: there is no such image.
        EnvironmentProblem: no engine answers, or a build fails.
    """
    tag = image_tag(target, toolchain, stage)
    lock = lock_digest(workspace, target, toolchain)
    base = make_base(workspace, address, bootstrap, on_line)
    labels = {
        "dockyard.target": target,
        "dockyard.toolchain": toolchain,
        "dockyard.stage": stage,
        LOCK_LABEL: lock,
        BASE_LABEL: base,
    }
    folder = workspace.docker(target)
    arguments = {"BASE": PYTHON_IMAGE, "TOOLS": TOOLS_IMAGE, "TOOLCHAIN": toolchain}
    on_line(f"building {tag} on {PYTHON_IMAGE}")
    build = ImageBuild(folder, stage, tag, arguments, labels)
    return run_build(build, address, workspace.display_path(folder / "Dockerfile"), on_line)
