"""A process for each recipe: a device has one at a time, devices work side by side."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from dockyard.device_groups import DeviceGroup
from dockyard.engines.lifeline import lifeline
from dockyard.matrix import RecipeOutcome, State
from shared.contract.codec import DecodeError, decode


@dataclass(frozen=True)
class Began:
    """A device, to which a context leads, has begun with a recipe."""

    device: str
    recipe: str
    context: str | None


@dataclass(frozen=True)
class DeviceLine:
    """A line that the process of a device's recipe has printed for people."""

    device: str
    text: str


@dataclass(frozen=True)
class _Ended:
    """The process that a device had has ended, and has told all."""

    device: str


News = Began | DeviceLine | RecipeOutcome

_Queue = queue.SimpleQueue[DeviceLine | RecipeOutcome | _Ended]


def prefix(device: str) -> str:
    """Return what stands before the lines of a device."""
    return f"[{device}] "


def run_groups(
    groups: Sequence[DeviceGroup], command: Callable[[DeviceGroup, str], Sequence[str]]
) -> Generator[News, None, None]:
    """Run a process for each recipe, one at a time on each device.

    Args:
        command: builds a recipe on a group's device. It prints a RecipeOutcome as a line of JSON on stdout,
            and lines for people on stderr. SIGTERM interrupts it.

    Yields:
        What comes, as it comes: an outcome for each recipe, also where its process is killed. A recipe whose
        device is not there goes to another that may do it, and is skipped when none is.

    Whatever is raised meanwhile: every process is interrupted and has ended. A second interrupt, or this
    process being killed, kills them.
    """
    waiting, news, at_work = _Waiting(groups), _Queue(), dict[str, tuple[ExitStack, _Running]]()
    with ExitStack() as stack:
        try:
            while True:
                for group in groups:
                    recipe = None if group.device in at_work else waiting.take(group)
                    if recipe is not None:
                        own = stack.enter_context(ExitStack())
                        run = _running(group, recipe, command(group, recipe), news)
                        at_work[group.device] = own, own.enter_context(run)
                        yield Began(group.device, recipe, group.reached_by)
                if not at_work:
                    return
                item = news.get()
                if isinstance(item, _Ended):
                    at_work.pop(item.device)[0].close()
                elif isinstance(item, RecipeOutcome) and waiting.take_back(item):
                    yield DeviceLine(item.device, f"{item.recipe} is left to another device: {item.text}")
                else:
                    yield item
        except BaseException:
            for _, one in at_work.values():  # all of them, before the first is waited for
                one.interrupt()
            raise


class _Waiting:
    """The recipes that no device has taken."""

    def __init__(self, groups: Sequence[DeviceGroup]) -> None:
        self._groups = groups
        self._left = {recipe for group in groups for recipe in group.recipes}
        self._refused: set[tuple[str, str]] = set()
        self._away: set[str] = set()

    def take(self, group: DeviceGroup) -> str | None:
        """Return what a device is to do next; one that was away once does only what no other can."""
        for recipe in group.recipes:
            able = self._able(recipe)
            is_left_to_it = group.device not in self._away or able <= self._away
            if recipe in self._left and group.device in able and is_left_to_it:
                self._left.remove(recipe)
                return recipe
        return None

    def take_back(self, outcome: RecipeOutcome) -> bool:
        """Take back a recipe whose device is not there, and tell whether another may do it."""
        if outcome.state != State.SKIPPED:
            return False
        self._refused.add((outcome.recipe, outcome.device))
        self._away.add(outcome.device)
        is_left = bool(self._able(outcome.recipe))
        self._left |= {outcome.recipe} if is_left else set()
        return is_left

    def _able(self, recipe: str) -> set[str]:
        able = {group.device for group in self._groups if recipe in group.recipes}
        return {device for device in able if (recipe, device) not in self._refused}


@dataclass
class _Running:
    """A process, which is interrupted once at most: it would take a second time for impatience."""

    process: subprocess.Popen[str]
    is_interrupted: bool = False

    def interrupt(self) -> None:
        if not self.is_interrupted and self.process.poll() is None:
            self.is_interrupted = True
            self.process.terminate()

    def end(self) -> None:
        """Interrupt it if it still runs and wait for its end; kill it if that is interrupted too."""
        try:
            self.interrupt()
            self.process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            raise


@contextmanager
def _running(group: DeviceGroup, recipe: str, command: Sequence[str], news: _Queue) -> Iterator[_Running]:
    """Run the process of a recipe, and hand on what it tells."""
    with (
        lifeline() as end_with_host,
        subprocess.Popen(
            list(command),
            env=_environment(group.device),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the host, which hands it on
        ) as process,
    ):
        one = _Running(process)
        listener = threading.Thread(target=_listen, args=(process, group.device, recipe, news))
        listener.start()
        try:
            end_with_host(process.pid)
            yield one
        finally:
            one.end()
            listener.join()


def _environment(device: str) -> Mapping[str, str]:
    """Return the environment of a device's process, which has the width that its prefix leaves."""
    used = len(prefix(device))
    columns = shutil.get_terminal_size((80 + used, 24)).columns - used
    return {**os.environ, "COLUMNS": str(columns)}


def _listen(process: subprocess.Popen[str], device: str, recipe: str, news: _Queue) -> None:
    """Hand on what a recipe's process tells; where it ends without its outcome, the recipe has failed."""
    last = [""]

    def read_lines() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            last[0] = line.strip() or last[0]
            news.put(DeviceLine(device, line.rstrip()))

    reader = threading.Thread(target=read_lines)
    reader.start()
    assert process.stdout is not None
    has_told = False
    for line in process.stdout:
        try:
            outcome = decode(RecipeOutcome, json.loads(line))
        except (ValueError, DecodeError):
            news.put(DeviceLine(device, line.rstrip()))
            continue
        has_told = True
        news.put(replace(outcome, device=device))
    reader.join()
    code = process.wait()
    if not has_told:
        what = f"the process that was to build it ended with exit code {code} ({last[0][:200]})"
        news.put(RecipeOutcome(recipe, State.FAILED, what, device))
    news.put(_Ended(device))
