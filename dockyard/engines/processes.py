"""Programs that the host runs and listens to."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence

LAST_LINES = 15


def ask_here(command: str) -> str | None:
    """Return what a command prints on this machine; None where it fails.

    Args:
        command: for a shell; nothing of a user's is in it.
    """
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    return answer.stdout if answer.returncode == 0 else None


def stream(
    command: Sequence[str], environment: Mapping[str, str] | None, on_line: Callable[[str], None]
) -> tuple[int, list[str]]:
    """Run a command, hand on each line that it prints as it comes, return its exit code and its last lines.

    Args:
        command: program and arguments; no shell is involved.
        environment: the whole environment; None takes this process's.

    Whatever is raised meanwhile ends the program first.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        list(command),
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            assert process.stdout is not None
            for raw in process.stdout:
                line = raw.rstrip()
                if line:
                    last.append(line)
                    on_line(line)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, list(last)
