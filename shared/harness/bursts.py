"""Bursts: what is measured runs for a moment at the host's word, and rests while others run."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns, process_time_ns, sleep
from typing import Callable, Dict, List, Mapping, Tuple, TypeVar

from shared.contract.errors import JobFailed
from shared.contract.job import END, GO, READY_KEY
from shared.contract.result import Notes

CALLS, MOST_CALLS = 5, 1000
"""Of a burst, at least and at most: its median says something then, and a record stays readable."""

LONGEST_S = 10.0
"""A burst ends after so many seconds, with fewer calls too."""

LOOK_S, AT_REST = 0.01, 0.2
"""A process is at rest when in so many seconds it took at most this share of them on the CPUs."""

LONGEST_UNREST_S = 2.0
"""What has not come to rest after so many seconds is restless."""

PATIENCE_S = 1800
"""Seconds without a word after which the host must be gone."""

T = TypeVar("T")

Call = Callable[[], Mapping[str, int]]
"""Makes one call and returns the nanoseconds of each of its steps."""

Words = Callable[[int], signal.Signals]
"""Returns the host's next word, given how many bursts are done."""


@dataclass(frozen=True)
class Bursts:
    """What bursts have measured.

    Attributes:
        samples_ns: the nanoseconds of each call by step, burst after burst.
        calls: the number of calls of each burst.
        restless: after how many bursts the process did not come to rest.
    """

    samples_ns: Mapping[str, Tuple[int, ...]]
    calls: Tuple[int, ...]
    restless: int = 0


def words_of_host(done: int) -> signal.Signals:
    """Say that so many bursts are done, and wait for the host's next word.

    The words have to be blocked in every thread of the process (`launch.py`).

    Raises:
        JobFailed: none came for PATIENCE_S.
    """
    print(json.dumps({READY_KEY: done}), flush=True)
    word = signal.sigtimedwait((GO, END), PATIENCE_S)
    if word is None:
        raise JobFailed(f"no word came from the host for {PATIENCE_S} s", "", "it must have ended")
    return signal.Signals(word.si_signo)


def take_bursts(call: Call, seconds: float, words: Words, after: Callable[[], None] = lambda: None) -> Bursts:
    """Run a burst at each word until the last one; before the host hears of it, the process comes to rest.

    Threads of some runtimes spin for a while after a call. They would take the CPUs from the next variant's
    burst, which then looks slower than it is.

    Args:
        seconds: that a burst takes at least, unless it has MOST_CALLS calls before then. It has at least
            CALLS, unless LONGEST_S are over.
        after: is called at the end of each burst.
    """

    def run() -> List[Mapping[str, int]]:
        calls = _burst(call, seconds)
        after()
        return calls

    samples: Dict[str, List[int]] = {}
    bursts, restless = at_each_word(run, words)
    for burst in bursts:
        for steps in burst:
            for step, taken in steps.items():
                samples.setdefault(step, []).append(taken)
    calls = tuple(map(len, bursts))
    return Bursts({step: tuple(times) for step, times in samples.items()}, calls, restless)


def at_each_word(run: Callable[[], T], words: Words) -> Tuple[List[T], int]:
    """Run a burst at each word until the last one; the process comes to rest before the host hears of it.

    Returns:
        What each burst gave, and after how many the process did not come to rest.
    """
    bursts: List[T] = []
    restless = 0
    come_to_rest()
    while words(len(bursts)) == GO:
        bursts.append(run())
        restless += not come_to_rest()
    return bursts, restless


def notes_on_rest(bursts: int, restless: int) -> Notes:
    """Return what has to be said of bursts that disturbed those of others."""
    if not restless:
        return Notes()
    unrest = f"its threads still computed {LONGEST_UNREST_S:g} s after {restless} of {bursts} bursts"
    return Notes((f"{unrest}: they may slow what is measured beside it",))


def come_to_rest() -> bool:
    """Wait until no thread of this process computes; tell whether it has come to that."""
    end = perf_counter_ns() + int(LONGEST_UNREST_S * 1e9)
    while perf_counter_ns() < end:
        start, used = perf_counter_ns(), process_time_ns()
        sleep(LOOK_S)
        is_idle = process_time_ns() - used <= AT_REST * (perf_counter_ns() - start)
        # On a busy machine a thread that computes may have waited for a CPU meanwhile.
        if is_idle and not _another_thread_runs():
            return True
    return False


def _another_thread_runs() -> bool:
    """Tell whether another thread of this process is on a CPU, or waits for one."""
    own = str(threading.get_native_id())
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError):  # it has ended
            described = Path("/proc/self/task", thread, "stat").read_text()
            if thread != own and described.rpartition(")")[2].split()[0] == "R":
                return True
    return False


def _burst(call: Call, seconds: float) -> List[Mapping[str, int]]:
    calls: List[Mapping[str, int]] = []
    start = perf_counter_ns()
    while True:
        calls.append(call())
        passed, count = (perf_counter_ns() - start) / 1e9, len(calls)
        if (passed >= seconds and count >= CALLS) or passed >= LONGEST_S or count == MOST_CALLS:
            return calls
