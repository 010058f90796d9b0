"""What the records say of each variant: its figures and its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from dockyard.judge.devices import device_name, full_device_name, same_device
from dockyard.judge.measurements import fps_of, speedup_of, times_of
from dockyard.judge.statistics import Interval, Times, drop_with_interval, flips
from dockyard.plan.plan import REFERENCE_VARIANT
from shared.contract.codec import decode
from shared.contract.measurement import Quality
from shared.contract.recipe import Requirements
from shared.contract.record import Record, RecordStatus

NO_GAIN_BELOW = 1.05
"""A speedup that the stability limit could explain is no gain."""


class Verdict(str, Enum):
    """What the report says of a variant.

    Attributes:
        TOO_LOSSY: the drop exceeds the recipe's.
        UNSTABLE: the rounds disagree.
        NO_GAIN: less than 1.05 times the reference, or another requirement of the recipe's is missed.
        RECOMMENDED: the fastest of a model that meets.
    """

    REFERENCE = "reference"
    RECOMMENDED = "recommended"
    MEETS = "meets"
    TOO_LOSSY = "too lossy"
    NO_GAIN = "no gain"
    UNSTABLE = "unstable"
    FAILED = "failed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Assessment:
    """A record with the figures computed from it and its verdict; what cannot be computed is None.

    A variant that a search left after its first round is `not measured`, with the time and quality of that
    round. One that was measured on another device than its reference is `not measured` too, and has no
    speedup.

    Attributes:
        reason: why it failed, why there is no verdict on its figures, or which required speed it misses.
        fps: frames a second: 1000 over the median in ms, or what a stream processed.
        metric: the name of the main metric.
        drop: loss of the main metric against the reference, with its 95 % paired bootstrap interval.
        flipped: samples right on one side only.
        speedup: over the reference, measured in the same run, with the smallest and largest of its rounds.
        size_mb: the size of the artifacts, in MB.
        size_ratio: that size over the reference's.
    """

    record: Record
    verdict: Verdict
    reason: str = ""
    times: Times | None = None
    fps: float | None = None
    metric: str = ""
    quality: float | None = None
    reference_quality: float | None = None
    drop: Interval | None = None
    flipped: tuple[str, ...] = ()
    speedup: Interval | None = None
    reference_times: Times | None = None
    size_mb: float = 0.0
    size_ratio: float | None = None

    @property
    def recipe_name(self) -> str:
        return str(self.record.recipe["name"])

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
    def device(self) -> str:
        """The CPU and the threads that were used, as a table names them."""
        return device_name(self.record)


def judge(records: Sequence[Record]) -> list[Assessment]:
    """Return the records with their figures and verdicts, in their order."""
    references = {_run_and_model(record): record for record in records if record.variant == REFERENCE_VARIANT}
    assessments = [_assess(record, references.get(_run_and_model(record))) for record in records]
    fastest: dict[tuple[str, str], Assessment] = {}
    for one in assessments:
        key = _recipe_and_model(one)
        if one.verdict == Verdict.MEETS and (key not in fastest or _fps(one) > _fps(fastest[key])):
            fastest[key] = one
    judged = []
    for one in assessments:
        is_fastest = fastest.get(_recipe_and_model(one)) is one
        judged.append(replace(one, verdict=Verdict.RECOMMENDED) if is_fastest else one)
    return judged


def _recipe_and_model(one: Assessment) -> tuple[str, str]:
    return one.recipe_name, one.record.model


def requirement_met(assessments: Sequence[Assessment]) -> bool:
    """Tell whether the recipe's own model (the pipeline, where there is one) has a recommended variant."""
    return any(one.verdict == Verdict.RECOMMENDED and one.is_of_recipes_model for one in assessments)


def _run_and_model(record: Record) -> tuple[str, str, str]:
    return record.run, str(record.recipe["name"]), record.model


def _fps(one: Assessment) -> float:
    assert one.fps is not None
    return one.fps


def _size_mb(record: Record) -> float:
    return sum(recorded.artifact.megabytes for recorded in record.artifacts.values())


