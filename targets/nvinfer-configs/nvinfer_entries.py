"""A configuration of nvinfer as a value: its entries in order, each with where it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Tuple

from nvinfer_keys import PROPERTY, items, table, value_problem

from shared.contract.errors import InputProblem


@dataclass(frozen=True)
class Entry:
    """One line of a file.

    Attributes:
        value: as the file has it.
        source: where it came from, for the reader of the file, as `model.json input.mean`; empty where nobody
            said.
    """

    key: str
    value: str
    source: str = ""
    group: str = PROPERTY


@dataclass(frozen=True)
class Config:
    """A file's entries; those of a group stand together."""

    entries: Tuple[Entry, ...]

    @property
    def groups(self) -> Tuple[str, ...]:
        """The names of the groups, each once, in order."""
        return tuple(dict.fromkeys(entry.group for entry in self.entries))

    def value(self, key: str, group: str = PROPERTY) -> Optional[str]:
        """Return the value of a key as the file has it; None where it has none."""
        for entry in self.entries:
            if (entry.group, entry.key) == (group, key):
                return entry.value
        return None

    def or_default(self, key: str) -> Optional[str]:
        """Return the value of a key of `property`, or what nvinfer takes without it; None: neither is."""
        found = self.value(key)
        return table().keys[key].default if found is None else found

    def number(self, key: str) -> Optional[float]:
        """Return the number of a key of `property`, or its default; None where that is none."""
        text = self.or_default(key)
        return None if text is None or value_problem(table().keys[key], text) else float(text)

    def numbers(self, key: str) -> Tuple[float, ...]:
        """Return the numbers of a list of `property`; empty where there is none.

        Raises:
            InputProblem: it is no list of numbers.
        """
        text = self.value(key)
        if text is None:
            return ()
        problem = value_problem(table().keys[key], text)
        if problem:
            raise InputProblem(f"{key} {problem}", "", "write numbers with semicolons between them")
        return tuple(float(item) for item in items(text))

    def without_sources(self) -> Config:
        """Return what is left of it in a file: comments are not read back."""
        return Config(tuple(replace(entry, source="") for entry in self.entries))
