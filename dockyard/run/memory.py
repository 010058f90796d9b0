"""Which variants of a model may wait side by side: as many as the device's memory holds."""

from __future__ import annotations

from collections.abc import Sequence

USABLE = 0.8
"""Of a device's memory; the rest is left to what else runs there."""


def groups_that_fit(peaks_mb: Sequence[float], memory_mb: float) -> list[list[int]]:
    """Divide a reference and its variants into groups that fit into memory, the reference in each.

    A variant that does not fit beside the reference has a group of its own with it all the same.

    Args:
        peaks_mb: the most memory that each took, in MB, the reference first.

    Returns:
        The indices of each group's members, in their order.
    """
    room = memory_mb * USABLE
    groups: list[list[int]] = [[0]]
    for number in range(1, len(peaks_mb)):
        taken = sum(peaks_mb[member] for member in groups[-1])
        if len(groups[-1]) > 1 and taken + peaks_mb[number] > room:
            groups.append([0])
        groups[-1].append(number)
    return groups
