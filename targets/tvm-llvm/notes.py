"""What is said of a compiled network: how it was tuned, and where its time goes. Needs no vendor package."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Optional, Sequence

from shared.contract.result import Notes, Table

LISTED_KERNELS = 10
"""Rows of the table of the slowest kernels."""


class Origin(str, Enum):
    """The database that a tuning went on from."""

    OWN = "own"
    PORTABLE = "portable"
    NEW = "new"


DATABASES = {
    Origin.OWN: "the database kept for this CPU",
    Origin.PORTABLE: "the portable database, for want of one of this CPU's own",
    Origin.NEW: "a new database",
}


class Stopped(str, Enum):
    """Why a tuning ended, as records have it; REASONS has the words for it."""

    TRIALS = "trials"
    EARLY = "early"
    TIME_BUDGET = "time budget"
    DONE = "done"
    NO_MACHINE = "no machine"
    CRASH = "crash"


REASONS = {
    Stopped.TRIALS: "all trials were made",
    Stopped.EARLY: "nothing got faster any more",
    Stopped.TIME_BUDGET: "the time for it was spent",
    Stopped.DONE: "there was nothing left to try",
    Stopped.NO_MACHINE: "no machine was there to try on",
    Stopped.CRASH: "the search died",
}


@dataclass(frozen=True)
class TuningSummary:
    """A tuning that a network was compiled with.

    Attributes:
        cpu: LLVM's name of the CPU.
        database: the database that it went on from.
        tasks: number of functions that are tuned.
        trials: candidates tried for these functions, those already in the database included.
        new_trials: candidates tried by this tuning.
        seconds: time that it took.
        stopped: why it ended.
    """

    cpu: str
    database: Origin
    tasks: int
    trials: int
    new_trials: int
    seconds: float
    stopped: Stopped

    def remark(self, network: str) -> str:
        """Return the sentence for the report."""
        new = f"{self.new_trials} of them new, in {self.seconds:.0f} s, until {REASONS[self.stopped]}"
        return (
            f"{network} was tuned for {self.cpu} with {DATABASES[self.database]}: {self.trials} trials of "
            f"{self.tasks} tasks, {new if self.new_trials else 'none of them new'}"
        )


@dataclass(frozen=True)
class Kernel:
    """A kernel of a compiled network, timed on the device.

    Attributes:
        name: the kernel's name.
        ms: milliseconds in a run of the network, all calls together.
        fraction: its part of the time of all kernels, 0 to 1.
        calls: number of calls in a run of the network.
    """

    name: str
    ms: float
    fraction: float
    calls: int


def compiled_notes(network: str, kernels: Sequence[Kernel], tuning: Optional[TuningSummary] = None) -> Notes:
    """Return the notes of a compiled network.

    Args:
        kernels: the network's kernels, the slowest first; none where this machine cannot run it.
        tuning: the tuning that it was compiled with; None where it was not tuned.
    """
    details = {"kernels": [asdict(kernel) for kernel in kernels]} if kernels else {}
    summary = {} if tuning is None else {"tuning": asdict(tuning)}
    return Notes(
        remarks=() if tuning is None else (tuning.remark(network),),
        tables=(_kernel_table(network, kernels),) if kernels else (),
        details={**summary, **details},
    )


def _kernel_table(network: str, kernels: Sequence[Kernel]) -> Table:
    """Return the slowest kernels and their part of the network's time, folded away."""
    listed = kernels[:LISTED_KERNELS]
    of_listed = sum(kernel.fraction for kernel in listed)
    which = "its kernels"
    if len(kernels) > len(listed):
        which = f"the {len(listed)} slowest of {len(kernels)} kernels take {of_listed:.0%}"
    rows = [(each.name, f"{each.ms:.3f}", f"{each.fraction:.1%}", str(each.calls)) for each in listed]
    columns = ("kernel", "ms", "part of the time", "calls")
    return Table(f"Where the time of {network} goes: {which}", columns, tuple(rows), folded=True)
