"""Where a compiled network's time goes, by the clock."""

from __future__ import annotations

from collections import defaultdict
from time import perf_counter
from typing import Any, Dict, List

import numpy as np
from artifact import LoadedLibrary

RUNS = 20
SHOWN = 12


def slowest(session: LoadedLibrary) -> List[Dict[str, Any]]:
    """Return the slowest kernels, the slowest first: name, milliseconds a run, share of all, calls a run.

    The virtual machine calls back before and after each kernel; a kernel's time is the median of its runs.
    """
    image = np.random.default_rng(0).random(session.input.shape, np.float32)
    taken: List[Dict[str, List[float]]] = []
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
    names = {name: len(times) for name, times in taken[-1].items()}
    medians = {name: 1e3 * float(np.median([sum(run[name]) for run in taken[1:]])) for name in names}
    whole = sum(medians.values())
    order = sorted(medians, key=lambda name: -medians[name])[:SHOWN]
    return [{"name": n, "ms": round(medians[n], 4), "share": round(medians[n] / whole, 4), "calls": names[n]} for n in order]
