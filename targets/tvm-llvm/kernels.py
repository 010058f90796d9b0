"""How long each kernel of a compiled network takes, measured on this machine."""

from __future__ import annotations

from collections import defaultdict
from time import perf_counter
from typing import Any, DefaultDict, Dict, List

import numpy as np
from artifact import LoadedLibrary
from notes import Kernel

RUNS = 20
"""Runs of the network, the first of which warms up and is not counted."""


def slowest(session: LoadedLibrary) -> List[Kernel]:
    """Return a network's kernels, the slowest first.

    The virtual machine calls back before and after each kernel. The calls of a kernel in a run are added up;
    its time is the median over the runs.
    """
    image = np.random.default_rng(0).random(session.input.shape, np.float32)
    taken: List[DefaultDict[str, List[float]]] = []
    begun = [0.0]

    def between(function: Any, name: str, before: bool, result: Any, *arguments: Any) -> None:
        if before:
            begun[0] = perf_counter()
        else:
            taken[-1][name].append(perf_counter() - begun[0])

    session.machine.set_instrument(between)
    for _ in range(RUNS):
        taken.append(defaultdict(list))
        session.run(image)
    medians: Dict[str, float] = {}
    for name in taken[-1]:
        runs = [sum(run[name]) for run in taken[1:]]  # the first run warms up
        medians[name] = 1e3 * float(np.median(runs))
    whole = sum(medians.values())
    order = sorted(medians, key=lambda name: -medians[name])
    return [_kernel(name, medians[name], whole, len(taken[-1][name])) for name in order]


def _kernel(name: str, ms: float, whole: float, calls: int) -> Kernel:
    return Kernel(name, round(ms, 4), round(ms / whole, 4), calls)
