"""How a user's sources end: after a time, by themselves, or when the host says so."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import Callable, Iterator

from shared.contract.job import END
from shared.inference.frames import Frame, Source

WORD_S = 0.2
"""Seconds after which whoever waits for a word looks whether there is still something to end."""


class Until:
    """A source that is read for so many seconds, also while it sends nothing."""

    def __init__(self, source: Source, seconds: float) -> None:
        self.name, self.counts, self.is_live = source.name, source.counts, source.is_live
        self._source, self._seconds = source, seconds

    def frames(self) -> Iterator[Frame]:
        end = threading.Timer(self._seconds, self._source.close)
        end.daemon = True
        end.start()
        try:
            yield from self._source.frames()
        finally:
            end.cancel()

    def close(self) -> None:
        self._source.close()


LastWord = Callable[[], bool]
"""Waits a moment for the host's last word, and tells whether it was said."""


def last_word() -> bool:
    """Wait `WORD_S` for the last word, which has to be blocked in every thread (`launch.py`)."""
    return signal.sigtimedwait((END,), WORD_S) is not None


@contextmanager
def ended_at(word: LastWord, end: Callable[[], None]) -> Iterator[None]:
    """Call what ends a stream's sources when the host says its last word."""
    is_over = threading.Event()

    def wait() -> None:
        while not is_over.is_set():
            if word():
                end()
                return

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    try:
        yield
    finally:
        is_over.set()
        waiter.join()
