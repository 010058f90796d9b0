"""What a run tells while it goes on: a live line on a terminal, a plain line every two seconds elsewhere."""

from __future__ import annotations

import statistics
import threading
import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dockyard.plan.plan import Planned
from dockyard.run.outcome import Outcome
from dockyard.run.runner import Display

PLAIN_INTERVAL_S = 2.0


class LiveDisplay(Display):
    """Job number, what it does, how far it is and the time left. A context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._progress.stop()
        if self._plain:
            self._ticker.join()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def job(self, planned: Planned, number: int, total: int) -> None:
        self._text = planned.job.id
        self._progress.update(self._jobs, visible=True, completed=number - 1, total=total, description="jobs")
        self.progress("", 0, 0)

    def progress(self, what: str, done: int, total: int) -> None:
        label = escape((f"{self._text}: {what}" if what and self._text else (what or self._text))[:70])
        if (what, total) != (self._step[0], self._step[2]):
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(label, total=total or None)
        self._step = (what, done, total)
        self._progress.update(self._task, description=label, completed=done)

    def outcome(self, outcome: Outcome) -> None:
        planned = outcome.planned
        if outcome.status == "done":
            seconds = f"{outcome.seconds:.1f} s"
            self.say(f"  {planned.job.id}: {'reused' if outcome.cached else seconds}{_figure(outcome)}")
        else:
            reason = outcome.reason.splitlines()[0] if outcome.reason else ""
            inherited = outcome.stage != planned.job.stage
            self.say(f"  {planned.job.id}: {outcome.status}: " + (f"its {outcome.stage} did not succeed" if inherited else reason))

    def _tick(self) -> None:
        while not self._stop.wait(PLAIN_INTERVAL_S):
            what, done, total = self._step
            count = f" {done}/{total}" if total else ""
            self.say(f"    ... {self._text} {what}{count} ({time.monotonic() - self._started:.0f} s)".rstrip())


def _figure(outcome: Outcome) -> str:
    quality, timing = outcome.result.get("quality"), outcome.result.get("timing")
    if outcome.planned.job.stage == "evaluate" and quality:
        return ", " + ", ".join(f"{name} {value:.4f}" for name, value in quality["metrics"].items())
    if timing and outcome.planned.job.stage == "benchmark":
        return f", median {statistics.median(timing['samples_ns']['total']) / 1e6:.2f} ms"
    return ""
