"""Where what a stream reads goes: a file or standard output, JSON lines or CSV, line by line as it comes."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

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
    with ExitStack() as stack:
        file = sys.stdout
        if output:
            try:
                file = stack.enter_context(Path(output).open("w", newline="", encoding="utf-8"))
            except OSError as error:
                raise InputProblem(f"it cannot be written ({error.strerror})", output) from None
        if not output.endswith(".csv"):
            yield lambda reading: print(json_line(reading), file=file, flush=True)
            return
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)

        def write(reading: FrameReading) -> None:
            writer.writerows(csv_rows(reading))
            file.flush()

        yield write
