"""What TensorRT's messages say, without where in its sources they come from; needs no vendor package."""

from __future__ import annotations

import re

PLACE = re.compile(r"^\w+::\w+: |Error Code \d+: |\[[^\]\s]+:\d+[^\]]*\] | ?In \w+ at [^\s()]+:\d+")
"""A function, a code, or a file of TensorRT's sources and its line."""


def plain(message: str) -> str:
    """Return a message of TensorRT as one line, without places in its sources."""
    line = " ".join(message.split())
    return PLACE.sub("", line).strip() or line


def error_summary(message: str) -> str:
    """Return the first line of a message that is not empty, without places in TensorRT's sources."""
    return plain(next((line for line in message.splitlines() if line.strip()), ""))
