"""The committed results are what the committed records give."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dockyard.judge.assessment import ADDED, Assessment, Verdict
from dockyard.judge.results_folder import judge_results
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.report.grouping import by_model
from dockyard.report.pictures import sheet_file
from dockyard.report.write import PLOTS, reading_order, write_results

RESULTS = PRODUCT / "results"
COMMITTED = RESULTS / "records"
WRITTEN = ("report.html", "report.md", "results.csv")
MAX_PAGE_MB = 3


@pytest.fixture(scope="module")
def committed() -> list[Assessment]:
    """The committed records, read and judged."""
    return sorted(judge_results(RESULTS, Workspace(PRODUCT).display_path), key=reading_order)


def test_committed_records_are_read_and_judged(committed: list[Assessment]) -> None:
    """Every committed record is read, none has failed, and each model has its reference beside it."""
    files = [path for folder in (COMMITTED, RESULTS / ADDED) for path in folder.rglob("*.json")]
    assert len(committed) == len(files)
    assert Verdict.FAILED not in {one.verdict for one in committed}
    references = [(one.origin, one.record.model) for one in committed if one.is_reference]
    assert sorted(references) == sorted({(one.origin, one.record.model) for one in committed})


def test_each_figure_has_its_record(committed: list[Assessment]) -> None:
    """What the pages link to as a figure's record is there."""
    missing = [one.record_file for one in committed if not (RESULTS / one.record_file).is_file()]
    assert missing == []


def test_committed_results_are_those_of_the_records(committed: list[Assessment], tmp_path: Path) -> None:
    """The committed pages, table and pictures are, byte for byte, what the committed records give.

    Sheets of samples are of images that are not in the records: those that are there are shown.
    """
    sheets = {sheet_file(rows) for rows in by_model(committed).values()}
    (tmp_path / PLOTS).mkdir()
    for path in (RESULTS / PLOTS).iterdir():
        if path.name in sheets:
            shutil.copy(path, tmp_path / PLOTS)
    write_results(tmp_path, committed)
    for name in WRITTEN:
        assert (tmp_path / name).read_text() == (RESULTS / name).read_text(), name
    drawn, kept = (sorted((folder / PLOTS).iterdir()) for folder in (tmp_path, RESULTS))
    names = [path.name for path in drawn]
    assert names == [path.name for path in kept]
    changed = [one.name for one, other in zip(drawn, kept) if one.read_bytes() != other.read_bytes()]
    assert changed == []


def test_the_page_can_be_mailed() -> None:
    """The page of the committed results is small enough to send."""
    assert (RESULTS / "report.html").stat().st_size <= MAX_PAGE_MB * 1e6
