"""What the report is told of an engine that was read back. Needs no vendor package."""

from __future__ import annotations

from collections import Counter
from typing import Dict, Iterable, List, Mapping, Sequence, Tuple

from shared.contract.result import Table

NOT_FOUND = "not found in the engine"
MAX_NAMES, MAX_NAME = 4, 200
"""Operations of a layer that are named, and characters of each."""

Row = Tuple[Sequence[str], str, Sequence[str], Sequence[str]]
"""A layer of an engine: the operations that it does the work of, its kind, precisions read and written."""


def precision_counts(found: Mapping[str, str], weighted: Sequence[str]) -> Dict[str, int]:
    """Return how many operations with weights compute in which precision.

    Args:
        found: the precision of each operation that was found.
        weighted: names of those with weights.
    """
    return dict(Counter(found.get(name, NOT_FOUND) for name in weighted))


def told_precisions(counts: Mapping[str, int]) -> str:
    """Return `precision_counts` as a remark."""
    told = ", ".join(f"{number} {where}" for where, number in sorted(counts.items()))
    return f"read back from it: of {sum(counts.values())} operations with weights {told}"


def layer_table(title: str, layer: str, rows: Iterable[Row]) -> Table:
    """Return the table of an engine's layers, in the order they run.

    Args:
        layer: what the engine calls one.
    """
    told: List[Tuple[str, ...]] = []
    for operations, kind, reads, writes in rows:
        more = f" and {len(operations) - MAX_NAMES} more" if len(operations) > MAX_NAMES else ""
        named = ", ".join(name[:MAX_NAME] for name in operations[:MAX_NAMES]) + more
        told.append((named, kind, ", ".join(reads), ", ".join(writes)))
    return Table(title, ("operations", layer, "reads", "writes"), tuple(told), folded=True)
