"""Where jobs run. Every executor takes the same job folder and leaves `result.json` and `outputs/` in it.

An engine is a way to run jobs, `docker` or `venv`; an executor is an engine on one device.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from shared.contract.errors import EnvironmentProblem

OnLine = Callable[[str], None]

SendSignal = Callable[[signal.Signals], None]
"""Sends a signal to a job's process, SIGKILL to all that it started too; one that has ended gets none."""

OnStarted = Callable[[SendSignal], None]


@dataclass(frozen=True)
class Limits:
    """What one job may take: seconds, MB of memory, processes and threads, MB of output.

    The engine `venv` holds a job to the seconds alone.

    `host_network` lets it see this machine's network, which only a job that tunes on other machines needs.
    """

    time_s: int
    memory_mb: int
    processes: int = 512
    output_mb: int = 4096
    host_network: bool = False


@dataclass(frozen=True)
class FollowedFolder:
    """A folder of the job that is fetched now and then while it runs, and at its end, however that comes.

    Attributes:
        name: the folder's path below the job's.
        suffix: what the names of the fetched files end with; each takes the place of the one before at once.
        limit_mb: the largest size of all of them together.
    """

    name: str
    suffix: str
    limit_mb: int


Level = Literal["ok", "note", "bad"]
"""Ready; works, with less; to be mended first."""


@dataclass(frozen=True)
class Finding:
    """One line on whether something is ready: how bad it is, what it is, what to do."""

    level: Level
    what: str
    advice: str = ""


@dataclass(frozen=True)
class JobExit:
    """How a job's process ended.

    Attributes:
        exit_code: the entry script's.
        seconds: from its start to its end, imports included.
        reason: the executor's own, when it was the executor or the kernel that ended it.
        expired: it was ended at its time limit.
    """

    exit_code: int
    seconds: float
    reason: str = ""
    expired: bool = False


class NoImage(EnvironmentProblem):
    """A toolchain's image is not on an engine, and cannot be had there: built, pulled or sent."""


class LineLost(EnvironmentProblem):
    """The line to the engine dropped and did not come back."""


class WordsLost(EnvironmentProblem):
    """The line dropped while a job waited for words, and is back: the words that it was sent may be lost."""


class Executor(Protocol):
    """An engine on one device.

    Attributes:
        name: `docker`, `docker:<context>` or `venv`.
        device: what tells this device from another one: jobs of one run whose devices differ are never
            compared.
        is_local: the device is this machine, whose engines share it.
        memory_mb: the memory of the device, in MB.
        place: what a record says of the engine: its address and its name.
    """

    name: str
    device: str
    is_local: bool
    memory_mb: int
    place: Mapping[str, str]

    def examine(self, toolchains: Iterable[tuple[str, str]]) -> Iterable[Finding]:
        """Return findings on the device, and on what toolchains, each with its target, ask of it."""

    def observe(self, toolchains: Iterable[tuple[str, str]]) -> Mapping[str, str]:
        """Return the state of the device now, as far as no job can read it and it matters to toolchains.

        It may disturb what is timed, so this is called before and after. What cannot be read is left out.
        """

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        """Make a toolchain ready; return what identifies it (`lock`, and `image_digest` for an image).

        Raises:
            NoImage: its image cannot be had there.
            LineLost: the line to the engine dropped and did not come back.
            EnvironmentProblem: it cannot be made ready, for a full disk or another reason.
        """

    def run(
        self,
        target: str,
        toolchain: str,
        folder: Path,
        limits: Limits,
        on_line: OnLine,
        followed: FollowedFolder | None = None,
        on_started: OnStarted | None = None,
        key: str = "",
    ) -> JobExit:
        """Run the job folder's entry script to its end, handing on each line that it prints.

        Nothing is left running, whatever is raised meanwhile. Several jobs may run at once, each in a thread
        of its own.

        Args:
            followed: what the job leaves there is in `folder` when this ends, however it ends.
            on_started: is given the way to send the job's process signals, as soon as there is one.
            key: what identifies the job's work: one that a killed host has left running is gone on with in
                its place, on an engine where jobs outlive their hosts. Without one nothing is.

        Raises:
            LineLost: the line to the engine dropped and did not come back.
            WordsLost: it dropped, and is back, while a job ran that is sent signals: it has been removed.
            EnvironmentProblem: the engine is gone, or has no room.
        """

    def close(self) -> None:
        """Give back what it holds, and remove what killed hosts have left and nobody has collected."""


LAUNCHER = "code/shared/harness/launch.py"
"""What starts an entry script, by its path within a job folder."""


def entry_script(target: str) -> str:
    """Return the entry script's path within a job folder."""
    return f"code/targets/{target}/entry.py"
