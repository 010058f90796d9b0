"""Tables of a FlatBuffer, read by the published layout: https://flatbuffers.dev/internals."""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of a FlatBuffer; its fields go by their number in the schema.

    Every method raises ValueError where the buffer is damaged; a field that is absent is empty.
    """

    content: bytes
    position: int

    @staticmethod
    def root(content: bytes) -> Table:
        """Return the table that a buffer begins with."""
        return Table(content, _number(content, "I", 0))

    def tables(self, field: int) -> list[Table]:
        """Return a vector of tables."""
        start, count = self._vector(field)
        places = range(start, start + 4 * count, 4)
        return [Table(self.content, place + _number(self.content, "I", place)) for place in places]

    def numbers(self, field: int) -> tuple[int, ...]:
        """Return a vector of 32-bit integers."""
        start, count = self._vector(field)
        return tuple(_number(self.content, "i", place) for place in range(start, start + 4 * count, 4))

    def text(self, field: int) -> str:
        """Return a string."""
        start, count = self._vector(field)
        return self.content[start : start + count].decode()

    def _vector(self, field: int) -> tuple[int, int]:
        """Return where a vector's elements begin and how many there are."""
        vtable = self.position - _number(self.content, "i", self.position)
        entry = 4 + 2 * field
        offset = (
            _number(self.content, "H", vtable + entry) if entry < _number(self.content, "H", vtable) else 0
        )
        if offset == 0:
            return 0, 0
        place = self.position + offset
        place += _number(self.content, "I", place)
        count = _number(self.content, "I", place)
        if place + 4 + count > len(self.content):
            raise ValueError(f"a vector of {count} elements at {place} is beyond the buffer's end")
        return place + 4, count


def _number(content: bytes, kind: str, place: int) -> int:
    if place < 0:
        raise ValueError(f"the place {place} is before the buffer's begin")
    try:
        number: int = struct.unpack_from(f"<{kind}", content, place)[0]
    except struct.error as error:
        raise ValueError(str(error)) from None
    return number
