"""From the outcomes of a run's jobs to its records, and their files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dockyard.plan.plan import REFERENCE_METHOD, Plan, convert_id
from dockyard.recipe import documents
from dockyard.recipe.catalog import REFERENCE
from dockyard.recipe.hashing import content_bytes
from dockyard.recipe.places import MODELS, SHARED, shown
from dockyard.run import search
from dockyard.run.artifact_cache import code_hash
from dockyard.run.outcome import Outcome
from shared.contract.job import Artifact
from shared.contract.model import Network
from shared.contract.recipe import Optimization
from shared.contract.record import Record


def new_run() -> str:
    """Return the name of a new run, the time in UTC."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def make_records(plan: Plan, run: str, engine: str, outcomes: Sequence[Outcome], data: dict[str, dict[str, str]]) -> list[Record]:
    """Return one record for each model and variant of the plan, whatever became of its jobs.

    Args:
        outcomes: in the order they came; jobs that never ran are missing.
        data: digests of each split, by model.
    """
    by_id = {o.planned.job.id: o for o in outcomes}
    cells = [(model, variant) for model in plan.models for variant in _variants(plan, model, outcomes)]
    return [_record(plan, run, engine, by_id, data.get(model, {}), model, variant) for model, variant in cells]


def _variants(plan: Plan, model: str, outcomes: Iterable[Outcome]) -> list[str]:
    """Return the variants of a model; a search's pipelines are those that came to be."""
    if plan.recipe.search is None or model in plan.networks:
        return plan.variants
    return list(dict.fromkeys([REFERENCE_METHOD, *(o.planned.variant for o in outcomes if o.planned.job.model == model)]))


def _record(plan: Plan, run: str, engine: str, by_id: dict[str, Outcome], data: dict[str, str], model: str, variant: str) -> Record:
    reference = variant == REFERENCE_METHOD
    parts = plan.parts(model, variant)
    made = {n: by_id.get(f"{n}/{part}/optimize") for n, part in parts.items()}
    optimizations = {n: plan.methods.get(part, Optimization(REFERENCE_METHOD)) for n, part in parts.items()}
    converted = {} if reference else {n: by_id.get(convert_id(n, o.target, o.toolchain)) for n, o in optimizations.items()}
    conversions = [o for o in converted.values() if o is not None]
    own = [o for o in by_id.values() if (o.planned.job.model, o.planned.variant) == (model, variant)]
    measured = [o for o in own if o.planned.job.stage == "benchmark" and o.status == "done"]
    evaluated = by_id.get(f"{model}/{variant}/evaluate")
    bad = next((o for o in [*(conversions if model in plan.networks else []), *own] if o.status != "done"), None)
    told = [o for o in (*measured, evaluated, bad) if o is not None]
    found: Mapping[str, Any] = told[0].result if told else {}
    quality_source = evaluated or (measured[0] if measured else None)
    one = next(iter(optimizations.values()))
    target = REFERENCE if reference else one.target
    status, reason = _status(plan, model, variant, by_id, measured, bad)
    if status == "measured" and (wrong := _other_bytes(own, made)):
        status, reason = "failed", wrong
    same = len(set(parts.values())) == 1
    return Record(
        run=run,
        recipe={"name": plan.recipe.name, **plan.recipe.to_json()},
        model=model,
        variant=variant,
        method=one.method if same else variant,
        options=one.options if same else {n: {"method": o.method, **o.options} for n, o in optimizations.items()},
        target=target,
        toolchain=plan.reference_toolchain if reference else one.toolchain,
        engine=engine,
        status=status,
        measured_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        reason=reason,
        stage=bad.stage if bad else "benchmark" if status == "failed" else "",
        log=bad.log if bad else (),
        warnings=tuple(_warnings(plan, optimizations, made)),
        device=found.get("device", {}),
        versions=found.get("versions", {}),
        identity={**(own[0].identity if own else {}), "code_sha256": code_hash(target)},
        settings=found.get("settings", {}),
        graphs={n: plan.networks[n].sha256 for n in parts},
        artifacts={n: _files(plan.networks[n], made[n], reference) for n in parts},
        data=data,
        conversion=[row for o in (*conversions, evaluated) if o is not None for row in o.result.get("conversion", [])],
        notes={n: {**_conversion_notes(converted.get(n)), **o.result.get("notes", {})} for n, o in made.items() if o},
        quality=quality_source.result.get("quality") if quality_source else None,
        scope="network" if model in plan.networks else "pipeline",
        rounds_ns=[o.result["timing"]["samples_ns"] for o in measured],
        dataset_ns=evaluated.result.get("timing", {}).get("samples_ns", {}).get("total", []) if evaluated else [],
        optimize_s=sum(o.result.get("duration_s", 0.0) for o in made.values() if o),
    )


