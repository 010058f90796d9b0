"""A job, as it is written to `job.json`: with `result.json` the one place where host and containers meet."""

from __future__ import annotations

from dataclasses import dataclass

from .stages import STAGES, Parameters, Stage

JOB_VERSION = 2
PROGRESS_KEY = "dockyard_progress"
"""The key of a line of progress that a job prints, for the host to show."""


@dataclass(frozen=True)
class Job:
    """One stage of one model with one method.

    Attributes:
        id: `<model>/<variant>/<stage>`, with `/<round>` for measuring rounds.
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
