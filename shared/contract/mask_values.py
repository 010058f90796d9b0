"""Which values of a mask file count: two values are taken for what they are, of more model.json tells."""

from __future__ import annotations

from typing import AbstractSet, FrozenSet, Iterable, Optional, Sequence

from .errors import InputProblem

BRIGHTEST = frozenset((1, 255, 65535))
"""What programs paint with beside 0, in 1, 8 and 16 bits: 1 is the number of the one class, too."""

SHOWN = 5


def counting(found: Iterable[int], wanted: Optional[Sequence[int]], where: str) -> FrozenSet[int]:
    """Return the values that count of those in a mask file, or in several.

    Args:
        found: each once. Of a file with a palette they are its indices, unless its colours are black and
            white; of one in another colour beside black they are 0 and 255.
        wanted: `values` of model.json.
        where: the file, for messages.

    Raises:
        InputProblem: nobody can tell which count.
    """
    if wanted is not None:
        return frozenset(wanted)
    painted = frozenset(found) - {0}
    if len(painted) > 1 or not painted <= BRIGHTEST:
        advice = "paint what counts with 255 and the rest with 0, or list what counts in outputs.mask.values"
        raise InputProblem(f"a mask with the values {shown(painted)}", where, advice)
    return painted


def shown(values: AbstractSet[int]) -> str:
    """Return the smallest of some values, for messages."""
    first = sorted(values)[:SHOWN]
    more = len(values) - len(first)
    return ", ".join(map(str, first)) + (f" and {more} more" if more else "")
