"""An image that this machine's engine has, sent to an engine elsewhere, through no registry."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from dockyard.engines import OnLine, images
from dockyard.engines.archives import CHUNK
from dockyard.engines.docker_cli import DockerCommand, EngineAddress, ImageOnEngine, any_client
from dockyard.engines.engine_line import EngineLine, refuse_full_disk
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import EnvironmentProblem

LOCAL_SOCKET = Path("/var/run/docker.sock")

_SHOWN_S = 0.5
_TRIES = 3


def image_from_here(
    workspace: Workspace, target: str, toolchain: str, line: EngineLine, on_line: OnLine
) -> str | None:
    """Send a toolchain's image to an engine and return its ID; None where it has to be built there.

    That is so where this machine has no current image for that kind of machine, or the engine has a base of
    its own, on which it builds.

    Raises:
        EnvironmentProblem: it cannot be sent, or there is no room.
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
    """Send an image from one engine to another, from the start again where the line drops.

    Raises:
        EnvironmentProblem: it cannot be sent, or there is no room.
    """
    for attempt in range(_TRIES):
        seen = line.outages
        problem = _send(tag, image, here, line.address, on_line)
        if problem is None:
            return
        refuse_full_disk(problem, line.endpoint.name)
        line.again(line.client.ping, on_line)
        if line.outages == seen and attempt:
            break
    advice = "or build it there: ./inv images --context ..."
    raise EnvironmentProblem(f"image {tag} could not be sent: {problem}", line.endpoint.name, advice)


def _send(
    tag: str, image: ImageOnEngine, here: EngineAddress, there: EngineAddress, on_line: OnLine
) -> str | None:
    """Send an image from one engine to another; return what went wrong, or None."""
    source, sink = DockerCommand(any_client(), here), DockerCommand(any_client(), there)
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
            try:
                _copy(save.stdout, load.stdin, f"sending {tag}", image.size, on_line)
                load.stdin.close()
            except BrokenPipeError:  # the reason is what `load` says
                save.kill()
            except BaseException:
                save.kill()
                load.kill()
                raise
            codes = save.wait(), load.wait()
        said.seek(0)
        return None if codes == (0, 0) else " ".join(said.read().split())[-300:] or "no reason given"


def _copy(source: IO[bytes], sink: IO[bytes], what: str, size: int, on_line: OnLine) -> None:
    """Copy a stream, and tell how far it is and how fast."""
    done, started = 0, time.monotonic()
    shown = 0.0
    while chunk := source.read(CHUNK):
        sink.write(chunk)
        done += len(chunk)
        seconds = time.monotonic() - started
        if seconds - shown >= _SHOWN_S:
            shown = seconds
            on_line(f"{what}: {done / 1e6:.0f} of {size / 1e6:.0f} MB, {done / 1e6 / seconds:.0f} MB/s")
