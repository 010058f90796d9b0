"""What came of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dockyard.plan.plan import PlannedJob
from shared.contract.result import Result, Status


@dataclass(frozen=True)
class Outcome:
    """What came of one job.

    Attributes:
        stage: the one that is not done: the job's own, or that of the earlier job it needed; else None.
        reason: why it is not done.
        result: checked; None where there is none.
        outputs: the folder it left, or None.
        log: its last lines.
        cache_key: the hash of all that went into the job; None where it did not come so far.
        cached: the outputs were made by an earlier run, or the quality of the same bytes was known.
        executor, device: name and device of the executor that ran it; None where none did.
        place: what a record says of the engine (`Executor.place`).
        identity: what identifies its toolchain (`Executor.prepare`).
        seconds: how long its process took, from start to end; of several side by side each has its share.
    """

    planned: PlannedJob
    status: Status
    reason: str = ""
    stage: str | None = None
    result: Result | None = None
    outputs: Path | None = None
    log: tuple[str, ...] = ()
    cache_key: str | None = None
    cached: bool = False
    executor: str | None = None
    device: str | None = None
    place: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
