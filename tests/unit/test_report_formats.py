"""What other programs read: the summary for a CI, and Parquet for pandas."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from arro3.io import read_parquet

from dockyard.judge.verdicts import judge
from dockyard.report.csv import COLUMNS, write_csv, write_parquet
from dockyard.report.junit import REQUIRED, write_junit
from shared.contract.record import Record, RecordStatus
from tests.builders import failed, quality, record, requiring
from tests.unit.test_report_page import named

LOSSY = record("int8", quality=quality([0.0] * 5 + [1.0] * 95))


def junit(folder: Path, *records: Record) -> ElementTree.Element:
    write_junit(judge(records), folder / "junit.xml")
    return ElementTree.parse(folder / "junit.xml").getroot()


def outcome(case: ElementTree.Element) -> tuple[str, str]:
    """What a CI shows of a test: its kind and its message."""
    for kind in ("failure", "error", "skipped"):
        found = case.find(kind)
        if found is not None:
            return kind, found.get("message", "")
    return "passed", case.findtext("system-out", "")


def test_junit(tmp_path: Path) -> None:
    """A recipe is a suite; what it requires and each variant is a test, with its figures or its reason."""
    nothing = {"status": RecordStatus.NOT_MEASURED, "quality": None, "rounds": (), "reason": "no bfloat16"}
    root = junit(tmp_path, record("reference"), record("int8"), failed("fp16"), record("bf16", **nothing))
    (suite,) = root
    assert suite.attrib == {
        "name": "digits",
        "hostname": "fake, 2 threads",
        "tests": "5",
        "failures": "0",
        "errors": "1",
        "skipped": "1",
    }
    found = {case.get("name"): outcome(case) for case in suite}
    assert found[REQUIRED] == ("passed", "")
    assert found["int8"] == ("passed", "recommended, 4.00x, accuracy 1.0000, drop +0.0000")
    assert found["fp16"] == ("error", "broken")
    assert found["bf16"] == ("skipped", "no bfloat16")
    assert [case.get("time") for case in suite][1:3] == ["0.004000", "0.001000"]


def test_junit_fails_where_a_requirement_is_missed(tmp_path: Path) -> None:
    """The test that fails is the recipe's requirement; a variant that misses it is a result, no failure."""
    (suite,) = junit(tmp_path, record("reference"), requiring(LOSSY, min_speedup=2.0))
    found = {case.get("name"): outcome(case) for case in suite}
    kind, message = found[REQUIRED]
    assert kind == "failure"
    assert message.startswith("No variant of digits is recommended")
    assert found["int8"][0] == "passed"
    assert found["int8"][1].startswith("too lossy, 4.00x")


def test_junit_of_what_was_not_measured(tmp_path: Path) -> None:
    """A recipe of which nothing was measured is skipped, not failed."""
    nothing = {"status": RecordStatus.NOT_MEASURED, "quality": None, "rounds": (), "reason": "no device"}
    (suite,) = junit(tmp_path, record("reference", **nothing), record("int8", **nothing))
    assert {outcome(case)[0] for case in suite} == {"skipped"}


def test_junit_is_xml_whatever_things_are_called(tmp_path: Path) -> None:
    """Characters that XML does not know, and those that it takes for its own, break nothing."""
    (suite,) = junit(tmp_path, *named("\x00\x1b<b>&\"'\ud800"))
    assert suite.get("name") == "  <b>&\"' "


def test_parquet_has_the_rows_of_the_table(tmp_path: Path) -> None:
    """Parquet has the columns of results.csv in their order, with types that do not hang on the rows."""
    rows = judge([record("reference"), record("int8"), failed("fp16")])
    write_csv(rows, tmp_path / "results.csv")
    write_parquet(rows, tmp_path / "results.parquet")
    found = read_parquet(tmp_path / "results.parquet").read_all()
    head = (tmp_path / "results.csv").read_text().splitlines()[0]
    assert found.column_names == head.split(",") == [name for name, _, _ in COLUMNS]
    assert found["variant"].to_pylist() == ["reference", "int8", "fp16"]
    assert found["speedup"].to_pylist() == [None, 4.0, None]
    assert found["rounds"].to_pylist() == [3, 3, None]
    write_parquet([], tmp_path / "empty.parquet")
    assert read_parquet(tmp_path / "empty.parquet").read_all().schema == found.schema
