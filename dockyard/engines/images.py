"""The container images of the targets: what they are made from, whether they are current, how they are built.

A target is a folder under `docker/` with a Dockerfile; a toolchain of it is a
`requirements-<toolchain>.txt` there. Building is left to the docker command
line, because BuildKit is not in reach of the Docker SDK.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dockyard.engines import NoImage, OnLine
from dockyard.engines.base_image import (
    BASE_LABEL,
    DOCKER_NAMES,
    FOLDER,
    LOCK_LABEL,
    PYTHON_IMAGE,
    TOOLS_IMAGE,
    base_digest,
    fetch_vendor_base,
    make_base,
)
from dockyard.engines.docker_cli import HERE, DockerCommand, EngineAddress, any_client
from dockyard.engines.image_build import ImageBuild, run_build
from dockyard.engines.image_context import sources_digest
from dockyard.recipe.hashing import file_hash, json_hash
from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem, nearest

DELIVERED = "delivery"
"""Below docker/, beside the targets': what is delivered is made on a target's stage `runtime`."""

ImageStage = Literal["runtime", "build"]
IMAGE_STAGES: tuple[ImageStage, ...] = ("runtime", "build")
"""What runs an artifact and nothing else, and that together with what converts and optimizes."""

USER = 10001
"""The id of the images' user `dockyard`, and of its group."""

RUNTIME_SUFFIX = "-runtime"
"""What follows the toolchain in the name of its runtime stage's image."""


def targets(workspace: Workspace) -> list[str]:
    """Return every target that has an image to build."""
    return [name for name in workspace.names("docker", "Dockerfile") if name not in (FOLDER, DELIVERED)]


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


def base_tag(workspace: Workspace, target: str, toolchain: str) -> str:
    """Return the name of what a toolchain's image is made on: Dockyard's, or the vendor's in target.json."""
    return load_target(workspace, target, "target").toolchains[toolchain].platform.base or PYTHON_IMAGE


def devel_tag(workspace: Workspace, target: str, toolchain: str) -> str | None:
    """Return the name of the vendor's image that a toolchain compiles in; None where its base does."""
    return load_target(workspace, target, "target").toolchains[toolchain].platform.devel


def image_sources(workspace: Workspace, target: str) -> dict[str, Path]:
    """Return the shared folders whose sources a target's image compiles, by name."""
    names = load_target(workspace, target, "target").image_sources
    return {name: workspace.modules(name) for name in names}


def lock_digest(workspace: Workspace, target: str, toolchain: str) -> str:
    """Return the SHA-256 over what decides what is in an image.

    That is the Dockerfile, the locked requirements, the base, and the sources that it compiles.
    """
    locks = [lock_file(workspace, target, toolchain, stage) for stage in IMAGE_STAGES]
    files = [workspace.docker(target) / "Dockerfile", *locks]
    base = base_tag(workspace, target, toolchain)
    devel = devel_tag(workspace, target, toolchain)
    vendors = [*([] if base == PYTHON_IMAGE else [base]), *([] if devel is None else [devel])]
    sources = [sources_digest(folder) for folder in image_sources(workspace, target).values()]
    return json_hash([base_digest(workspace), *(file_hash(file) for file in files), *vendors, *sources])


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
    tag, base_name = image_tag(target, toolchain, stage), base_tag(workspace, target, toolchain)
    found = DockerCommand(any_client(), address).images(tag, base_name)
    image, base = found.get(tag), found.get(base_name)
    if image is None or image.labels.get(LOCK_LABEL) != lock_digest(workspace, target, toolchain):
        return None
    return image.id if base is None or image.labels.get(BASE_LABEL) == base.id else None


def why_not_there(workspace: Workspace, target: str, toolchain: str, address: EngineAddress = HERE) -> str:
    """Return why a toolchain's image is not for an engine that answers; empty where it is."""
    wanted = load_target(workspace, target, "target").toolchains[toolchain].platform.architecture
    if wanted is None:
        return ""
    engine = DockerCommand(any_client(), address).ask("version", "--format", "{{.Server.Arch}}")
    if engine in (None, DOCKER_NAMES.get(wanted, wanted)):
        return ""
    return f"{target} {toolchain} needs {wanted}, and the engine is {engine}"


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
        NoImage: the engine is of another architecture than the toolchain, the vendor's base is out of reach,
            or a build fails.
        EnvironmentProblem: no engine answers, or its disk is full.
    """
    tag = image_tag(target, toolchain, stage)
    lock = lock_digest(workspace, target, toolchain)
    not_there = why_not_there(workspace, target, toolchain, address)
    if not_there:
        raise NoImage(not_there, str(address), "name the device: --context, or DOCKER_CONTEXT")
    python = make_base(workspace, address, bootstrap, on_line)
    base_name = base_tag(workspace, target, toolchain)
    base = python if base_name == PYTHON_IMAGE else fetch_vendor_base(base_name, address, on_line)
    labels = {
        "dockyard.target": target,
        "dockyard.toolchain": toolchain,
        "dockyard.stage": stage,
        LOCK_LABEL: lock,
        BASE_LABEL: base,
    }
    folder = workspace.docker(target)
    arguments = {"BASE": base_name, "TOOLS": TOOLS_IMAGE, "TOOLCHAIN": toolchain}
    devel = devel_tag(workspace, target, toolchain)
    if devel is not None:
        fetch_vendor_base(devel, address, on_line)
        arguments["DEVEL"] = devel
    on_line(f"building {tag} on {base_name}")
    build = ImageBuild(folder, stage, tag, arguments, labels, image_sources(workspace, target))
    return run_build(build, address, workspace.display_path(folder / "Dockerfile"), on_line)
