"""What is found out about a variant: its record, the figures computed from it, and the verdict on them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dockyard.judge.devices import device_name
from dockyard.judge.statistics import Interval, Times
from dockyard.plan.plan import REFERENCE_VARIANT
from shared.contract.measurement import Scope, Throughput
from shared.contract.record import Record, RecordStatus

RECORDS, ADDED = "records", "added"
"""Folders in results/: the records of this machine, and those added from the results of others."""


class Verdict(str, Enum):
    """What the report says of a variant.

    Attributes:
        RECOMMENDED: the fastest of a model that meets; of those as fast, the one that loses least.
        AS_FAST: it meets too, and its time cannot be told from the recommended one's.
        MEETS: it meets, and is slower.
        TOO_LOSSY: the drop exceeds the recipe's.
        NO_GAIN: it is not certainly faster than the reference, or misses another speed that is required.
        UNDECIDED: its interval straddles what the recipe asks.
    """

    REFERENCE = "reference"
    RECOMMENDED = "recommended"
    AS_FAST = "as fast"
    MEETS = "meets"
    TOO_LOSSY = "too lossy"
    NO_GAIN = "no gain"
    UNDECIDED = "undecided"
    FAILED = "failed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Assessment:
    """A record with the figures computed from it and its verdict; what cannot be computed is None.

    A variant that a search left after its first round is `not measured`, with the time and quality of that
    round. One that was measured on another device than its reference is `not measured` too, and has no
    speedup.

    Attributes:
        reason: why it failed, why there is no verdict on its figures, which required speed it misses, or what
            its interval straddles.
        pace_ms: milliseconds from one frame to the next, with the 95 % interval: of a latency its median.
        metric: the name of the main metric.
        drop: loss of the main metric against the reference, with its 95 % paired bootstrap interval.
        flipped: samples right on one side only.
        predicted_drop: as `drop`, of the quality that was predicted and not measured.
        speedup: over the reference, in turn with it in the same run, with the 95 % interval.
        is_open: more rounds could change the verdict.
        size_mb: the size of the artifacts, in MB.
        size_ratio: that size over the reference's.
        origin: the folder in results/ of its recipe's records, as `records/lp_intel`; empty where they are
            not published.
    """

    record: Record
    verdict: Verdict
    reason: str = ""
    times: Times | None = None
    pace_ms: Interval | None = None
    metric: str = ""
    quality: float | None = None
    reference_quality: float | None = None
    drop: Interval | None = None
    flipped: tuple[str, ...] = ()
    predicted_drop: Interval | None = None
    speedup: Interval | None = None
    reference_times: Times | None = None
    is_open: bool = False
    size_mb: float = 0.0
    size_ratio: float | None = None
    origin: str = ""

    @property
    def fps(self) -> float | None:
        """Frames a second."""
        return 1000 / self.pace_ms.estimate if self.pace_ms else None

    @property
    def recipe_name(self) -> str:
        return str(self.record.recipe["name"])

    @property
    def group(self) -> str:
        """Those of one recipe on one machine, which were measured side by side, share it."""
        return self.origin or self.recipe_name

    @property
    def is_added(self) -> bool:
        """It comes from another machine's results."""
        return self.origin.startswith(f"{ADDED}/")

    @property
    def record_file(self) -> str:
        """Its record's path in results/; empty where it is not published."""
        return f"{self.origin}/{self.record.model}/{self.record.variant}.json" if self.origin else ""

    @property
    def is_reference(self) -> bool:
        return self.record.variant == REFERENCE_VARIANT

    @property
    def is_of_recipes_model(self) -> bool:
        """Its model is the recipe's own: the pipeline, where there is one."""
        return bool(self.record.model == self.record.recipe["model"])

    @property
    def was_left(self) -> bool:
        """A search left it after its first round."""
        return self.record.status == RecordStatus.NOT_MEASURED and self.times is not None

    @property
    def has_times_alone(self) -> bool:
        """It was measured, and its times can be held against no reference's."""
        is_measured = self.record.status == RecordStatus.MEASURED and self.times is not None
        return is_measured and self.verdict == Verdict.NOT_MEASURED

    @property
    def is_stream(self) -> bool:
        """Its times are of the frames of a stream."""
        has_frames = any(isinstance(one.measured, Throughput) for one in self.record.rounds)
        return has_frames or self.record.scope == Scope.STREAM

    @property
    def device(self) -> str:
        """The CPU and the threads that were used, as a table names them."""
        return device_name(self.record)
