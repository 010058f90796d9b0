"""Real engines for the integration tests. Without a container engine those tests are skipped; in CI that is a failure."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockyard.engines import Engine
from dockyard.engines.docker import DockerEngine
from dockyard.engines.venv import VenvEngine
from dockyard.recipe import documents
from dockyard.recipe.catalog import load_target, names
from dockyard.recipe.places import ROOT, SHARED, STATE, TARGETS
from shared.contract.errors import EnvironmentProblem
from shared.contract.job import Job

TOOLCHAINS = [(t, c) for t in names(TARGETS, "target.json") for c in load_target(t, "test").toolchains]


@pytest.fixture(scope="session")
def docker_engine() -> DockerEngine:
    """A real Docker engine with the images it needs, built when they are not there."""
    try:
        engine = DockerEngine()
        for target, toolchain in TOOLCHAINS:
            engine.prepare(target, toolchain, print)
    except EnvironmentProblem as problem:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs a container engine: {problem}")
        pytest.skip(f"no container engine: {problem.what}")
    return engine


@pytest.fixture(scope="session")
def venv_engine() -> VenvEngine:
    """The virtual environments, made when they are not there."""
    engine = VenvEngine()
    for target, toolchain in TOOLCHAINS:
        engine.prepare(target, toolchain, print)
    return engine


@pytest.fixture(params=["docker", "venv"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture
def job_folder(tmp_path: Path) -> Callable[..., Path]:
    """Make a job folder as the host does: job.json, the code that travels with it, inputs by path."""

    def make(job: Job, inputs: dict[str, Path]) -> Path:
        folder = tmp_path / job.id.replace("/", "-")
        shutil.copytree(SHARED, folder / "code" / "shared", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(TARGETS / job.target, folder / "code" / "targets" / job.target)
        (folder / "outputs").mkdir()
        (folder / "job.json").write_text(json.dumps(job.to_json()))
        for path, source in inputs.items():
            destination = folder / "inputs" / path
            destination.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, destination)
            else:
                shutil.copyfile(source, destination)
        return folder

    return make


@pytest.fixture
def recipe_file(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write a recipe that fits the schema to a file of its own."""

    def write(document: dict[str, Any]) -> Path:
        documents.check(document, documents.load_schema(ROOT / "recipes" / "recipe.schema.json"), "test recipe")
        path = tmp_path / "tested.json"
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture(autouse=True)
def state_folder() -> None:
    """The repository's own state folder is used, so that environments and artifacts are made once."""
    STATE.mkdir(exist_ok=True)
