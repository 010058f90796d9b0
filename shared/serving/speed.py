"""How long the delivered networks take here, and why that may be longer than where they were measured."""

from __future__ import annotations

import os
from statistics import median
from time import perf_counter_ns
from typing import Callable, List, Optional, Sequence

from shared.contract.delivery import Delivery
from shared.contract.measurement import TOTAL, Scope
from shared.inference.cpu import cpu_name, low_precision_flags
from shared.inference.image_files import decode
from shared.inference.pipeline import run_pipeline
from shared.inference.preprocess import to_input
from shared.inference.stream import Nodes

WARM_UP, LEAST_CALLS, LONG_ENOUGH_S = 5, 10, 1.0

SLOW = 2.0
"""Times the recorded latency, from which something is wrong with a machine."""

BUSY = 0.5
"""Of a machine's CPUs, the load from which others decide how fast it is."""


def median_ms(nodes: Nodes, scope: Scope, images: Sequence[bytes]) -> float:
    """Return the median time of a call, in milliseconds, over a second or longer.

    Args:
        scope: what was timed when it was recorded: a call of the network alone, or all from the encoded
            image on. A stream's frame is timed as one by itself, without the queues.
        images: encoded, those that are read in turn.
    """
    call = _network_call(nodes, images) if scope == Scope.NETWORK else _pipeline_call(nodes, images)
    for number in range(WARM_UP):
        call(number)
    times: List[int] = []
    started = perf_counter_ns()
    while len(times) < LEAST_CALLS or perf_counter_ns() - started < LONG_ENOUGH_S * 1e9:
        times.append(call(len(times)))
    return median(times) / 1e6


def _network_call(nodes: Nodes, images: Sequence[bytes]) -> Callable[[int], int]:
    """Return what runs the network on the numbered image, and returns nanoseconds."""
    session, background = nodes[0].session, nodes[0].network.input.background
    tensors = [to_input(decode(image, "golden", background), session.input)[0] for image in images]

    def call(number: int) -> int:
        started = perf_counter_ns()
        session.run(tensors[number % len(tensors)])
        return perf_counter_ns() - started

    return call


def _pipeline_call(nodes: Nodes, images: Sequence[bytes]) -> Callable[[int], int]:
    return lambda number: run_pipeline(nodes, images[number % len(images)], "golden").times_ns[TOTAL]


def why_slow(delivery: Delivery, cpus: int, load: Optional[float]) -> str:
    """Return the likely reason for another speed than the recorded one, in a few words.

    Args:
        cpus: that this process may use.
        load: processes that wanted a CPU in the minute before; None where nobody knows.
    """
    speed = delivery.speed
    assert speed is not None, "asked only where one was recorded"
    missing = [flag for flag in speed.flags if flag not in low_precision_flags()]
    reasons = []
    if cpus < delivery.threads:
        reasons.append(f"it was measured with {delivery.threads} threads and may use {cpus} CPUs here")
    if missing:
        reasons.append(f"this CPU has no {', '.join(missing)}")
    if load is not None and load > BUSY * (os.cpu_count() or 1):
        reasons.append(f"the machine was busy with other work (load {load:.1f})")
    if not reasons and cpu_name() != speed.cpu:
        reasons.append(f"it was measured on another CPU, {speed.cpu}")
    return "; ".join(reasons) or "nothing visible: is its clock held back, by heat, power settings, a host?"
