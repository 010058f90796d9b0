"""How much of what its CPU can do a network reaches.

Source: Williams, Waterman and Patterson, Roofline: An Insightful Visual Performance Model for Multicore
Architectures, Communications of the ACM, 2009. The roof is that of arithmetic, measured: the weights
and activations of a network mostly lie in the caches, whose bandwidth is not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dockyard.judge.assessment import Assessment
from dockyard.judge.measurements import burst_medians_ns
from dockyard.judge.statistics import Figures, Interval, interval_over_rounds
from shared.contract.measurement import Latency, Precision
from shared.contract.record import Record
from shared.contract.result import NetworkWork

Bout = tuple[int, int]
"""The number and the group of a round, whose bursts were taken in turn."""

Peaks = Mapping[tuple[Bout, Precision], Figures]
"""Billions of operations a second, cycle by cycle."""


@dataclass(frozen=True)
class Reached:
    """What a variant reaches of its CPU's best.

    Attributes:
        precision: that it mostly computes in.
        gops: billions of operations a second, as the float network has them.
        peak_gops: the best of all variants' yardsticks of that precision, in the same cycles.
        share: of that best, 0 to 1.
    """

    variant: str
    precision: Precision
    gops: float
    peak_gops: float
    share: Interval


@dataclass(frozen=True)
class Roofline:
    """A network's work, and what each of its variants reaches."""

    work: NetworkWork
    reached: tuple[Reached, ...]

    def operations_per_byte(self, precision: Precision) -> float:
        """Return the operations for each byte of weights and activations, all of them of a precision."""
        numbers = self.work.weights + self.work.activations
        return self.work.operations / (numbers * BYTES[precision]) if numbers else 0.0


BYTES = {Precision.FLOAT32: 4, Precision.BFLOAT16: 2, Precision.INT8: 1}
"""Of a number."""


def roofline(rows: Sequence[Assessment]) -> Roofline | None:
    """Return what the variants of a network reach; None where nobody counted its work, or no yardstick ran.

    Args:
        rows: the variants of one model in one run, the reference among them.
    """
    records = [row.record for row in rows if row.times is not None]
    work = next(_works(records), None)
    if work is None or not work.operations:
        return None
    peaks = _peaks(records)
    found = tuple(filter(None, (_reached(record, work, peaks) for record in records)))
    return Roofline(work, found) if found else None


def _works(records: Iterable[Record]) -> Iterator[NetworkWork]:
    """Yield what the conversions of a network have counted."""
    for record in records:
        notes = record.notes.get(record.model)
        if notes is not None and notes.work is not None:
            yield notes.work


def _bouts(record: Record) -> Iterator[tuple[Bout, Latency]]:
    for one in record.rounds:
        if isinstance(one.measured, Latency):
            yield (one.number, one.group), one.measured


def _peaks(records: Iterable[Record]) -> Peaks:
    """Return the best of the yardsticks of each precision, cycle by cycle."""
    found: dict[tuple[Bout, Precision], Figures] = {}
    for record in records:
        for bout, latency in _bouts(record):
            yardstick = latency.yardstick
            if yardstick is None:
                continue
            gops = yardstick.operations / np.asarray(yardstick.quickest_ns, np.float64)
            key = (bout, yardstick.precision)
            before = found.get(key)
            found[key] = gops if before is None else _better(before, gops)
    return found


def _better(one: Figures, other: Figures) -> Figures:
    cycles = min(len(one), len(other))
    return np.maximum(one[:cycles], other[:cycles])


def _reached(record: Record, work: NetworkWork, peaks: Peaks) -> Reached | None:
    precision: Precision | None = None
    speeds: list[Figures] = []
    best: list[Figures] = []
    for bout, latency in _bouts(record):
        if latency.yardstick is None:
            continue
        precision = latency.yardstick.precision
        speed, peak = work.operations / burst_medians_ns(latency), peaks[bout, precision]
        cycles = min(len(speed), len(peak))
        speeds.append(speed[:cycles])
        best.append(peak[:cycles])
    if precision is None:
        return None
    share = interval_over_rounds(list(map(np.divide, speeds, best)))
    gops, peak_gops = (float(np.median(np.concatenate(figures))) for figures in (speeds, best))
    return Reached(record.variant, precision, gops, peak_gops, share)
