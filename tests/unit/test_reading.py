"""A user's own stream: its folder, and how it ends when it is interrupted."""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path

import pytest
from rich.console import Console

from dockyard.reading import ending_when_interrupted, own_folder
from dockyard.recipe.workspace import Workspace
from dockyard.run.live_display import LiveDisplay
from shared.contract.job import END


def test_a_streams_folder_goes_with_it_and_those_that_killed_ones_left_go_too(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    left = workspace.state / "streams" / "killed"
    (left / "job").mkdir(parents=True)
    with own_folder(workspace) as one:
        assert not left.exists()
        with own_folder(workspace) as other:
            assert one.is_dir()
            assert other.is_dir()
        assert one.is_dir()
    assert list((workspace.state / "streams").iterdir()) == []


def test_the_first_interrupt_asks_for_the_end_and_the_second_ends_at_once() -> None:
    told: list[signal.Signals] = []
    before = signal.getsignal(signal.SIGINT)
    with (
        LiveDisplay(Console(file=io.StringIO())) as display,
        ending_when_interrupted(display) as on_started,
    ):
        on_started(told.append)
        os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + 10
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
        assert told == [END]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before
