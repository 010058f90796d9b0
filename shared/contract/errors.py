"""Errors that a user sees: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from typing import Iterable


class DockyardError(Exception):
    """An error with an exit code, told in one or two lines.

    Args:
        what: what is wrong, a sentence without a full stop.
        where: the file, JSON path or job it was found in; may be empty.
        advice: what to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, what: str, where: str = "", advice: str = "") -> None:
        self.what, self.where, self.advice = what, where, advice
        super().__init__(str(self))

    def __str__(self) -> str:
        first = f"{self.where}: {self.what}" if self.where else self.what
        return f"{first}\n  {self.advice}" if self.advice else first


class InputProblem(DockyardError):
    """The recipe, a model folder or the data is wrong (exit code 2)."""

    exit_code = 2


class EnvironmentProblem(DockyardError):
    """No engine, no device, no room: the machine is not ready (exit code 3)."""

    exit_code = 3


class JobFailed(DockyardError):
    """A job ran and did not succeed (exit code 1)."""

    exit_code = 1


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return advice that offers the valid name nearest to `name`, and the list of all."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f"did you mean '{close[0]}'? " if close else ""
    return f"{guess}valid: {', '.join(names) if names else 'none'}"
