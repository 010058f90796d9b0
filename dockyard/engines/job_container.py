"""One job's container: made, filled, followed to its end, collected, over a line that may drop meanwhile."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import docker.errors
import docker.types

from dockyard.engines import Limits, OnLine, WordsLost, images
from dockyard.engines.archives import CHUNK, pack, receive
from dockyard.engines.engine_line import ENGINE_ERRORS, LOST, EngineLine
from dockyard.engines.held_interrupts import interrupts_held
from dockyard.engines.host_process import identify
from shared.contract.errors import EnvironmentProblem

JOB_LABEL = "dockyard.job"
"""The job folder that a container is for."""

HOST_LABEL = "dockyard.host"
"""The process that started it, and that removes it at the end."""

KEY_LABEL = "dockyard.key"
"""What identifies the work of a job that another host process may collect; empty where none may."""

WORKSPACE_LABEL = "dockyard.workspace"
"""The folder, on the host, of the workspace that the job is of."""

FOLDER = "/job"
"""Where a job's folder is in its container."""

OWN_VOLUME = docker.types.Mount(target=FOLDER, source=None, type="volume")
"""A volume for the job's folder that is the container's own, and goes with it."""

MAX_LINE = 1 << 17
"""Characters: a frame with a hundred objects and their votes is a line of a quarter of them."""
_PAUSE_S = 0.2


