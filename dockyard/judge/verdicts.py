"""What the records say of each variant: its figures and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dockyard.judge.statistics import Times, flips, paired_bootstrap, speedup, summarize
from dockyard.plan.plan import REFERENCE_METHOD
from shared.contract.job import Artifact
from shared.contract.recipe import Requirements
from shared.contract.record import Record

NO_GAIN_BELOW = 1.05
"""A speedup that the stability limit could explain is no gain."""


@dataclass(frozen=True)
class Judged:
    """A record with the figures computed from it; what cannot be computed is None.

    A variant that a search left after its first round is `not measured`, with the time and quality of that round.

    Attributes:
        drop: loss of the main metric against the reference, with its 95 % paired bootstrap interval.
        flipped: samples right on one side only.
        speedup: reference over variant in the same run, with the smallest and largest of its rounds.
    """

    record: Record
    verdict: str
    times: Times | None = None
    metric: str = ""
    quality: float | None = None
    reference_quality: float | None = None
    drop: tuple[float, float, float] | None = None
    flipped: tuple[str, ...] = ()
    speedup: tuple[float, float, float] | None = None
    reference_times: Times | None = None
    size_mb: float = 0.0
    size_ratio: float | None = None

    @property
    def device(self) -> str:
        """The CPU and the threads that were used, as a table names them."""
        cpu = str(self.record.device.get("cpu", "unknown"))
        return f"{cpu}, {self.record.device.get('threads', '?')} threads"


def judge(records: Sequence[Record]) -> list[Judged]:
    """Return the records judged, in their order.

    The verdicts: `failed`, `not measured`, `too lossy` (the drop exceeds the recipe's), `unstable` (the rounds
    disagree), `no gain` (less than 1.05 times the reference, or another requirement missed), `meets`, and
    `recommended` for the fastest of a model that meets. The reference's own verdict is `reference`.
    """
    references = {(r.run, r.recipe["name"], r.model): r for r in records if r.variant == REFERENCE_METHOD}
    judged = [_judge_one(r, references.get((r.run, r.recipe["name"], r.model))) for r in records]
    best: dict[tuple[str, str], Judged] = {}
    for one in judged:
        key = (str(one.record.recipe["name"]), one.record.model)
        if one.verdict == "meets" and one.times and (key not in best or one.times.median < _median(best[key])):
            best[key] = one
    winners = {id(one) for one in best.values()}
    return [replace(one, verdict="recommended") if id(one) in winners else one for one in judged]


def requirement_met(judged: Sequence[Judged]) -> bool:
    """Tell whether the recipe's own model (the pipeline, where there is one) has a recommended variant."""
    return any(j.verdict == "recommended" and j.record.model == j.record.recipe["model"] for j in judged)


def _median(one: Judged) -> float:
    assert one.times is not None
    return one.times.median


def _size(record: Record) -> float:
    return sum(Artifact.from_json(list(files)).megabytes for files in record.artifacts.values())


def _judge_one(record: Record, reference: Record | None) -> Judged:
    if record.status == "not measured" and record.quality is not None and record.rounds_ns:
        metric = str(record.quality["main"])
        quality = float(record.quality["metrics"][metric])
        return Judged(record, "not measured", summarize(record.totals_ns), metric, quality, size_mb=_size(record))
    if record.status != "measured" or record.quality is None:
        return Judged(record, "failed" if record.status == "failed" else "not measured", size_mb=_size(record))
    metric = str(record.quality["main"])
    times = summarize(record.totals_ns)
    quality = float(record.quality["metrics"][metric])
    if record.variant == REFERENCE_METHOD:
        return Judged(record, "reference", times, metric, quality, quality, size_mb=_size(record), reference_times=times)
    if reference is None or reference.status != "measured":
        return Judged(record, "not measured", times, metric, quality, size_mb=_size(record))
    mine, theirs = record.scores(metric), reference.scores(metric)
    if mine.keys() != theirs.keys() or not mine:
        return Judged(
            replace(record, status="failed", reason="it scored other samples than the reference"), "failed", size_mb=_size(record)
        )
    drop = paired_bootstrap([theirs[i] for i in mine], [mine[i] for i in mine])
    gain = speedup(reference.totals_ns, record.totals_ns)
    return Judged(
        record,
        _verdict(Requirements(**record.recipe["requirements"]), record, times, drop[0], gain[0]),
        times,
        metric,
        quality,
        float(reference.quality["metrics"][metric]) if reference.quality else None,
        drop,
        tuple(flips(theirs, mine)),
        gain,
        summarize(reference.totals_ns),
        _size(record),
        _size(record) / _size(reference) if _size(reference) else None,
    )


def _verdict(required: Requirements, record: Record, times: Times, drop: float, gain: float) -> str:
    if drop > required.max_drop:
        return "too lossy"
    if not times.stable:
        return "unstable"
    binding = record.model == record.recipe["model"]
    slow = binding and required.max_latency_ms is not None and times.median > required.max_latency_ms
    little = binding and required.min_speedup is not None and gain < required.min_speedup
    return "no gain" if gain < NO_GAIN_BELOW or slow or little else "meets"
