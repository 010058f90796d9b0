"""Real engines for the integration tests: without Docker its tests are skipped, which in CI is a failure."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

import docker
from dockyard.engines import Executor
from dockyard.engines.docker import DockerExecutor
from dockyard.engines.host_process import from_text
from dockyard.engines.job_container import HOST_LABEL, JOB_LABEL
from dockyard.engines.venv import VenvExecutor
from dockyard.recipe import documents
from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.job_folder import place_code
from shared.contract.codec import encode
from shared.contract.errors import EnvironmentProblem
from shared.contract.job import Job
from tests.integration.second_engine import SecondEngine, missing

DOCKYARD = Workspace(PRODUCT)
"""Dockyard's own workspace, so that environments and images are made once for all tests."""


def containers_of_job(name: str) -> list[Container]:
    """Return the containers for the job folder of a name, running or not."""
    return _containers(f"{JOB_LABEL}={name}")


def containers_of_host(pid: int) -> list[Container]:
    """Return the containers that a process of this machine has started, running or not."""
    found = []
    for container in _containers(HOST_LABEL):
        started_by = from_text(container.labels[HOST_LABEL])
        if started_by is not None and started_by.pid == pid:
            found.append(container)
    return found


def _containers(label: str) -> list[Container]:
    return list(docker.from_env().containers.list(all=True, filters={"label": label}, ignore_removed=True))


def toolchains() -> Iterator[tuple[str, str]]:
    """Yield every target with each of its toolchains that is not made on a vendor's image."""
    for target in DOCKYARD.names("targets", "target.json"):
        for name, toolchain in load_target(DOCKYARD, target, "test").toolchains.items():
            if toolchain.platform.base is None:
                yield target, name


@pytest.fixture(scope="session")
def docker_executor() -> DockerExecutor:
    """A real Docker engine with the images it needs, built when they are not there."""
    try:
        executor = DockerExecutor(DOCKYARD)
        for target, toolchain in toolchains():
            executor.prepare(target, toolchain, print)
    except EnvironmentProblem as problem:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs a container engine: {problem}")
        pytest.skip(f"no container engine: {problem.what}")
    return executor


@pytest.fixture(scope="session")
def second_engine() -> Iterator[SecondEngine]:
    """A second Docker engine behind sshd on loopback; everything of it is removed at the end."""
    lacking = missing()
    if lacking:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs a second engine: {lacking}")
        pytest.skip(lacking)
    engine = SecondEngine()
    try:
        yield engine
    finally:
        engine.close()


@pytest.fixture(scope="session")
def venv_executor() -> VenvExecutor:
    """The virtual environments, made when they are not there."""
    executor = VenvExecutor(DOCKYARD)
    for target, toolchain in toolchains():
        executor.prepare(target, toolchain, print)
    return executor


@pytest.fixture(params=["docker", "venv"])
def executor(request: pytest.FixtureRequest) -> Executor:
    """Each engine in turn."""
    found: Executor = request.getfixturevalue(f"{request.param}_executor")
    return found


@pytest.fixture
def job_folder(tmp_path: Path) -> Callable[[Job, Mapping[str, Path]], Path]:
    """Make a job folder as the host does: job.json, the code that travels with it, inputs by path."""

    def make(job: Job, inputs: Mapping[str, Path]) -> Path:
        folder = tmp_path / job.id.replace("/", "-")
        place_code(DOCKYARD, job.target, folder)
        (folder / "outputs").mkdir()
        (folder / "job.json").write_text(json.dumps(encode(job)))
        for path, source in inputs.items():
            destination = folder / "inputs" / path
            destination.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, destination)
            else:
                shutil.copyfile(source, destination)
        return folder

    return make


def new_workspace(root: Path) -> Workspace:
    """Make an empty workspace that takes environments and generated data from Dockyard's, so that they are
    made once.
    """
    for kind in ("recipes", "models", ".dockyard"):
        (root / kind).mkdir(parents=True)
    for made_once in ("venvs", "data"):
        (DOCKYARD.state / made_once).mkdir(parents=True, exist_ok=True)
        (root / ".dockyard" / made_once).symlink_to(DOCKYARD.state / made_once)
    return Workspace(root)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace of the test's own."""
    return new_workspace(tmp_path / "workspace")


@pytest.fixture
def recipe_file(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write a recipe that fits the schema to a file of its own."""

    def write(document: dict[str, Any]) -> Path:
        documents.check(document, PRODUCT / "recipes" / "recipe.schema.json", "test recipe")
        path = tmp_path / "tested.json"
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture(autouse=True)
def state_folder() -> None:
    """Dockyard's own state folder is used, so that environments and artifacts are made once."""
    DOCKYARD.state.mkdir(exist_ok=True)
