"""JSON is read as its standard has it, and a key that stands twice is never overlooked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema.exceptions import ValidationError

from dockyard.recipe.documents import RepeatedKey, json_path, parse, read_json
from shared.contract.errors import InputProblem

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)
Place = tuple[str | int, ...]


def places_of_objects(document: Any, place: Place = ()) -> list[Place]:
    """The places of the objects with a key in a document."""
    found: list[Place] = []
    if isinstance(document, dict):
        found += [place] if document else []
        for key, item in document.items():
            found += places_of_objects(item, (*place, key))
    if isinstance(document, list):
        for number, item in enumerate(document):
            found += places_of_objects(item, (*place, number))
    return found


def text_with_repeated(document: Any, place: Place | None) -> str:
    """The document as JSON, the last key of the object at a place written twice."""
    if isinstance(document, dict):
        pairs = []
        for key, item in document.items():
            inner = place[1:] if place and place[0] == key else None
            pairs.append(f"{json.dumps(key)}: {text_with_repeated(item, inner)}")
        return "{" + ", ".join([*pairs, *(pairs[-1:] if place == () else [])]) + "}"
    if isinstance(document, list):
        items = []
        for number, item in enumerate(document):
            inner = place[1:] if place and place[0] == number else None
            items.append(text_with_repeated(item, inner))
        return "[" + ", ".join(items) + "]"
    return json.dumps(document)


@given(values.filter(places_of_objects), st.data())
def test_repeated_key_is_found_anywhere(document: Any, data: st.DataObject) -> None:
    """A key that stands twice, however deep, is refused with the key and its JSON path."""
    place = data.draw(st.sampled_from(places_of_objects(document)))
    assert parse(text_with_repeated(document, None)) == document
    with pytest.raises(RepeatedKey) as caught:
        parse(text_with_repeated(document, place))
    key = list(_at(document, place))[-1]
    assert (caught.value.key, caught.value.place) == (key, json_path((*place, key)))
    assert str(caught.value) == f"{caught.value.place}: the key '{key}' stands twice"


def _at(document: Any, place: Place) -> Any:
    for part in place:
        document = document[part]
    return document


@given(st.lists(st.integers(0, 99) | st.text(max_size=6), max_size=4))
def test_json_paths_are_those_of_the_validator(place: list[str | int]) -> None:
    """A JSON path reads the same whether the validator or the parser found the place."""
    assert json_path(place) == ValidationError("", path=place).json_path


@pytest.mark.parametrize(
    ("text", "value"), [("3.0", 3), ("1e2", 100), ("-0.0", 0), ("2.5", 2.5), ("1e-3", 0.001)]
)
def test_numbers(text: str, value: float) -> None:
    """A number without a fraction is an integer, as JSON Schema has it."""
    assert parse(text) == value
    assert type(parse(text)) is type(value)


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "9" * 5000, "", "{", '\ufeff{"a": 1}'])
def test_what_is_no_json(text: str) -> None:
    """Numbers that no float holds, cut-off text and a byte-order mark are refused as wrong values."""
    with pytest.raises(ValueError, match=r"."):
        parse(text)


def test_nested_too_deeply_with_a_repeated_key() -> None:
    """However deep a repeated key is, it is refused for itself or for its depth."""
    for depth in (10, 400, 900, 5_000, 100_000):
        with pytest.raises((RepeatedKey, RecursionError)):
            parse("[" * depth + '{"a": 1, "a": 2}' + "]" * depth)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_in_front_make_no_difference(tmp_path: Path, encoding: str) -> None:
    """A document with a byte-order mark, as editors on Windows write it, is the one without."""
    (tmp_path / "a.json").write_bytes('{"description": "für"}'.encode(encoding))
    assert read_json(tmp_path / "a.json", "a.json") == {"description": "für"}


def test_no_text(tmp_path: Path) -> None:
    """Bytes that are no text are said to be none."""
    (tmp_path / "a.json").write_bytes(b'{"description": "f\xfcr"}')
    with pytest.raises(InputProblem, match="not a text file in UTF-8"):
        read_json(tmp_path / "a.json", "a.json")
