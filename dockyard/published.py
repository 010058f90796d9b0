"""Whether a recipe's published results are of what a build would measure now."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dockyard.engines.images import lock_digest
from dockyard.judge.records import model_hash
from dockyard.plan.plan import Plan
from dockyard.recipe.hashing import json_hash
from dockyard.run.artifact_cache import code_hash
from shared.contract.device import LOW_PRECISION
from shared.contract.record import Record, RecordStatus

Cpu = tuple[str, str]
"""A CPU's name and what it has for low precision, as a record's device has them."""


def this_cpu(cpuinfo: str | None = None) -> Cpu:
    """Return this machine's CPU as a job describes it.

    Args:
        cpuinfo: what is read in the place of /proc/cpuinfo.
    """
    text = Path("/proc/cpuinfo").read_text(errors="replace") if cpuinfo is None else cpuinfo
    parted = (line.partition(":") for line in text.splitlines())
    fields = {key.strip(): value.strip() for key, colon, value in parted if colon}
    flags = fields.get("flags", "").split()
    name = fields.get("model name", platform.processor() or platform.machine())
    return name, " ".join(flag for flag in LOW_PRECISION if flag in flags)


def why_outdated(
    plan: Plan, records: Sequence[Record], cpu: Cpu, engine: str, context: str | None = None
) -> str:
    """Return what is not as it was when the results of a recipe were measured; empty where all is.

    The data, which takes longer to look at, is left to `why_data_outdated`. Tuning databases do not count:
    every build that tunes changes them.

    Args:
        records: what is published of the recipe.
        cpu: this machine's.
        engine: that is asked for; `auto` takes what either has measured.
        context: that is asked for in place of the recipe's device.
    """
    if not records:
        return "nothing is published of it"
    if not any(record.rounds for record in records):
        return "nothing of it was measured"
    recipe = json_hash({"name": plan.recipe.name, **plan.recipe.to_json()})
    if any(json_hash(record.recipe) != recipe for record in records):
        return "the recipe has changed"
    # Of a recipe that names a device, the context leads to one that does for it.
    elsewhere = context if plan.recipe.device is None else None
    changes = (change for record in records for change in _changes(plan, record, cpu, engine, elsewhere))
    return next(changes, "")


def why_data_outdated(records: Sequence[Record], digests: Mapping[str, Mapping[str, str]]) -> str:
    """Return which model's data has changed since; empty where none has.

    Args:
        digests: the digest of each split, by model.
    """
    changed = [one.model for one in records if dict(one.data) != dict(digests[one.model])]
    return f"the data of {changed[0]} has changed" if changed else ""


def _changes(plan: Plan, record: Record, cpu: Cpu, engine: str, elsewhere: str | None) -> Iterator[str]:
    target, toolchain, identity = record.target, record.toolchain, record.identity
    if record.status == RecordStatus.FAILED:
        yield f"{record.model}/{record.variant} failed"
    if identity.get("model_sha256") != model_hash(plan, record.model):
        yield f"model.json or the graph of {record.model} has changed"
    if identity.get("code_sha256") != code_hash(plan.workspace, target):
        yield f"the code of {target} has changed"
    if "lock" in identity and identity["lock"] != lock_digest(plan.workspace, target, toolchain):
        yield f"the packages of {target} {toolchain} have changed"
    release = plan.targets[target].toolchains[toolchain] if target in plan.targets else None
    if release and release.preparation and "preparation_lock" in identity:
        name, own = release.preparation.target, release.preparation.toolchain
        now = code_hash(plan.workspace, name), lock_digest(plan.workspace, name, own)
        if (identity["preparation_code_sha256"], identity["preparation_lock"]) != now:
            yield f"what {name} prepares for {target} has changed, its code or its packages"
    is_here = plan.recipe.device is None and elsewhere is None
    if elsewhere is not None and record.rounds and record.engine != f"docker:{elsewhere}":
        yield f"it was measured on {record.engine}"
    if is_here and record.rounds and (record.device.get("cpu"), record.device.get("flags")) != cpu:
        yield f"it was measured on another CPU, {record.device.get('cpu')}"
    if record.rounds and engine not in ("auto", record.engine.partition(":")[0]):
        yield f"it was measured by the engine {record.engine}"
