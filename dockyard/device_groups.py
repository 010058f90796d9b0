"""The matrix on several devices: the recipes of each in a process of its own, side by side."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass

from rich.console import Console

from dockyard.engines.choice import device_behind
from dockyard.engines.lifeline import lifeline
from dockyard.matrix import RecipeOutcome, State
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.report.write import write_report
from shared.contract.codec import DecodeError, decode
from shared.contract.errors import EnvironmentProblem, InputProblem

THIS_MACHINE = "here"


@dataclass(frozen=True)
class DeviceGroup:
    """Recipes that are measured on one device, one after the other.

    Attributes:
        device: the Docker context that the first of them names; `here` where it names none.
    """

    device: str
    recipes: tuple[str, ...]


@dataclass(frozen=True)
class GroupLine:
    """A line that the process of a device's recipes has printed for people."""

    device: str
    text: str


Identify = Callable[[str | None], str]
"""Returns what tells the device of a Docker context, or of none, from others."""


def groups_of(workspace: Workspace, names: Sequence[str], identify: Identify) -> list[DeviceGroup]:
    """Group recipes by device, in the order of each group's first one.

    Two contexts may lead to one device. A recipe that cannot be read, whose error is told in its turn, is
    this machine's.
    """
    contexts = {name: _context_of(workspace, name) for name in names}
    keys = {}
    if len(set(contexts.values())) > 1:  # else nothing has to be asked
        keys = {context: identify(context) for context in set(contexts.values())}
    groups: dict[str, list[str]] = {}
    for name, context in contexts.items():
        groups.setdefault(keys.get(context, ""), []).append(name)
    return [DeviceGroup(contexts[group[0]] or THIS_MACHINE, tuple(group)) for group in groups.values()]


def _context_of(workspace: Workspace, name: str) -> str | None:
    try:
        return load_recipe(workspace, name).device
    except InputProblem:
        return None


def key_of_device(engine: str, context: str | None) -> str:
    """Identify a device; one that is not there, of which each of its recipes tells, is known by its context.

    Args:
        engine: that is asked for.
    """
    if engine == "venv":  # which is of this machine alone
        return ""
    try:
        return device_behind(context)
    except EnvironmentProblem:
        return context or ""


def build_side_by_side(
    workspace: Workspace,
    groups: Sequence[DeviceGroup],
    command: Sequence[str],
    on_outcome: Callable[[RecipeOutcome], None],
    console: Console,
) -> None:
    """Build the recipes of each group in a process, all groups at once.

    Args:
        command: as `run_groups` takes it, without the workspace and the recipes.
        on_outcome: takes what became of a recipe, as soon as it did.
        console: for the lines of the processes, each with the name of its device before it.

    Raises:
        KeyboardInterrupt: every process has ended, and the report tells all that is published.
    """

    def of(group: DeviceGroup) -> list[str]:
        names = [argument for name in group.recipes for argument in ("--recipe", name)]
        return [*command, "--workspace", str(workspace.root), *names]

    try:
        with closing(run_groups(groups, of)) as coming:
            for news in coming:
                if isinstance(news, RecipeOutcome):
                    on_outcome(news)
                else:
                    text = f"{_prefix(news.device)}{news.text}"
                    console.print(text, highlight=False, markup=False, soft_wrap=True)
    except KeyboardInterrupt:
        if _is_report_old(workspace):  # a build that had published waited for its turn to write it
            write_report(workspace)
        raise


def _is_report_old(workspace: Workspace) -> bool:
    """Tell whether a record was published after the report was written."""
    report = workspace.results / "report.md"
    written = report.stat().st_mtime if report.is_file() else 0.0
    published = (workspace.results / "records").rglob("*.json")
    # When it came there, and not when it was written, which a copy keeps.
    return any(path.stat().st_ctime > written for path in published)


def _prefix(device: str) -> str:
    return f"[{device}] "


def run_groups(
    groups: Sequence[DeviceGroup], command: Callable[[DeviceGroup], Sequence[str]]
) -> Generator[RecipeOutcome | GroupLine, None, None]:
    """Run a process for each group, all at once.

    Args:
        command: builds a group's recipes. It prints a RecipeOutcome as a line of JSON for each on stdout, and
            lines for people on stderr. SIGTERM interrupts it.

    Yields:
        What comes, as it comes: an outcome for each recipe, also where its process is killed.

    Whatever is raised meanwhile: every process is interrupted and has ended. A second interrupt, or this
    process being killed, kills them.
    """
    news: _News = queue.SimpleQueue()
    with ExitStack() as stack:
        running: list[_Running] = []
        try:
            for group in groups:
                running.append(stack.enter_context(_running(group, command(group), news)))
            open_ones = len(running)
            while open_ones:
                item = news.get()
                if item is None:
                    open_ones -= 1
                else:
                    yield item
        except BaseException:
            for one in running:  # all of them, before the first is waited for
                one.interrupt()
            raise


_News = queue.SimpleQueue[RecipeOutcome | GroupLine | None]
"""What groups tell; None as often as a group has nothing more to tell."""


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
def _running(group: DeviceGroup, command: Sequence[str], news: _News) -> Iterator[_Running]:
    """Run the process of a group, and hand on what it tells."""
    with (
        lifeline() as end_with_host,
        subprocess.Popen(
            list(command),
            env=_environment(group),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the host, which hands it on
        ) as process,
    ):
        one = _Running(process)
        listener = threading.Thread(target=_listen, args=(process, group, news))
        listener.start()
        try:
            end_with_host(process.pid)
            yield one
        finally:
            one.end()
            listener.join()


def _environment(group: DeviceGroup) -> Mapping[str, str]:
    """Return the environment of a group's process, which has the width that its prefix leaves."""
    used = len(_prefix(group.device))
    columns = shutil.get_terminal_size((80 + used, 24)).columns - used
    return {**os.environ, "COLUMNS": str(columns)}


def _listen(process: subprocess.Popen[str], group: DeviceGroup, news: _News) -> None:
    """Hand on what a group's process tells; what it leaves untold has failed."""
    last = [""]

    def read_lines() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            last[0] = line.strip() or last[0]
            news.put(GroupLine(group.device, line.rstrip()))

    reader = threading.Thread(target=read_lines)
    reader.start()
    assert process.stdout is not None
    told = set()
    for line in process.stdout:
        try:
            outcome = decode(RecipeOutcome, json.loads(line))
        except (ValueError, DecodeError):
            news.put(GroupLine(group.device, line.rstrip()))
            continue
        told.add(outcome.recipe)
        news.put(outcome)
    reader.join()
    code = process.wait()
    for name in group.recipes:
        if name not in told:
            what = f"the process that was to build it ended with exit code {code} ({last[0][:200]})"
            news.put(RecipeOutcome(name, State.FAILED, what))
    news.put(None)
