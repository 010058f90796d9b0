"""Inputs that an engine elsewhere keeps, so that each goes over the line once.

- An input is a folder of a job, as a split of the data or an artifact, known by its content
  (`folder_digest`).
- Each has a named volume of its own, which a job that needs it mounts at its place, read-only: the job sees
  plain files, changes nothing of them, and sees no other job's.
- A volume is filled through a container of the job's own image. That hashes what has come, on the engine, and
  writes it through to the disk; then, while it still holds the volume, a mark is made: an empty volume whose
  labels say which one is whole. Without a mark a volume is a stray, whatever broke the sending off.
- Two hosts fill volumes of different names. A volume that somebody removes before the job's container holds
  it is missed by its labels then, and sent anew.
- What was not used for longest goes when the budget is spent (`input_volumes`); a mark has the time of the
  last use. Strays go then too, and when a build begins. The engine refuses to remove what a container holds.
- What cannot be kept travels with the job, as everything does to an engine of this machine.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

import docker.errors
import docker.types

from dockyard.engines import Limits, OnLine, folder_digest
from dockyard.engines.engine_line import ENGINE_ERRORS, LOST, EngineLine, progress_line
from dockyard.engines.held_interrupts import interrupts_held
from dockyard.engines.input_volumes import (
    BYTES_LABEL,
    DIGEST_LABEL,
    PREFIX,
    USED_LABEL,
    WHOLE_LABEL,
    Kept,
    Volumes,
    budget,
    read_volumes,
    too_many,
)
from dockyard.engines.job_container import FOLDER, JOB_LABEL, JobContainer
from dockyard.engines.time_limit import time_limit
from dockyard.recipe.hashing import content_bytes
from shared.contract.errors import EnvironmentProblem
from shared.contract.job import PROGRESS_KEY

LEAST_BYTES = 1_000_000
"""What is smaller travels faster than a container starts."""

FILLER = "input"
"""The job, by its label, of a container that fills a volume."""

_INPUTS = "inputs"
_LIMITS = Limits(time_s=3600, memory_mb=256, processes=16)
_NOTED_S = 600.0


class KeptInputs:
    """The inputs that an engine keeps; several threads may ask for some at once.

    Args:
        free_bytes: of the engine's disk; None where nobody knows.
    """

    def __init__(self, line: EngineLine, free_bytes: Callable[[], int | None]) -> None:
        self._line, self._free_bytes = line, free_bytes
        self._lock = threading.Lock()
        self._noted: dict[str, float] = {}

    def place(
        self, folder: Path, image: str, on_line: OnLine, given_up: threading.Event
    ) -> Mapping[str, str]:
        """Return the volumes with a job's large inputs, by path below its folder; what is not there is sent.

        Args:
            image: of the job, which has Python.
            given_up: as of a JobContainer; it is set when an input is not sent to its end.
        """
        wanted = {path: folder_digest.folder_digest(str(folder / path)) for path in large_inputs(folder)}
        placed: dict[str, str] = {}
        if not wanted:
            return placed
        with self._lock:
            there = self._volumes(on_line, given_up)
            for path, digest in wanted.items():
                kept = there.of(digest)
                if kept is not None:
                    self._note_use(kept, on_line, given_up)
                    placed[path] = kept.volume
                    continue
                size = content_bytes(folder / path)
                if not self._make_room(there, size, wanted.values(), on_line, given_up):
                    continue
                volume = self._send(folder / path, digest, size, image, on_line, given_up)
                if volume is not None:
                    placed[path] = volume
                there = self._volumes(on_line, given_up)
        return placed

    def are_there(self, placed: Mapping[str, str], on_line: OnLine, given_up: threading.Event) -> bool:
        """Tell whether volumes, which a container holds by now, are still those that were placed."""
        whole = {kept.volume for kept in self._volumes(on_line, given_up).whole} if placed else set()
        return whole.issuperset(placed.values())

    def tidy(self, on_line: OnLine) -> None:
        """Remove strays, and what is beyond the budget: the disk may be fuller than it was."""
        given_up = threading.Event()
        there = self._volumes(on_line, given_up)
        if there.whole or there.strays:
            self._make_room(there, 0, (), on_line, given_up)

    def _volumes(self, on_line: OnLine, given_up: threading.Event) -> Volumes:
        found = self._line.again(
            lambda: self._line.client.api.volumes(filters={"name": PREFIX}), on_line, given_up
        )
        return read_volumes(found.get("Volumes") or ())

    def _send(
        self, source: Path, digest: str, size: int, image: str, on_line: OnLine, given_up: threading.Event
    ) -> str | None:
        """Send an input and return its volume; None where what has come there is not what was sent."""
        printed: list[str] = []

        def hear(line: str) -> None:
            if PROGRESS_KEY in line:
                on_line(line)
            printed.append(line)

        started = time.monotonic()
        on_line(progress_line(f"sending {source.name}, {size / 1e6:.0f} MB"))
        volume, is_whole = f"{PREFIX}{uuid4().hex}", False
        filler = JobContainer(self._line, f"dockyard-{uuid4().hex}", hear, given_up)
        mount = docker.types.Mount(FOLDER, volume, labels={DIGEST_LABEL: digest})
        check = ["python", "-c", Path(folder_digest.__file__).read_text(encoding="utf-8"), FOLDER]
        try:
            filler.make(image, check, _LIMITS, {JOB_LABEL: FILLER}, [mount])
            filler.fill(source)
            filler.start()
            with time_limit(_LIMITS.time_s, lambda: filler.send(signal.SIGKILL)) as expired:
                filler.follow(expired, None)
            if digest in printed:
                with interrupts_held(given_up.set):
                    self._mark(volume, size, on_line, given_up)
                    is_whole = True
                seconds = time.monotonic() - started
                rate = f"{size / 1e6:.0f} MB in {seconds:.1f} s, {size / 1e6 / seconds:.0f} MB/s"
                on_line(progress_line(f"sent {source.name}: {rate}"))
                return volume
        except BaseException:
            given_up.set()  # what is removed now waits for no line
            raise
        finally:
            filler.remove()
            if not is_whole:
                self._remove(volume, on_line, given_up)
        said = " ".join(printed)[-200:]
        on_line(f"{source.name} cannot be kept on the engine, and is sent with each job ({said})")
        return None

    def _mark(self, volume: str, size: int, on_line: OnLine, given_up: threading.Event) -> None:
        """Say that a volume is whole, and used now."""
        used = datetime.now(timezone.utc).isoformat(timespec="seconds")
        labels = {WHOLE_LABEL: volume, BYTES_LABEL: str(size), USED_LABEL: used}
        name = f"{volume}.{uuid4().hex}"
        self._line.again(lambda: self._line.client.api.create_volume(name, labels=labels), on_line, given_up)
        self._noted[volume] = time.monotonic()

    def _note_use(self, kept: Kept, on_line: OnLine, given_up: threading.Event) -> None:
        """Note that an input is used, unless that was done a moment ago."""
        if time.monotonic() - self._noted.get(kept.volume, -_NOTED_S) < _NOTED_S:
            return
        self._mark(kept.volume, kept.bytes, on_line, given_up)  # the new mark first: it is never without
        for mark in kept.marks:
            self._remove(mark, on_line, given_up)

    def _make_room(
        self,
        there: Volumes,
        more: int,
        spared: Collection[str],
        on_line: OnLine,
        given_up: threading.Event,
    ) -> bool:
        """Remove strays and what has to go for so many bytes more; tell whether they have room then."""
        for stray in there.strays:
            self._remove(stray, on_line, given_up)
        free, left = self._free_bytes(), list(there.whole)
        most = budget(sum(kept.bytes for kept in left), free)
        if more > most:
            return False
        stays = set(spared)
        while going := too_many(left, more, most, stays):
            for kept in going:
                if not self._remove(kept.volume, on_line, given_up):
                    stays.add(kept.digest)
                    continue
                left.remove(kept)
                for mark in kept.marks:
                    self._remove(mark, on_line, given_up)
        return sum(kept.bytes for kept in left) + more <= most

    def _remove(self, volume: str, on_line: OnLine, given_up: threading.Event) -> bool:
        """Remove a volume and tell whether that was so; what a container holds, the engine does not."""
        with suppress(*ENGINE_ERRORS, *LOST, EnvironmentProblem):
            self._line.again(lambda: self._line.client.api.remove_volume(volume), on_line, given_up)
            return True
        return False


def large_inputs(folder: Path) -> list[str]:
    """Return the inputs of a job that are worth keeping, by path below its folder.

    They are the topmost folders below `inputs/` with files: one below those would be no whole input.
    """
    found, waiting = [], [folder / _INPUTS]
    while waiting:
        here = waiting.pop()
        children = sorted(here.iterdir()) if here.is_dir() else []
        if here != folder / _INPUTS and any(child.is_file() for child in children):
            found.append(here)
        else:
            waiting += [child for child in children if child.is_dir()]
    large = [path for path in found if content_bytes(path) >= LEAST_BYTES]
    return sorted(path.relative_to(folder).as_posix() for path in large)
