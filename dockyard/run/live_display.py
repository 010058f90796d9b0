"""What a run tells while it goes on: a live line on a terminal, a plain line every two seconds elsewhere."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from dockyard.plan.plan import PlannedJob
from dockyard.run.outcome import Outcome
from shared.contract.measurement import Measurement, Throughput
from shared.contract.result import Status
from shared.contract.stages import CLOCKED, EVALUATE, PREDICT

PLAIN_INTERVAL_S = 2.0
"""Seconds between two lines where there is no terminal."""

LONGEST_LABEL = 80

AS_IT_GOES = "    ... "
"""What a plain line begins with that only says how far a step is."""

BETWEEN_JOBS = "what comes next is decided"


class LiveDisplay:
    """Job number, what it does, how far it is and the time left. A context manager."""

    def __init__(self, console: Console, interval_s: float = PLAIN_INTERVAL_S) -> None:
        self._console, self._interval_s = console, interval_s
        self._plain = not console.is_terminal
        self._started = time.monotonic()
        self._text, self._step = "", ("", 0, 0)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=self._plain,
        )
        self._jobs = self._progress.add_task("jobs", total=None, visible=False)
        self._task = self._progress.add_task("starting", total=None)
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> LiveDisplay:
        self._progress.start()
        if self._plain:
            self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._progress.stop()
        if self._plain:
            self._ticker.join()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def begin(self, members: Sequence[PlannedJob], number: int, total: int) -> None:
        first = members[0]
        together = f"{first.job.model}: round {first.round}, {len(members)} side by side"
        self._text = first.job.id if first.round is None else together
        self._progress.update(self._jobs, visible=True, completed=number - 1, total=total, description="jobs")
        self.progress("", 0, 0)

    def progress(self, what: str, done: int, total: int) -> None:
        escaped = escape(self._label(what)[:LONGEST_LABEL])
        if (what, total) != (self._step[0], self._step[2]):
            # A bar keeps the speed of what it has seen, so another step gets another one.
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(escaped, total=total or None)
        self._step = (what, done, total)
        self._progress.update(self._task, description=escaped, completed=done)

    def _label(self, what: str) -> str:
        return ": ".join(part for part in (self._text, what) if part)

    def outcome(self, outcome: Outcome) -> None:
        self._text = ""
        self.progress(BETWEEN_JOBS, 0, 0)  # else what the job said last would go on being said
        job = outcome.planned.job
        if outcome.status == Status.DONE:
            taken = "reused" if outcome.cached else f"{outcome.seconds:.1f} s"
            self.say(f"  {job.id}: {taken}{_figure(outcome)}")
        elif outcome.stage == job.stage.name:
            reason = outcome.reason.splitlines()[0] if outcome.reason else ""
            self.say(f"  {job.id}: {outcome.status.value}: {reason}")
        else:
            self.say(f"  {job.id}: {outcome.status.value}: its {outcome.stage} did not succeed")

    def _tick(self) -> None:
        while not self._stop.wait(self._interval_s):
            what, done, total = self._step
            count = f" {done}/{total}" if total else ""
            seconds = time.monotonic() - self._started
            self.say(f"{AS_IT_GOES}{self._label(what)}{count} ({seconds:.0f} s)")


def _median_ms(measured: Measurement) -> float:
    times = measured.latency_ns if isinstance(measured, Throughput) else measured.totals_ns
    return statistics.median(times) / 1e6


def _figure(outcome: Outcome) -> str:
    """Return what a job found out, as the end of its line."""
    result, stage = outcome.result, outcome.planned.job.stage.name
    if result is None:
        return ""
    if stage in (EVALUATE.name, PREDICT.name) and result.quality:
        return ", " + ", ".join(f"{name} {value:.4f}" for name, value in result.quality.metrics.items())
    if stage in CLOCKED and isinstance(result.measurement, Throughput):
        return f", {result.measurement.fps:.1f} frames/s"
    if stage in CLOCKED and result.measurement:
        return f", median {_median_ms(result.measurement):.2f} ms"
    return ""
