"""What a Docker engine is asked before a job runs: which one it is, and what the job's container gets."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockyard.engines import Limits, LineLost, NoImage
from dockyard.engines.choice import choose_executor
from dockyard.engines.docker import DockerExecutor
from dockyard.engines.docker_cli import DockerCommand, any_client
from dockyard.engines.endpoint import DEFAULT, resolve
from dockyard.engines.engine_line import EngineLine
from dockyard.engines.held_interrupts import interrupts_held
from dockyard.engines.host_process import identify
from dockyard.engines.job_container import HOST_LABEL, KEY_LABEL, WORKSPACE_LABEL, JobContainer
from dockyard.engines.leftovers import held
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import EnvironmentProblem
from tests.stand_ins.engine import StandInEngine


def test_the_default_context_is_named(engine_elsewhere: StandInEngine) -> None:
    """Where docker takes an engine elsewhere, the context `default` is this machine's all the same: for what
    the client asks, and for the docker command that builds.
    """
    assert not resolve().is_local
    with closing(EngineLine(resolve(DEFAULT))) as line:
        assert line.client.info()["Name"] == "stand-in"
        docker = DockerCommand(any_client(), line.address)
        assert docker.ask("version", "--format", "{{.Server.Arch}}") == "amd64"
        assert docker.builder() == "default"
        assert str(line.address) == ""


def test_what_the_environment_says_is_the_default(
    this_engine: StandInEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DOCKER_HOST` is what the context `default` means, named or not, for the client and the command."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{this_engine.socket}")
    for context in (None, DEFAULT):
        with closing(EngineLine(resolve(context))) as line:
            assert line.client.info()["Name"] == "stand-in"
            environment = DockerCommand(any_client(), line.address).environment()
            assert environment["DOCKER_HOST"] == f"unix://{this_engine.socket}"


def test_a_machine_that_a_recipe_is_not_for(this_engine: StandInEngine, workspace: Workspace) -> None:
    """With `auto`, what is for other machines is refused in one line: no image is made for it, and no virtual
    environments are tried.
    """
    toolchains = [("tensorflow", "2.21"), ("l4t-tensorrt", "10.3")]
    with pytest.raises(EnvironmentProblem) as caught:
        choose_executor(workspace, "auto", None, toolchains, [].append)
    assert caught.value.what == "l4t-tensorrt 10.3 needs aarch64, and the engine is x86_64"
    assert "--context" in caught.value.advice
    assert this_engine.builds() == []


REFERENCE = ("tensorflow", "2.21")
BUILT = "default: dockyard/tensorflow:2.21"


@pytest.fixture
def executor(this_engine: StandInEngine, workspace: Workspace) -> Iterator[DockerExecutor]:
    """An executor on this machine's engine, which has what images are made on."""
    this_engine.has_base(workspace)
    with closing(DockerExecutor(workspace, DEFAULT)) as found:
        yield found


def test_an_image_is_built_anew_where_the_line_dropped(
    this_engine: StandInEngine, executor: DockerExecutor
) -> None:
    """A build that failed because the line dropped says nothing of the image: it is built again."""
    this_engine.drop_a_build(calls=1)
    assert executor.prepare(*REFERENCE, [].append)["image_digest"] == "sha256:made"
    assert this_engine.builds() == [BUILT, BUILT]


def test_a_line_that_stays_down_is_told_as_that(this_engine: StandInEngine, executor: DockerExecutor) -> None:
    """Where the line drops in a build and does not come back, that is the reason, and not the image."""
    this_engine.drop_a_build(calls=99)
    with pytest.raises(LineLost):
        executor.prepare(*REFERENCE, [].append)


@pytest.mark.parametrize(
    ("said", "is_image"),
    [("no such package", True), ("write /var/lib/docker/x: no space left on device", False)],
)
def test_why_an_image_is_not_there(
    this_engine: StandInEngine, executor: DockerExecutor, said: str, is_image: bool
) -> None:
    """An image that cannot be built is told from a disk that is full."""
    this_engine.cannot_build(said)
    with pytest.raises(EnvironmentProblem) as caught:
        executor.prepare(*REFERENCE, [].append)
    assert isinstance(caught.value, NoImage) == is_image
    assert ("the disk of the Docker engine is full" in caught.value.what) != is_image
    assert this_engine.builds() == [BUILT]


