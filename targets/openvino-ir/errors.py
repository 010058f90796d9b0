"""What OpenVINO's messages say; needs no vendor package."""

from __future__ import annotations

import re

PLACE = re.compile(
    r"(\[ GENERAL_ERROR \] )?"
    r"(Check '|Exception from |FrontEnd API failed|While validating node|Summary:|"
    r"Model wasn't fully converted)"
)
"""Lines that lead to the one that says what is wrong: places in OpenVINO's sources, and headings."""


def error_summary(message: str) -> str:
    """Return the line of a message of OpenVINO that says what is wrong; the first, where none does."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    causes = [line for line in lines if not PLACE.match(line)]
    return next(iter([*causes, *lines]), "")
