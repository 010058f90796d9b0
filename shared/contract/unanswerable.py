"""Annotations that no answer of a network can match: names and symbols that it does not have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Iterator, List, Optional, Sequence, Tuple

from .dataset import Sample
from .outputs import ClassificationOutputs, Outputs, TextOutputs

SHOWN = 5
"""Names that a message shows."""

LONGEST_NAME = 40
"""Characters of a name that a message shows."""


@dataclass(frozen=True)
class Unanswerable:
    """Annotations of one kind that no answer of a network can match.

    Attributes:
        kind: `labels`, `readings` or `countries`.
        strangers: the names, or the symbols of readings, that the network does not have; commonest first.
        known: those that it has, in the order of its classes.
        samples: how many samples have one.
        of: how many samples are annotated with the kind.
    """

    kind: str
    strangers: Tuple[str, ...]
    known: Tuple[str, ...]
    samples: int
    of: int

    @property
    def what(self) -> str:
        """A sentence with examples."""
        is_text = self.kind == "readings"
        lacking = (
            "hold symbols that the network does not have" if is_text else "are none of the network's names"
        )
        return f"{self.samples} of {self.of} {self.kind} {lacking}: {_listed(self.strangers)}"

    @property
    def advice(self) -> str:
        """The nearest name, and those that there are."""
        first = self.strangers[0]
        other_case = [name for name in self.known if name.lower() == first.lower()]
        close = other_case or get_close_matches(first, self.known, n=1, cutoff=0.5)
        guess = f"did you mean '{close[0][:LONGEST_NAME]}'? " if close else ""
        return f"{guess}valid: {_listed(self.known)}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:LONGEST_NAME]) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def unanswerable(outputs: Outputs, samples: Sequence[Sample]) -> List[Unanswerable]:
    """Return what is annotated of samples and can be no answer of a network, kind by kind."""
    found: List[Optional[Unanswerable]] = []
    if isinstance(outputs, ClassificationOutputs):
        labels = [[sample.label] for sample in samples if sample.label]
        found.append(_strangers("labels", labels, outputs.classes.names))
    elif isinstance(outputs, TextOutputs):
        readings = [list(sample.reading) for sample in samples if sample.reading]
        found.append(_strangers("readings", readings, tuple(outputs.symbols.alphabet)))
        if outputs.country is not None:
            countries = [[sample.country] for sample in samples if sample.country]
            found.append(_strangers("countries", countries, outputs.country.names))
    return [one for one in found if one is not None]


def _strangers(
    kind: str, annotations: Sequence[Sequence[str]], known: Tuple[str, ...]
) -> Optional[Unanswerable]:
    """Return the annotations with parts that are not known, or None.

    Args:
        annotations: the parts of each sample's: one name, or the symbols of a reading.
    """
    strange = [list(_unknown(parts, frozenset(known))) for parts in annotations]
    counted = Counter(part for parts in strange for part in parts)
    if not counted:
        return None
    names = tuple(name for name, _ in counted.most_common())
    return Unanswerable(kind, names, known, sum(map(bool, strange)), len(annotations))


def _unknown(parts: Sequence[str], known: "frozenset[str]") -> Iterator[str]:
    return (part for part in parts if part not in known)
