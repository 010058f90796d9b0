"""Who does which job of a run: an executor on the device, and one that makes what needs none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dockyard.engines import Executor
from dockyard.recipe.targets import REFERENCE_TARGET
from shared.contract.job import Job
from shared.contract.stages import Compile, Convert, Evaluate, Optimize, Parameters, Predict


@dataclass(frozen=True)
class Placement:
    """Which executor does which jobs.

    What was measured on two devices is never compared: a reference that ran elsewhere gives no speedup.

    Attributes:
        default: on the device that is measured on.
        maker: makes what needs no device, where a recipe is for a device that has its graphs prepared; None
            where the default does that, too.
        preparers: the targets that prepare.
        no_reference: why the reference cannot run on the device, and is measured by the maker; empty where it
            can.
        missing_device: why the device that is to be measured on is not there; empty where it is. What it has
            to do is not done, and what needs no device is done by the default.
    """

    default: Executor
    maker: Executor | None = None
    preparers: Collection[str] = ()
    no_reference: str = ""
    missing_device: str = ""

    def executor_of(self, job: Job) -> Executor:
        """Return the executor that does a job."""
        if self.maker is None:
            return self.default
        makes_onnx = isinstance(job.parameters, Convert) and job.target == REFERENCE_TARGET
        is_moved = bool(self.no_reference) and job.target == REFERENCE_TARGET
        return self.maker if makes_onnx or is_moved or job.target in self.preparers else self.default

    def close(self) -> None:
        """Give back what the executors hold."""
        self.default.close()
        if self.maker is not None:
            self.maker.close()


def needs_device(parameters: Parameters) -> bool:
    """Tell whether a job says something of the device that it runs on, or is of use there alone.

    Conversions and artifacts are made anywhere; so are the reference's outputs, which they are held against.
    """
    if isinstance(parameters, Compile):
        return not parameters.is_ahead_of_time
    is_reference = isinstance(parameters, Evaluate) and parameters.is_reference
    return not (is_reference or isinstance(parameters, (Convert, Optimize, Predict)))
