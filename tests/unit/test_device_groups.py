"""Recipes are grouped by device, groups are built side by side, and an interrupt or a kill leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from dockyard.device_groups import (
    DeviceGroup,
    GroupLine,
    build_side_by_side,
    groups_of,
    key_of_device,
    run_groups,
)
from dockyard.judge.record_files import write_records
from dockyard.matrix import RecipeOutcome, State
from dockyard.recipe.workspace import PRODUCT, Workspace
from tests.builders import record

PATIENCE_S = 30.0
"""Seconds after which what should have happened has not."""

NEAR, FAR = DeviceGroup("here", ("a.json", "b.json")), DeviceGroup("board", ("c.json",))


def recipe(workspace: Workspace, name: str, device: str | None = None) -> str:
    """Write a recipe, for a device or for none."""
    document = {"model": "digits", "target": "intel-openvino", "optimizations": ["int8"]}
    (workspace.root / "recipes" / name).write_text(
        json.dumps({**document, **({"device": device} if device else {})})
    )
    return name


def test_recipes_are_grouped_by_device(workspace: Workspace) -> None:
    """Two contexts that lead to one device are one group; what cannot be read is this machine's."""
    names = [
        recipe(workspace, "a.json"),
        recipe(workspace, "b.json", "board"),
        recipe(workspace, "c.json", "same-board"),
        recipe(workspace, "d.json", "default"),
        recipe(workspace, "e.json", "other"),
    ]
    (workspace.root / "recipes" / "f.json").write_text("{")
    keys = {None: "", "default": "", "board": "1", "same-board": "1", "other": "2"}
    assert groups_of(workspace, [*names, "f.json"], keys.__getitem__) == [
        DeviceGroup("here", ("a.json", "d.json", "f.json")),
        DeviceGroup("board", ("b.json", "c.json")),
        DeviceGroup("other", ("e.json",)),
    ]


@pytest.mark.parametrize("device", [None, "board"])
def test_one_device_is_not_looked_at(workspace: Workspace, device: str | None) -> None:
    """Where all recipes name one device, or none, no line is opened to learn which are together."""

    def refuse(context: str | None) -> str:
        raise AssertionError(context)

    names = [recipe(workspace, f"{number}.json", device) for number in range(2)]
    assert groups_of(workspace, names, refuse) == [DeviceGroup(device or "here", tuple(names))]
    assert groups_of(workspace, [], refuse) == []


def test_a_device_that_is_not_there_is_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that does not answer is known by its name; virtual environments are of this machine alone."""
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")  # of this machine, if of any
    assert key_of_device("auto", "no-board") == "no-board"
    assert key_of_device("auto", None) == key_of_device("venv", "no-board") == ""


def script(text: str) -> Callable[[DeviceGroup], Sequence[str]]:
    """Return what runs a Python script that is given a device and its recipes, and can `tell` an outcome."""
    head = """
import json, os, signal, sys, time
from pathlib import Path
device, *names = sys.argv[1:]
signal.signal(signal.SIGTERM, signal.default_int_handler)
def tell(name, state, text):
    print(json.dumps({"recipe": name, "state": state, "text": text}), flush=True)
"""
    return lambda group: [sys.executable, "-c", head + text, group.device, *group.recipes]


def test_groups_run_at_the_same_time(tmp_path: Path) -> None:
    """Each group's process ends when the other has begun; what they tell comes through, by its device."""
    text = f"""
folder = Path({str(tmp_path)!r})
(folder / device).touch()
while len(list(folder.iterdir())) < 2:
    time.sleep(0.01)
for name in names:
    print(f"building {{name}}", file=sys.stderr, flush=True)
    tell(name, "built", f"on {{device}}")
"""
    found = list(run_groups([NEAR, FAR], script(text)))
    lines = [news for news in found if isinstance(news, GroupLine)]
    outcomes = [news for news in found if isinstance(news, RecipeOutcome)]
    assert [one.recipe for one in outcomes if one.text == "on here"] == ["a.json", "b.json"]
    assert RecipeOutcome("c.json", State.BUILT, "on board") in outcomes
    assert len(outcomes) == 3
    assert [line.text for line in lines if line.device == "here"] == ["building a.json", "building b.json"]
    assert GroupLine("board", "building c.json") in lines


