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

    def table(self, field: int) -> Table | None:
        """Return a table; None where it is absent."""
        place = self._place(field)
        return None if place is None else Table(self.content, place + _number(self.content, "I", place))

    def byte(self, field: int) -> int:
        """Return a number of 8 bits; 0 where it is absent, as in every schema that says nothing else."""
        place = self._place(field)
        return 0 if place is None else _number(self.content, "b", place)

    def text(self, field: int) -> str:
        """Return a string."""
        start, count = self._vector(field)
        return self.content[start : start + count].decode()

    def _place(self, field: int) -> int | None:
        """Return where a field is; None where it is absent."""
        vtable = self.position - _number(self.content, "i", self.position)
        entry = 4 + 2 * field
        offset = (
            _number(self.content, "H", vtable + entry) if entry < _number(self.content, "H", vtable) else 0
        )
        return None if offset == 0 else self.position + offset

    def _vector(self, field: int) -> tuple[int, int]:
        """Return where a vector's elements begin and how many there are."""
        place = self._place(field)
        if place is None:
            return 0, 0
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
