"""What the messages of TensorFlow, Keras and tf2onnx say; needs no vendor package."""

from __future__ import annotations

import re

CAUSE = "Exception encountered: "
"""What comes before Keras's cause; around it is the configuration of the whole layer."""

PLACE = re.compile(r"Graph execution error:|Detected at node|File \"|Node: '")
"""Lines of TensorFlow that lead to the one that says what is wrong: places in the graph, and in Python."""


def error_summary(message: str) -> str:
    """Return the line of a message that says what is wrong; the first, where none does."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    causes = [line[len(CAUSE) :] for line in lines if line.startswith(CAUSE)]
    others = [line for line in lines if not PLACE.match(line)]
    return next(iter([*causes, *others, *lines]), "")
