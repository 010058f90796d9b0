"""The cache key in a record leads to the very bytes that were measured, or to what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dockyard.deliver.find import measured_artifact
from dockyard.recipe.workspace import Workspace
from dockyard.run import artifact_cache
from shared.contract.artifact import Artifact, ArtifactFile
from shared.contract.errors import InputProblem
from shared.contract.record import Record, RecordedArtifact
from shared.contract.result import Result, Status
from tests.builders import record
from tests.fakes import artifact_of

KEY = "a" * 64


@pytest.fixture
def kept(workspace: Workspace, tmp_path: Path) -> Record:
    """A record of an artifact that a build has kept."""
    outputs = tmp_path / "outputs"
    (outputs / "weights").mkdir(parents=True)
    (outputs / "model.xml").write_text("graph")
    (outputs / "weights" / "model.bin").write_text("weights")
    files = artifact_of(outputs)
    artifact_cache.keep(workspace, KEY, outputs, Result(Status.DONE, artifact=files))
    return record(artifacts={"digits": RecordedArtifact(files, KEY)})


def problem_of(workspace: Workspace, one: Record, network: str = "digits") -> InputProblem:
    with pytest.raises(InputProblem) as caught:
        measured_artifact(workspace, one, network)
    return caught.value


def test_the_measured_bytes_are_found(workspace: Workspace, kept: Record) -> None:
    """A record's artifact is found by its key, with each of its files as it was measured."""
    folder = measured_artifact(workspace, kept, "digits")
    assert artifact_of(folder) == kept.artifacts["digits"].artifact
    assert (folder / "model.xml").read_text() == "graph"


def change(folder: Path) -> None:
    (folder / "model.xml").write_text("other")


def remove(folder: Path) -> None:
    (folder / "weights" / "model.bin").unlink()


def add(folder: Path) -> None:
    (folder / "weights" / "more.bin").write_text("more")


def link_elsewhere(folder: Path) -> None:
    (folder.parent / "model.xml").write_text("graph")
    (folder / "model.xml").unlink()
    (folder / "model.xml").symlink_to(folder.parent / "model.xml")


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        (change, "model.xml has changed since it was measured"),
        (remove, "weights/model.bin is gone since it was measured"),
        (add, "weights/more.bin was added since it was measured"),
        (link_elsewhere, "model.xml is gone since it was measured"),
    ],
)
def test_other_bytes_are_refused(
    workspace: Workspace, kept: Record, do: Callable[[Path], None], expected: str
) -> None:
    """An artifact that is not what was measured is refused, with what is different and what to do."""
    do(workspace.state / "artifacts" / KEY / "outputs")
    problem = problem_of(workspace, kept)
    assert problem.what == expected
    assert problem.where == f".dockyard/artifacts/{KEY}/outputs"
    assert "./inv build --recipe digits.json --force" in problem.advice


def test_lost_artifact(workspace: Workspace, kept: Record) -> None:
    """An artifact that was cleared away is not kept any more, and is made anew by a build."""
    other = {"digits": replace(kept.artifacts["digits"], cache_key="b" * 64)}
    problem = problem_of(workspace, replace(kept, artifacts=other))
    assert "the artifact of 'digits' is not kept any more" in problem.what
    assert "./inv build" in problem.advice


def test_record_without_a_key(workspace: Workspace) -> None:
    """The reference, and records of version 1, name no kept artifact."""
    files = Artifact((ArtifactFile("digits.pb", "0" * 64, 1),))
    problem = problem_of(workspace, record("reference", artifacts={"digits": RecordedArtifact(files)}))
    assert "does not say where" in problem.what
    assert problem.where == "digits/digits/reference"


def test_network_that_is_not_there(workspace: Workspace, kept: Record) -> None:
    """A network that the record is not of is refused with the nearest that it is of."""
    assert "did you mean 'digits'" in problem_of(workspace, kept, "digit").advice