class JobContainer:
    """A job's container on an engine. It is known by its name: an answer that says its id may be lost.

    Args:
        on_line: is told what the job prints, and that the line is down.
        given_up: set when nobody waits for the job any more; then no line is waited for.
    """

    def __init__(self, line: EngineLine, name: str, on_line: OnLine, given_up: threading.Event) -> None:
        self.name = name
        self._line, self._on_line, self._given_up = line, on_line, given_up

    def make(
        self,
        image: str,
        command: Sequence[str],
        limits: Limits,
        labels: Mapping[str, str],
        mounts: Sequence[docker.types.Mount],
        runtime: str | None = None,
        groups: Sequence[int] = (),
    ) -> None:
        """Make it. An interrupt waits until the engine has answered: before, it has nothing to remove.

        Args:
            groups: ids of groups of the engine's machine that its user is in, beside the image's own.
        """
        with interrupts_held(self._given_up.set):
            self._line.again(
                lambda: self._make(image, command, limits, labels, mounts, runtime, groups),
                self._on_line,
                self._given_up,
            )

    def fill(self, folder: Path, left_out: Collection[str] = ()) -> None:
        """Send a folder's content to FOLDER in it, without what is there already."""
        with tempfile.TemporaryFile() as archive:
            pack(folder, archive, images.USER, left_out)

            def send() -> None:
                archive.seek(0)
                self._line.client.api.put_archive(self.name, FOLDER, archive)

            self._line.again(send, self._on_line, self._given_up)

    def start(self) -> None:
        self._line.again(lambda: self._line.client.api.start(self.name), self._on_line, self._given_up)

    def state(self) -> Mapping[str, Any]:
        """Return the engine's word on it: `Running`, `ExitCode`, `OOMKilled`, ... Raises NotFound."""
        found = self._line.again(
            lambda: self._line.client.api.inspect_container(self.name), self._on_line, self._given_up
        )
        state: Mapping[str, Any] = found["State"]
        return state

    def follow(self, expired: threading.Event, words_since: int | None) -> Mapping[str, Any]:
        """Hand on what it prints until it ends; return its last state.

        Args:
            expired: set when it has had its time.
            words_since: the line's outages before it was started, of one that waits for signals, which get
                lost where the line drops; None for any other.

        Raises:
            WordsLost: the line dropped, and is back.
        """
        last = ""
        state: Mapping[str, Any] = {"Running": True}
        while True:
            seen = self._line.outages
            if words_since not in (None, seen):
                what = "the line to the engine dropped while it was measured"
                raise WordsLost(what, self._line.endpoint.name, "build it again, over a steadier line")
            try:
                for at, text in self._lines_after(last):
                    last = at
                    self._on_line(text)
            except LOST as error:
                self._line.restore(seen, error, self._on_line, self._given_up)
            if self._line.outages != seen:
                continue
            # The output may end before the job does, and with the line, without a word: it is whole when it
            # was read to its end after the job's.
            if not state["Running"]:
                return state
            state = self.state()
            if state["Running"]:
                if expired.is_set():
                    self.send(signal.SIGKILL)
                self._given_up.wait(_PAUSE_S)

    def send(self, word: signal.Signals) -> None:
        """Send its first process a signal; one that has ended gets none.

        A line on which that fails is cut: nobody knows whether the word has reached it.
        """
        seen = self._line.outages
        try:
            self._line.client.api.kill(self.name, word.name)
        except LOST:
            self._line.break_off(seen)
        except ENGINE_ERRORS:  # it has just ended, or whoever waits for it will meet the same error
            pass

    def fetch(self, name: str, folder: Path, limit_mb: int) -> None:
        """Fetch a file or folder of the job into `folder`; one that is not there is not an error.

        Raises:
            JobFailed: what is there is not plain files, or more than may be.
        """

        def receive_all() -> None:
            with suppress(docker.errors.NotFound):
                chunks, _ = self._line.client.api.get_archive(self.name, f"{FOLDER}/{name}", chunk_size=CHUNK)
                receive(chunks, folder, limit_mb << 20)

        self._line.again(receive_all, self._on_line, self._given_up)

    def remove(self) -> None:
        """Remove it with its volume; where the line does not come back, the next build does."""
        with interrupts_held(self._given_up.set), suppress(*ENGINE_ERRORS, *LOST, EnvironmentProblem):
            self._line.again(
                lambda: self._line.client.api.remove_container(self.name, v=True, force=True),
                self._on_line,
                self._given_up,
            )

    def _make(
        self,
        image: str,
        command: Sequence[str],
        limits: Limits,
        labels: Mapping[str, str],
        mounts: Sequence[docker.types.Mount],
        runtime: str | None,
        groups: Sequence[int],
    ) -> None:
        with suppress(docker.errors.NotFound):  # of a call whose answer was lost
            self._line.client.api.remove_container(self.name, v=True, force=True)
        self._line.client.containers.create(
            image,
            list(command),
            name=self.name,
            runtime=runtime,
            user=f"{images.USER}:{images.USER}",
            group_add=list(groups),
            working_dir=FOLDER,
            environment={"PYTHONPATH": f"{FOLDER}/code"},
            network_mode="host" if limits.host_network else "none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=f"{limits.memory_mb}m",
            memswap_limit=f"{limits.memory_mb}m",
            pids_limit=limits.processes,
            tmpfs={"/tmp": "rw,size=512m,mode=1777"},
            mounts=list(mounts),
            labels={HOST_LABEL: identify(os.getpid()).to_text(), **labels},
        )

    def _lines_after(self, last: str) -> Iterator[tuple[str, str]]:
        """Yield (time, text) of each line printed after a time, until it ends or the line breaks."""
        # The engine is asked by the second, and its clock's nanoseconds, of one width, tell lines apart.
        since = int(moment(last)) if last else None
        chunks = self._line.client.api.logs(self.name, stream=True, follow=True, timestamps=True, since=since)
        for line in log_lines(chunks):
            at, _, text = line.partition(" ")
            if at > last:
                yield at, text


def moment(text: str) -> float:
    """Return the seconds since 1970 of a time as the engine writes it, `2026-01-31T12:00:00.123456789Z`."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()
    return seconds + float(f"0.{fraction or 0}")


def log_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Split a stream of bytes into lines, each cut at MAX_LINE characters."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")[:MAX_LINE]
        rest = rest[: MAX_LINE * 4]
    if rest:
        yield rest.decode("utf-8", "replace")[:MAX_LINE]
