"""Where the jobs of a run are done: an executor for each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockyard.engines import Executor
from shared.contract.stages import Convert, Evaluate, Optimize, Parameters, Predict


@dataclass(frozen=True)
class Placement:
    """Which executor does the jobs of which target.

    What was measured on two devices is never compared: a reference that ran elsewhere gives no speedup.

    Attributes:
        default: the executor of every target that `elsewhere` does not name.
        elsewhere: the executors of targets that do not run on the default's device, by target.
        missing_device: why the device that is to be measured on is not there; empty where it is. What it has
            to do is not done, and what needs no device is done by the default.
    """

    default: Executor
    elsewhere: Mapping[str, Executor] = field(default_factory=dict)
    missing_device: str = ""

    def executor_of(self, target: str) -> Executor:
        """Return the executor that does a target's jobs."""
        return self.elsewhere.get(target, self.default)

    def close(self) -> None:
        """Give back what the executors hold."""
        for executor in (self.default, *self.elsewhere.values()):
            executor.close()


def needs_device(parameters: Parameters) -> bool:
    """Tell whether a job says something of the device that it runs on.

    Conversions and artifacts are made anywhere; so are the reference's outputs, which they are held against.
    """
    is_reference = isinstance(parameters, Evaluate) and parameters.is_reference
    return not (is_reference or isinstance(parameters, (Convert, Optimize, Predict)))
