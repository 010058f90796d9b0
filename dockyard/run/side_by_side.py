"""The variants of a model side by side: all are up and wait, and one after the other runs for a burst."""

from __future__ import annotations

import math
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from dockyard.engines import JobExit, OnLine, OnStarted, SendSignal
from dockyard.run.job_lines import is_ready
from shared.contract.job import END, GO

PATIENCE_S = 120.0
"""Seconds that a burst may take: the longest, which is 10, and a last call slower than any should be."""

ALIVE_S = 1.0
"""Seconds after which whoever waits for news looks whether there is still something to wait for."""

Start = Callable[[OnLine, OnStarted], JobExit]
"""Runs a benchmark to its end (`Executor.run`)."""


class Watcher(Protocol):
    """Who is told what the benchmarks do, in the thread that has them run."""

    def line(self, number: int, text: str) -> None:
        """Benchmark `number` printed a line."""

    def cycle(self, done: int) -> None:
        """So many cycles are done."""


@dataclass(frozen=True)
class Ending:
    """How a benchmark ended.

    Attributes:
        left: an error in place of an exit where the executor raised one.
        bursts: that it was told to run, and did.
    """

    left: JobExit | BaseException
    bursts: int


@dataclass
class _Benchmark:
    """A benchmark as far as it has come.

    Attributes:
        send: None before its process has started.
        is_ready: it waits for a word.
        bursts: done.
        reason: why it was ended before its time.
        left: None while it lives.
    """

    send: SendSignal | None = None
    is_ready: bool = False
    bursts: int = 0
    reason: str = ""
    left: JobExit | BaseException | None = None

    def tell(self, word: signal.Signals) -> None:
        """Send its process a signal, where there is one."""
        if self.left is None and self.send is not None:
            self.send(word)


def run_side_by_side(
    starts: Sequence[Start], cycles: int, watcher: Watcher, patience_s: float = PATIENCE_S
) -> list[Ending]:
    """Run benchmarks side by side: in each cycle every one has a burst, forwards and backwards in turn.

    One that dies or hangs is left out from there on. When the first one does, which the others are compared
    with, the cycles end.

    Args:
        starts: the reference first.
        patience_s: seconds that one burst may take.

    Returns:
        How each ended. Nothing is left running, whatever is raised meanwhile.
    """
    room = _Room(len(starts), watcher)
    threads = [threading.Thread(target=room.run, args=(number, start)) for number, start in enumerate(starts)]
    try:
        for thread in threads:
            thread.start()
        room.wait(room.benchmarks, lambda one: one.is_ready)
        for cycle in range(cycles):
            if room.benchmarks[0].left is not None:
                break
            in_turn = room.benchmarks if cycle % 2 == 0 else room.benchmarks[::-1]
            for one in in_turn:
                room.burst(one, patience_s)
            watcher.cycle(cycle + 1)
        for one in room.benchmarks:
            one.tell(END)
        room.wait(room.benchmarks, lambda _: False, patience_s, "it did not end when it was told to")
    finally:
        room.close()
        while any(thread.is_alive() for thread in threads):
            room.hear(ALIVE_S)
    return [_ending(one) for one in room.benchmarks]


def _ending(one: _Benchmark) -> Ending:
    assert one.left is not None
    left = one.left
    if one.reason and isinstance(left, JobExit):
        left = replace(left, reason=one.reason)
    return Ending(left, one.bursts)


class _Room:
    """Benchmarks in threads of their own, of which one thread hears through a queue.

    News is how a benchmark's state changes; only the thread that hears changes it.
    """

    def __init__(self, count: int, watcher: Watcher) -> None:
        self.benchmarks = [_Benchmark() for _ in range(count)]
        self._news: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._watcher = watcher
        self._is_closed = False

    def run(self, number: int, start: Start) -> None:
        """Run a benchmark to its end, in its thread."""
        one = self.benchmarks[number]
        left: JobExit | BaseException
        try:
            left = start(
                lambda line: self._news.put(lambda: self._on_line(number, line)),
                lambda send: self._news.put(lambda: self._on_started(one, send)),
            )
        except BaseException as error:
            left = error
        self._news.put(lambda: setattr(one, "left", left))

    def burst(self, one: _Benchmark, patience_s: float) -> None:
        """Have a benchmark that lives run one burst."""
        if one.left is not None:
            return
        one.is_ready = False
        one.tell(GO)
        self.wait([one], lambda this: this.is_ready, patience_s, f"a burst took over {patience_s:.0f} s")
        one.bursts += one.is_ready

    def wait(
        self,
        waited_for: Sequence[_Benchmark],
        is_so: Callable[[_Benchmark], bool],
        patience_s: float = math.inf,
        otherwise: str = "",
    ) -> None:
        """Wait until it is so of each benchmark, or it has ended; one that is overdue is killed.

        Args:
            otherwise: why it is killed then.
        """
        deadline = time.monotonic() + patience_s
        while late := [one for one in waited_for if one.left is None and not is_so(one)]:
            self.hear(min(ALIVE_S, max(0.0, deadline - time.monotonic())))
            if time.monotonic() >= deadline:
                deadline = math.inf
                for one in late:
                    one.reason = otherwise
                    one.tell(signal.SIGKILL)

    def hear(self, timeout_s: float) -> None:
        """Take the next news, if any comes in time."""
        with suppress(queue.Empty):
            self._news.get(timeout=timeout_s)()

    def close(self) -> None:
        """End every benchmark that lives, and each that has yet to begin as soon as it does."""
        self._is_closed = True
        for one in self.benchmarks:
            one.tell(signal.SIGKILL)

    def _on_started(self, one: _Benchmark, send: SendSignal) -> None:
        one.send = send
        if self._is_closed:
            one.tell(signal.SIGKILL)

    def _on_line(self, number: int, line: str) -> None:
        if is_ready(line):
            self.benchmarks[number].is_ready = True
        else:
            self._watcher.line(number, line)
