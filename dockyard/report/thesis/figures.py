"""The cells of the thesis's tables: its own figures and ours, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.devices import same_device
from dockyard.judge.measurements import speedup_of
from dockyard.plan.plan import REFERENCE_VARIANT
from dockyard.report import cells
from dockyard.report.thesis.choosing import is_measured, run_of

OVER_NOT_TUNED = "over not tuned"
SPEEDUP = "speedup"

BASES = {SPEEDUP: REFERENCE_VARIANT, OVER_NOT_TUNED: "baseline"}
"""Columns that say how many times as fast as another method one is, and that method."""


def their_cell(column: str, figures: Mapping[str, Any], method: str, images: int | None) -> str:
    """Return a figure of the thesis.

    Args:
        figures: the thesis's figures of a model on one CPU, by method.
        images: the number of images behind a total, or None where the thesis has times of one image.
    """
    entry, base = figures.get(method), figures.get(BASES.get(column, method))
    if entry is None or base is None:
        return cells.NOTHING
    match column:
        case "ms (std)":
            return f"{entry['ms']:.2f} ({entry['std']:.2f})"
        case "mean ms":
            return f"{entry['ms']:.2f}"
        case "median":
            return f"{entry['median']:.2f}"
        case "min to max":
            return f"{entry['min']:.2f} to {entry['max']:.2f}"
        case "quality":
            return " / ".join(f"{value:.4f}" for value in entry["quality"])
        case "total s":
            return str(entry["total_s"])
        case "ms":
            return f"{_their_ms(entry, images):.1f}"
        case "over TensorFlow":
            return f"{entry[column]:.2f}"
        case "speedup" | "over not tuned":
            return f"{_their_ms(base, images) / _their_ms(entry, images):.2f}"
    return f"{entry[column]:.1f}"


def _their_ms(entry: Mapping[str, Any], images: int | None) -> float:
    return float(entry["ms"] if images is None else 1000 * entry["total_s"] / images)


def our_cells(
    columns: Sequence[str], one: Assessment | None, metrics: Sequence[str], others: Sequence[Assessment]
) -> list[str]:
    """Return our figures of a variant.

    Args:
        metrics: the metrics that the thesis has.
        others: the variants of its model and toolchain, of any run.
    """
    if one is None or not is_measured(one):
        return [_why_nothing(one) if one else cells.NOTHING, *[cells.NOTHING] * (len(columns) - 1)]
    return [_our_cell(column, one, metrics, others) for column in columns]


def _why_nothing(one: Assessment) -> str:
    """Return what stands in the place of a figure, with why there was no device, less its details."""
    is_short = (
        one.verdict == Verdict.NOT_MEASURED and not one.record.rounds and one.record.recipe.get("device")
    )
    reason = one.reason.partition(" (")[0] if is_short else ""
    return f"{one.verdict.value}: {reason}" if reason else one.verdict.value


def _our_cell(column: str, one: Assessment, metrics: Sequence[str], others: Sequence[Assessment]) -> str:
    assert one.times is not None
    match column:
        case "ms (std)":
            return f"{one.times.mean:.2f} ({one.times.std:.2f})"
        case "ms a frame":
            return cells.pace(one)
        case "fps":
            return cells.decimals(one.fps, 1)
        case "median":
            return cells.median(one)
        case "min to max":
            return f"{one.times.minimum:.2f} to {one.times.maximum:.2f}"
        case "quality":
            return " / ".join(cells.metric(one, name) for name in metrics)
        case "speedup" if one.is_reference:
            return "1.00"
        case "speedup":
            return cells.decimals(one.speedup.estimate if one.speedup else None)
        case "over not tuned":
            return cells.decimals(_over_not_tuned(one, others))
    return cells.step(one, column, digits=1)


def _over_not_tuned(one: Assessment, others: Sequence[Assessment]) -> float | None:
    """Return how many times as fast as the untuned variant of its run a variant is."""
    for other in others:
        is_base = other.record.method == BASES[OVER_NOT_TUNED] and run_of(other) == run_of(one)
        if is_base and is_measured(other) and same_device(other.record, one.record):
            ratio = speedup_of(other.record.rounds, one.record.rounds)
            return ratio.estimate if ratio else None
    return None
