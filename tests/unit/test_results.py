"""The committed results are what the committed records give."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.record_files import read_records
from dockyard.judge.verdicts import judge
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.report.csv import write_csv
from dockyard.report.markdown import markdown
from dockyard.report.model_section import Pictures
from dockyard.report.sections import report_of
from dockyard.report.write import reading_order

COMMITTED = PRODUCT / "results" / "records"


@pytest.fixture(scope="module")
def committed() -> list[Assessment]:
    """The committed records, read and judged."""
    return judge(read_records(COMMITTED, Workspace(PRODUCT).display_path))


def test_committed_records_are_read_and_judged(committed: list[Assessment]) -> None:
    """Every committed record is read, none has failed, and each model has its reference beside it."""
    assert len(committed) == len(list(COMMITTED.rglob("*.json")))
    assert Verdict.FAILED not in {one.verdict for one in committed}
    references = [(one.recipe_name, one.record.model) for one in committed if one.is_reference]
    assert sorted(references) == sorted({(one.recipe_name, one.record.model) for one in committed})


def test_committed_results_are_those_of_the_records(committed: list[Assessment], tmp_path: Path) -> None:
    """The committed report and table are what the committed records give."""
    results = PRODUCT / "results"
    assessments = sorted(committed, key=reading_order)
    pictures = Pictures(frozenset(path.name for path in (results / "plots").iterdir()))
    assert markdown(report_of(assessments, pictures)) == (results / "report.md").read_text()
    write_csv(assessments, tmp_path / "results.csv")
    assert (tmp_path / "results.csv").read_text() == (results / "results.csv").read_text()
