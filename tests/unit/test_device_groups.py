"""Recipes are grouped by device, devices work side by side, and an interrupt or a kill leaves nothing."""

from __future__ import annotations

import io
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
    first_where_begun,
    groups_of,
    groups_of_fleet,
    key_of_device,
)
from dockyard.device_processes import Began, DeviceLine, run_groups
from dockyard.judge.record_files import write_records
from dockyard.judge.records import new_run
from dockyard.matrix import RecipeOutcome, State
from dockyard.matrix_journal import Journal
from dockyard.matrix_side_by_side import build_side_by_side
from dockyard.recipe.fleet import Device
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


def script(text: str) -> Callable[[DeviceGroup, str], Sequence[str]]:
    """Return what runs a Python script that is given a device and a recipe, and can `tell` an outcome."""
    head = """
import json, os, signal, sys, time
from pathlib import Path
device, name, *_ = sys.argv[1:]
signal.signal(signal.SIGTERM, signal.default_int_handler)
def tell(name, state, text):
    print(json.dumps({"recipe": name, "state": state, "text": text}), flush=True)
"""
    return lambda group, recipe: [sys.executable, "-c", head + text, group.device, recipe]


def outcomes_of(
    groups: Sequence[DeviceGroup], command: Callable[[DeviceGroup, str], Sequence[str]]
) -> dict[str, RecipeOutcome]:
    """What becomes of each recipe."""
    found = [news for news in run_groups(groups, command) if isinstance(news, RecipeOutcome)]
    assert len({outcome.recipe for outcome in found}) == len(found)
    return {outcome.recipe: outcome for outcome in found}


def test_groups_run_at_the_same_time(tmp_path: Path) -> None:
    """Each device's process ends when the other has begun; what they tell comes through, by its device."""
    text = f"""
folder = Path({str(tmp_path)!r})
(folder / device).touch()
while len(list(folder.iterdir())) < 2:
    time.sleep(0.01)
print(f"building {{name}}", file=sys.stderr, flush=True)
tell(name, "built", f"on {{device}}")
"""
    found = list(run_groups([NEAR, FAR], script(text)))
    lines = [news for news in found if isinstance(news, DeviceLine)]
    outcomes = [news for news in found if isinstance(news, RecipeOutcome)]
    assert [one.recipe for one in outcomes if one.text == "on here"] == ["a.json", "b.json"]
    assert RecipeOutcome("c.json", State.BUILT, "on board", "board") in outcomes
    begun = [(news.device, news.recipe) for news in found if isinstance(news, Began)]
    assert sorted(begun) == [("board", "c.json"), ("here", "a.json"), ("here", "b.json")]
    assert len(outcomes) == 3
    assert [line.text for line in lines if line.device == "here"] == ["building a.json", "building b.json"]
    assert DeviceLine("board", "building c.json") in lines


def test_a_process_that_dies_fails_its_recipes_alone() -> None:
    """The recipe of a process that dies has failed, with its last words; the others are built."""
    text = """
if name == "b.json":
    print("out of everything", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
tell(name, "built", "fine")
"""
    found = outcomes_of([NEAR, FAR], script(text))
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
tell(name, "skipped", "no device")
"""
    found = list(run_groups([FAR], script(text)))
    assert next(news.text for news in found if isinstance(news, DeviceLine)) == "[]"
    assert len(found) == 4
    assert found[-1] == RecipeOutcome("c.json", State.SKIPPED, "no device", "board")


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


def waiting(folder: Path) -> Callable[[DeviceGroup, str], Sequence[str]]:
    return script(WAITING.replace("FOLDER", repr(str(folder))))


def has_ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_an_interrupt_ends_every_process(tmp_path: Path) -> None:
    """When the host is interrupted all groups are, before the first is waited for, and all have ended."""
    with closing(run_groups([FAR, NEAR], waiting(tmp_path))) as coming:
        assert {next(coming).device, next(coming).device} == {"board", "here"}
        assert {next(coming), next(coming)} == {
            DeviceLine("board", "here I am"),
            DeviceLine("here", "here I am"),
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

    text = "tell('c.json', 'built', 'fine')\ntime.sleep(600)"
    command = script("device, name = 'board', ''\n" + text)(FAR, "")[:3]
    for published in ([], [record("reference"), record()]):
        write_records(published, records)
        with pytest.raises(KeyboardInterrupt):
            build_side_by_side(workspace, [FAR], command, False, interrupt, Console(quiet=True))
        assert (workspace.results / "results.csv").is_file() is bool(published)
    assert ",int8," in (workspace.results / "results.csv").read_text()


HOST = """
import sys
from pathlib import Path
from dockyard.device_processes import DeviceLine, run_groups
from tests.unit.test_device_groups import FAR, NEAR, waiting
for news in run_groups([NEAR, FAR], waiting(Path(sys.argv[1]))):
    if isinstance(news, DeviceLine):
        print(news.text, flush=True)