def _conversion_notes(converted: Outcome | None) -> dict[str, Any]:
    notes = converted.result.get("notes", {}) if converted else {}
    return {"conversion": notes} if notes else {}


def _status(
    plan: Plan, model: str, variant: str, by_id: dict[str, Outcome], measured: Sequence[Outcome], bad: Outcome | None
) -> tuple[str, str]:
    """Return a record's status and the reason why it is not measured."""
    if bad is not None:
        return ("not measured" if bad.status == "not measured" else "failed"), bad.reason
    if plan.recipe.search is not None:
        if variant != REFERENCE_METHOD and (reason := search.beaten_by(plan, model, variant, by_id)):
            return "not measured", reason
        if not measured:
            return "not measured", search.SPENT
    return ("measured", "") if measured else ("not measured", "the run ended before it was measured")


def _warnings(plan: Plan, optimizations: Mapping[str, Optimization], made: Mapping[str, Outcome | None]) -> Iterator[str]:
    """Yield what is to be known before a variant is trusted."""
    for name, optimization in optimizations.items():
        outcome = made[name]
        methods = plan.targets[optimization.target].methods if optimization.target else {}
        least = methods.get(optimization.method, {}).get("calibration_minimum", 0)
        used = outcome.result.get("notes", {}).get("calibration_images", least) if outcome else least
        if used < least:
            yield f"{name} was calibrated with {used} images; statistics of fewer than {least} may mislead"


def _files(network: Network, optimized: Outcome | None, reference: bool) -> list[Mapping[str, Any]]:
    if reference:
        return [{"path": network.graph, "sha256": network.sha256, "bytes": content_bytes(MODELS / network.name / network.graph)}]
    return list(optimized.result.get("artifact", [])) if optimized else []


def _other_bytes(own: Iterable[Outcome], optimized: dict[str, Outcome | None]) -> str:
    """Return which job measured other bytes than those of the artifact, or an empty text."""
    for name, made in optimized.items():
        if made is None:
            continue
        expected = Artifact.from_json(made.result["artifact"]).sha256
        for outcome in own:
            loaded = outcome.result.get("measured", {}).get(name)
            if outcome.planned.job.stage in ("evaluate", "benchmark") and loaded != expected:
                return f"{outcome.planned.job.id} measured {loaded}, not the artifact {expected}"
    return ""


def write_records(records: Iterable[Record], folder: Path) -> None:
    """Write each record to `<folder>/<model>/<variant>.json`."""
    for record in records:
        path = folder / record.model / f"{record.variant}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record.to_json(), separators=(",", ":")) + "\n")


def read_records(folder: Path) -> list[Record]:
    """Read the records below a folder, checked against their schema.

    Raises:
        InputProblem: a file that is no record of this version.
    """
    schema = documents.load_schema(SHARED / "contract" / "record.schema.json")
    records = []
    for path in sorted(folder.rglob("*.json")):
        document = documents.read_json(path)
        documents.check(document, schema, shown(path))
        records.append(Record.from_json(document))
    return records


def publish(run_folder: Path, recipe: str, results: Path) -> None:
    """Put a whole run's records in the place of the recipe's earlier ones, at once."""
    destination = results / "records" / recipe
    fresh = results / f".{recipe}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        shutil.copytree(run_folder, fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    destination.parent.mkdir(exist_ok=True)
    shutil.rmtree(destination, ignore_errors=True)
    fresh.rename(destination)
