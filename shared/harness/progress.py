"""Progress of a long step as JSON lines on standard output, for whoever runs the job."""

from __future__ import annotations

import json
import time
from typing import Iterable, Iterator, TypeVar

from shared.contract.job import PROGRESS_KEY

T = TypeVar("T")
INTERVAL_S = 0.5


def report(what: str, done: int, total: int) -> None:
    """Print one progress line; `total` 0 means unknown."""
    print(json.dumps({PROGRESS_KEY: {"what": what, "done": done, "total": total}}), flush=True)


def track(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Yield the items, reporting progress at most every half second, and at both ends."""
    report(what, 0, total)
    last = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        if time.monotonic() - last >= INTERVAL_S or number == total:
            report(what, number, total)
            last = time.monotonic()
