"""The image that is delivered, built on a target's runtime stage, and what it says of itself."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import zstandard

from dockyard.deliver.bundle import Image
from dockyard.deliver.contents import ASK, Package, read_packages
from dockyard.deliver.description import GOLDEN
from dockyard.engines import NoImage, OnLine, images
from dockyard.engines.base_image import PYTHON_IMAGE, TOOLS_IMAGE
from dockyard.engines.docker_cli import HERE, DockerCommand, any_client
from dockyard.engines.image_archive import (
    UnknownArchive,
    copy_without,
    files_not_needed,
    known_layers,
    read_archive,
)
from dockyard.engines.image_build import ImageBuild, run_build
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import JobFailed

LEVEL = 10
"""Of zstd: an image of 600 MB takes half a minute, and higher ones save little."""

STAGE = "delivered"
"""The Dockerfile's last."""

VENDOR = "vendor"
"""Below docker/delivery/, how an image is made whose stage `runtime` is made on a vendor's."""

SERVED, SMALL = "served", "small"
"""Its stages with the files of an image: all of the target's stage `runtime`, or those that can be needed."""

NOT_DELIVERED, VIDEOS = "not-delivered.txt", "videos.txt"
"""Lists of what a small image leaves out: ours and each target's own, and what decodes videos."""

DELIVERY = "/opt/dockyard/delivery"
"""In the image."""


@dataclass(frozen=True)
class Content:
    """What an image is made from.

    Attributes:
        app: what goes into it, as `content.write_content` leaves it.
        decodes_videos: it brings PyAV.
    """

    target: str
    toolchain: str
    app: Path
    tag: str
    labels: Mapping[str, str]
    decodes_videos: bool = True


def can_be_small(workspace: Workspace, content: Content) -> bool:
    """Tell whether it is known what an image can do without: not where it is made on a vendor's."""
    return images.base_tag(workspace, content.target, content.toolchain) == PYTHON_IMAGE


def build_delivered(workspace: Workspace, content: Content, files: str, on_line: OnLine) -> Image:
    """Build the image that is delivered.

    Args:
        files: SERVED or SMALL.

    Raises:
        NoImage: it cannot be built.
        EnvironmentProblem: no engine answers, or its disk is full.
    """
    target, toolchain = content.target, content.toolchain
    if images.current_image(workspace, target, toolchain, stage="runtime") is None:
        images.build_image(workspace, target, toolchain, stage="runtime", on_line=on_line)
    with tempfile.TemporaryDirectory(prefix="dockyard-delivery-") as scratch:
        source = workspace.docker(images.DELIVERED)
        if not can_be_small(workspace, content):
            source = source / VENDOR
        context = Path(scratch) / "context"
        shutil.copytree(source, context, ignore=shutil.ignore_patterns(VENDOR))
        shutil.copytree(content.app, context / "app")
        (context / NOT_DELIVERED).write_text(_not_delivered(workspace, content), encoding="utf-8")
        arguments = {
            "RUNTIME": images.image_tag(target, toolchain, "runtime"),
            "TOOLS": TOOLS_IMAGE,
            "FILES": files,
        }
        build = ImageBuild(context, STAGE, content.tag, arguments, content.labels)
        run_build(build, HERE, workspace.display_path(source / "Dockerfile"), on_line)
    return replace(inspect(content.tag), is_one_tree=files == SMALL)


def _not_delivered(workspace: Workspace, content: Content) -> str:
    """Return the list of what a small image leaves out."""
    ours, own = workspace.docker(images.DELIVERED), workspace.docker(content.target)
    lists = [ours / NOT_DELIVERED, own / NOT_DELIVERED]
    if not content.decodes_videos:
        lists.append(ours / VIDEOS)
    return "".join(path.read_text(encoding="utf-8") for path in lists if path.is_file())


def inspect(tag: str) -> Image:
    """Return an image that the engine has. Raises NoImage."""
    found = DockerCommand(any_client()).images(tag)
    if tag not in found:
        raise NoImage(f"the image {tag} is not there", str(HERE), "look at 'docker image ls'")
    one = found[tag]
    return Image(tag, one.id, one.architecture, one.size, one.layers)


def remove(image: Image) -> None:
    """Remove an image that is of no more use; one that something still uses stays."""
    DockerCommand(any_client()).run("rmi", image.id)


def packages_of(tag: str) -> list[Package]:
    """Return what is installed in an image, as its own Python says. Raises JobFailed."""
    docker = DockerCommand(any_client())
    answer = docker.run("run", "--rm", "--network", "none", "--entrypoint", "python", tag, "-c", ASK)
    if answer is None or answer.returncode != 0:
        said = answer.stderr.strip().splitlines()[-1:] if answer is not None else []
        raise JobFailed(f"the image does not say what is in it ({' '.join(said)})", tag)
    return read_packages(answer.stdout)


def golden_of(tag: str, images_in: str, folder: Path, least: float = 0.0) -> None:
    """Have an image read images in it, and write what came of them, with the images, into a new folder.

    Args:
        images_in: their folder in the delivery.
        least: how sure each answer is at least; an image with another one is left out.

    Raises:
        JobFailed: it cannot read them.
    """
    docker, name = DockerCommand(any_client()), f"dockyard-golden-{uuid4().hex}"
    # What it writes lies in its own file system, where only root may write; nothing else of it is kept.
    command = ("golden", "--images", f"{DELIVERY}/{images_in}", "--least", str(least))
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


def save(image: Image, file: Path, base: Sequence[str], tell: Callable[[int], None]) -> int:
    """Write an image's archive, compressed; return how many of its layers are left out.

    Args:
        base: the layers of an image that is there where it is loaded; those that this one begins with, too,
            are left out.
        tell: is given the bytes so far.

    Raises:
        JobFailed: it could not be saved.
    """
    known = known_layers(image.layers, [base])
    left_out: set[str] = set()
    if known:
        with _saving(image) as archive:
            left_out = files_not_needed(read_archive(archive), image.layers, known)
    with (
        _saving(image) as archive,
        file.open("wb") as out,
        zstandard.ZstdCompressor(level=LEVEL, threads=-1).stream_writer(out) as packed,
    ):
        copy_without(archive, _Counted(packed, tell), left_out)
    return known


class _Counted:
    """A file that is written to, and tells how much."""

    def __init__(self, sink: Any, tell: Callable[[int], None]) -> None:
        self._sink, self._tell, self._done = sink, tell, 0

    def write(self, content: bytes) -> int:
        self._sink.write(content)
        self._done += len(content)
        self._tell(self._done)
        return len(content)


@contextmanager
def _saving(image: Image) -> Iterator[IO[bytes]]:
    """Yield what `docker save` writes. Raises JobFailed where it fails, or is no archive of one image."""
    docker = DockerCommand(any_client())
    # What it complains of is kept in a file: a full pipe that nobody reads would stop it.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            docker.command("save", image.tag), env=docker.environment(), stdout=subprocess.PIPE, stderr=said
        ) as process,
    ):
        assert process.stdout is not None
        reason = ""
        try:
            yield process.stdout
            process.stdout.read()  # what is behind the archive's end
        except (tarfile.TarError, UnknownArchive, EOFError) as error:
            reason = str(error)
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0 or reason:
            said.seek(0)
            told = said.read(500).decode(errors="replace").strip() or reason or "no reason given"
            raise JobFailed(f"the image could not be saved ({told})", image.tag)
