"""Records of version 2, whose rounds were not of bursts in turn, as version 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = 2


def to_version_3(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of version 2 as one of version 3; the schema of that is still to accept it."""
    rounds = document.get("rounds", [])
    numbered = rounds
    if isinstance(rounds, list):
        numbered = [{"number": number, "measured": measured} for number, measured in enumerate(rounds, 1)]
    return {**document, "version": VERSION + 1, "rounds": numbered}
