"""Locks of a workspace: files in `.dockyard/locks/`, or beside what workspaces may share by a link.

The system takes them back from a process that dies.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dockyard.recipe.workspace import Workspace


def lock_file(workspace: Workspace, name: str) -> Path:
    """Return where the lock of a name lies."""
    return workspace.state / "locks" / name


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock, which is waited for where another process or thread holds it.

    Args:
        on_wait: is called before it is waited for.
    """
    with locked_if_free(path) as (file, is_held):
        if not is_held:
            if on_wait is not None:
                on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_if_free(path: Path) -> Iterator[tuple[int, bool]]:
    """Hold a lock if nobody does; yield its open file, and whether it is held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_held = True
        except BlockingIOError:
            is_held = False
        yield file.fileno(), is_held
