"""Results of other machines stand beside one's own, each under its device, and nothing is replaced."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockyard.judge.adding import add_results
from dockyard.judge.record_files import write_records
from dockyard.judge.results_folder import judge_results
from dockyard.recipe.workspace import Workspace
from dockyard.report.write import write_report
from shared.contract.errors import InputProblem
from shared.contract.record import Record, RecordStatus
from tests.builders import record, rounds

LAPTOP = {"cpu": "laptop", "threads": 4, "boot_id": "b" * 8}


def pair(
    device: dict[str, Any] | None = None, run: str = "20260101T000000Z", ms: float = 1.0
) -> list[Record]:
    """A reference and a variant that were measured on a device."""
    found = []
    for one in (record("reference"), record("int8", rounds=rounds(ms, ms, ms))):
        found.append(replace(one, run=run, device=device or one.device))
    return found


def results(folder: Path, *records: Record) -> Path:
    for one in records:
        write_records([one], folder / "results" / "records" / str(one.recipe["name"]))
    return folder / "results"


@pytest.fixture
def own(tmp_path: Path) -> Workspace:
    """A workspace with a recipe that was measured on this machine."""
    results(tmp_path / "own", *pair())
    return Workspace(tmp_path / "own")


def test_another_machine_stands_beside(own: Workspace, tmp_path: Path) -> None:
    """A recipe of two machines has two decisions and sections, with their devices and records."""
    lines = add_results(own, results(tmp_path / "other", *pair(LAPTOP, ms=2.0)))
    assert lines == ["added: digits, run 20260101T000000Z on laptop, 4 threads (2 records)"]
    write_report(own)
    text = (own.results / "report.md").read_text()
    mine = text.index("- **digits** (fake, 2 threads): take [**int8**](records/digits/digits/int8.json)")
    theirs = text.index("- **digits** (laptop, 4 threads): take [**int8**](added/digits/20260101T000000Z-")
    assert mine < theirs
    assert "digits: digits (added from another machine: laptop, 4 threads, run 20260101T000000Z)" in text
    rows = [line.split(",") for line in (own.results / "results.csv").read_text().splitlines()[1:]]
    assert len(rows) == 4
    assert len(list((own.results / "plots").glob("*digits*times.svg"))) == 2


def test_no_ratio_goes_across_machines(own: Workspace, tmp_path: Path) -> None:
    """A variant is judged by the reference of its own machine, also where both runs have one name."""
    add_results(own, results(tmp_path / "other", *pair(LAPTOP, ms=2.0)))
    speedups = {one.device: one.speedup.estimate for one in judge_results(own.results) if one.speedup}
    assert speedups == {"fake, 2 threads": 4.0, "laptop, 4 threads": 2.0}


def test_adding_twice_adds_once(own: Workspace, tmp_path: Path) -> None:
    """What is here already, added before or one's own, is not copied again."""
    other = results(tmp_path / "other", *pair(LAPTOP))
    add_results(own, other)
    assert add_results(own, other) == ["here already: digits, run 20260101T000000Z on laptop, 4 threads"]
    copy = results(tmp_path / "copy", *pair())
    assert add_results(own, copy)[0].startswith("here already: ")
    assert len(judge_results(own.results)) == 4


def test_what_others_have_collected_comes_along(own: Workspace, tmp_path: Path) -> None:
    """Results that were added to the other's are added, too."""
    middle = Workspace(tmp_path / "middle")
    results(middle.root, *pair({"cpu": "board", "threads": 2}))
    add_results(middle, results(tmp_path / "other", *pair(LAPTOP)))
    assert len(add_results(own, middle.results)) == 2
    assert {one.device for one in judge_results(own.results)} == {
        "fake, 2 threads",
        "board, 2 threads",
        "laptop, 4 threads",
    }


def test_a_newer_run_of_a_device_stands_beside_the_older(own: Workspace, tmp_path: Path) -> None:
    """Another run of the same device replaces nothing."""
    add_results(own, results(tmp_path / "one", *pair(LAPTOP)))
    add_results(own, results(tmp_path / "two", *pair(LAPTOP, run="20260202T000000Z")))
    assert len(judge_results(own.results)) == 6


def test_changed_records_are_refused(own: Workspace, tmp_path: Path) -> None:
    """Other figures under a run and device that are here are refused, and nothing is copied."""
    other = results(tmp_path / "other", *pair(LAPTOP))
    add_results(own, other)
    results(tmp_path / "other", *pair(LAPTOP, ms=0.5))
    before = sorted(own.results.rglob("*"))
    with pytest.raises(InputProblem, match="differ from those in results/added/digits/20260101T000000Z-"):
        add_results(own, other)
    assert sorted(own.results.rglob("*")) == before


def test_two_versions_of_one_run_are_refused(own: Workspace, tmp_path: Path) -> None:
    """Results that hold a run twice, once changed, are refused: nobody knows which of the two is true."""
    other = Workspace(tmp_path / "other")
    add_results(other, results(tmp_path / "first", *pair(LAPTOP)))
    results(other.root, *pair(LAPTOP, ms=0.5))
    with pytest.raises(InputProblem, match="find out which of the two was changed"):
        add_results(own, other.results)
    assert not (own.results / "added").exists()


def test_nothing_measured_is_left_out(own: Workspace, tmp_path: Path) -> None:
    """A recipe whose device the other did not have says nothing of any device."""
    nothing = {"status": RecordStatus.NOT_MEASURED, "quality": None, "rounds": ()}
    other = results(tmp_path / "other", *(replace(one, **nothing) for one in pair(LAPTOP)))
    assert add_results(own, other) == ["left out: digits, of which nothing was measured"]
    assert not (own.results / "added").exists()


def spoiled(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"rounds": "many"}, "int8.json"),
    ({"variant": "fp16"}, "it has a record of digits/fp16, and not under that name"),
    ({"run": "20260202T000000Z"}, "it has records of several runs or recipes"),
    ({"run": "../../x"}, "several runs"),
    ({"variant": "../../../x"}, "a record has the name"),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_what_is_no_run_is_refused(
    own: Workspace, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """A file that is no record, or not the one that its path says, is refused with its place."""
    other = results(tmp_path / "other", *pair(LAPTOP))
    spoiled(other / "records" / "digits" / "digits" / "int8.json", **changes)
    with pytest.raises(InputProblem) as caught:
        add_results(own, other)
    assert message in str(caught.value)
    assert not (own.results / "added").exists()


def test_a_name_that_leaves_the_folder_is_refused(own: Workspace, tmp_path: Path) -> None:
    """However all records of a run agree on a name, one that is a path is refused."""
    other = results(tmp_path / "other", *pair(LAPTOP))
    for path in other.rglob("*.json"):
        spoiled(path, run="../../../outside")
    with pytest.raises(InputProblem, match="which no file can have"):
        add_results(own, other)


def test_a_folder_without_records_is_refused(own: Workspace, tmp_path: Path) -> None:
    """A folder that is no results folder, and one's own, are refused with what to name."""
    with pytest.raises(InputProblem, match="name the results folder of another workspace"):
        add_results(own, tmp_path)
    with pytest.raises(InputProblem, match="these are the results of this workspace"):
        add_results(own, own.results)
