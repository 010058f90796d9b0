"""The figures of rounds of measurements, be they latencies or throughputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dockyard.judge.statistics import (
    Figures,
    Interval,
    Times,
    interval_over_rounds,
    ratio_of_resampled,
    summarize,
)
from shared.contract.measurement import TOTAL, Latency, Measurement, Throughput
from shared.contract.record import Round
from shared.contract.streaming import COLOUR, DECODE, TRACK, WAIT

Rounds = Sequence[Round]

_FIRST_STEPS, _LAST_STEPS = (DECODE, COLOUR), (TRACK, WAIT)
"""Of a stream, beside those of its nodes."""


def call_times_ns(measured: Measurement) -> tuple[int, ...]:
    """Return the nanoseconds of each call or, of a throughput, of each frame."""
    return measured.latency_ns if isinstance(measured, Throughput) else measured.totals_ns


def burst_medians_ns(measured: Measurement) -> Figures:
    """Return the median time of each burst, in nanoseconds; what has no bursts counts as one."""
    ends = np.cumsum(_calls_of_bursts(measured), dtype=np.int64)[:-1]
    bursts = np.split(np.asarray(call_times_ns(measured), np.float64), ends)
    return np.asarray([np.median(burst) for burst in bursts])


def _calls_of_bursts(measured: Measurement) -> tuple[int, ...]:
    """Return the number of calls, or of frames, of each burst."""
    if isinstance(measured, Throughput):
        return tuple(burst.frames for burst in measured.bursts)
    return measured.bursts


def burst_paces_ns(measured: Measurement) -> Figures:
    """Return nanoseconds from one frame to the next: of a stream by its rate, else the bursts' medians."""
    if isinstance(measured, Throughput):
        return np.asarray([1e9 * burst.seconds / burst.frames for burst in measured.bursts])
    return burst_medians_ns(measured)


def times_of(rounds: Rounds) -> Times:
    """Summarize the times of at least one round; of a stream, those from a frame's arrival to its output."""
    calls = [call_times_ns(one.measured) for one in rounds]
    return summarize(calls, [burst_medians_ns(one.measured) for one in rounds])


def pace_ms_of(rounds: Rounds) -> Interval:
    """Return the milliseconds from one frame to the next, over at least one round."""
    return interval_over_rounds([burst_paces_ns(one.measured) / 1e6 for one in rounds])


def throughputs(rounds: Rounds) -> list[Throughput]:
    """Return what was measured as throughputs, round by round."""
    return [one.measured for one in rounds if isinstance(one.measured, Throughput)]


def cpu_ms_of(rounds: Rounds) -> float | None:
    """Return the CPU milliseconds that a stream's process takes for a frame; None of what is no stream."""
    streams = throughputs(rounds)
    frames = sum(one.frames for one in streams)
    return 1e3 * sum(one.cpu_s for one in streams) / frames if frames else None


def peak_mb_of(rounds: Rounds) -> float | None:
    """Return the most memory that a stream's process held in any round, in MB; None where nobody knows."""
    return max((one.peak_mb for one in rounds if one.peak_mb is not None), default=None)


def stream_steps_ms(rounds: Rounds) -> dict[str, float]:
    """Return the milliseconds of a frame's steps, of all threads together, in the order they have.

    The order is that of the record: what decodes and converts colours first, what tracks and waits last.
    """
    streams = throughputs(rounds)
    frames = sum(one.frames for one in streams)
    spent: dict[str, float] = {}
    for one in streams:
        for step, nanoseconds in one.steps_ns.items():
            spent[step] = spent.get(step, 0.0) + nanoseconds / 1e6 / frames
    inner = [step for step in spent if step not in (*_FIRST_STEPS, *_LAST_STEPS)]
    return {step: spent[step] for step in (*_FIRST_STEPS, *inner, *_LAST_STEPS) if step in spent}


def paired_ratios(rounds: Rounds, other: Rounds) -> list[Figures]:
    """Return how many times as long as the other one takes for a frame, burst by burst of the rounds of both.

    Args:
        rounds, other: bursts of one cycle pair, in rounds of one number and group.
    """
    others = {(one.number, one.group): one.measured for one in other}
    ratios: list[Figures] = []
    for one in rounds:
        measured = others.get((one.number, one.group))
        if measured is None:
            continue
        mine, theirs = burst_paces_ns(one.measured), burst_paces_ns(measured)
        cycles = min(len(mine), len(theirs))
        ratios.append(mine[:cycles] / theirs[:cycles])
    return ratios


def speedup_of(reference: Rounds, variant: Rounds) -> Interval | None:
    """Return how many times as fast as the reference a variant is; None where no round has both."""
    ratios = paired_ratios(reference, variant)
    return interval_over_rounds(ratios) if ratios else None


def variant_ratio(one: Rounds, other: Rounds, reference: Rounds) -> Interval:
    """Return how many times as fast as another variant one is, of the same reference and run.

    Where memory held them apart no round has both, and each is taken by its ratio to the reference.
    """
    direct = paired_ratios(other, one)
    if direct:
        return interval_over_rounds(direct)
    return ratio_of_resampled(paired_ratios(reference, one), paired_ratios(reference, other))


def steps_of_rounds(rounds: Sequence[Latency]) -> list[str]:
    """Return the steps that were timed beside the total, in their order."""
    steps = dict.fromkeys(step for measured in rounds for step in measured.samples_ns)
    return [step for step in steps if step != TOTAL]


def mean_step_ms(rounds: Sequence[Latency], step: str) -> float:
    """Return the mean milliseconds of one step over all calls of all rounds that timed it, at least one."""
    values = [value for measured in rounds for value in measured.samples_ns.get(step, ())]
    return float(np.mean(values)) / 1e6
