"""The lines that jobs print for the host: how far they are, and that they wait for a word."""

from __future__ import annotations

import json
from typing import Any

from shared.contract.job import PROGRESS_KEY, READY_KEY

LONGEST_STEP = 80
"""Characters of a step's description that are kept."""


def read_progress(line: str) -> tuple[str, int, int] | None:
    """Return (what, done, total) of a progress line, or None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        step: Any = json.loads(line)[PROGRESS_KEY]
        return str(step["what"])[:LONGEST_STEP], int(step["done"]), int(step["total"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def is_ready(line: str) -> bool:
    """Tell whether a benchmark says that it waits for a word."""
    if not line.startswith("{"):
        return False
    try:
        return READY_KEY in json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return False
