"""A job on this machine ends with the host that started it, even one that is killed and can end nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# The watcher reads what the host writes to it: the job's process group, then a line when the job is over. A
# host that dies closes the pipe instead. As long as a process of the group lives its id is nobody else's, and
# the host says that the job is over as soon as none does.
_WATCH = 'read -r group || exit 0; read -r over || kill -s KILL -- "-$group"'


@contextmanager
def lifeline() -> Iterator[Callable[[int], None]]:
    """Yield `watch(group)`: a process group is killed if this process dies before the body is over."""
    with subprocess.Popen(
        ["sh", "-c", _WATCH],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,  # Ctrl-C is for the host
    ) as watcher:
        assert watcher.stdin is not None
        pipe = watcher.stdin

        def tell(text: str) -> None:
            with suppress(BrokenPipeError):  # somebody ended the watcher: the job goes on without
                pipe.write(f"{text}\n".encode())

        try:
            yield lambda group: tell(str(group))
        finally:
            tell("over")
