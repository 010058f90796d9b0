"""One row for each record: results.csv, and the same as Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from dockyard.judge.assessment import Assessment
from shared.contract.measurement import Scope

Cell = str | int | float | None
"""What a column says of a record; None where it was not measured."""

COLUMNS: tuple[tuple[str, type, Callable[[Assessment], Cell]], ...] = (
    ("recipe", str, lambda one: one.recipe_name),
    ("model", str, lambda one: one.record.model),
    ("target", str, lambda one: one.record.target),
    ("toolchain", str, lambda one: one.record.toolchain),
    ("method", str, lambda one: one.record.method),
    ("variant", str, lambda one: one.record.variant),
    ("device", str, lambda one: one.device),
    ("engine", str, lambda one: one.record.engine),
    ("status", str, lambda one: one.record.status.value),
    ("verdict", str, lambda one: one.verdict.value),
    ("scope", str, lambda one: one.record.scope.value),
    ("metric", str, lambda one: one.metric),
    ("quality", float, lambda one: one.quality),
    ("reference_quality", float, lambda one: one.reference_quality),
    ("drop", float, lambda one: one.drop.estimate if one.drop else None),
    ("drop_low", float, lambda one: one.drop.low if one.drop else None),
    ("drop_high", float, lambda one: one.drop.high if one.drop else None),
    ("flipped", int, lambda one: len(one.flipped)),
    ("mean_ms", float, lambda one: one.times.mean if one.times else None),
    ("std_ms", float, lambda one: one.times.std if one.times else None),
    ("min_ms", float, lambda one: one.times.minimum if one.times else None),
    ("median_ms", float, lambda one: one.times.median if one.times else None),
    ("median_low", float, lambda one: one.times.median_interval.low if one.times else None),
    ("median_high", float, lambda one: one.times.median_interval.high if one.times else None),
    ("p90_ms", float, lambda one: one.times.p90 if one.times else None),
    ("p99_ms", float, lambda one: one.times.p99 if one.times else None),
    ("max_ms", float, lambda one: one.times.maximum if one.times else None),
    ("runs", int, lambda one: one.times.runs if one.times else None),
    ("rounds", int, lambda one: one.times.rounds if one.times else None),
    ("stability", float, lambda one: one.times.stability if one.times else None),
    ("reference_mean_ms", float, lambda one: one.reference_times.mean if one.reference_times else None),
    ("speedup", float, lambda one: one.speedup.estimate if one.speedup else None),
    ("speedup_low", float, lambda one: one.speedup.low if one.speedup else None),
    ("speedup_high", float, lambda one: one.speedup.high if one.speedup else None),
    ("pipeline_ms", float, lambda one: one.times.mean if one.times and _is_of_frames(one) else None),
    ("fps", float, lambda one: one.fps if _is_of_frames(one) else None),
    ("artifact_mb", float, lambda one: one.size_mb),
    ("size_ratio", float, lambda one: one.size_ratio),
    ("optimize_s", float, lambda one: one.record.optimize_s),
    ("artifact_sha256", str, lambda one: " ".join(_artifact_hashes(one))),
    ("image_digest", str, lambda one: one.record.identity.get("image_digest", "")),
    ("measured_at", str, lambda one: one.record.measured_at),
    ("run", str, lambda one: one.record.run),
    ("record", str, lambda one: one.record_file),
)
"""The columns in their order: the name, the type, and what it says of a record."""


def write_csv(assessments: Sequence[Assessment], path: Path) -> None:
    """Write the rows, numbers to six significant digits."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(name for name, _, _ in COLUMNS)
        for one in assessments:
            writer.writerow(_written(column(one)) for _, _, column in COLUMNS)


def write_parquet(assessments: Sequence[Assessment], path: Path) -> None:
    """Write the same rows and columns with their types, numbers in full."""
    # They are of no use to anything else, and take a moment to load.
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet

    kinds = {str: DataType.utf8(), int: DataType.int64(), float: DataType.float64()}
    columns = []
    for _, kind, column in COLUMNS:
        columns.append(Array([column(one) for one in assessments], type=kinds[kind]))
    write_parquet(Table.from_arrays(columns, names=[name for name, _, _ in COLUMNS]), path)


def _written(value: Cell) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)


def _is_of_frames(one: Assessment) -> bool:
    """Tell whether a time is that of a whole frame: of a pipeline or of a stream."""
    return one.is_stream or one.record.scope == Scope.PIPELINE


def _artifact_hashes(one: Assessment) -> list[str]:
    artifacts = [recorded.artifact for recorded in one.record.artifacts.values()]
    return [artifact.sha256 for artifact in artifacts if artifact.files]
