"""The figures of rounds of measurements, be they latencies or throughputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dockyard.judge.statistics import Interval, Times, ratio_of_medians, stability, summarize
from shared.contract.measurement import TOTAL, Latency, Measurement, Throughput


def call_times_ns(measured: Measurement) -> tuple[int, ...]:
    """Return the nanoseconds of each call or, of a throughput, of each frame."""
    return measured.latency_ns if isinstance(measured, Throughput) else measured.totals_ns


def rate(measured: Measurement) -> float:
    """Return frames a second: those that a stream processed, or as many as calls of the median time fill."""
    if isinstance(measured, Throughput):
        return measured.fps
    return 1e9 / float(np.median(measured.totals_ns))


def rates(rounds: Sequence[Measurement]) -> list[float]:
    """Return the frames a second of each round."""
    return [rate(measured) for measured in rounds]


def medians_ns(rounds: Sequence[Measurement]) -> list[float]:
    """Return the median time of each round, in nanoseconds."""
    return [float(np.median(call_times_ns(measured))) for measured in rounds]


def times_of(rounds: Sequence[Measurement]) -> Times:
    """Summarize the times of at least one round; a stream's rounds are as stable as its frames a second."""
    times = summarize([call_times_ns(measured) for measured in rounds])
    if any(isinstance(measured, Throughput) for measured in rounds):
        return replace(times, stability=stability(rates(rounds)))
    return times


def fps_of(rounds: Sequence[Measurement]) -> float:
    """Return frames a second: of latencies 1000 over the median in ms, of throughputs the rounds' median."""
    if any(isinstance(measured, Throughput) for measured in rounds):
        return float(np.median(rates(rounds)))
    return 1000 / times_of(rounds).median


def speedup_of(reference: Sequence[Measurement], variant: Sequence[Measurement]) -> Interval:
    """Return how many times as fast as the reference a variant is, and the smallest and largest round.

    Latencies are compared by the medians of their times, throughputs by their frames a second.

    Args:
        reference, variant: rounds that were measured in turn, all of one kind, at least one each.
    """
    if isinstance(variant[0], Throughput):
        return ratio_of_medians(rates(variant), rates(reference))
    return ratio_of_medians(medians_ns(reference), medians_ns(variant))


def rounds_disagree(rounds: Sequence[Measurement], limit: float) -> bool:
    """Tell whether a round's median time, or a stream's rate, is farther than `limit` from their median."""
    if any(isinstance(measured, Throughput) for measured in rounds):
        return stability(rates(rounds)) > limit
    return bool(rounds) and stability(medians_ns(rounds)) > limit


def steps_of_rounds(rounds: Sequence[Latency]) -> list[str]:
    """Return the steps that were timed beside the total, in their order."""
    steps = dict.fromkeys(step for measured in rounds for step in measured.samples_ns)
    return [step for step in steps if step != TOTAL]


def mean_step_ms(rounds: Sequence[Latency], step: str) -> float:
    """Return the mean milliseconds of one step over all calls of all rounds that timed it, at least one."""
    values = [value for measured in rounds for value in measured.samples_ns.get(step, ())]
    return float(np.mean(values)) / 1e6
