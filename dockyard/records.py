"""From the outcomes of a run's jobs to its records, and their files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dockyard import documents
from dockyard.artifacts import code_hash
from dockyard.catalog import REFERENCE
from dockyard.places import MODELS, SHARED, shown
from dockyard.plan import REFERENCE_METHOD, Plan
from dockyard.run import Outcome
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
    return [_record(plan, run, engine, by_id, data.get(model, {}), model, variant) for model in plan.models for variant in plan.variants]


def _record(plan: Plan, run: str, engine: str, by_id: dict[str, Outcome], data: dict[str, str], model: str, variant: str) -> Record:
    networks = [model] if model in plan.networks else list(plan.networks)
    reference = variant == REFERENCE_METHOD
    shared_too = (variant,) if reference else (variant, "")
    own = [o for o in by_id.values() if o.planned.job.model == model and o.planned.variant in shared_too]
    rounds = [o for o in own if o.planned.job.stage == "benchmark"]
    evaluated = by_id.get(f"{model}/{variant}/evaluate")
    measured = [o for o in rounds if o.status == "done"]
    bad = next((o for o in own if o.status != "done"), None)
    status = "measured" if measured and bad is None else ("not measured" if bad is None or bad.status == "not measured" else "failed")
    first: Any = measured[0].result if measured else (evaluated.result if evaluated else (bad.result if bad else {}))
    quality_source = evaluated if evaluated is not None else (measured[0] if measured else None)
    optimized = {n: by_id.get(f"{n}/{variant}/optimize") for n in networks}
    converted = {n: by_id.get(f"{n}/convert") for n in networks} if not reference else {}
    optimization = plan.methods.get(variant, Optimization(REFERENCE_METHOD))
    target = REFERENCE if reference else plan.target.name
    wrong = _other_bytes(own, optimized) if status == "measured" else ""
    return Record(
        run=run,
        recipe={"name": plan.recipe.name, **plan.recipe.to_json()},
        model=model,
        variant=variant,
        method=optimization.method,
        options=optimization.options,
        target=target,
        toolchain=plan.reference_toolchain if reference else plan.toolchain,
        engine=engine,
        status="failed" if wrong else status,
        measured_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        reason=wrong or (bad.reason if bad else "" if measured else "the run ended before it was measured"),
        stage=bad.stage if bad else "benchmark" if wrong else "",
        log=bad.log if bad else (),
        device=first.get("device", {}),
        versions=first.get("versions", {}),
        identity={**(own[0].identity if own else {}), "code_sha256": code_hash(target)},
        settings=first.get("settings", {}),
        graphs={n: plan.networks[n].sha256 for n in networks},
        artifacts={n: _files(plan.networks[n], optimized[n], reference) for n in networks},
        data=data,
        conversion=[row for o in converted.values() if o for row in o.result.get("conversion", [])],
        notes={n: dict(o.result.get("notes", {})) for n, o in optimized.items() if o},
        quality=quality_source.result.get("quality") if quality_source else None,
        scope="network" if model in plan.networks else "pipeline",
        rounds_ns=[o.result["timing"]["samples_ns"] for o in measured],
        dataset_ns=evaluated.result.get("timing", {}).get("samples_ns", {}).get("total", []) if evaluated else [],
        optimize_s=sum(o.result.get("duration_s", 0.0) for o in optimized.values() if o),
    )


def _files(network: Network, optimized: Outcome | None, reference: bool) -> list[Mapping[str, Any]]:
    if reference:
        return [{"path": network.graph, "sha256": network.sha256, "bytes": (MODELS / network.name / network.graph).stat().st_size}]
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
