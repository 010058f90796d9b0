"""Where jobs run. Every engine takes the same job folder and leaves `result.json` and `outputs/` in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Limits:
    """What one job may take: seconds, MB of memory, processes and threads, MB of output.

    `host_network` lets it see this machine's network, which only a job that tunes on other machines needs.
    """

    time_s: int
    memory_mb: int
    processes: int = 512
    output_mb: int = 4096
    host_network: bool = False


@dataclass(frozen=True)
class Ended:
    """How a job's process ended.

    Attributes:
        exit_code: of the entry script.
        seconds: from its start to its end, imports included.
        reason: the engine's own, when it was the engine or the kernel that ended it.
        expired: it was ended at its time limit.
    """

    exit_code: int
    seconds: float
    reason: str = ""
    expired: bool = False


class Engine(Protocol):
    """A place where jobs run."""

    name: str

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        """Make a toolchain ready; return what identifies it (`lock`, and `image_digest` for an image).

        Raises:
            EnvironmentProblem: it cannot be made ready.
        """

    def run(self, target: str, toolchain: str, folder: Path, limits: Limits, on_line: OnLine) -> Ended:
        """Run the job folder's entry script to its end, handing on each line that it prints.

        Nothing is left running, whatever is raised meanwhile. Where the folder has a `tuning`, what the job leaves in
        its own is there when this ends, however it ends.

        Raises:
            EnvironmentProblem: the engine is gone, or has no room.
        """


def entry_script(target: str) -> str:
    """Return the entry script's path within a job folder."""
    return f"code/targets/{target}/entry.py"