"""


def test_a_killed_host_takes_its_processes_with_it(tmp_path: Path) -> None:
    """Where the host is killed, which can interrupt nothing, every process ends all the same."""
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


ORINS = [DeviceGroup("orin-1", ("a.json", "b.json"), "o1"), DeviceGroup("orin-2", ("a.json", "b.json"), "o2")]


def test_recipes_of_a_fleet_go_by_name_context_and_label(workspace: Workspace) -> None:
    """A recipe is for every device that it may call so and use; what has none is skipped, and says why."""
    fleet = (
        Device("orin-1", "o1", ("jetson", "l4t-36.4")),
        Device("orin-2", "o2", ("jetson",), ("intel-openvino",)),
        Device("nano", "n", ("jetson",), ("tvm-llvm",)),
    )
    names = [
        recipe(workspace, "label.json", "jetson"),
        recipe(workspace, "name.json", "orin-2"),
        recipe(workspace, "context.json", "o1"),
        recipe(workspace, "here.json"),
        recipe(workspace, "misspelt.json", "jetsno"),
        recipe(workspace, "forbidden.json", "nano"),
    ]
    groups, skipped = groups_of_fleet(workspace, names, fleet)
    assert groups == [
        DeviceGroup("here", ("here.json",)),
        DeviceGroup("orin-1", ("label.json", "context.json"), "o1"),
        DeviceGroup("orin-2", ("label.json", "name.json"), "o2"),
    ]
    assert {outcome.state for outcome in skipped} == {State.SKIPPED}
    misspelt, forbidden = [outcome.text for outcome in skipped]
    assert misspelt.startswith("recipes/misspelt.json: $.device: the fleet has no device 'jetsno'\n")
    assert "did you mean 'jetson'?" in misspelt
    assert "no device 'nano' may be used for intel-openvino\n  nano for tvm-llvm" in forbidden


def test_a_free_device_takes_the_next_recipe(tmp_path: Path) -> None:
    """Each recipe is built once, by whichever of its devices is free; none waits for a certain one."""
    text = f"""
folder = Path({str(tmp_path)!r})
(folder / device).touch()
while len(list(folder.iterdir())) < 2:
    time.sleep(0.01)
tell(name, "built", "fine")
"""
    found = outcomes_of(ORINS, script(text))
    assert {name: one.device for name, one in found.items()} == {"a.json": "orin-1", "b.json": "orin-2"}


def test_what_a_missing_device_had_taken_goes_to_another() -> None:
    """A recipe is skipped when none of its devices is there, and else built by one that is."""
    text = """
if device == "orin-1" or name == "b.json":
    tell(name, "skipped", f"no device '{device}'")
else:
    tell(name, "built", "fine")
"""
    found = outcomes_of(ORINS, script(text))
    assert found["a.json"] == RecipeOutcome("a.json", State.BUILT, "fine", "orin-2")
    assert found["b.json"].state == State.SKIPPED


def test_a_device_goes_on_with_what_it_had_begun() -> None:
    """What was begun on a device is what it takes first, whatever the order was."""
    (second, first) = first_where_begun(ORINS, {"a.json": "orin-2"})
    assert (first.device, first.recipes) == ("orin-1", ("b.json", "a.json"))
    assert (second.device, second.recipes) == ("orin-2", ("a.json", "b.json"))
    found = list(run_groups([second, first], script("tell(name, 'built', '')")))
    assert found[0] == Began("orin-2", "a.json", "o2")


TELL_COMMAND = """
import json, sys
print(json.dumps({"recipe": sys.argv[-1], "state": "built", "text": " ".join(sys.argv[1:])}))
"""


def test_what_a_killed_matrix_had_measured_is_not_forced_again(workspace: Workspace) -> None:
    """Told to measure anew, it leaves what the killed one had; each process is told its context."""
    folder = workspace.state / "matrix"
    folder.mkdir(parents=True)
    killed = Journal(workspace, folder / "killed.jsonl")
    for name in ("a.json", "b.json"):
        killed.begin(name, "orin-1", None)
    write_records([record("reference", run=new_run())], workspace.results / "records" / "a")
    killed.end("a.json")
    found: dict[str, str] = {}
    shown = Console(file=io.StringIO(), width=200)
    command = [sys.executable, "-c", TELL_COMMAND]
    build_side_by_side(
        workspace, ORINS, command, True, lambda one: found.update({one.recipe: one.text}), shown
    )
    assert found["a.json"] in {f"--context o{n} --workspace {workspace.root} --recipe a.json" for n in (1, 2)}
    assert found["b.json"] == f"--force --context o1 --workspace {workspace.root} --recipe b.json"
    assert isinstance(shown.file, io.StringIO)
    assert shown.file.getvalue().splitlines()[:2] == [
        "b.json was at work on orin-1 when its matrix was killed",
        "measured already, before the matrix was killed: a.json",
    ]
    assert list(folder.iterdir()) == []
