"""Builds take turns on a device, devices do not wait for each other, and a lock ends with its process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dockyard.judge.decisions import RoundDecisions
from dockyard.placing import NoDevice
from dockyard.plan.plan import Plan
from dockyard.recipe.locks import lock_file, locked, locked_if_free
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.datasets import DataSet
from dockyard.run.placement import Placement
from dockyard.run.runner import run_plan
from dockyard.run.turns import Turns, device_key
from dockyard.workflow import build as build_recipe
from shared.contract.job import Job
from tests.fakes import Answer, FakeExecutor, QuietDisplay, good_answer, until_raised
from tests.unit.test_commands import invoke

PATIENCE_S = 30.0
"""Seconds after which whoever should have come is said to be missing."""


class Hearing(QuietDisplay):
    """Is told when something is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Event()

    def say(self, text: str) -> None:
        super().say(text)
        if "waiting for" in text:
            self.waits.set()


Build = Callable[..., threading.Thread]


@pytest.fixture
def build(digits_plan: Plan, digits_data: dict[str, DataSet], tmp_path: Path) -> Build:
    """Run the example's plan, as that of a recipe of some name, in a thread of its own."""

    def begin(name: str, placement: Placement, display: QuietDisplay) -> threading.Thread:
        plan = replace(digits_plan, recipe=replace(digits_plan.recipe, name=name))
        scratch = tmp_path / name
        scratch.mkdir()

        def run() -> None:
            list(run_plan(plan, placement, digits_data, RoundDecisions(), display, scratch, force=True))

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    return begin


def board(answers: Mapping[str, Answer] | None = None, device: str = "board") -> FakeExecutor:
    """A device that is not this machine."""
    return FakeExecutor(answers, name=f"docker:{device}", device=device, is_local=False)


def test_devices_run_side_by_side(build: Build) -> None:
    """Jobs of two recipes on two devices run at the same time: each ends when both have begun."""
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def meet(job: Job, folder: Path) -> Any:
        both.wait()
        return good_answer(job, folder)

    boards = [board({"digits/reference/evaluate": meet}, name) for name in ("one", "other")]
    threads = [build(one.device, Placement(one), QuietDisplay()) for one in boards]
    for thread in threads:
        thread.join()
    assert not both.broken
    assert len(boards[0].ran) == len(boards[1].ran) > 1


@pytest.mark.parametrize("held", ["digits/reference/evaluate", "digits/int8/benchmark/1"])
def test_one_device_does_one_thing_at_a_time(build: Build, digits_plan: Plan, held: str) -> None:
    """While a job or a round of one recipe runs on a device, another recipe for it says that it waits, once,
    and runs nothing there; it comes before the first one's next.
    """
    display, begun, order = Hearing(), threading.Event(), list[str]()

    def hold(job: Job, folder: Path) -> Any:
        begun.set()
        assert display.waits.wait(PATIENCE_S)
        assert other.ran == []
        return note(job, folder)

    def note(job: Job, folder: Path) -> Any:
        order.append(job.id)
        return good_answer(job, folder)

    def note_other(job: Job, folder: Path) -> Any:
        order.append("other")
        return good_answer(job, folder)

    one, other = board({held: hold, "digits": note}), board({"digits": note_other})
    first = build("one", Placement(one), QuietDisplay())
    assert begun.wait(PATIENCE_S)
    second = build("other", Placement(other), display)
    first.join()
    second.join()
    ids = [planned.job.id for planned in digits_plan.jobs]
    later = {"/2", "/3"} if held.endswith("/1") else set(ids[1:])
    before = [job_id for job_id in ids if job_id not in later and job_id[-2:] not in later]
    assert sorted(order[: order.index("other")]) == sorted(before)
    assert len(one.ran) == len(other.ran) == len(ids)
    waits = [line for line in display.lines if "waiting" in line]
    assert waits == ["  waiting for docker:board, where another build is at work"]


