"""What became of the objects of a pipeline that reads every one, and how many were read in timed images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import partial

import numpy as np

from dockyard.judge.assessment import Assessment
from dockyard.report import cells
from dockyard.report.cells import Column
from dockyard.report.content import Table
from shared.contract.measurement import ObjectCounts, sum_of_counts

TITLE = (
    "What became of the objects of all images: found and read right, found and read wrong, missed, invented"
)


def object_tables(rows: Sequence[Assessment]) -> Iterator[Table]:
    """Yield the counts of each variant whose objects were counted."""
    counted = [one for one in rows if counts_objects(one)]
    if not counted:
        return
    columns: list[Column] = [("variant", lambda one: one.record.variant)]
    columns += [(field.name, partial(_count, name=field.name)) for field in fields(ObjectCounts)]
    if any(_timed(one) for one in counted):
        columns.append(("read in a timed image: mean (least to most)", _objects_timed))
    yield cells.tabulate(columns, counted, TITLE)


def counts_objects(one: Assessment) -> bool:
    return one.record.quality is not None and bool(one.record.quality.counts)


def _count(one: Assessment, name: str) -> str:
    quality = one.record.quality
    return str(getattr(sum_of_counts(quality.counts), name)) if quality else cells.NOTHING


def _objects_timed(one: Assessment) -> str:
    timed = _timed(one)
    return f"{np.mean(timed):.2f} ({min(timed)} to {max(timed)})" if timed else cells.NOTHING


def _timed(one: Assessment) -> list[int]:
    """Return how many objects were read in each call of all rounds."""
    return [count for measured in one.record.latencies for count in measured.objects]
