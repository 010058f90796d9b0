"""Where the jobs of a run are done: an executor for each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockyard.engines import Executor


@dataclass(frozen=True)
class Placement:
    """Which executor does the jobs of which target.

    What was measured on two devices is never compared: a reference that ran elsewhere gives no speedup.

    Attributes:
        default: the executor of every target that `elsewhere` does not name.
        elsewhere: the executors of targets that do not run on the default's device, by target.
    """

    default: Executor
    elsewhere: Mapping[str, Executor] = field(default_factory=dict)

    def executor_of(self, target: str) -> Executor:
        """Return the executor that does a target's jobs."""
        return self.elsewhere.get(target, self.default)

    def close(self) -> None:
        """Give back what the executors hold."""
        for executor in (self.default, *self.elsewhere.values()):
            executor.close()
