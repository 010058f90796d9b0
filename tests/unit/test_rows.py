"""CSV files are read as spreadsheets, editors and scripts write them, or refused with what is wrong."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.errors import InputProblem
from shared.contract.rows import read_rows
from shared.contract.text_files import read_text
from tests.fakes import attempt

NEEDED = ("file", "reading")
PLAIN = "file,reading,country\nimages/0.png,AB 1,D\nimages/1.png,CÖ2,\n"
ROWS = [
    {"file": "images/0.png", "reading": "AB 1", "country": "D"},
    {"file": "images/1.png", "reading": "CÖ2", "country": ""},
]


def rows(folder: Path, content: str, encoding: str = "utf-8") -> list[dict[str, str]]:
    path = folder / "readings.csv"
    path.write_bytes(content.encode(encoding))
    return [dict(row.values) for row in read_rows(path, NEEDED)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_as_spreadsheets_write_it(tmp_path: Path, encoding: str, delimiter: str, end: str) -> None:
    """Marks, delimiters and ends of lines make no difference."""
    written = PLAIN.replace(",", delimiter).replace("\n", end)
    assert rows(tmp_path, written, encoding) == ROWS


@pytest.mark.parametrize(
    "written",
    [
        PLAIN.replace(",", " , "),
        'file, "reading", "country"\n"images/0.png", "AB 1", D\nimages/1.png, CÖ2, ""\n',
        PLAIN.replace("\n", ",,\n") + ",,\n\n",
        PLAIN.replace("file,reading", "File,READING"),
        "\n" + PLAIN.rstrip("\n"),
    ],
    ids=["blanks", "quotes after blanks", "empty columns and rows", "capitals", "first line empty"],
)
def test_as_people_write_it(tmp_path: Path, written: str) -> None:
    """Blanks around values, quotes, empty columns and rows and capitals in names make no difference."""
    assert rows(tmp_path, written) == ROWS


def test_lines_are_numbered(tmp_path: Path) -> None:
    """A row knows its line in the file, whatever is empty before it."""
    (tmp_path / "a.csv").write_text(PLAIN.replace("images/1", "\n\nimages/1"))
    assert [row.line for row in read_rows(tmp_path / "a.csv", NEEDED)] == [2, 5]


@pytest.mark.parametrize(
    ("content", "what", "advice"),
    [
        (b"file|reading\na|b\n", "no column 'file' in 'file|reading'", "commas, semicolons or tabs"),
        (b"file,raeding\na,b\n", "no column 'reading' in 'file,raeding'", "did you mean 'raeding'?"),
        (b"file,reading,File\na,b,c\n", "two columns 'file'", "leave one"),
        (b"file,reading\na,AB,12\n", "3 values in a row of 2 columns", "quotes"),
        (b"file,reading\na,\n", "a row without file or reading", ""),
        (b"file,reading\na,Z\xfcrich\n", "no text in UTF-8: the byte 0xfc in line 2", "CSV UTF-8"),
        ("file,reading\na,b\n".encode("utf-16-le"), "NUL characters", "save it as UTF-8"),
        (b"", "no column 'file'", "are needed"),
        (b"file,reading\na," + b"x" * 200_000, "not a CSV file (field larger", ""),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, content: bytes, what: str, advice: str) -> None:
    """What is no such file is refused with the reason, its place and what to do."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputProblem) as caught:
        read_rows(path, NEEDED)
    assert what in caught.value.what
    assert advice in caught.value.advice
    assert caught.value.where.startswith(str(path))


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """What cannot be opened is refused like any other wrong file."""
    with pytest.raises(InputProblem, match="cannot be read"):
        read_rows(tmp_path, NEEDED)


values = st.text("abc ;,\t\"'äß€", min_size=1, max_size=6).filter(lambda text: text.strip())


@given(st.lists(st.tuples(values, values), max_size=4), st.sampled_from([",", ";", "\t"]))
def test_what_is_written_is_read(tmp_path: Path, pairs: list[tuple[str, str]], delimiter: str) -> None:
    """Values that are quoted as CSV wants it come back whole, without the blanks around them."""
    stream = StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([NEEDED, *pairs])
    found = rows(tmp_path, stream.getvalue())
    wanted = [{"file": file.strip(), "reading": reading.strip()} for file, reading in pairs]
    assert found == wanted


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda tail: b"file,reading\n" + tail))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever bytes a file has, its rows hold what is needed or it is refused."""
    (tmp_path / "a.csv").write_bytes(content)
    found, problem = attempt(InputProblem, read_rows, tmp_path / "a.csv", NEEDED)
    assert problem is not None or all(row.values["file"] and row.values["reading"] for row in found or ())


@given(st.text(max_size=20).filter(lambda text: "\0" not in text and not text.startswith("\ufeff")))
def test_text_comes_back(tmp_path: Path, text: str) -> None:
    """A text is read as it was written, with a byte-order mark or without, in UTF-8 and UTF-16."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "a.txt").write_bytes(text.encode(encoding))
        assert read_text(tmp_path / "a.txt") == text
