"""The verdicts on records: what each variant of a model came to beside its reference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.devices import full_device_name, same_device
from dockyard.judge.measurements import pace_ms_of, speedup_of, times_of
from dockyard.judge.quality_changes import drop_of, flipped
from dockyard.judge.questions import Answer, questions_of_speed, required_of, required_speeds
from dockyard.judge.ranking import has_open_tie, unbeaten
from dockyard.plan.plan import REFERENCE_VARIANT
from shared.contract.measurement import Quality
from shared.contract.record import Record, RecordStatus


def judge(records: Sequence[Record]) -> list[Assessment]:
    """Return the records with their figures and verdicts, in their order."""
    references = {_run_and_model(record): record for record in records if record.variant == REFERENCE_VARIANT}
    assessments = []
    for record in records:
        reference = references.get(_run_and_model(record))
        assessments.append(_with_prediction(_assess(record, reference), reference))
    ranked: dict[int, Assessment] = {}
    for key, reference in references.items():
        meeting = [one for one in assessments if _run_and_model(one.record) == key and _meets(one)]
        ranked |= {id(one): better for one, better in _ranked(meeting, reference)}
    return [ranked.get(id(one), one) for one in assessments]


def requirement_met(assessments: Sequence[Assessment]) -> bool:
    """Tell whether a variant of the recipe's own model (the pipeline, where there is one) is as required.

    Where the recipe requires no speed, one that keeps the drop is, with or without a gain.
    """
    return any(_is_as_required(one) for one in assessments if one.is_of_recipes_model)


def why_nothing_is_measured(assessments: Sequence[Assessment]) -> str:
    """Return why no variant of the recipe's own model could be measured beside its reference here.

    Empty where one could.
    """
    own = [one for one in assessments if one.is_of_recipes_model and not one.is_reference]
    declined = [one for one in own if one.verdict == Verdict.NOT_MEASURED and _is_declined(one)]
    is_search = any("search" in one.record.recipe["optimizations"] for one in own)
    if len(declined) < len(own) or not own or is_search:
        return ""
    return f"{'no speedup' if declined[0].has_times_alone else 'not measured'}: {declined[0].reason}"


def _is_declined(one: Assessment) -> bool:
    return one.record.stage is not None or one.has_times_alone


def _is_as_required(one: Assessment) -> bool:
    if one.verdict in (Verdict.NO_GAIN, Verdict.UNDECIDED):
        return not required_speeds(one)
    return one.verdict == Verdict.RECOMMENDED


def _meets(one: Assessment) -> bool:
    return one.verdict == Verdict.MEETS


def _ranked(meeting: Sequence[Assessment], reference: Record) -> Iterable[tuple[Assessment, Assessment]]:
    """Yield those of the variants that meet than which none is faster, each with what it is called then."""
    if not meeting:
        return
    best = unbeaten(meeting, reference.rounds)
    # A network of a pipeline is not what the recipe asks about: rounds to break its ties would be wasted.
    is_open = best[0].is_of_recipes_model and has_open_tie(best, reference.rounds)
    for one in best:
        verdict = Verdict.RECOMMENDED if one is best[0] else Verdict.AS_FAST
        yield one, replace(one, verdict=verdict, is_open=is_open)


def _run_and_model(record: Record) -> tuple[str, str, str]:
    return record.run, str(record.recipe["name"]), record.model


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
        pace_ms=pace_ms_of(record.rounds),
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
    record, metric, theirs = alone.record, quality.sample_metric, reference.quality
    mine = quality.scores(metric)
    if theirs is None or mine.keys() != theirs.scores(metric).keys() or not mine:
        reason = "it scored other samples than the reference"
        failed = replace(record, status=RecordStatus.FAILED, reason=reason)
        return Assessment(failed, Verdict.FAILED, reason, size_mb=alone.size_mb)
    reference_mb = _size_mb(reference)
    compared = replace(
        alone,
        reference_quality=theirs.metrics.get(alone.metric),
        drop=drop_of(theirs, quality, alone.is_stream),
        flipped=tuple(flipped(theirs, quality)),
        size_ratio=alone.size_mb / reference_mb if reference_mb else None,
    )
    if reason := _why_incomparable(record, reference):
        return replace(compared, reason=reason)
    speedup = speedup_of(reference.rounds, record.rounds)
    if speedup is None:
        return replace(compared, reason="it was measured in other rounds than its reference")
    timed = replace(compared, speedup=speedup, reference_times=times_of(reference.rounds))
    return _decided(timed)


def _with_prediction(one: Assessment, reference: Record | None) -> Assessment:
    """Return an assessment with what its predicted quality loses against the reference, if both are known."""
    predicted = one.record.predicted
    if predicted is None or reference is None or reference.quality is None:
        return one
    metric = predicted.sample_metric
    theirs, mine = reference.quality.scores(metric), predicted.scores(metric)
    if not mine or not mine.keys() <= theirs.keys():
        return one
    return replace(one, predicted_drop=drop_of(reference.quality, predicted))


def _why_incomparable(record: Record, reference: Record) -> str:
    """Return why the speed of a variant cannot be compared with the reference's; empty where it can."""
    if not same_device(record, reference):
        return (
            f"it was measured on {full_device_name(record)}, its reference on {full_device_name(reference)}; "
            "a speedup across devices says nothing"
        )
    kinds = [one.measured.kind for one in (*record.rounds, *reference.rounds)]
    if len(set(kinds)) > 1:
        return f"it was measured as a {kinds[0]}, its reference as a {kinds[-1]}"
    return ""


def _quantized_nothing(record: Record) -> bool:
    """Tell whether a method that quantizes found nothing to quantize in any network."""
    counts = [notes.quantized_operations for notes in record.notes.values()]
    known = [count for count in counts if count is not None]
    return bool(known) and not any(known)


def _decided(one: Assessment) -> Assessment:
    """Return a variant that has all figures with its verdict.

    Which of those that meet is recommended comes later.
    """
    assert one.drop is not None
    if _quantized_nothing(one.record):
        return replace(one, verdict=Verdict.NO_GAIN, reason="it quantized nothing: it is no 8-bit network")
    if one.drop.estimate > required_of(one).max_drop:
        return replace(one, verdict=Verdict.TOO_LOSSY)
    questions = list(questions_of_speed(one))
    for answer, verdict in ((Answer.NO, Verdict.NO_GAIN), (Answer.OPEN, Verdict.UNDECIDED)):
        found = [question for question in questions if question.answer == answer]
        if found:
            reason = "; ".join(question.text for question in found if question.text)
            is_open = all(question.is_open for question in found)
            return replace(one, verdict=verdict, reason=reason, is_open=is_open)
    return replace(one, verdict=Verdict.MEETS)
