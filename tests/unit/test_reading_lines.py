"""The lines that a stream writes, and its rows."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe import documents
from dockyard.recipe.workspace import SHARED
from shared.contract.codec import decode
from shared.contract.reading_lines import COLUMNS, csv_rows, json_line
from shared.contract.streaming import Answer, FrameReading, ReadObject, Vote

SCHEMA = json.loads((SHARED / "contract" / "reading.schema.json").read_text(encoding="utf-8"))

texts = st.text(st.characters(codec="utf-8"), max_size=8)
shares = st.floats(0, 1)
sides = st.floats(-1e5, 1e5)
answers = st.builds(Answer, texts, st.none() | texts, st.none() | shares)
votes = st.builds(Vote, texts, st.none() | texts, shares, st.integers(1, 10**6))
objects = st.builds(
    ReadObject,
    st.tuples(sides, sides, sides, sides),
    st.none() | shares,
    st.dictionaries(texts, answers, max_size=2),
    st.none() | st.integers(1, 10**6),
    st.dictionaries(texts, votes, max_size=2),
    st.booleans(),
)
readings = st.builds(
    FrameReading,
    texts,
    st.integers(0, 10**9),
    st.floats(0, 1e7),
    st.lists(objects, max_size=3).map(tuple),
    texts,
    st.floats(0, 1e6),
)

SEEN = ReadObject(
    (10.123, 20.456, 110.789, 50.0), 0.98765, {"reader": Answer("AB-12", "D", 0.912345)}, 7, {}, True
)


@given(readings)
def test_a_line_is_one_line_that_fits_its_schema(reading: FrameReading) -> None:
    """Whatever was read is one line of JSON, which fits the schema and is read as what it was, rounded."""
    line = json_line(reading)
    assert "\n" not in line
    document = json.loads(line)
    documents.check(document, SCHEMA, "line")
    back = decode(FrameReading, document)
    assert (back.source, back.frame, back.name) == (reading.source, reading.frame, reading.name)
    assert len(back.objects) == len(reading.objects)
    for own, other in zip(back.objects, reading.objects, strict=True):
        assert own.answers.keys() == other.answers.keys()
        assert max(abs(a - b) for a, b in zip(own.box, other.box, strict=True)) <= 0.0051
    assert json_line(back) == line


def test_a_line_is_the_same_wherever_it_is_written() -> None:
    """The order of the keys and the digits of the numbers are fixed."""
    assert json_line(FrameReading("a.mp4", 3, 0.12, (SEEN,), latency_ms=17.28501)) == (
        '{"source": "a.mp4", "frame": 3, "time_s": 0.12, "objects": [{"box": [10.12, 20.46, 110.79, 50.0], '
        '"score": 0.9877, "answers": {"reader": {"text": "AB-12", "country": "D", "confidence": 0.9123}}, '
        '"track": 7, "vote": {}, "is_tracked": true, "category": null}], "name": "", "latency_ms": 17.29, '
        '"version": 1}'
    )


def test_arithmetic_that_failed_is_no_number() -> None:
    """A network's NaN is null in a line, and empty in a row: neither format has one."""
    failed = ReadObject((0, 0, 1, 1), float("nan"), {"reader": Answer("", None, float("inf"))})
    reading = FrameReading("a.mp4", 0, 0.0, (failed,))
    (one,) = json.loads(json_line(reading), parse_constant=_fail)["objects"]
    assert (one["score"], one["answers"]["reader"]["confidence"]) == (None, None)
    (row,) = csv_rows(reading)
    assert row[COLUMNS.index("score")] is None


def _fail(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


@given(readings)
def test_rows_have_a_cell_for_each_column(reading: FrameReading) -> None:
    """A row comes for each object and node that read it, one for an object without; CSV keeps every text."""
    rows = csv_rows(reading)
    assert len(rows) == sum(max(1, len(one.answers)) for one in reading.objects)
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    back = list(csv.reader(io.StringIO(written.getvalue(), newline="")))
    assert [len(row) for row in back] == [len(COLUMNS)] * len(rows)
    sources = {row[0] for row in back}
    assert sources <= {reading.source}