def test_a_process_that_dies_fails_its_recipes_alone() -> None:
    """What a dead process had not told has failed, with its last words; the other device's is built."""
    text = """
if device == "board":
    tell(names[0], "built", "fine")
else:
    tell(names[0], "built", "fine")
    print("out of everything", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    found = {news.recipe: news for news in run_groups([NEAR, FAR], script(text)) if hasattr(news, "recipe")}
    assert {name: one.state for name, one in found.items()} == {
        "a.json": State.BUILT,
        "b.json": State.FAILED,
        "c.json": State.BUILT,
    }
    assert (
        found["b.json"].text == "the process that was to build it ended with exit code -9 (out of everything)"
    )


def test_what_is_no_outcome_is_a_line() -> None:
    """A line on stdout that is no outcome is shown, and nothing breaks."""
    text = """
print("[]", flush=True)
print('{"recipe": "c.json", "state": "eaten", "text": ""}', flush=True)
tell(names[0], "skipped", "no device")
"""
    found = list(run_groups([FAR], script(text)))
    assert next(news.text for news in found if isinstance(news, GroupLine)) == "[]"
    assert len(found) == 3
    assert found[-1] == RecipeOutcome("c.json", State.SKIPPED, "no device")


WAITING = """
folder = Path(FOLDER)
try:
    (folder / f"{device}.pid").write_text(str(os.getpid()))
    print("here I am", file=sys.stderr, flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    while len(list(folder.glob("*.interrupted"))) < int(device != "here"):
        time.sleep(0.01)
    (folder / f"{device}.interrupted").touch()
    sys.exit(130)
"""


def waiting(folder: Path) -> Callable[[DeviceGroup], Sequence[str]]:
    return script(WAITING.replace("FOLDER", repr(str(folder))))


def has_ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_an_interrupt_ends_every_process(tmp_path: Path) -> None:
    """When the host is interrupted all groups are, before the first is waited for, and all have ended."""
    with closing(run_groups([FAR, NEAR], waiting(tmp_path))) as coming:
        assert {next(coming), next(coming)} == {
            GroupLine("board", "here I am"),
            GroupLine("here", "here I am"),
        }
        with pytest.raises(KeyboardInterrupt):
            coming.throw(KeyboardInterrupt())
    assert {path.name for path in tmp_path.glob("*.interrupted")} == {"board.interrupted", "here.interrupted"}
    assert all(has_ended(int(path.read_text())) for path in tmp_path.glob("*.pid"))


def test_an_interrupt_leaves_a_report_of_what_is_published(workspace: Workspace) -> None:
    """What a group had published before it was interrupted is in the report, and without it none is made."""
    records = workspace.results / "records" / "digits"

    def interrupt(outcome: RecipeOutcome) -> None:
        raise KeyboardInterrupt

    command = [*script("tell('c.json', 'built', 'fine')\ntime.sleep(600)")(FAR)[:3], "board"]
    for published in ([], [record("reference"), record()]):
        write_records(published, records)
        with pytest.raises(KeyboardInterrupt):
            build_side_by_side(workspace, [FAR], command, interrupt, Console(quiet=True))
        assert (workspace.results / "results.csv").is_file() is bool(published)
    assert ",int8," in (workspace.results / "results.csv").read_text()


HOST = """
import sys
from pathlib import Path
from dockyard.device_groups import DeviceGroup, run_groups
from tests.unit.test_device_groups import FAR, NEAR, waiting
for news in run_groups([NEAR, FAR], waiting(Path(sys.argv[1]))):
    print(news.text, flush=True)
"""


def test_a_killed_host_takes_its_processes_with_it(tmp_path: Path) -> None:
    """Where the host is killed, which can interrupt nothing, every group's process ends all the same."""
    with subprocess.Popen(
        [sys.executable, "-c", HOST, str(tmp_path)], cwd=PRODUCT, stdout=subprocess.PIPE, text=True
    ) as host:
        assert host.stdout is not None
        assert [host.stdout.readline() for _ in range(2)] == ["here I am\n"] * 2
        host.send_signal(signal.SIGKILL)
        host.wait()
    pids = [int(path.read_text()) for path in tmp_path.glob("*.pid")]
    assert len(pids) == 2
    deadline = time.monotonic() + PATIENCE_S
    while not all(map(has_ended, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(map(has_ended, pids))
    assert os.getpid() not in pids