def test_what_is_gone_on_with_is_held(
    this_engine: StandInEngine, executor: DockerExecutor, workspace: Workspace, tmp_path: Path
) -> None:
    """While a job goes on in what a killed host has left, no other build of the workspace may remove it."""
    owner = replace(identify(os.getpid()), started="1").to_text()
    root = str(workspace.root)
    this_engine.labels["left"] = {HOST_LABEL: owner, KEY_LABEL: "k", WORKSPACE_LABEL: root}
    seen: list[bool] = []

    def look(_: str, path: str) -> None:
        if "/logs" in path:
            with held(root, "left") as is_free:
                seen.append(is_free)

    this_engine.on_call = look
    lines: list[str] = []
    with pytest.raises(EnvironmentProblem):  # a stand-in's container prints nothing
        executor.run(*REFERENCE, tmp_path, Limits(time_s=1, memory_mb=100), lines.append, key="k")
    assert lines == ["going on with container left, which a killed host has left"]
    assert seen == [False]
    with held(root, "left") as is_free:
        assert is_free


def test_an_interrupt_while_a_container_is_made(
    this_engine: StandInEngine, executor: DockerExecutor, tmp_path: Path
) -> None:
    """An engine that is interrupted while it makes a container makes it all the same: it is removed."""
    this_engine.makes_containers = True

    def interrupt(method: str, _: str) -> None:
        if method == "POST":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)

    this_engine.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        executor.run(*REFERENCE, tmp_path, Limits(time_s=1, memory_mb=100), [].append)
    time.sleep(0.6)
    assert len(this_engine.asked_for) == 1
    assert this_engine.labels == {}


def test_an_interrupt_while_a_container_is_removed(
    this_engine: StandInEngine, executor: DockerExecutor
) -> None:
    """A container whose removal has not reached the engine when the interrupt comes is removed first."""
    this_engine.labels["done"] = {}
    asked: list[str] = []

    def interrupt(method: str, path: str) -> None:
        if method != "DELETE":
            return
        asked.append(path)
        if len(asked) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            raise ConnectionError

    this_engine.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        JobContainer(executor.line, "done", [].append, threading.Event()).remove()
    assert len(asked) == 2
    assert this_engine.labels == {}


def test_a_second_interrupt_takes_effect_at_once() -> None:
    """Only the first interrupt waits for the body's end, and it is told; afterwards all is as it was."""
    before = signal.getsignal(signal.SIGINT)
    told: list[str] = []

    def be_interrupted_twice() -> None:
        with interrupts_held(lambda: told.append("first")):
            for word in ("went on", "went on again"):
                signal.raise_signal(signal.SIGINT)
                time.sleep(0.01)
                told.append(word)

    with pytest.raises(KeyboardInterrupt):
        be_interrupted_twice()
    assert told == ["first", "went on"]
    assert signal.getsignal(signal.SIGINT) is before


TARGET = "shelf-gpu"


def describe(workspace: Workspace, **platform: Any) -> None:
    """Write the target.json of a target that asks something of the machine."""
    folder = workspace.root / "targets" / TARGET
    folder.mkdir(parents=True, exist_ok=True)
    toolchains = {"1": {"platform": platform}}
    document = {"description": "", "toolchains": toolchains, "sources": ["ONNX"], "methods": {}}
    (folder / "target.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("platform", "runtimes", "groups"),
    [
        ({"runtime": "nvidia"}, ["runc", "nvidia"], ["44", "104"]),
        ({"optional_runtime": "nvidia"}, ["runc", "nvidia"], ["44", "104"]),
        ({"optional_runtime": "nvidia"}, ["runc"], None),
        ({}, ["runc", "nvidia"], None),
    ],
)
def test_a_container_is_in_the_groups_of_the_gpu(
    this_engine: StandInEngine,
    workspace: Workspace,
    tmp_path: Path,
    platform: Mapping[str, str],
    runtimes: Sequence[str],
    groups: Sequence[str] | None,
) -> None:
    """A container with a runtime that hands on the GPU is in the groups that may open it; others are not."""
    describe(workspace, **platform)
    this_engine.told["Runtimes"] = {name: {} for name in runtimes}
    (this_engine.folder / "stat").write_text("#!/bin/sh\necho 104; echo 44; echo 44; exit 1\n")
    (this_engine.folder / "stat").chmod(0o755)
    with (
        closing(DockerExecutor(workspace, DEFAULT)) as executor,
        pytest.raises(EnvironmentProblem, match="makes no containers"),
    ):
        executor.run(TARGET, "1", tmp_path, Limits(time_s=1, memory_mb=100), [].append)
    (asked,) = this_engine.asked_for
    assert asked["HostConfig"].get("GroupAdd") == groups
    assert asked["User"] == "10001:10001"
