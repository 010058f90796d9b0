"""What TVM's messages say; needs no vendor package."""

from __future__ import annotations


def error_summary(message: str) -> str:
    """Return the line of a message that says what is wrong: the last of a traceback, else the first."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback ") else lines[0]
