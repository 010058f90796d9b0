"""A job, as it is written to `job.json`: with `result.json` the one place where host and containers meet."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from .stages import STAGES, Parameters, Stage

JOB_VERSION = 3
PROGRESS_KEY = "dockyard_progress"
"""The key of a line of progress that a job prints, for the host to show."""

READY_KEY = "dockyard_ready"
"""The key of the line in which a benchmark says that it waits for a word: how many bursts it has done."""

READING_KEY = "dockyard_reading"
"""The key of a line that a stream has read: a `FrameReading`."""

GO, END = signal.SIGUSR1, signal.SIGUSR2
"""The host's words to a benchmark that waits: run one burst; write the result and end."""


@dataclass(frozen=True)
class Job:
    """One stage of one model with one method.

    Attributes:
        id: `<model>/<variant>/<stage>`, with `/<round>` for measuring rounds, `.<group>` beyond the first.
        model: a network, or the pipeline.
        threads: inference threads; 0 takes every CPU that the process may use.
        parameters: the stage's parameters.
    """

    id: str
    model: str
    target: str
    toolchain: str
    method: str
    threads: int
    parameters: Parameters
    version: int = JOB_VERSION

    @property
    def stage(self) -> Stage:
        return STAGES[type(self.parameters)]
