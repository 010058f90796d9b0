"""From the outcomes of a run's jobs to its records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from dockyard.judge.points import reason_left
from dockyard.judge.statistics import FEW_SAMPLES, samples_needed, unseen_share
from dockyard.judge.work import Work, work_on
from dockyard.plan.plan import REFERENCE_VARIANT, Plan
from dockyard.recipe.hashing import content_bytes, json_hash
from dockyard.recipe.targets import REFERENCE_TARGET
from dockyard.run.artifact_cache import code_hash
from dockyard.run.outcome import Outcome
from dockyard.run.search import BUDGET_SPENT
from shared.contract.artifact import Artifact, ArtifactFile
from shared.contract.codec import encode
from shared.contract.device import AFTER, BEFORE, ROUNDS
from shared.contract.measurement import Scope
from shared.contract.record import Record, RecordedArtifact, RecordStatus
from shared.contract.result import Notes, Status
from shared.contract.stages import BENCHMARK, STREAM

RUN_ENDED = "the run ended before it was measured"


def new_run() -> str:
    """Return the name of a new run, the time in UTC."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def make_records(
    plan: Plan, run: str, outcomes: Sequence[Outcome], digests: Mapping[str, Mapping[str, str]]
) -> list[Record]:
    """Return one record for each model and variant of the plan, whatever became of its jobs.

    Args:
        run: its name.
        outcomes: in the order they came; jobs that never ran are missing.
        digests: the digest of each split, by model.
    """
    done = {outcome.planned.job.id: outcome for outcome in outcomes}
    targets = {REFERENCE_TARGET, *plan.targets}
    code = {target: code_hash(plan.workspace, target) for target in targets}
    records = []
    for model in plan.models:
        for variant in _variants(plan, model, outcomes):
            work = work_on(plan, model, variant, done)
            records.append(_record(plan, run, work, done, digests.get(model, {}), code))
    return records


def model_hash(plan: Plan, model: str) -> str:
    """Return the hash of what model.json says of a model and its networks, graphs by their checksums."""
    names = plan.networks if plan.is_pipeline(model) else [model]
    networks = [encode(plan.networks[name]) for name in names]
    return json_hash([networks, encode(plan.pipeline) if plan.is_pipeline(model) else None])


def _variants(plan: Plan, model: str, outcomes: Iterable[Outcome]) -> list[str]:
    """Return the variants of a model; a search's pipelines are those that came to be."""
    if plan.recipe.search is None or not plan.is_pipeline(model):
        return plan.variants
    tried = [outcome.planned.variant for outcome in outcomes if outcome.planned.job.model == model]
    return list(dict.fromkeys([REFERENCE_VARIANT, *(variant for variant in tried if variant is not None)]))


def _record(
    plan: Plan,
    run: str,
    work: Work,
    done: Mapping[str, Outcome],
    data: Mapping[str, str],
    code: Mapping[str, str],
) -> Record:
    """Return the record of a variant.

    Args:
        done: every outcome by job id.
        data: digests of the model's splits.
        code: hash of the code that ran, by target.
    """
    method, options, target, toolchain = _method_of(plan, work)
    status, reason = _status(plan, work, done)
    failure, measured_by = work.first_failure, work.representative_result
    stage = failure.stage if failure else None
    if failure is None and status == RecordStatus.FAILED:
        # Every job was done, and what the clock ran on was not what was made.
        stage = (STREAM if work.is_stream else BENCHMARK).name
    return Record(
        run=run,
        recipe={"name": plan.recipe.name, **plan.recipe.to_json()},
        model=work.model,
        variant=work.variant,
        method=method,
        options=options,
        target=target,
        toolchain=toolchain,
        engine=work.executor,
        status=status,
        measured_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        reason=reason,
        stage=stage,
        log=failure.log if failure else (),
        warnings=tuple(_warnings(plan, work)),
        device=_device(work),
        versions=measured_by.versions,
        identity={
            **work.identity,
            "code_sha256": code[target],
            "model_sha256": model_hash(plan, work.model),
            **_preparation_of(plan, work),
        },
        settings=measured_by.settings,
        graphs=dict(_graphs(plan, work)),
        artifacts=dict(_artifacts(plan, work)),
        data=data,
        differences=work.differences,
        notes=dict(_notes(work)),
        quality=work.quality,
        predicted=work.predicted,
        scope=_scope(work),
        rounds=work.rounds,
        dataset_ns=work.dataset_ns,
        optimize_s=work.optimize_s,
    )


def _scope(work: Work) -> Scope:
    if work.is_stream:
        return Scope.STREAM
    return Scope.PIPELINE if work.is_pipeline else Scope.NETWORK


def _method_of(plan: Plan, work: Work) -> tuple[str, Mapping[str, Any], str, str]:
    """Return method, options, target and toolchain; a combination has the options of each network."""
    if not work.optimizations:
        return REFERENCE_VARIANT, {}, REFERENCE_TARGET, plan.reference_toolchain
    first = next(iter(work.optimizations.values()))
    if all(optimization == first for optimization in work.optimizations.values()):
        return first.method, first.options, first.target, first.toolchain
    options = {network: {"method": one.method, **one.options} for network, one in work.optimizations.items()}
    return work.variant, options, first.target, first.toolchain


def _preparation_of(plan: Plan, work: Work) -> dict[str, str]:
    """Return what identifies what prepared for a variant's toolchain; nothing where nothing did."""
    prepared = work.prepared
    if prepared is None or "lock" not in prepared.identity:
        return {}
    code = code_hash(plan.workspace, prepared.planned.job.target)
    return {"preparation_code_sha256": code, "preparation_lock": prepared.identity["lock"]}