def test_what_is_made_here_waits_for_what_is_measured_here(build: Build) -> None:
    """What a recipe for a device elsewhere has this machine do is not done while this machine measures."""
    display, begun = Hearing(), threading.Event()
    maker = FakeExecutor(name="docker", device="another engine of this machine")

    def measure(job: Job, folder: Path) -> Any:
        begun.set()
        assert display.waits.wait(PATIENCE_S)
        assert maker.ran == []
        return good_answer(job, folder)

    first = build("near", Placement(FakeExecutor({"digits/int8/benchmark/1": measure})), QuietDisplay())
    assert begun.wait(PATIENCE_S)
    far = board()
    second = build("far", Placement(far, maker, {"intel-openvino"}), display)
    first.join()
    second.join()
    assert maker.ran[0] == "digits/convert/intel-openvino-2026.4"
    assert far.ran
    assert "  waiting for docker, where another build is at work" in display.lines


def test_engines_of_this_machine_are_one_device() -> None:
    """Virtual environments and the local Docker engine share this machine; other devices are told apart."""
    docker, venv = FakeExecutor(name="docker", device="a"), FakeExecutor(name="venv", device="b")
    assert device_key(docker) == device_key(venv)
    assert len({device_key(docker), *(device_key(board(device=name)) for name in ("one", "other"))}) == 3


def test_an_interrupt_while_waiting_is_an_outcome(
    digits_plan: Plan, digits_data: dict[str, DataSet], tmp_path: Path
) -> None:
    """Ctrl-C while a job waits for its device: the job is interrupted, and nothing has run."""

    class Impatient(QuietDisplay):
        def say(self, text: str) -> None:
            raise KeyboardInterrupt

    executor = board()
    with locked(lock_file(digits_plan.workspace, "device-board")):
        going = run_plan(
            digits_plan, Placement(executor), digits_data, RoundDecisions(), Impatient(), tmp_path
        )
        outcomes, _ = until_raised(KeyboardInterrupt, going)
    assert [(one.status, one.reason) for one in outcomes] == [("failed", "interrupted")]
    assert executor.ran == []


def test_waiting_is_no_working(workspace: Workspace) -> None:
    """The clock that a search's budget is measured by stands still while a device is waited for."""
    now = 5.0
    with ExitStack() as other:
        other.enter_context(locked(lock_file(workspace, "device-board")))

        class Slow(QuietDisplay):
            def say(self, text: str) -> None:
                nonlocal now
                now += 100.0
                other.close()

        turns = Turns(workspace, Slow(), lambda: now)
        with turns.on([board()]):
            assert turns.working_s() == 5.0
            now += 2.0
    assert turns.working_s() == 7.0


@pytest.fixture
def far_recipe(workspace: Workspace) -> str:
    """A recipe whose device is not there."""
    recipe = {"model": "digits", "target": "intel-openvino", "optimizations": ["int8"], "device": "no-board"}
    (workspace.root / "recipes" / "far.json").write_text(json.dumps(recipe))
    return "far.json"


def test_a_recipe_is_built_once_at_a_time(workspace: Workspace, far_recipe: str) -> None:
    """A recipe that is being built is refused, with what to do; another recipe's build does not matter."""
    with locked(lock_file(workspace, "recipe-far")):
        done = invoke("build", "--recipe", far_recipe, "--workspace", str(workspace.root))
    assert done.returncode == 3
    assert "another build of far is running in this workspace\n  wait for it\n" in done.stderr
    with locked(lock_file(workspace, "recipe-near")), pytest.raises(NoDevice):
        build_recipe(workspace, far_recipe, Console(quiet=True), must_measure=True)


def test_what_a_living_build_has_is_no_leftover(workspace: Workspace, far_recipe: str) -> None:
    """A build removes what killed builds of any recipe have left, and nothing of one that is going on."""
    for name in ("far", "near", "killed"):
        for kind in ("jobs", "scratch"):
            (workspace.state / kind / name / "x").mkdir(parents=True)
    with locked(lock_file(workspace, "recipe-near")), pytest.raises(NoDevice):
        build_recipe(workspace, far_recipe, Console(quiet=True), must_measure=True)
    left = {str(path.relative_to(workspace.state)) for path in workspace.state.glob("*/*/x")}
    assert left == {"jobs/near/x", "scratch/near/x"}


HOLDER = """
import sys, time
from pathlib import Path
from dockyard.recipe.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_ends_with_its_process(workspace: Workspace) -> None:
    """A lock is free as soon as the process that held it is killed."""
    path = lock_file(workspace, "x")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], cwd=PRODUCT, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with locked_if_free(path) as (_, is_held):
            assert not is_held
        holder.kill()
        holder.wait()
    with locked_if_free(path) as (_, is_held):
        assert is_held
