"""Where what a stream reads goes."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dockyard.reading_output import OutputClosed, writing
from dockyard.run.live_display import LiveDisplay
from shared.contract.errors import InputProblem
from shared.contract.streaming import Answer, FrameReading, ReadObject

SEEN = FrameReading(
    "gate.mp4", 3, 0.12, (ReadObject((1, 2, 3, 4), 0.9, {"reader": Answer("AB1", "D", 0.8)}),)
)


def test_a_file_is_as_it_was_until_something_is_read(tmp_path: Path) -> None:
    """An error before the first line leaves what an earlier stream has written."""
    file = tmp_path / "readings.jsonl"
    file.write_text("yesterday's\n")
    with writing(str(file)):
        pass
    assert file.read_text() == "yesterday's\n"
    with writing(str(file)) as write:
        write(SEEN)
    assert json.loads(file.read_text())["objects"][0]["answers"]["reader"]["text"] == "AB1"


def test_a_row_for_each_object(tmp_path: Path) -> None:
    file = tmp_path / "readings.csv"
    with writing(str(file)) as write:
        write(FrameReading("gate.mp4", 2, 0.08))
        write(SEEN)
    (row,) = csv.DictReader(file.open())
    assert (row["frame"], row["text"], row["country"]) == ("3", "AB1", "D")


def test_standard_output_stays_so_beside_a_live_display(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines do not go where the display is shown."""
    terminal = io.StringIO()
    with writing("") as write, LiveDisplay(Console(file=terminal, force_terminal=True)):
        write(SEEN)
    assert json.loads(capsys.readouterr().out)["frame"] == 3
    assert "AB1" not in terminal.getvalue()


class Closed(io.StringIO):
    """What is left of a pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_has_had_enough_is_no_error_of_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """`| head` closes the pipe: engines, whose own lines break in the same way, do not see it."""
    monkeypatch.setattr(sys, "stdout", Closed())
    with writing("") as write, pytest.raises(OutputClosed):
        write(SEEN)


def test_a_full_disk_is_told_with_the_files_name() -> None:
    with writing("/dev/full") as write, pytest.raises(InputProblem, match="No space left") as told:
        write(SEEN)
    assert "/dev/full" in str(told.value)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none" / "readings.jsonl")
    with writing(missing) as write, pytest.raises(InputProblem, match="cannot be written"):
        write(SEEN)
