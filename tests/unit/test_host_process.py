"""What a killed host has left is told from what living ones and other machines run, and removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from dockyard.engines.host_process import HostProcess, from_text, identify
from dockyard.engines.job_container import HOST_LABEL, JOB_LABEL, KEY_LABEL, WORKSPACE_LABEL
from dockyard.engines.leftovers import find_leftovers, held, sweep

HERE = identify(os.getpid())


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process of this machine."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_it_is_written_and_read() -> None:
    """A process is read from the text that was written of it, and from nothing else."""
    assert from_text(HERE.to_text()) == HERE
    for text in ("", "tensorflow", "{}", "[]", '{"host": 1}', HERE.to_text().replace("pid", "id")):
        assert from_text(text) is None


def test_a_living_process(other: subprocess.Popen[bytes]) -> None:
    """A process that lives, this one or another, has not ended."""
    assert not HERE.has_ended(HERE)
    assert not identify(other.pid).has_ended(HERE)


def test_a_killed_process(other: subprocess.Popen[bytes]) -> None:
    """A process that was killed has ended, also while its parent has not yet taken notice."""
    process = identify(other.pid)
    os.kill(other.pid, signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert process.has_ended(HERE)
    other.wait()
    assert process.has_ended(HERE)
    with pytest.raises(ProcessLookupError):
        identify(other.pid)


def test_a_later_process_with_the_same_id(other: subprocess.Popen[bytes]) -> None:
    """A process whose id another one has now has ended."""
    assert replace(identify(other.pid), started="1").has_ended(HERE)


def test_an_earlier_boot() -> None:
    """Every process of an earlier boot of this machine has ended."""
    assert replace(HERE, boot="earlier").has_ended(HERE)


def test_another_host() -> None:
    """Of another machine's processes nothing is known, whatever ids they have."""
    for process in (
        replace(HERE, host="another"),
        replace(HERE, host="another", boot="earlier", pid=1 << 22),
    ):
        assert not process.has_ended(HERE)


class FakeContainer:
    """A container that is there until it is removed."""

    def __init__(
        self, name: str, labels: dict[str, str], is_stubborn: bool = False, status: str = "running"
    ) -> None:
        self.name, self.labels, self.status, self._is_stubborn = name, labels, status, is_stubborn
        self.removed: dict[str, bool] | None = None

    def remove(self, **how: bool) -> None:
        if self._is_stubborn:
            raise docker.errors.APIError("removal of container is already in progress")
        self.removed = how


class FakeClient:
    """An engine that has these containers."""

    def __init__(self, *containers: FakeContainer) -> None:
        self.containers = self
        self._containers = containers

    def list(self, all: bool, filters: dict[str, str], ignore_removed: bool) -> list[Any]:
        assert all
        there = [container for container in self._containers if not container.removed]
        return [container for container in there if filters["label"] in container.labels]


def labels_of(process: HostProcess) -> dict[str, str]:
    return {HOST_LABEL: process.to_text(), JOB_LABEL: "digits-int8"}


def test_what_a_killed_host_has_left_is_removed() -> None:
    """Containers of dead runs of this host are removed with their volumes; all others are left alone."""
    dead = FakeContainer("dead", labels_of(replace(HERE, started="1")))
    others = [
        FakeContainer("own", labels_of(HERE)),
        FakeContainer("of another host", labels_of(replace(HERE, host="another", started="1"))),
        FakeContainer("not readable", {HOST_LABEL: "somebody"}),
        FakeContainer("not ours", {JOB_LABEL: "tensorflow"}),
    ]
    lines: list[str] = []
    sweep(FakeClient(*others, dead), HERE, lines.append)
    assert dead.removed == {"v": True, "force": True}
    assert [container.name for container in others if container.removed] == []
    assert lines == ["removed container dead of job digits-int8: the process that started it was killed"]


def test_what_somebody_else_removes() -> None:
    """A container that another start removes at the same time is no error, and the rest is removed."""
    first = FakeContainer("first", labels_of(replace(HERE, started="1")), is_stubborn=True)
    second = FakeContainer("second", labels_of(replace(HERE, started="1")))
    lines: list[str] = []
    sweep(FakeClient(first, second), HERE, lines.append)
    assert second.removed
    assert len(lines) == 1


def test_what_can_be_collected_is_kept(tmp_path: Path) -> None:
    """A dead run's job with a key is kept for the next build of its workspace, until that collects no more;
    it is found by its key. One that never started, or whose workspace is gone, is removed.
    """
    dead = {**labels_of(replace(HERE, started="1")), KEY_LABEL: "k"}
    mine, others, gone = (
        {**dead, WORKSPACE_LABEL: str(path)} for path in (tmp_path, tmp_path.parent, "/gone")
    )
    kept = [FakeContainer("mine", mine), FakeContainer("another workspace's", others)]
    removed = [FakeContainer("gone", gone), FakeContainer("never started", mine, status="created")]
    client = FakeClient(*kept, *removed)
    assert find_leftovers(client, HERE, str(tmp_path), "k") == ["mine"]
    assert find_leftovers(client, HERE, str(tmp_path), "other work") == []
    sweep(client, HERE, [].append)
    assert [bool(container.removed) for container in (*kept, *removed)] == [False, False, True, True]
    sweep(client, HERE, [].append, str(tmp_path))
    assert [bool(container.removed) for container in kept] == [True, False]


def test_what_another_build_has_collected_is_spared(tmp_path: Path) -> None:
    """A build that collects no more removes nothing under another one of its workspace that goes on with it,
    and two do not go on with the same; it is free again when that build ends.
    """
    dead = {**labels_of(replace(HERE, started="1")), KEY_LABEL: "k", WORKSPACE_LABEL: str(tmp_path)}
    one = FakeContainer("one", dead)
    with held(str(tmp_path), "one") as is_held:
        sweep(FakeClient(one), HERE, [].append, str(tmp_path))
        with held(str(tmp_path), "one") as is_held_too, held(str(tmp_path), "two") as is_other_held:
            assert (is_held, is_held_too, is_other_held) == (True, False, True)
    assert one.removed is None
    sweep(FakeClient(one), HERE, [].append, str(tmp_path))
    assert one.removed
    assert list((tmp_path / ".dockyard" / "locks").iterdir()) == []
