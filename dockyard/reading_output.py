"""Where what a stream reads goes: a file or standard output, JSON lines or CSV, line by line as it comes."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from shared.contract.errors import InputProblem
from shared.contract.reading_lines import COLUMNS, csv_rows, json_line
from shared.contract.streaming import FrameReading


class OutputClosed(Exception):
    """Whoever read the lines has closed them: `| head` has had enough."""


@contextmanager
def writing(output: str) -> Iterator[Callable[[FrameReading], None]]:
    """Yield what writes a reading.

    Args:
        output: a file, CSV where its name ends so; empty for JSON lines on standard output.

    Raises:
        InputProblem: the file cannot be written.
        OutputClosed: nobody reads what is written. It is no OSError, which an engine would take for its own.
    """
    file: TextIO = sys.stdout  # taken before a display that is live puts its own in its place
    with ExitStack() as stack:
        writer, is_open = None, False

        def write(reading: FrameReading) -> None:
            try:
                put(reading)
            except BrokenPipeError:
                raise OutputClosed from None
            except OSError as error:
                what = f"it cannot be written ({error.strerror})"
                raise InputProblem(what, output or "standard output") from None

        def put(reading: FrameReading) -> None:
            nonlocal file, writer, is_open
            if output and not is_open:
                file, is_open = _opened(Path(output)), True
                stack.enter_context(suppress(OSError))  # each line was flushed: what is wrong was told then
                stack.enter_context(file)
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
    return path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
