"""What is noted of a network that TVM compiled: how it was tuned, and where its time goes."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from dockyard.recipe.workspace import PRODUCT
from shared.contract.codec import encode

sys.path.insert(0, str(PRODUCT / "targets" / "tvm-llvm"))
from notes import DATABASES, REASONS, Kernel, Origin, Stopped, TuningSummary, compiled_notes

KERNELS = [Kernel(f"kernel {i}", 1.0 / (i + 1), 0.05, 1 + i % 2) for i in range(20)]
SUMMARY = TuningSummary("znver4", Origin.NEW, 12, 900, 400, 61.3, Stopped.EARLY)


def test_a_tuning_is_told_in_a_sentence() -> None:
    """The remark says for which CPU, from which database, how many trials, and why it ended."""
    (remark,) = compiled_notes("plate", [], SUMMARY).remarks
    assert remark == (
        "plate was tuned for znver4 with a new database: 900 trials of 12 tasks, "
        "400 of them new, in 61 s, until nothing got faster any more"
    )


def test_a_tuning_that_tried_nothing() -> None:
    """Where all is in the database the remark says that nothing was tried."""
    known = TuningSummary("x86-64-v4", Origin.PORTABLE, 12, 900, 0, 0.5, Stopped.DONE)
    remark = known.remark("plate")
    assert "with the portable database, for want of one of this CPU's own" in remark
    assert remark.endswith("900 trials of 12 tasks, none of them new")


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("stopped", Stopped)
def test_every_end_of_a_tuning_has_its_sentence(origin: Origin, stopped: Stopped) -> None:
    """Each database and each reason has words, and the details are JSON."""
    summary = TuningSummary("znver4", origin, 1, 2, 2, 3.0, stopped)
    assert DATABASES[origin] in summary.remark("plate")
    assert REASONS[stopped] in summary.remark("plate")
    details = encode(compiled_notes("plate", [], summary))["details"]["tuning"]
    assert (details["database"], details["stopped"]) == (origin.value, stopped.value)


def test_the_slowest_kernels_are_a_folded_table() -> None:
    """The table has the slowest kernels and what part of the time they take; the details have them all."""
    notes = compiled_notes("plate", KERNELS)
    (table,) = notes.tables
    assert table.title == "Where the time of plate goes: the 10 slowest of 20 kernels take 50%"
    assert table.columns == ("kernel", "ms", "part of the time", "calls")
    assert table.rows[:2] == (("kernel 0", "1.000", "5.0%", "1"), ("kernel 1", "0.500", "5.0%", "2"))
    assert (len(table.rows), table.folded) == (10, True)
    assert len(notes.details["kernels"]) == 20
    assert notes.remarks == ()


def test_few_kernels_are_all_of_them() -> None:
    """Where all kernels are listed the title says so."""
    (table,) = compiled_notes("plate", KERNELS[:3]).tables
    assert table.title == "Where the time of plate goes: its kernels"


def test_what_cannot_run_here_has_no_kernels() -> None:
    """A network for another machine has no table."""
    notes = compiled_notes("plate", [])
    assert (notes.tables, notes.details) == ((), {})


TRACEBACK = """Traceback (most recent call last):
  File "relax.py", line 3, in main
ScheduleError: the loop cannot be split
"""


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (TRACEBACK, "ScheduleError: the loop cannot be split"),
        ("\nCheck failed: no such target\n  at llvm.cc:3", "Check failed: no such target"),
    ],
)
def test_what_tvm_says_is_wrong(message: str, line: str) -> None:
    """Of a traceback the last line says what is wrong, of any other message the first."""
    path = PRODUCT / "targets" / "tvm-llvm" / "errors.py"
    spec = importlib.util.spec_from_file_location("tvm_llvm_errors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.error_summary(message) == line
