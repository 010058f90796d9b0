"""What a delivery's delivery.json says: what is run, and what was measured of it, or why nothing was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dockyard.deliver.choose import preparation_of
from dockyard.judge.assessment import Assessment
from dockyard.judge.record_files import read_records
from dockyard.plan.plan import Plan
from dockyard.recipe.targets import with_defaults
from shared.contract.delivery import Delivery, RecordedQuality, RecordedSpeed
from shared.contract.device import LOW_PRECISION
from shared.contract.errors import InputProblem
from shared.contract.measurement import Scope
from shared.contract.recipe import Stream
from shared.contract.record import Record, RecordStatus
from shared.contract.stages import NetworkFiles
from shared.contract.streaming import Tracking

SETTINGS, GOLDEN = "settings", "golden"
"""Folders of a delivery."""


def describe(plan: Plan, chosen: Assessment) -> Delivery:
    """Return what a variant's delivery.json says. Raises InputProblem where it has no figures."""
    record = chosen.record
    stream = Stream(**record.recipe["stream"]) if record.scope == Scope.STREAM else None
    return Delivery(
        recipe=plan.recipe.name,
        run=record.run,
        model=record.model,
        variant=record.variant,
        target=record.target,
        toolchain=record.toolchain,
        networks=tuple(NetworkFiles(one, f"networks/{name}") for name, one in plan.networks.items()),
        nodes=plan.pipeline.nodes if plan.pipeline is not None else (),
        threads=int(record.recipe["measure"]["threads"]),
        golden=GOLDEN,
        quality=_quality(plan, chosen),
        speed=_speed(plan, chosen),
        tolerance=plan.targets[record.target].methods[record.method].tolerance,
        settings=SETTINGS if stream is not None and record.model in record.artifacts else None,
        tracking=stream.tracking if stream is not None else Tracking(),
        building=_building(plan, record),
        not_measured=record.reason if record.status != RecordStatus.MEASURED else "",
        predicted=dict(_predicted(plan, record)),
    )


def _speed(plan: Plan, chosen: Assessment) -> RecordedSpeed | None:
    """Return how fast it was; None where it was not measured. Raises InputProblem where it has no figures."""
    record = chosen.record
    if record.status != RecordStatus.MEASURED:
        return None
    if chosen.pace_ms is None:
        raise InputProblem(f"{record.variant} has no figures", plan.recipe.file, "measure it first")
    flags = tuple(flag for flag in LOW_PRECISION if flag in record.device.get("flags", ()))
    cpu = str(record.device.get("cpu", ""))
    return RecordedSpeed(chosen.pace_ms.estimate, record.scope, cpu, flags)


def _quality(plan: Plan, chosen: Assessment) -> RecordedQuality | None:
    """Return how good it was; None where it was not measured. Raises InputProblem where it has no figures."""
    if chosen.record.status != RecordStatus.MEASURED:
        return None
    if chosen.quality is None:
        raise InputProblem(f"{chosen.record.variant} has no figures", plan.recipe.file, "measure it first")
    return RecordedQuality(chosen.metric, chosen.quality)


def _building(plan: Plan, record: Record) -> dict[str, Mapping[str, Any]]:
    """Return the options with which each network is compiled on its device, defaults filled in."""
    if preparation_of(plan, record) is None:
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for network, variant in plan.network_variants(record.model, record.variant).items():
        own = plan.optimizations[variant]
        schema = plan.targets[own.target].option_schema(own.method, own.toolchain)
        found[network] = with_defaults(own.options, schema)
    return found


def _predicted(plan: Plan, record: Record) -> Iterator[tuple[str, RecordedQuality]]:
    """Yield the quality that was predicted of each network, of the run that the record is of."""
    for one in read_records(plan.workspace.results / "records" / plan.recipe.name, str):
        is_of_it = (one.run, one.variant) == (record.run, record.variant)
        if is_of_it and one.model in plan.networks and one.predicted is not None:
            yield one.model, RecordedQuality(one.predicted.main, one.predicted.metrics[one.predicted.main])
