"""How a stream runs fastest on this device: its settings are tried side by side, in a bounded time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from time import monotonic
from typing import Callable, List, Optional, Protocol, Tuple

from shared.contract.streaming import StreamSettings, StreamTotals
from shared.harness.bursts import come_to_rest
from shared.harness.progress import report
from shared.inference.session import Unsupported

PAIRS = 4
"""Bursts of each of two settings that are compared, in turn."""

BURST_S = 0.7
"""Long enough that filling and draining the queues, some tens of milliseconds, does not decide."""

LEAD = 1.05
"""A ratio from which one of two settings is faster; below it the one that is there stays."""

BATCHES = ((2, 5.0), (4, 10.0))
"""Crops in a call, and the milliseconds that one waits for others."""


class Runner(Protocol):
    """A stream that is loaded with its settings."""

    def burst(self, seconds: float, place: int) -> StreamTotals:
        """Take frames for so many seconds, from a place in the video on, and read them to their end."""

    def close(self) -> None:
        """Give back what it holds."""


Load = Callable[[StreamSettings], Runner]


@dataclass(frozen=True)
class Trial:
    """One setting tried beside the best before it.

    Attributes:
        ratio: how many times as fast it was; None where it could not run.
        fps: frames a second; None where it could not run.
        reason: why it could not run.
    """

    settings: StreamSettings
    ratio: Optional[float] = None
    fps: Optional[float] = None
    reason: str = ""


@dataclass(frozen=True)
class Found:
    """What a search has come to.

    Attributes:
        trials: in their order, the start first.
        is_whole: nothing was left out for want of time.
    """

    settings: StreamSettings
    trials: Tuple[Trial, ...]
    is_whole: bool


class _Search:
    """What has been tried, and the best of it, loaded."""

    runner: Runner

    def __init__(self, load: Load, deadline: float) -> None:
        self.best = StreamSettings()
        self.trials: List[Trial] = []
        self.is_whole = True
        self._load, self._deadline = load, deadline
        self._longest_s = 0.0

    def begin(self, settings: StreamSettings) -> None:
        """Load the settings that others are tried beside."""
        self.best, self.runner = settings, self._load(settings)
        self.runner.burst(BURST_S / 2, 0)
        self.trials.append(Trial(settings, 1.0, _fps(self.runner.burst(BURST_S, 0))))

    def try_one(self, settings: StreamSettings) -> None:
        """Try settings beside the best, and go on with the faster, unless they were tried or time is over."""
        if any(trial.settings == settings for trial in self.trials):
            return
        started = monotonic()
        if started + self._longest_s > self._deadline:
            self.is_whole = False
            return
        report(f"try {in_words(settings)}", len(self.trials), 0)
        trial, other = _beside(self.runner, self._load, settings)
        self.trials.append(trial)
        if other is not None:
            is_faster = trial.ratio is not None and trial.ratio >= LEAD
            loser = self.runner if is_faster else other
            if is_faster:
                self.best, self.runner = settings, other
            loser.close()
        self._longest_s = max(self._longest_s, monotonic() - started)


def find_settings(load: Load, threads: int, budget_s: float) -> Found:
    """Return the settings with which a stream is fastest, of those that are worth trying.

    One thing is changed at a time: frames at once and the threads of each, what decodes, folding, batches.

    Args:
        load: raises Unsupported for settings that this toolchain cannot run with.
        threads: the CPUs that may be used.
        budget_s: seconds after which nothing more is tried.
    """
    search = _Search(load, monotonic() + budget_s)
    best = StreamSettings(workers=threads, threads=1)
    search.begin(best)
    try:
        for phase in (_frames_at_once, _decoders, _folding, _batches):
            for settings in phase(search.best, threads):
                search.try_one(settings)
    finally:
        search.runner.close()
    return Found(search.best, tuple(search.trials), search.is_whole)


def _frames_at_once(best: StreamSettings, threads: int) -> List[StreamSettings]:
    pairs = [(threads + 1, 1), (2 * threads, 1), (threads, 2), (threads // 2, 2), (1, threads)]
    return [replace(best, workers=workers, threads=each) for workers, each in pairs if workers]


def _decoders(best: StreamSettings, threads: int) -> List[StreamSettings]:
    return [replace(best, decoders=2)]


def _folding(best: StreamSettings, threads: int) -> List[StreamSettings]:
    return [replace(best, folds=True)]


def _batches(best: StreamSettings, threads: int) -> List[StreamSettings]:
    """While crops wait for others their frames' workers do too, so there have to be more of them."""
    found = []
    for batch, wait_ms in BATCHES:
        found.append(replace(best, workers=best.workers + batch - 1, batch=batch, wait_ms=wait_ms))
    return found


def _beside(runner: Runner, load: Load, settings: StreamSettings) -> Tuple[Trial, Optional[Runner]]:
    """Try settings beside those of a runner; return them loaded too, where they can run."""
    try:
        other = load(settings)
    except Unsupported as error:
        return Trial(settings, reason=str(error)), None
    other.burst(BURST_S / 2, 0)
    ratios: List[float] = []
    rates: List[float] = []
    for number in range(PAIRS):
        first, second = (runner, other) if number % 2 == 0 else (other, runner)
        rate = {}
        for one in (first, second):
            come_to_rest()
            rate[id(one)] = _fps(one.burst(BURST_S, number))
        ratios.append(rate[id(other)] / rate[id(runner)])
        rates.append(rate[id(other)])
    return Trial(settings, median(ratios), median(rates)), other


def _fps(totals: StreamTotals) -> float:
    return totals.frames / totals.seconds


def in_words(settings: StreamSettings) -> str:
    """Return settings in words."""
    parts = [f"{settings.workers} frames at once, {settings.threads} thread(s) each"]
    if settings.batch > 1:
        parts.append(f"up to {settings.batch} crops a call within {settings.wait_ms:g} ms")
    parts.append(f"{settings.decoders} decoder thread(s)")
    if settings.folds:
        parts.append("normalizing in the network")
    return ", ".join(parts)
