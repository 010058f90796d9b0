"""Annotations that no answer of a network can match: names and symbols that it does not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from shared.contract.dataset import Sample
from shared.contract.outputs import ClassificationOutputs, DetectionOutputs, Outputs, TextOutputs

SHOWN = 5
"""Names that a message shows."""

LONGEST_NAME = 40
"""Characters of a name that a message shows."""


@dataclass(frozen=True)
class Unanswerable:
    """Annotations of one kind that no answer of a network can match.

    Attributes:
        kind: `labels`, `readings`, `countries` or `images' categories`.
        strangers: the names, or the symbols of readings, that the network does not have; commonest first.
        places: file and line of the first sample with each, or the sample's name.
        known: those that it has, in the order of its classes.
        samples: how many samples have one.
        of: how many samples are annotated with the kind.
    """

    kind: str
    strangers: tuple[str, ...]
    places: tuple[str, ...]
    known: tuple[str, ...]
    samples: int
    of: int

    @property
    def what(self) -> str:
        """A sentence with examples."""
        is_text = self.kind == "readings"
        lacking = (
            "hold symbols that the network does not have" if is_text else "are none of the network's names"
        )
        return f"{self.samples} of {self.of} {self.kind} {lacking}: {_listed(self.strangers, self.places)}"

    @property
    def advice(self) -> str:
        """The nearest name, and those that there are."""
        first = self.strangers[0]
        other_case = [name for name in self.known if name.lower() == first.lower()]
        close = other_case or get_close_matches(first, self.known, n=1, cutoff=0.5)
        guess = f"did you mean '{close[0][:LONGEST_NAME]}'? " if close else ""
        return f"{guess}valid: {_listed(self.known)}"


def _listed(names: Sequence[str], places: Sequence[str] = ()) -> str:
    quoted = [repr(name[:LONGEST_NAME]) for name in names[:SHOWN]]
    placed = [f"{name} ({place})" for name, place in zip(quoted, places)]
    shown = ", ".join(placed or quoted)
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def unanswerable(outputs: Outputs, samples: Sequence[Sample]) -> list[Unanswerable]:
    """Return what is annotated of samples and can be no answer of a network, kind by kind."""
    found: list[Unanswerable | None] = []
    if isinstance(outputs, ClassificationOutputs):
        labels = [(sample, [sample.label]) for sample in samples if sample.label]
        found.append(_strangers("labels", labels, outputs.classes.names))
    elif isinstance(outputs, TextOutputs):
        readings = [(sample, list(sample.reading)) for sample in samples if sample.reading]
        found.append(_strangers("readings", readings, tuple(outputs.symbols.alphabet)))
        if outputs.country is not None:
            countries = [(sample, [sample.country]) for sample in samples if sample.country]
            found.append(_strangers("countries", countries, outputs.country.names))
    elif isinstance(outputs, DetectionOutputs) and outputs.objects and outputs.objects.classes:
        categories = [(sample, _categories(sample)) for sample in samples if sample.objects]
        found.append(_strangers("images' categories", categories, outputs.objects.classes.names))
    return [one for one in found if one is not None]


def _categories(sample: Sample) -> list[str]:
    return [one.category or "" for one in sample.objects or ()]


def _strangers(
    kind: str, annotations: Sequence[tuple[Sample, Sequence[str]]], known: tuple[str, ...]
) -> Unanswerable | None:
    """Return the annotations with parts that are not known, or None.

    Args:
        annotations: each sample's parts: one name, or the symbols of a reading.
    """
    names = frozenset(known)
    counted: Counter[str] = Counter()
    places: dict[str, str] = {}
    affected = 0
    for sample, parts in annotations:
        strange = [part for part in parts if part not in names]
        counted.update(strange)
        affected += bool(strange)
        for part in strange:
            places.setdefault(part, sample.where or sample.id)
    if not counted:
        return None
    commonest = tuple(name for name, _ in counted.most_common())
    firsts = tuple(places[name] for name in commonest)
    return Unanswerable(kind, commonest, firsts, known, affected, len(annotations))
