"""What an accuracy-aware quantization did, from its log and the scores of its passes; needs no vendor package.

NNCF's accuracy control is POT's algorithm: quantize everything; while the drop is too large, rank the quantized
operations, put the worst back to float, measure; take the last one back and rank anew when the drop has grown.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

_REVERTED = re.compile(r"Reverted \d+ (?:layers|operations) to the [\w-]+\s+precision:\s*(.*)", re.DOTALL)
_RANKED = "otal number of quantized operations in the "
_STEP_BACK = "Re-calculating"

Event = Tuple[str, Any]


class Messages(logging.Handler):
    """Keeps a tool's log lines, and the scores of whole passes (`pass_done`) in between."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: List[str] = []
        self.events: List[Event] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        event = event_of(record.getMessage())
        if event:
            self.events.append(event)

    def pass_done(self, score: float) -> None:
        self.events.append(("score", score))


def event_of(line: str) -> Optional[Event]:
    """Return what a log line of NNCF or POT tells: `ranked`, `step back`, `reverted` with names, or None."""
    if _RANKED in line:
        return "ranked", None
    if line.startswith(_STEP_BACK):
        return "step back", None
    found = _REVERTED.match(line)
    return ("reverted", tuple(re.split(r",\s+|\s+", found.group(1).strip()))) if found else None


def notes_of(events: List[Event], types: Mapping[str, str]) -> Dict[str, Any]:
    """Return `passes`, `steps` and `reverted` for the notes.

    Args:
        events: in the order they happened. Before the ranking the scores are those of the float network and of the
            quantized one; after it, a score that follows a `reverted` is that of the network without these.
        types: of the operations of the float network, by name.

    Returns:
        passes: the score of each pass over the whole validation split (mean, 0 to 1) that measured a state.
        steps: the operations that went back to float together, and what they had cost: the score after the step minus
            the score before; None if it was not measured.
        reverted: each of these operations with its type and its cost; None where others went with it.
    """
    passes: List[float] = []
    steps: List[Tuple[Tuple[str, ...], Optional[float]]] = []
    before: Optional[float] = None
    current: Optional[float] = None
    pending: Optional[Tuple[str, ...]] = None
    ranked = False
    for kind, value in events:
        if kind == "ranked":
            ranked = True
        elif kind == "reverted":
            if pending is not None:
                steps.append((pending, None))
            pending = value
        elif kind == "step back" and steps:
            steps.pop()
            current = before
        elif kind == "score" and (pending is not None or not ranked):
            passes.append(value)
            before, current = current, value
            if pending is not None:
                steps.append((pending, None if before is None else value - before))
                pending = None
    if pending is not None:
        steps.append((pending, None))
    return {
        "passes": passes,
        "steps": [{"operations": list(names), "cost": cost} for names, cost in steps],
        "reverted": [
            {"operation": name, "type": types.get(name, ""), "cost": cost if len(names) == 1 else None}
            for names, cost in steps
            for name in names
        ],
    }
