"""Benchmarks wait side by side, as real processes that real signals are sent to."""

from __future__ import annotations

import _thread
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines import JobExit, Limits, OnLine, OnStarted, entry_script
from dockyard.engines.venv import VenvExecutor
from dockyard.recipe.workspace import SHARED, Workspace
from dockyard.run.memory import USABLE, groups_that_fit
from dockyard.run.side_by_side import Ending, run_side_by_side
from shared.contract.errors import EnvironmentProblem

BURSTS = """
import os, sys, time
from shared.harness.bursts import take_bursts, words_of_host
print(os.getpid(), flush=True)

def call():
    print("call", flush=True)
    return {"total": 1}

print(take_bursts(call, 1e-9, words_of_host).calls)
"""
HANGS = BURSTS.replace('print("call", flush=True)', "time.sleep(600)")
DIES = BURSTS.replace('print("call", flush=True)', "os._exit(3)")
NEVER_READY = "import time\ntime.sleep(600)"


class Kept:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.cycles: list[int] = []

    def line(self, number: int, text: str) -> None:
        self.lines.append((number, text))

    def cycle(self, done: int) -> None:
        self.cycles.append(done)

    @property
    def turns(self) -> list[int]:
        """Whose burst it was, burst by burst."""
        calls = [number for number, text in self.lines if text == "call"]
        return [number for place, number in enumerate(calls) if place % 5 == 0]

    @property
    def processes(self) -> list[int]:
        return [int(text) for _, text in self.lines if text.isdecimal()]


Side = Callable[..., list[Ending]]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def side_by_side(workspace: Workspace, tmp_path: Path, kept: Kept) -> Side:
    """Runs entry scripts side by side in the embedded engine, in this test's own Python."""
    python = workspace.state / "venvs" / "made-up-1" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)

    def run(*scripts: str, cycles: int = 2, patience_s: float = 60.0) -> list[Ending]:
        executor, starts = VenvExecutor(workspace), []
        for number, script in enumerate(scripts):
            folder = tmp_path / str(number)
            shutil.copytree(SHARED, folder / "code" / "shared")
            entry = folder / entry_script("made-up")
            entry.parent.mkdir(parents=True)
            entry.write_text(script)

            def start(on_line: OnLine, on_started: OnStarted, folder: Path = folder) -> JobExit:
                limits = Limits(time_s=60, memory_mb=1000)
                return executor.run("made-up", "1", folder, limits, on_line, on_started=on_started)

            starts.append(start)
        return run_side_by_side(starts, cycles, kept, patience_s)

    return run


def exits(endings: list[Ending]) -> list[tuple[int, str]]:
    found = []
    for ending in endings:
        assert isinstance(ending.left, JobExit)
        found.append((ending.left.exit_code, ending.left.reason))
    return found


def test_forwards_and_backwards(side_by_side: Side, kept: Kept) -> None:
    """Each has one burst in a cycle, every other cycle backwards, and writes down all of its own."""
    endings = side_by_side(BURSTS, BURSTS, BURSTS, cycles=3)
    assert exits(endings) == [(0, "")] * 3
    assert [ending.bursts for ending in endings] == [3, 3, 3]
    assert kept.turns == [0, 1, 2, 2, 1, 0, 0, 1, 2]
    assert [text for _, text in kept.lines].count("(5, 5, 5)") == 3
    assert kept.cycles == [1, 2, 3]


def test_one_that_dies_costs_itself(side_by_side: Side) -> None:
    """The others have all their bursts when one ends in the midst of its first."""
    endings = side_by_side(BURSTS, DIES, BURSTS)
    assert exits(endings) == [(0, ""), (3, ""), (0, "")]
    assert [ending.bursts for ending in endings] == [2, 0, 2]


def test_one_that_hangs_costs_itself(side_by_side: Side) -> None:
    """One whose burst takes too long is ended and says why; the others go on."""
    endings = side_by_side(BURSTS, HANGS, BURSTS, patience_s=1.0)
    assert [ending.bursts for ending in endings] == [2, 0, 2]
    assert exits(endings)[1][1] == "a burst took over 1 s"


def test_nothing_to_compare_with(side_by_side: Side, kept: Kept) -> None:
    """Without the reference the others are told to end."""
    endings = side_by_side(DIES, BURSTS)
    assert exits(endings) == [(3, ""), (0, "")]
    assert kept.cycles == [1]


@pytest.mark.parametrize("second", [BURSTS, NEVER_READY], ids=["waits", "is not ready"])
def test_interrupt_leaves_nothing_running(side_by_side: Side, kept: Kept, second: str) -> None:
    """Ctrl-C ends every benchmark, whatever it is about."""
    timer = threading.Timer(1.5, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        side_by_side(BURSTS, second, HANGS)
    assert kept.processes
    deadline = time.monotonic() + 5
    while any(map(psutil.pid_exists, kept.processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, kept.processes))


def test_engine_that_is_gone_is_handed_on(kept: Kept) -> None:
    """An executor's error comes back as that benchmark's ending."""

    def gone(on_line: OnLine, on_started: OnStarted) -> JobExit:
        raise EnvironmentProblem("the engine is gone")

    (ending,) = run_side_by_side([gone], 2, kept)
    assert isinstance(ending.left, EnvironmentProblem)


@given(st.lists(st.floats(0, 9000), min_size=1, max_size=12), st.floats(1000, 50000))
def test_groups_fit(peaks: list[float], memory_mb: float) -> None:
    """Every variant is in one group beside the reference, and no group of several takes too much."""
    groups = groups_that_fit(peaks, memory_mb)
    assert [group[0] for group in groups] == [0] * len(groups)
    assert [member for group in groups for member in group[1:]] == list(range(1, len(peaks)))
    for group in groups:
        assert len(group) <= 2 or sum(peaks[member] for member in group) <= memory_mb * USABLE
