"""The page to decide by says what to take and why, and leaves out nothing that was tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from dockyard.judge.verdicts import judge
from dockyard.report.content import Decision
from dockyard.report.decision import decision_of, decisions_of
from dockyard.report.markdown import markdown
from dockyard.report.pictures import Pictures
from dockyard.report.sections import report_of
from dockyard.report.terminal import print_decisions, print_summary
from shared.contract.record import Record, RecordStatus
from tests.builders import artifact, failed, quality, record, requiring, rounds
from tests.unit.test_report_page import page_of

LOSSY = record("fp16", quality=quality([0.0] * 5 + [1.0] * 95))
SLOW = record("baseline", rounds=rounds(5.0, 5.0, 5.0))
WANDERING = requiring(record("int8", rounds=rounds(1.0, 1.0, 1.5)), min_speedup=3.0)


def decided(*records: Record) -> Decision:
    return decision_of(judge([record("reference"), *records]))


def told(decision: Decision) -> list[tuple[str, list[tuple[str, str]]]]:
    found = []
    for heading, remarks in decision.rest:
        found.append((heading, [(one.subject, one.text) for one in remarks]))
    return found


def test_the_fastest_is_taken_with_its_reason() -> None:
    """What to take comes with what was required, how much faster it is, and what it loses."""
    found = decided(record("int8"), record("baseline", rounds=rounds(2.0, 2.0, 2.0)))
    assert (found.recipe, found.device, found.take) == ("digits", "fake, 2 threads", "int8")
    assert found.reason == (
        "the fastest within max_drop 0.02: 4.00x TensorFlow (4.00 to 4.00), 1.00 ms, accuracy 1.0000, drop "
        "+0.0000 (+0.0000 to +0.0000)"
    )
    assert found.rest == ()


TIES: list[tuple[Record, str]] = [
    (record("int8", quality=quality([0.0] + [1.0] * 99)), "the one that loses least"),
    (record("int8", artifacts=artifact(size=9_000_000, content="int8")), "the smallest"),
]


@pytest.mark.parametrize(("rival", "why"), TIES)
def test_of_those_as_fast_it_says_why_that_one(rival: Record, why: str) -> None:
    """Where several are as fast the reason says what decided, and the others are named with their figures."""
    found = decided(record("fp16"), rival)
    assert found.take == "fp16"
    assert found.reason.startswith(f"of the 2 fastest within max_drop 0.02 {why}: 4.00x")
    ((heading, remarks),) = told(found)
    assert heading == "as fast"
    assert [subject for subject, _ in remarks] == ["int8"]
    assert remarks[0][1].startswith("4.00x, drop +0.0")


REST = [
    (LOSSY, ("too lossy", [("fp16", "loses 0.0500 of accuracy, 0.02 are allowed, at 4.00x")])),
    (SLOW, ("no gain", [("baseline", "0.80x (0.80 to 0.80)")])),
    (failed("fp16"), ("not decided", [("fp16", "failed: broken")])),
    (
        WANDERING,
        (
            "not decided",
            [
                (
                    "int8",
                    "4.00x, drop +0.0000: its speedup of 4.00 (2.67 to 4.00) straddles the 3 that is "
                    "required",
                )
            ],
        ),
    ),
]


@pytest.mark.parametrize(("one", "expected"), REST, ids=["too lossy", "no gain", "failed", "undecided"])
def test_what_became_of_the_rest(one: Record, expected: tuple[str, list[tuple[str, str]]]) -> None:
    """What loses too much says how much, what could not be decided why, what gains nothing its figures."""
    found = decided(one)
    assert found.take == ""
    assert told(found) == [expected]
    assert found.reason.startswith("No variant of digits is recommended")
    assert found.advice


def test_variants_with_one_reason_are_one_remark() -> None:
    """Variants that were not measured for one reason share it, and a device that was not there is told."""
    nothing = {
        "status": RecordStatus.NOT_MEASURED,
        "rounds": (),
        "quality": None,
        "reason": "no device 'board'",
    }
    records = [record(variant, **nothing) for variant in ("reference", "int8", "fp16")]
    found = decision_of(judge([replace(one, recipe={**one.recipe, "device": "board"}) for one in records]))
    assert found.device == "'board', which was not there"
    assert told(found) == [("not decided", [("int8, fp16", "not measured: no device 'board'")])]


def test_left_candidates_are_counted() -> None:
    """Of what a search left there is the number."""
    left = {"status": RecordStatus.NOT_MEASURED, "reason": "off the Pareto front", "rounds": rounds(3.0)}
    found = decided(record("int8"), record("a", **left), record("b", **left))
    assert told(found) == [("not decided", [("2 more variants", "left by the search after one round")])]


def written(records: Sequence[Record]) -> dict[str, str]:
    """A decision on these records as each format has it."""
    rows = judge(records)
    console = Console(width=30, file=StringIO())
    print_decisions(decisions_of(rows), console)
    assert isinstance(console.file, StringIO)
    return {
        "terminal": console.file.getvalue(),
        "Markdown": markdown(report_of(rows, Pictures()))
        .replace("`", "")
        .replace("**", "")
        .replace("\\", ""),
        "HTML": page_of(*records).replace("<code>", "").replace("</code>", ""),
    }


def test_every_format_says_the_same() -> None:
    """Terminal, Markdown and HTML have the same reason and the same of the rest."""
    texts = written([record("reference"), record("int8"), LOSSY, failed("bf16")])
    for name, text in texts.items():
        for words in (
            "the fastest within max_drop 0.02: 4.00x TensorFlow",
            "fp16 loses 0.0500 of accuracy, 0.02 are allowed",
            "bf16 failed: broken",
        ):
            assert words in text, name
    for name, text in written([record("reference"), LOSSY]).items():
        assert "allow a larger drop" in text, name


def test_a_build_ends_with_what_became_of_the_rest() -> None:
    """After a build the terminal has what was too lossy and what failed, before the answer."""
    console = Console(width=30, file=StringIO())
    print_summary(judge([record("reference"), record("int8"), LOSSY, failed("bf16")]), console)
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()[-4:]
    assert lines[0] == "  too lossy: fp16 loses 0.0500 of accuracy, 0.02 are allowed, at 4.00x"
    assert lines[1] == "  not decided: bf16 failed: broken"
    assert lines[2].startswith("digits: take int8")
