"""What came of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockyard.plan.plan import Planned


@dataclass(frozen=True)
class Outcome:
    """What came of one job.

    Attributes:
        status: `done`, `failed` or `not measured`.
        stage: the stage that is not done: the job's own, or that of the earlier job it needed.
        reason: why it is not done.
        result: result.json, checked against its schema; empty where there is none.
        outputs: the folder it left, or None.
        log: its last lines.
        cached: the outputs were made by an earlier run.
        seconds: that its process took, from start to end.
    """

    planned: Planned
    status: str
    reason: str = ""
    stage: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    outputs: Path | None = None
    log: tuple[str, ...] = ()
    cached: bool = False
    identity: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
