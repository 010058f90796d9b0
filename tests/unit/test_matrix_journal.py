"""What a killed matrix had begun and measured is known to the next one, and only to that."""

from __future__ import annotations

from pathlib import Path

from dockyard.judge.record_files import write_records
from dockyard.judge.records import new_run
from dockyard.matrix_journal import Begun, Journal, journal
from dockyard.recipe.locks import locked
from dockyard.recipe.workspace import Workspace
from tests.builders import record


def publish(workspace: Workspace, recipe: str, run: str) -> None:
    write_records([record("reference", run=run)], workspace.results / "records" / recipe)


def killed(workspace: Workspace, name: str = "killed") -> Journal:
    """The journal of a matrix that does not live, and was at `a.json`."""
    folder = workspace.state / "matrix"
    folder.mkdir(parents=True, exist_ok=True)
    left = Journal(workspace, folder / f"{name}.jsonl")
    left.begin("a.json", "orin-1", "o1")
    return left


def journals(workspace: Workspace) -> list[Path]:
    return list((workspace.state / "matrix").glob("*.jsonl"))


def test_a_matrix_that_ends_leaves_nothing(workspace: Workspace) -> None:
    """The next one has nothing to go on with, whatever was built."""
    with journal(workspace) as kept:
        kept.begin("a.json", "orin-1", "o1")
        assert len(journals(workspace)) == 1
    assert journals(workspace) == []
    with journal(workspace) as kept:
        assert (kept.begun, kept.measured) == ({}, set())


def test_what_a_killed_one_had_is_taken_over(workspace: Workspace) -> None:
    """What it was at and what it had measured is known, to one that comes after two that were killed too."""
    left = killed(workspace)
    left.begin("b.json", "orin-2", "o2")
    publish(workspace, "b", new_run())
    left.end("b.json")
    left.begin("c.json", "orin-2", "o2")
    publish(workspace, "c", "20200101T000000Z")
    left.end("c.json")
    killed(workspace, "later").begin("d.json", "here", None)
    (path, *_) = journals(workspace)
    with path.open("a") as file:
        file.write('{"recipe": "e.js')
    with journal(workspace) as kept:
        assert kept.measured == {"b.json"}
        devices = {recipe: (one.device, one.context) for recipe, one in kept.begun.items()}
        assert devices == {"a.json": ("orin-1", "o1"), "d.json": ("here", None)}
        assert len(journals(workspace)) == 1


def test_what_was_published_just_before_the_kill_is_measured(workspace: Workspace) -> None:
    """A recipe whose run was published, and whose matrix was killed before it knew, is not measured again."""
    killed(workspace)
    publish(workspace, "a", new_run())
    with journal(workspace) as kept:
        assert (kept.begun, kept.measured) == ({}, {"a.json"})


def test_one_that_lives_is_left_alone(workspace: Workspace) -> None:
    """A matrix that goes on at the same time keeps its own."""
    killed(workspace)
    (path,) = journals(workspace)
    with locked(path), journal(workspace) as kept:
        assert kept.begun == {}
        assert isinstance(kept, Journal)
        assert len(journals(workspace)) == 2
    with journal(workspace) as kept:
        assert kept.begun.keys() == {"a.json"}
        assert isinstance(kept.begun["a.json"], Begun)
