"""The rows of a CSV file, however a spreadsheet has written it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Iterator, List, Mapping, Sequence, Tuple

from .errors import InputProblem, nearest
from .text_files import read_text

DELIMITERS = ",;\t"
"""The second where a comma parts whole numbers from their fraction, the third in Excel's "Unicode text"."""


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        line: where it ends in the file, from 1.
        values: by the column's name in small letters, without the blanks around them.
    """

    line: int
    values: Mapping[str, str]


def read_rows(path: Path, needed: Sequence[str]) -> List[Row]:
    """Read a CSV file with a line of names; empty rows are left out.

    Args:
        needed: the columns that have a value in each row; there may be others.

    Raises:
        FileNotFoundError: there is none.
        InputProblem: no text, no CSV, a column that is missing or is there twice, a row with more values than
            there are columns or without one that is needed.
    """
    text = read_text(path)
    try:
        header = text.strip(" \r\n").partition("\n")[0].partition("\r")[0]
        lines = _lines(text, _delimiter(header, needed))
        _, columns = next(lines, (1, []))
        columns = [name.lower() for name in columns]
        _check_columns(columns, needed, header, f"{path}:1")
        return [Row(line, _values(columns, values, needed, f"{path}:{line}")) for line, values in lines]
    except csv.Error as error:
        raise InputProblem(f"not a CSV file ({error})", str(path)) from None


def _lines(text: str, delimiter: str) -> Iterator[Tuple[int, List[str]]]:
    """Yield number and values of each line that is not empty, without what a spreadsheet adds at its end."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    for line in reader:
        values = [value.strip() for value in line]
        while values and not values[-1]:
            del values[-1]
        if values:
            yield reader.line_num, values


def _delimiter(header: str, needed: Sequence[str]) -> str:
    """Return what parts the columns: that which leaves most of those that are needed."""

    def known(delimiter: str) -> int:
        names = [name.strip(' "').lower() for name in header.split(delimiter)]
        return sum(name in names for name in needed)

    return max(DELIMITERS, key=known)


def _check_columns(columns: Sequence[str], needed: Sequence[str], header: str, where: str) -> None:
    missing = next((name for name in needed if name not in columns), None)
    if missing is not None:
        advice = f"the columns {', '.join(needed)} are needed; commas, semicolons or tabs part them"
        if len(columns) > 1:
            advice = f"the columns {', '.join(needed)} are needed; {nearest(missing, columns)}"
        raise InputProblem(f"no column '{missing}' in '{header[:80]}'", where, advice)
    twice = next((name for name in columns if columns.count(name) > 1), "")
    if twice:
        raise InputProblem(f"two columns '{twice}'", where, "leave one of them")


def _values(
    columns: Sequence[str], values: Sequence[str], needed: Sequence[str], where: str
) -> Mapping[str, str]:
    if len(values) > len(columns):
        what = f"{len(values)} values in a row of {len(columns)} columns"
        raise InputProblem(what, where, "put quotes around a value with a delimiter in it")
    row = dict(zip(columns, [*values, *[""] * (len(columns) - len(values))]))
    if not all(row[name] for name in needed):
        raise InputProblem(f"a row without {' or '.join(needed)}", where)
    return row
