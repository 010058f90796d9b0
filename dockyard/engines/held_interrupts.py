"""What must not be half done, as making a container whose name alone tells what to remove."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held(on_first: Callable[[], None]) -> Iterator[None]:
    """Have an interrupt (Ctrl-C, SIGTERM) wait until the body is over; a second one takes effect at once.

    Threads other than the main one are never interrupted: there this does nothing.

    Args:
        on_first: is called when the first interrupt comes, and sees to it that the body does not wait long.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {word: signal.getsignal(word) for word in (signal.SIGINT, signal.SIGTERM)}
    before = {word: handler for word, handler in found.items() if callable(handler)}
    came: list[signal.Signals] = []

    def give_back() -> None:
        for word, handler in before.items():
            signal.signal(word, handler)

    def hold(number: int, _: FrameType | None) -> None:
        came.append(signal.Signals(number))
        give_back()
        on_first()

    for word in before:
        signal.signal(word, hold)
    try:
        yield
    finally:
        give_back()
        for word in came:
            before[word](word, None)
