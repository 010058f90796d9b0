"""A time limit on a block of code; a job's is the recipe's `measure.time_limit_s`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def time_limit(seconds: float, end: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `end` once when the body takes longer; the event is set then."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        end()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
