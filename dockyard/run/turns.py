"""Whose turn it is: what a device does, it does for one build at a time, whichever builds there are.

The locks are files in `.dockyard/locks/`; the system takes them back from a process that dies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dockyard.engines import Executor
from dockyard.recipe.locks import lock_file, locked
from dockyard.recipe.workspace import Workspace
from dockyard.run.display import Display

HERE = "here"
"""This machine, as a lock's name; other devices have what tells them apart (`Executor.device`)."""


def device_key(executor: Executor) -> str:
    """Return the same for executors that use the same device; the engines of this machine share it."""
    return HERE if executor.is_local else executor.device


def results_lock(workspace: Workspace) -> Path:
    """Return the lock of results/, which is read and written as a whole."""
    return lock_file(workspace, "results")


class Turns:
    """One build's turns on devices.

    Args:
        clock: seconds.
    """

    def __init__(
        self, workspace: Workspace, display: Display, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._workspace, self._display, self._clock = workspace, display, clock
        self._waited_s = 0.0
        self._said: set[str] = set()

    def working_s(self) -> float:
        """Return the clock's seconds without those in which a device was waited for."""
        return self._clock() - self._waited_s

    @contextmanager
    def on(self, executors: Iterable[Executor]) -> Iterator[None]:
        """Hold the devices of executors: nothing else that takes its turn runs on one meanwhile."""
        devices = {device_key(executor): executor.name for executor in executors}
        with ExitStack() as stack:
            for key in sorted(devices):  # in one order for all, or two builds might wait for each other
                stack.enter_context(self._turn(key, devices[key]))
            yield

    @contextmanager
    def here(self) -> Iterator[None]:
        """Hold this machine, for work of the host that would disturb what is measured on it."""
        with self._turn(HERE, "this machine"):
            yield

    @contextmanager
    def _turn(self, key: str, name: str) -> Iterator[None]:
        started, said = self._clock(), False

        def say() -> None:
            nonlocal said
            said = True
            if key not in self._said:
                self._display.say(f"  waiting for {name}, where another build is at work")
                self._said.add(key)
            self._display.progress(f"waiting for {name}", 0, 0)

        device = lock_file(self._workspace, f"device-{key}")
        with ExitStack() as stack:
            # Who is next holds the first lock while it waits for the second: whoever ends a job and wants
            # to begin another comes after it. The system alone deals locks out to the quickest.
            with locked(device.with_name(f"{device.name}.next"), say):
                stack.enter_context(locked(device, say))
            if said:
                self._display.progress("", 0, 0)
            self._waited_s += self._clock() - started
            yield
