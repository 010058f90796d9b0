"""Protocol Buffers are read by their wire format: what is asked for comes out, damage is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.graphs.protobuf import Message
from tests.fakes import attempt


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def chunk(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


@given(st.integers(1, (1 << 29) - 1), st.integers(-(1 << 63), (1 << 63) - 1), st.text(max_size=300))
def test_numbers_and_texts_come_back(field: int, value: int, text: str) -> None:
    """Any signed number of 64 bits and any text comes back from any field."""
    assert Message.parse(number(field, value)).number(field) == value
    message = Message.parse(chunk(field, text.encode()) + chunk(field, b"last"))
    assert message.texts(field) == [text, "last"]
    assert message.text(field) == "last"


def test_what_is_absent_is_empty() -> None:
    """A field that is absent, or of another type than the one asked for, is empty."""
    message = Message.parse(number(1, 7) + chunk(2, b"text"))
    for field in (2, 3):
        assert message.number(field) == 0
    for field in (1, 3):
        assert (message.text(field), message.texts(field), message.messages(field)) == ("", [], [])
        assert not message.has(field)
    assert message.message(3) == Message({})
    assert message.has(2)


def test_the_last_number_counts() -> None:
    """A number that is there twice is the last one."""
    assert Message.parse(number(1, 7) + number(1, 8)).number(1) == 8


def test_a_message_in_pieces_is_merged() -> None:
    """A message that is there twice is the two together; a repeated one stays apart."""
    message = Message.parse(chunk(1, number(1, 7)) + chunk(1, number(2, 8)))
    merged = message.message(1)
    assert (merged.number(1), merged.number(2)) == (7, 8)
    assert [part.number(1) for part in message.messages(1)] == [7, 0]


def test_other_fields_are_skipped() -> None:
    """Numbers of a fixed size, which none of our fields is, are skipped."""
    double, single = varint(1 << 3 | 1) + b"12345678", varint(2 << 3 | 5) + b"1234"
    assert Message.parse(double + single + number(3, 9)).number(3) == 9


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (varint(0) + b"\0", "number 0"),
        (varint(1 << 32) + b"\0", "number"),
        (varint(1 << 3 | 3), "type 3"),
        (varint(1 << 3 | 6), "type 6"),
        (b"\x08", "ends within a number"),
        (b"\x80", "ends within a number"),
        (b"\x08" + b"\xff" * 10 + b"\0", "more than 10 bytes"),
        (b"\x0a\x05abc", "beyond its end"),
        (b"\x09" + b"1234567", "beyond its end"),
        (b"\x0d" + b"123", "beyond its end"),
    ],
)
def test_damage(content: bytes, message: str) -> None:
    """Bytes that no protobuf can have are refused for what is wrong with them."""
    with pytest.raises(ValueError, match=f"not a protobuf: .*{message}"):
        Message.parse(content)


def test_text_that_is_none() -> None:
    """A text that is no UTF-8 is refused when it is asked for."""
    message = Message.parse(chunk(1, b"\xff"))
    with pytest.raises(ValueError, match="no UTF-8"):
        message.text(1)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(content: bytes) -> None:
    """Bytes of any kind are a message or refused as none, never another error."""
    message, error = attempt(ValueError, Message.parse, content)
    assert (message is None) == (error is not None)
    assert error is None or str(error).startswith("not a protobuf")
