"""Bursts: what is measured runs for a moment at the host's word, and waits while others run."""

from __future__ import annotations

import json
import signal
from time import perf_counter_ns
from typing import Callable, Dict, List, Mapping, Tuple

from shared.contract.errors import JobFailed
from shared.contract.job import END, GO, READY_KEY

CALLS, MOST_CALLS = 5, 1000
"""Of a burst, at least and at most: its median says something then, and a record stays readable."""

LONGEST_S = 10.0
"""A burst ends after so many seconds, with fewer calls too."""

PATIENCE_S = 1800
"""Seconds without a word after which the host must be gone."""

Call = Callable[[], Mapping[str, int]]
"""Makes one call and returns the nanoseconds of each of its steps."""

Words = Callable[[int], signal.Signals]
"""Returns the host's next word, given how many bursts are done."""


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


def take_bursts(
    call: Call, seconds: float, words: Words
) -> Tuple[Dict[str, Tuple[int, ...]], Tuple[int, ...]]:
    """Run a burst at each word until the last one.

    Args:
        seconds: that a burst takes at least, unless it has MOST_CALLS calls before then. It has at least
            CALLS, unless LONGEST_S are over.

    Returns:
        The nanoseconds of each call by step, and the number of calls of each burst.
    """
    samples: Dict[str, List[int]] = {}
    bursts: List[int] = []
    while words(len(bursts)) == GO:
        burst = _burst(call, seconds)
        bursts.append(len(burst))
        for steps in burst:
            for step, taken in steps.items():
                samples.setdefault(step, []).append(taken)
    return {step: tuple(times) for step, times in samples.items()}, tuple(bursts)


def _burst(call: Call, seconds: float) -> List[Mapping[str, int]]:
    calls: List[Mapping[str, int]] = []
    start = perf_counter_ns()
    while True:
        calls.append(call())
        passed, count = (perf_counter_ns() - start) / 1e9, len(calls)
        if (passed >= seconds and count >= CALLS) or passed >= LONGEST_S or count == MOST_CALLS:
            return calls