def _assess(record: Record, reference: Record | None) -> Assessment:
    quality = record.quality
    failed = record.status == RecordStatus.FAILED
    if failed or quality is None or not record.rounds:
        verdict = Verdict.FAILED if failed else Verdict.NOT_MEASURED
        return Assessment(record, verdict, record.reason, size_mb=_size_mb(record))
    alone = Assessment(
        record,
        Verdict.NOT_MEASURED,
        record.reason,
        times=times_of(record.rounds),
        fps=fps_of(record.rounds),
        metric=quality.main,
        quality=quality.value,
        size_mb=_size_mb(record),
    )
    if record.status == RecordStatus.NOT_MEASURED:
        return alone
    if alone.is_reference:
        verdict = Verdict.REFERENCE
        return replace(alone, verdict=verdict, reference_quality=quality.value, reference_times=alone.times)
    if reference is None or reference.status != RecordStatus.MEASURED or not reference.rounds:
        return replace(alone, reason="its reference was not measured in the same run")
    return _compare(alone, quality, reference)


def _compare(alone: Assessment, quality: Quality, reference: Record) -> Assessment:
    """Return a measured variant beside its measured reference."""
    record, metric = alone.record, alone.metric
    theirs = reference.quality.scores(metric) if reference.quality else {}
    mine = quality.scores(metric)
    if mine.keys() != theirs.keys() or not mine:
        reason = "it scored other samples than the reference"
        failed = replace(record, status=RecordStatus.FAILED, reason=reason)
        return Assessment(failed, Verdict.FAILED, reason, size_mb=alone.size_mb)
    reference_mb = _size_mb(reference)
    compared = replace(
        alone,
        reference_quality=reference.quality.metrics.get(metric) if reference.quality else None,
        drop=drop_with_interval([theirs[sample] for sample in mine], list(mine.values())),
        flipped=tuple(flips(theirs, mine)),
        size_ratio=alone.size_mb / reference_mb if reference_mb else None,
    )
    if reason := _why_incomparable(record, reference):
        return replace(compared, reason=reason)
    timed = replace(
        compared,
        speedup=speedup_of(reference.rounds, record.rounds),
        reference_times=times_of(reference.rounds),
    )
    verdict, reason = _verdict(timed)
    return replace(timed, verdict=verdict, reason=reason)


def _why_incomparable(record: Record, reference: Record) -> str:
    """Return why the speed of a variant cannot be compared with the reference's; empty where it can."""
    if not same_device(record, reference):
        return (
            f"it was measured on {full_device_name(record)}, its reference on {full_device_name(reference)}; "
            "a speedup across devices says nothing"
        )
    kinds = {measured.kind for measured in (*record.rounds, *reference.rounds)}
    if len(kinds) > 1:
        return f"it was measured as a {record.rounds[0].kind}, its reference as a {reference.rounds[0].kind}"
    return ""


def _verdict(one: Assessment) -> tuple[Verdict, str]:
    """Return the verdict on a variant that has all figures, and which requirement of speed it misses.

    Which of those that meet is recommended comes later.
    """
    assert one.times is not None
    assert one.drop is not None
    assert one.speedup is not None
    required = decode(Requirements, one.record.recipe["requirements"], "$.recipe.requirements")
    if one.drop.estimate > required.max_drop:
        return Verdict.TOO_LOSSY, ""
    if not one.times.is_stable:
        return Verdict.UNSTABLE, ""
    missed = "; ".join(_missed_speeds(one, required)) if one.is_of_recipes_model else ""
    no_gain = missed or one.speedup.estimate < NO_GAIN_BELOW
    return Verdict.NO_GAIN if no_gain else Verdict.MEETS, missed


def _missed_speeds(one: Assessment, required: Requirements) -> Iterator[str]:
    """Yield which of the latency, the speedup and the frames a second that the client asks for are missed."""
    assert one.times is not None
    assert one.speedup is not None
    median, speedup, fps = one.times.median, one.speedup.estimate, _fps(one)
    if required.max_latency_ms is not None and median > required.max_latency_ms:
        yield f"its median of {median:.2f} ms exceeds the {required.max_latency_ms} ms that are allowed"
    if required.min_speedup is not None and speedup < required.min_speedup:
        yield f"its speedup of {speedup:.2f} is below the {required.min_speedup} that is required"
    if required.min_fps is not None and fps < required.min_fps:
        yield f"its {fps:.1f} frames a second are below the {required.min_fps} that are required"
