"""Sources that are read together, and end each by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Iterator, Optional, Sequence

from shared.contract.errors import DockyardError, InputProblem, JobFailed
from shared.inference.frames import Frame, Source


class Apart:
    """A source whose end, if it is a bad one, does not end the others.

    Attributes:
        problem: how it ended, where that was not as it should.
    """

    def __init__(self, source: Source) -> None:
        self.name, self.counts, self.is_live = source.name, source.counts, source.is_live
        self.problem: Optional[DockyardError] = None
        self._source = source

    def frames(self) -> Iterator[Frame]:
        try:
            for frame in self._source.frames():
                yield replace(frame, source=self.name)
        except (InputProblem, JobFailed) as problem:
            self.problem = problem

    def close(self) -> None:
        self._source.close()


def tell_apart(sources: Sequence[Apart]) -> None:
    """Number the names that are another source's, too: of two cameras whose passwords alone differ."""
    seen: Dict[str, int] = {}
    for source in sources:
        number = seen[source.name] = seen.get(source.name, 0) + 1
        if number > 1:
            source.name = f"{source.name} ({number})"
