"""What an accuracy-aware quantization did, from its log and the scores of its passes.

Needs no vendor package.

NNCF's accuracy control is POT's algorithm: quantize everything; while the drop is too large, rank the
quantized operations, put the worst back to float, measure; take the last one back and rank anew when the drop
has grown.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from shared.contract.result import Notes, Table

_REVERTED = re.compile(
    r"Reverted \d+ (?:layers|operations) to the [\w-]+\s+precision:\s*(.*)",
    re.DOTALL,
)
_RANKED = re.compile("[Tt]otal number of quantized operations in the ")
_STEP_BACK = "Re-calculating"
_CLAIM = re.compile(r"accuracy drop|Algorithm completed", re.IGNORECASE)
_NO_FIGURE = "-"
"""In a table, where there is no figure."""

KEPT_LINES = 60
"""Of a tool's log, the last."""


class Mark(Enum):
    """A turn of the algorithm that its log tells of."""

    RANKED = "ranked"
    STEP_BACK = "step back"


Names = Tuple[str, ...]

Event = Union[Mark, Names, float]
"""A turn; the names of operations that went back to float; the score of a whole pass."""


class Messages(logging.Handler):
    """Keeps a tool's log lines, and the scores of whole passes (`pass_done`) in between."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: List[str] = []
        self.events: List[Event] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        event = event_of(record.getMessage())
        if event is not None:
            self.events.append(event)

    def pass_done(self, score: float) -> None:
        self.events.append(score)


def event_of(line: str) -> Optional[Event]:
    """Return the event that a log line of NNCF or POT tells of, or None."""
    if _RANKED.search(line):
        return Mark.RANKED
    if line.startswith(_STEP_BACK):
        return Mark.STEP_BACK
    found = _REVERTED.match(line)
    return tuple(re.split(r",\s+|\s+", found.group(1).strip())) if found else None


@dataclass(frozen=True)
class Step:
    """Operations that went back to float together.

    Attributes:
        cost: what they had cost of the metric: the score after the step minus the score before; None if it
            was not measured.
    """

    operations: Names
    cost: Optional[float]


@dataclass(frozen=True)
class History:
    """What an accuracy control did.

    Attributes:
        passes: the score (mean, 0 to 1) of each pass over the whole validation split that measured a state.
        steps: those that were not taken back, in their order.
    """

    passes: Tuple[float, ...]
    steps: Tuple[Step, ...]

    @property
    def reverted(self) -> List[Tuple[str, Optional[float]]]:
        """Each operation that went back to float, with its cost; None where others went with it."""
        found: List[Tuple[str, Optional[float]]] = []
        for step in self.steps:
            cost = step.cost if len(step.operations) == 1 else None
            found.extend((name, cost) for name in step.operations)
        return found


def history_of(events: Sequence[Event]) -> History:
    """Return what happened.

    Args:
        events: in their order. Before the ranking the scores are those of the float network and of the
            quantized one; after it, a score that follows names is that of the network without these.
    """
    # Operations are pending from their return to float until the score of a pass without them. The scores of
    # the ranking itself, one an operation, belong to no state. A step back undoes the last step.
    passes: List[float] = []
    steps: List[Step] = []
    before: Optional[float] = None
    current: Optional[float] = None
    pending: Optional[Names] = None
    ranked = False
    for event in events:
        if event is Mark.RANKED:
            ranked = True
        elif event is Mark.STEP_BACK:
            if steps:
                steps.pop()
                current = before
        elif isinstance(event, tuple):
            if pending is not None:
                steps.append(Step(pending, None))
            pending = event
        elif isinstance(event, float) and (pending is not None or not ranked):
            passes.append(event)
            before, current = current, event
            if pending is not None:
                steps.append(Step(pending, None if before is None else event - before))
                pending = None
    if pending is not None:
        steps.append(Step(pending, None))
    return History(tuple(passes), tuple(steps))


def measured_state(events: Sequence[Event]) -> str:
    """Return what the next pass over the validation split measures, in a few words."""
    history = history_of(events)
    states = ("the float network", "the int8 network")
    if len(history.passes) < len(states):
        return states[len(history.passes)]
    return f"with {len(history.reverted)} operations in float"


@dataclass(frozen=True)
class Quantization:
    """A quantization that was done.

    Attributes:
        network: its name.
        metric: the name of the main metric.
        tool: what did it, with its release where that is known.
        images: that it was calibrated with.
        quantized: operations that are quantized in the result.
        lines: of the tool's log.
    """

    network: str
    metric: str
    tool: str
    images: int
    quantized: int
    lines: Sequence[str]


def plain_notes(done: Quantization) -> Notes:
    """Return the notes of a quantization that looks at no accuracy."""
    return Notes(calibration_images=done.images, details=_details(done), quantized_operations=done.quantized)


def accuracy_notes(done: Quantization, history: History, types: Mapping[str, str]) -> Notes:
    """Return the notes of a quantization under accuracy control.

    Args:
        types: of the operations of the float network, by name.
    """
    reverted = history.reverted
    before = done.quantized + len(reverted)
    remarks = [
        f"{len(reverted)} of {before} quantized operations of {done.network} went back to floating point "
        f"(calibrated with {done.images} images)",
        *_claim(done),
    ]
    accuracy = {
        "passes": list(history.passes),
        "steps": [{"operations": list(step.operations), "cost": step.cost} for step in history.steps],
    }
    return Notes(
        remarks=tuple(remarks),
        tables=(_reverted_table(done, reverted, types),) if reverted else (),
        calibration_images=done.images,
        details={**_details(done), **accuracy},
        quantized_operations=before,
    )


def _claim(done: Quantization) -> List[str]:
    """Return what the tool says last of the accuracy, for whoever compares it with what was measured."""
    lines = [" ".join(line.split()) for line in done.lines if _CLAIM.search(line)]
    return [f"what the tool said of {done.network}, not believed but measured: {lines[-1]}"] if lines else []


def _reverted_table(
    done: Quantization, reverted: Sequence[Tuple[str, Optional[float]]], types: Mapping[str, str]
) -> Table:
    """Return what each operation that went back to float had cost, the costliest first."""
    costliest = sorted(reverted, key=lambda one: -float("inf") if one[1] is None else one[1], reverse=True)
    rows = [
        (name, types.get(name, ""), _NO_FIGURE if cost is None else f"{cost:+.4f}")
        for name, cost in costliest
    ]
    columns = ("operation", "type", f"cost in {done.metric}, as the tool has it")
    return Table(f"Operations of {done.network} put back to floating point", columns, tuple(rows))


def _details(done: Quantization) -> Dict[str, Any]:
    return {"tool": done.tool, "log": list(done.lines[-KEPT_LINES:])}
