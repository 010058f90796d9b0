"""An image that this machine's engine has, sent to an engine elsewhere, through no registry."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import IO

from dockyard.engines import NoImage, OnLine, images
from dockyard.engines.archives import CHUNK
from dockyard.engines.docker_cli import (
    DockerCommand,
    EngineAddress,
    ImageOnEngine,
    any_client,
    refuse_full_disk,
)
from dockyard.engines.engine_line import EngineLine
from dockyard.engines.image_archive import (
    UnknownArchive,
    copy_without,
    files_not_needed,
    known_layers,
    read_archive,
)
from dockyard.recipe.workspace import Workspace

LOCAL_SOCKET = Path("/var/run/docker.sock")

_ALL: frozenset[str] = frozenset()
_SHOWN_S = 0.5
_TRIES = 3


def image_from_here(
    workspace: Workspace, target: str, toolchain: str, line: EngineLine, on_line: OnLine
) -> str | None:
    """Send a toolchain's image to an engine and return its ID; None where it has to be built there.

    That is so where this machine has no current image for that kind of machine, or the engine has a base of
    its own, on which it builds.

    Raises:
        NoImage: it cannot be sent.
        EnvironmentProblem: there is no room there, or (LineLost) no line any more.
    """
    if not LOCAL_SOCKET.exists():
        return None
    here, tag = EngineAddress(socket=LOCAL_SOCKET), images.image_tag(target, toolchain)
    if images.current_image(workspace, target, toolchain, address=here) is None:
        return None
    there = DockerCommand(any_client(), line.address)
    architecture = there.ask("version", "--format", "{{.Server.Arch}}")
    base = images.base_tag(workspace, target, toolchain)
    found = DockerCommand(any_client(), here).images(tag, base)
    base_here, base_there = found.get(base), there.images(base).get(base)
    if found[tag].architecture != architecture or (base_there is not None and base_there != base_here):
        return None
    send_image(tag, found[tag], here, line, on_line)
    return images.current_image(workspace, target, toolchain, address=line.address)


def send_image(
    tag: str, image: ImageOnEngine, here: EngineAddress, line: EngineLine, on_line: OnLine
) -> None:
    """Send an image from one engine to another, without the layers that are there.

    It is sent from the start again where the line drops, and whole where it is refused without those layers.

    Raises:
        NoImage: it cannot be sent.
        EnvironmentProblem: there is no room there, or (LineLost) no line any more.
    """
    source = DockerCommand(any_client(), here)
    is_refused = False
    for attempt in range(_TRIES):
        seen = line.outages
        left_out, size = _ALL, image.size
        if not is_refused:
            left_out, size = _not_needed(tag, image, source, line, on_line)
        shown = f"sending {tag}" + (f" without {len(left_out)} layers that are there" if left_out else "")
        sink = DockerCommand(any_client(), line.address)
        problem = _send(tag, source, sink, left_out, _Progress(shown, size, on_line))
        if problem is None:
            return
        refuse_full_disk(problem, line.endpoint.name)
        line.again(line.client.ping, on_line)
        if line.outages == seen:
            if attempt:
                break
            is_refused = True
    advice = "or build it there: ./inv images --context ..."
    raise NoImage(f"image {tag} could not be sent: {problem}", line.endpoint.name, advice)


def _not_needed(
    tag: str, image: ImageOnEngine, source: DockerCommand, line: EngineLine, on_line: OnLine
) -> tuple[frozenset[str], int]:
    """Return the files of an image's archive that an engine can do without, and the bytes of the others."""
    everything = _ALL, image.size
    status = line.again(line.client.info, on_line).get("DriverStatus") or ()
    if any("containerd" in str(entry) for entry in status):
        return everything
    there = DockerCommand(any_client(), line.address).all_images()
    known = known_layers(image.layers, [other.layers for other in there])
    if not known:
        return everything
    # Which file is which layer's is said at the end: a first pass, which stays on this machine, finds out.
    with subprocess.Popen(
        source.command("save", tag),
        env=source.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as save:
        assert save.stdout is not None
        try:
            archive = read_archive(save.stdout)
            files = files_not_needed(archive, image.layers, known)
        except UnknownArchive:
            return everything
        finally:
            save.kill()
    return frozenset(files), sum(size for name, size in archive.sizes.items() if name not in files)


def _send(
    tag: str, source: DockerCommand, sink: DockerCommand, left_out: Collection[str], progress: _Progress
) -> str | None:
    """Send an image from one engine to another; return what went wrong, or None."""
    with tempfile.TemporaryFile("w+") as said:
        with (
            subprocess.Popen(
                source.command("save", tag), env=source.environment(), stdout=subprocess.PIPE, stderr=said
            ) as save,
            subprocess.Popen(
                sink.command("load", "--quiet"),
                env=sink.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            ) as load,
        ):
            assert save.stdout is not None
            assert load.stdin is not None
            progress.sink = load.stdin
            try:
                if left_out:
                    copy_without(save.stdout, progress, left_out)
                else:
                    shutil.copyfileobj(save.stdout, progress, CHUNK)
                load.stdin.close()
            except BrokenPipeError:  # the reason is what `load` says
                save.kill()
            except tarfile.TarError:  # the reason is what `save` says, and `load` waits for the rest
                save.kill()
                load.kill()
                with suppress(BrokenPipeError):
                    load.stdin.close()
            except BaseException:
                save.kill()
                load.kill()
                raise
            codes = save.wait(), load.wait()
        said.seek(0)
        return None if codes == (0, 0) else " ".join(said.read().split())[-300:] or "no reason given"


class _Progress:
    """Hands on what is written, and tells how far it is and how fast."""

    def __init__(self, what: str, size: int, on_line: OnLine) -> None:
        self.sink: IO[bytes] | None = None
        self._what, self._size, self._on_line = what, size, on_line
        self._done, self._started, self._shown_s = 0, time.monotonic(), 0.0

    def write(self, chunk: bytes) -> int:
        assert self.sink is not None
        self.sink.write(chunk)
        self._done += len(chunk)
        seconds = time.monotonic() - self._started
        if seconds - self._shown_s >= _SHOWN_S:
            self._shown_s = seconds
            done, size, rate = (value / 1e6 for value in (self._done, self._size, self._done / seconds))
            self._on_line(f"{self._what}: {done:.0f} of {size:.0f} MB, {rate:.0f} MB/s")
        return len(chunk)
