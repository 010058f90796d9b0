"""Where what a stream reads goes: a file or standard output, JSON lines or CSV, line by line as it comes."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from shared.contract.errors import InputProblem
from shared.contract.reading_lines import COLUMNS, csv_rows, json_line
from shared.contract.streaming import FrameReading


@contextmanager
def writing(output: str) -> Iterator[Callable[[FrameReading], None]]:
    """Yield what writes a reading.

    Args:
        output: a file, CSV where its name ends so; empty for JSON lines on standard output.

    Raises:
        InputProblem: the file cannot be written.
    """
    file: TextIO = sys.stdout  # taken before a display that is live puts its own in its place
    with ExitStack() as stack:
        writer, is_open = None, False

        def write(reading: FrameReading) -> None:
            nonlocal file, writer, is_open
            if output and not is_open:
                file, is_open = stack.enter_context(_opened(Path(output))), True
            if not output.endswith(".csv"):
                print(json_line(reading), file=file, flush=True)
                return
            if writer is None:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
            writer.writerows(csv_rows(reading))
            file.flush()

        yield write


def _opened(path: Path) -> TextIO:
    """Open a file to be written, when there is something to write: an error before leaves what is in it."""
    try:
        return path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputProblem(f"it cannot be written ({error.strerror})", str(path)) from None