def _status(plan: Plan, work: Work, done: Mapping[str, Outcome]) -> tuple[RecordStatus, str]:
    """Return a record's status, and the reason why it is not measured."""
    failure = work.first_failure
    if failure is not None:
        declined = failure.status == Status.NOT_MEASURED
        return RecordStatus.NOT_MEASURED if declined else RecordStatus.FAILED, failure.reason
    is_candidate = plan.recipe.search is not None and work.variant != REFERENCE_VARIANT
    if is_candidate and (reason := reason_left(plan, work.model, work.variant, done)):
        return RecordStatus.NOT_MEASURED, reason
    if not work.measured:
        was_passed_over = is_candidate and _candidates_were_chosen(done)
        return RecordStatus.NOT_MEASURED, BUDGET_SPENT if was_passed_over else RUN_ENDED
    if wrong := work.artifact_mismatch:
        return RecordStatus.FAILED, wrong
    return RecordStatus.MEASURED, ""


def _candidates_were_chosen(done: Mapping[str, Outcome]) -> bool:
    """Tell whether a search has tried what it would: only then are there rounds after the first."""
    return any((outcome.planned.round or 0) > 1 for outcome in done.values())


def _device(work: Work) -> dict[str, Any]:
    """Return what was read from the device: in the first measuring round, and its states around each."""
    device = work.representative_result.device
    if not device:
        return {}
    states = []
    for outcome in work.measured:
        read = outcome.result.device if outcome.result else {}
        if read.get(BEFORE) or read.get(AFTER):
            place = {"round": outcome.planned.round, "group": outcome.planned.group}
            states.append({**place, BEFORE: read.get(BEFORE), AFTER: read.get(AFTER)})
    first = {name: value for name, value in device.items() if name not in (BEFORE, AFTER)}
    return {**first, **work.place, **({ROUNDS: states} if states else {})}


def _warnings(plan: Plan, work: Work) -> Iterator[str]:
    """Yield what is to be known before a variant is trusted."""
    outcomes = (work.evaluated, *work.measured)
    results = [outcome.result for outcome in outcomes if outcome and outcome.result]
    yield from dict.fromkeys(remark for result in results for remark in result.notes.remarks)
    for network in work.made:
        optimization = work.optimizations[network]
        least = plan.targets[optimization.target].methods[optimization.method].calibration_minimum
        used = _method_notes(work, network).calibration_images
        if used is not None and used < least:
            yield f"{network} was calibrated with {used} images; statistics of fewer than {least} may mislead"
        if _method_notes(work, network).quantized_operations == 0:
            yield f"nothing of {network} was quantized: no convolution or matrix product was found in it"
    if work.variant == REFERENCE_VARIANT and work.quality is not None:
        yield from _doubts_of_few(len(work.quality.samples), plan.recipe.requirements.max_drop)


def _doubts_of_few(samples: int, max_drop: float) -> Iterator[str]:
    """Yield what so few samples cannot tell, and how many could."""
    if not 0 < samples < FEW_SAMPLES:
        return
    needed = f"; for a max_drop of {max_drop:g} take {samples_needed(max_drop)}" if 0 < max_drop < 1 else ""
    unseen = f"what goes wrong with {unseen_share(samples):.0%} of all images may stay unseen"
    yield f"with {samples} test samples {unseen}{needed}"


def _graphs(plan: Plan, work: Work) -> Iterator[tuple[str, str]]:
    for network in plan.network_variants(work.model, work.variant):
        yield network, plan.networks[network].sha256


def _artifacts(plan: Plan, work: Work) -> Iterator[tuple[str, RecordedArtifact]]:
    """Yield what was measured of each network: the reference's graph, else the artifact that was made."""
    for network in plan.network_variants(work.model, work.variant):
        if not work.optimizations:
            graph = plan.networks[network].graph
            size = content_bytes(plan.workspace.model(network) / graph)
            file = ArtifactFile(graph, plan.networks[network].sha256, size)
            yield network, RecordedArtifact(Artifact((file,)))
        else:
            yield network, work.artifact_of(network) or RecordedArtifact(Artifact())
    if work.settings_artifact is not None:
        yield work.model, work.settings_artifact


def _notes(work: Work) -> Iterator[tuple[str, Notes]]:
    """Yield what the toolchain says of each network: of its conversion, then of the method."""
    for network in work.made:
        converted = work.conversions.get(network)
        before = converted.result.notes if converted and converted.result else Notes()
        to_onnx = work.to_onnx.get(network)
        first = to_onnx.result.notes if to_onnx and to_onnx.result else Notes()
        own = _method_notes(work, network)
        details = {"conversion": before.details} if before.details else {}
        yield (
            network,
            Notes(
                remarks=first.remarks + before.remarks + own.remarks,
                tables=before.tables + own.tables,
                calibration_images=own.calibration_images,
                work=before.work,
                details={**details, **own.details},
                quantized_operations=own.quantized_operations,
            ),
        )
    if work.configured is not None and work.configured.result is not None:
        yield work.model, work.configured.result.notes


def _method_notes(work: Work, network: str) -> Notes:
    """Return what was said of making a network's artifact, step by step, as one."""
    whole = Notes()
    for step in work.made[network]:
        own = step.result.notes if step.result else Notes()
        whole = Notes(
            remarks=whole.remarks + own.remarks,
            tables=whole.tables + own.tables,
            calibration_images=whole.calibration_images or own.calibration_images,
            details={**whole.details, **own.details},
            quantized_operations=_first_known(whole.quantized_operations, own.quantized_operations),
        )
    return whole


def _first_known(one: int | None, other: int | None) -> int | None:
    return other if one is None else one
