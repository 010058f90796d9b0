"""The image that is delivered, built on a target's runtime stage, and what it says of itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from dockyard.deliver.bundle import Image
from dockyard.deliver.content import GOLDEN, IMAGES
from dockyard.deliver.contents import ASK, Package, read_packages
from dockyard.engines import NoImage, OnLine, images
from dockyard.engines.base_image import TOOLS_IMAGE
from dockyard.engines.docker_cli import HERE, DockerCommand, any_client
from dockyard.engines.image_build import ImageBuild, run_build
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import JobFailed

STAGE = "delivered"
"""The Dockerfile's last."""

DELIVERY = "/opt/dockyard/delivery"
"""In the image."""


def build_delivered(
    workspace: Workspace,
    target: str,
    toolchain: str,
    app: Path,
    tag: str,
    labels: Mapping[str, str],
    on_line: OnLine,
) -> Image:
    """Build the image that is delivered.

    Args:
        app: what goes into it, as `content.write_content` leaves it.

    Raises:
        NoImage: it cannot be built.
        EnvironmentProblem: no engine answers, or its disk is full.
    """
    images.build_image(workspace, target, toolchain, stage="runtime", on_line=on_line)
    with tempfile.TemporaryDirectory(prefix="dockyard-delivery-") as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(app, context / "app")
        source = workspace.docker(images.DELIVERED)
        shutil.copyfile(source / "Dockerfile", context / "Dockerfile")
        shutil.copyfile(source / "requirements.txt", context / "requirements.txt")
        arguments = {"RUNTIME": images.image_tag(target, toolchain, "runtime"), "TOOLS": TOOLS_IMAGE}
        build = ImageBuild(context, STAGE, tag, arguments, labels)
        run_build(build, HERE, workspace.display_path(source / "Dockerfile"), on_line)
    return inspect(tag)


def inspect(tag: str) -> Image:
    """Return an image that the engine has. Raises NoImage."""
    found = DockerCommand(any_client()).images(tag)
    if tag not in found:
        raise NoImage(f"the image {tag} is not there", str(HERE), "look at 'docker image ls'")
    one = found[tag]
    return Image(tag, one.id, one.architecture, one.size)


def packages_of(tag: str) -> list[Package]:
    """Return what is installed in an image, as its own Python says. Raises JobFailed."""
    docker = DockerCommand(any_client())
    answer = docker.run("run", "--rm", "--network", "none", "--entrypoint", "python", tag, "-c", ASK)
    if answer is None or answer.returncode != 0:
        said = answer.stderr.strip().splitlines()[-1:] if answer is not None else []
        raise JobFailed(f"the image does not say what is in it ({' '.join(said)})", tag)
    return read_packages(answer.stdout)


def golden_of(tag: str, folder: Path) -> None:
    """Have an image read the images in it, and write what came of them, with the images, into a new folder.

    Raises:
        JobFailed: it cannot read them.
    """
    docker, name = DockerCommand(any_client()), f"dockyard-golden-{uuid4().hex}"
    # What it writes lies in its own file system, where only root may write; nothing else of it is kept.
    command = ("golden", "--images", f"{DELIVERY}/{IMAGES}")
    made = docker.run("create", "--name", name, "--network", "none", "--user", "0", tag, *command)
    try:
        for step in (made, docker.run("start", "--attach", name)):
            if step is None or step.returncode != 0:
                said = (step.stderr or step.stdout).strip() if step is not None else "docker does not answer"
                raise JobFailed("the image cannot read its golden images", tag, said[-500:])
        copied = docker.run("cp", f"{name}:{DELIVERY}/{GOLDEN}", str(folder))
        if copied is None or copied.returncode != 0:
            raise JobFailed("the image has left no golden readings", tag)
    finally:
        docker.run("rm", "--force", name)
