"""Which models need another round: those of which some variant's rounds disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dockyard.judge.measurements import rounds_disagree
from dockyard.judge.statistics import STABLE_WITHIN
from shared.contract.measurement import Measurement


def unsettled(rounds: Mapping[str, Iterable[Sequence[Measurement]]]) -> list[str]:
    """Return the models whose rounds do not agree yet, in their order.

    Args:
        rounds: by model, the rounds of each of its variants so far; a variant without any asks for none.
    """
    return [model for model, variants in rounds.items() if _any_disagree(variants)]


def _any_disagree(variants: Iterable[Sequence[Measurement]]) -> bool:
    return any(rounds_disagree(rounds, STABLE_WITHIN) for rounds in variants)
