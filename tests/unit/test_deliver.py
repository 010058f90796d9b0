"""The cache key in a record leads to the very bytes that were measured, or to what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dockyard.deliver.choose import chosen
from dockyard.deliver.find import measured_artifact
from dockyard.judge.record_files import write_records
from dockyard.plan.plan import Plan
from dockyard.recipe.workspace import Workspace
from dockyard.run import artifact_cache
from shared.contract.artifact import Artifact, ArtifactFile
from shared.contract.errors import InputProblem
from shared.contract.record import Record, RecordedArtifact
from shared.contract.result import Result, Status
from tests.builders import failed, record, rounds
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


def choosing(plan: Plan, variant: str | None, *records: Record) -> InputProblem:
    """Publish records of the example model, and return why none of them is delivered."""
    folder = plan.workspace.results / "records" / "digits"
    folder.mkdir(parents=True)
    write_records(records, folder)
    with pytest.raises(InputProblem) as caught:
        chosen(plan, variant)
    return caught.value


def test_nothing_to_deliver(digits_plan: Plan) -> None:
    """Without a record there is nothing to deliver: a build is what helps."""
    problem = choosing(digits_plan, None)
    assert problem.what == "nothing is published of digits"
    assert "./inv build" in problem.advice


def test_no_variant_is_recommended(digits_plan: Plan) -> None:
    """Where no variant may be recommended those that can be named are listed."""
    slow = record(rounds=rounds(4.0, 4.0, 4.0))
    problem = choosing(digits_plan, None, record("reference"), slow)
    assert problem.what == "no variant of digits is recommended"
    assert "--variant: int8" in problem.advice


def test_a_variant_that_cannot_be_delivered(digits_plan: Plan) -> None:
    """One that is not there is answered with the nearest, one that failed with what to do."""
    problem = choosing(digits_plan, "int9", record("reference"), record())
    assert (problem.what, "did you mean 'int8'" in problem.advice) == ("there is no variant 'int9'", True)


def test_a_variant_that_failed(digits_plan: Plan) -> None:
    """A record that holds no measurement is none to deliver."""
    assert (
        choosing(digits_plan, "int8", record("reference"), failed()).what == "int8 was not measured (broken)"
    )


def test_a_model_that_has_changed(digits_plan: Plan) -> None:
    """What was measured of another model is not delivered as this one's."""
    problem = choosing(digits_plan, "int8", record("reference"), record(identity={"model_sha256": "0" * 64}))
    assert "has changed since it was measured" in problem.what
