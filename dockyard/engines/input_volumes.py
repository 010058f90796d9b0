"""The volumes in which an engine keeps inputs, as it lists them: what is whole, what has to go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PREFIX = "dockyard-input-"
"""What the names of these volumes begin with."""

DIGEST_LABEL = "dockyard.digest"
"""Of a volume with an input: `folder_digest` of what is to be in it."""

WHOLE_LABEL = "dockyard.whole"
"""Of a mark, an empty volume: the volume that was found whole."""

BYTES_LABEL = "dockyard.bytes"
"""Of a mark: the size of what is in that volume."""

USED_LABEL = "dockyard.used"
"""Of a mark: when the input was last asked for, in UTC as ISO 8601 writes it."""

MOST_BYTES = 8_000_000_000
SHARE = 3
"""All inputs take at most so many bytes, and one part in so many of the disk that they leave and take."""


@dataclass(frozen=True)
class Kept:
    """An input that an engine keeps.

    Attributes:
        volume: its name.
        marks: the names of the volumes that say it is whole.
    """

    volume: str
    digest: str
    bytes: int
    used: str
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Volumes:
    """All volumes of inputs on an engine.

    Attributes:
        whole: by name.
        strays: what nobody can use: half sent, made by an engine that was asked for what is not there any
            more, marks without their volume. One that is being sent is among them, and the engine refuses to
            remove it.
    """

    whole: Sequence[Kept] = ()
    strays: Sequence[str] = field(default_factory=tuple)

    def of(self, digest: str) -> Kept | None:
        """Return the one with a content, the first where two hosts have sent it at once."""
        return next((kept for kept in self.whole if kept.digest == digest), None)


def read_volumes(found: Iterable[Mapping[str, Any]]) -> Volumes:
    """Return the volumes of inputs among those that an engine lists."""
    own = {str(one["Name"]): one.get("Labels") or {} for one in found if one["Name"].startswith(PREFIX)}
    marks: dict[str, list[str]] = {}
    for name, labels in own.items():
        if WHOLE_LABEL in labels:
            marks.setdefault(labels[WHOLE_LABEL], []).append(name)
    whole = []
    for name, labels in sorted(own.items()):
        if DIGEST_LABEL in labels and name in marks:
            said = [own[mark] for mark in marks[name]]
            size = max(_number(one.get(BYTES_LABEL, "")) for one in said)
            used = max(one.get(USED_LABEL, "") for one in said)
            whole.append(Kept(name, labels[DIGEST_LABEL], size, used, tuple(marks[name])))
    in_use = {name for kept in whole for name in (kept.volume, *kept.marks)}
    return Volumes(whole, tuple(name for name in sorted(own) if name not in in_use))


def too_many(whole: Sequence[Kept], more: int, most: int, spared: Collection[str]) -> list[Kept]:
    """Return what has to go so that so many bytes more have room, what was used last at the end.

    Args:
        most: bytes that all may take (`budget`).
        spared: digests of what stays.
    """
    excess = sum(one.bytes for one in whole) + more - most
    going = []
    for one in sorted(whole, key=lambda one: one.used):
        if excess <= 0:
            break
        if one.digest not in spared:
            going.append(one)
            excess -= one.bytes
    return going


def budget(taken: int, free: int | None) -> int:
    """Return the bytes that all inputs may take.

    Args:
        taken: by those that are there.
        free: of the disk; None where nobody knows.
    """
    return MOST_BYTES if free is None else min(MOST_BYTES, (taken + free) // SHARE)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
