"""One thing that is wrong with a configuration of nvinfer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What is wrong, where, and what to do; as text one sentence.

    Attributes:
        where: the file, with the line or the group.
    """

    where: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.advice}"
