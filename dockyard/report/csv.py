"""results.csv: one row for each record."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from dockyard.judge.assessment import Assessment
from shared.contract.measurement import Scope

Cell = str | int | float | None
"""What a column says of a record; None where it was not measured."""

COLUMNS: tuple[tuple[str, Callable[[Assessment], Cell]], ...] = (
    ("recipe", lambda one: one.recipe_name),
    ("model", lambda one: one.record.model),
    ("target", lambda one: one.record.target),
    ("toolchain", lambda one: one.record.toolchain),
    ("method", lambda one: one.record.method),
    ("variant", lambda one: one.record.variant),
    ("device", lambda one: one.device),
    ("engine", lambda one: one.record.engine),
    ("status", lambda one: one.record.status.value),
    ("verdict", lambda one: one.verdict.value),
    ("scope", lambda one: one.record.scope.value),
    ("metric", lambda one: one.metric),
    ("quality", lambda one: one.quality),
    ("reference_quality", lambda one: one.reference_quality),
    ("drop", lambda one: one.drop.estimate if one.drop else None),
    ("drop_low", lambda one: one.drop.low if one.drop else None),
    ("drop_high", lambda one: one.drop.high if one.drop else None),
    ("flipped", lambda one: len(one.flipped)),
    ("mean_ms", lambda one: one.times.mean if one.times else None),
    ("std_ms", lambda one: one.times.std if one.times else None),
    ("min_ms", lambda one: one.times.minimum if one.times else None),
    ("median_ms", lambda one: one.times.median if one.times else None),
    ("median_low", lambda one: one.times.median_interval.low if one.times else None),
    ("median_high", lambda one: one.times.median_interval.high if one.times else None),
    ("p90_ms", lambda one: one.times.p90 if one.times else None),
    ("p99_ms", lambda one: one.times.p99 if one.times else None),
    ("max_ms", lambda one: one.times.maximum if one.times else None),
    ("runs", lambda one: one.times.runs if one.times else None),
    ("rounds", lambda one: one.times.rounds if one.times else None),
    ("stability", lambda one: one.times.stability if one.times else None),
    ("reference_mean_ms", lambda one: one.reference_times.mean if one.reference_times else None),
    ("speedup", lambda one: one.speedup.estimate if one.speedup else None),
    ("speedup_low", lambda one: one.speedup.low if one.speedup else None),
    ("speedup_high", lambda one: one.speedup.high if one.speedup else None),
    ("pipeline_ms", lambda one: one.times.mean if one.times and _is_of_frames(one) else None),
    ("fps", lambda one: one.fps if _is_of_frames(one) else None),
    ("artifact_mb", lambda one: one.size_mb),
    ("size_ratio", lambda one: one.size_ratio),
    ("optimize_s", lambda one: one.record.optimize_s),
    ("artifact_sha256", lambda one: " ".join(_artifact_hashes(one))),
    ("image_digest", lambda one: one.record.identity.get("image_digest", "")),
    ("measured_at", lambda one: one.record.measured_at),
)
"""The columns in their order: the name, and what it says of a record."""


def write_csv(assessments: Sequence[Assessment], path: Path) -> None:
    """Write the rows, numbers to six significant digits."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(name for name, _ in COLUMNS)
        for one in assessments:
            writer.writerow(_written(column(one)) for _, column in COLUMNS)


def _written(value: Cell) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)


def _is_of_frames(one: Assessment) -> bool:
    """Tell whether a time is that of a whole frame: of a pipeline or of a stream."""
    return one.is_stream or one.record.scope == Scope.PIPELINE


def _artifact_hashes(one: Assessment) -> list[str]:
    artifacts = [recorded.artifact for recorded in one.record.artifacts.values()]
    return [artifact.sha256 for artifact in artifacts if artifact.files]
