"""What ONNX Runtime's messages say; needs no vendor package."""

from __future__ import annotations

import re

PLACE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |/\S+:\d+ [^()]*\(.*?\)(?: const)? ")
"""What stands before the reason: the error's code, and a function in ONNX Runtime's sources."""


def error_summary(message: str) -> str:
    """Return the first line of a message of ONNX Runtime, without the places in its sources."""
    line = next((line.strip() for line in message.splitlines() if line.strip()), "")
    return PLACE.sub("", line) or line
