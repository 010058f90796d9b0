"""Which of the variants that meet a recipe's requirements is recommended."""

from __future__ import annotations

from collections.abc import Sequence

from dockyard.judge.assessment import Assessment
from dockyard.judge.measurements import Rounds, paired_ratios, variant_ratio
from dockyard.judge.statistics import Interval

ALIKE_WITHIN = 0.02
"""Variants that differ by less are as fast as each other: rounds of the very same bytes lie so far apart."""

SETTLED_WITHIN = 0.05
"""A tie whose interval lies this near to 1 asks for no more rounds."""


def unbeaten(meeting: Sequence[Assessment], reference: Rounds) -> list[Assessment]:
    """Return the variants than which none is certainly faster, by 2 % or always; the one to recommend first.

    That is the one that loses least of the main metric; of those that lose the same, the smallest.

    Args:
        meeting: the variants of one model in one run that meet its requirements, at least one.
        reference: the rounds of their reference.
    """
    best = [one for one in meeting if not _is_beaten(one, meeting, reference)]
    return sorted(best or meeting, key=_preference)


def has_open_tie(best: Sequence[Assessment], reference: Rounds) -> bool:
    """Tell whether more rounds could tell the first of the unbeaten from another one of them."""
    return any(_is_open(best[0], other, reference) for other in best[1:])


def _preference(one: Assessment) -> tuple[float, float, float]:
    assert one.drop is not None
    assert one.speedup is not None
    return one.drop.estimate, one.size_mb, -one.speedup.estimate


def _is_beaten(one: Assessment, others: Sequence[Assessment], reference: Rounds) -> bool:
    return any(_is_slower(one, other, reference) for other in others)


def _is_slower(one: Assessment, other: Assessment, reference: Rounds) -> bool:
    """Tell whether one is certainly slower than the other: by 2 %, or in every pair of bursts."""
    if one is other or _same_bytes(one, other):
        return False
    ratio = _ratio(one, other, reference)
    is_clear = ratio.estimate < 1 - ALIKE_WITHIN or _is_always_slower(one, other)
    return is_clear and ratio.high < 1


def _is_always_slower(one: Assessment, other: Assessment) -> bool:
    pairs = paired_ratios(other.record.rounds, one.record.rounds)
    return bool(pairs) and all(bool((ratios < 1).all()) for ratios in pairs)


def _is_open(one: Assessment, other: Assessment, reference: Rounds) -> bool:
    ratio = _ratio(one, other, reference)
    is_settled = ratio.low >= 1 - SETTLED_WITHIN and ratio.high <= 1 + SETTLED_WITHIN
    return not (is_settled or _same_bytes(one, other))


def _ratio(one: Assessment, other: Assessment, reference: Rounds) -> Interval:
    return variant_ratio(one.record.rounds, other.record.rounds, reference)


def _same_bytes(one: Assessment, other: Assessment) -> bool:
    """Tell whether two variants are the same files, run by the same toolchain."""
    mine, theirs = [(each.record.target, each.record.toolchain, _hashes(each)) for each in (one, other)]
    return mine == theirs


def _hashes(one: Assessment) -> list[str]:
    return [recorded.artifact.sha256 for recorded in one.record.artifacts.values()]
