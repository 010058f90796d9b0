"""Clocks: one network alone, and a pipeline from encoded images to what its last network finds."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from time import perf_counter_ns
from typing import List, Mapping, Optional, Sequence, Tuple

from shared.contract.measurement import TOTAL, Latency, Scope, TimingProtocol, Yardstick
from shared.contract.model import follows_every
from shared.contract.result import Notes
from shared.contract.stages import NetworkBenchmark, PipelineBenchmark
from shared.harness.bursts import Call, Words, notes_on_rest, take_bursts
from shared.harness.evaluate_pipeline import frames_of
from shared.harness.progress import report
from shared.harness.reference import load_reference
from shared.harness.toolchain import KERNEL_OPERATIONS, Kernel
from shared.inference.objects import read_picture
from shared.inference.pipeline import LoadedNode, run_pipeline
from shared.inference.preprocess import to_array
from shared.inference.session import Session

Timed = Tuple[Latency, Notes]
"""A latency, and what is to be known of it."""


RUNS_OF_KERNEL = 5
"""After a burst: together they take milliseconds."""


def benchmark_network(
    session: Session,
    parameters: NetworkBenchmark,
    folder: Path,
    words: Words,
    kernel: Optional[Kernel] = None,
) -> Timed:
    """Time calls of a network on one real input, a burst at each word.

    A time covers one call: input ready in host memory to outputs in host memory.

    Args:
        folder: the job's folder.
        kernel: is run after each burst; None where the toolchain has none.
    """
    pixels, _ = load_reference(folder / parameters.inputs)
    image = to_array(pixels[0], session.input)

    def call() -> Mapping[str, int]:
        start = perf_counter_ns()
        session.run(image)
        return {TOTAL: perf_counter_ns() - start}

    _warm_up(call, parameters.warmup, parameters.burst_s)
    quickest: List[int] = []
    after = (lambda: None) if kernel is None else (lambda: quickest.append(_quickest_ns(kernel)))
    bursts = take_bursts(call, parameters.burst_s, words, after)
    yardstick = None if kernel is None else Yardstick(kernel.precision, KERNEL_OPERATIONS, tuple(quickest))
    latency = Latency(
        Scope.NETWORK, TimingProtocol.REPEAT, bursts.samples_ns, bursts.calls, yardstick=yardstick
    )
    return latency, notes_on_rest(len(bursts.calls), bursts.restless)


def benchmark_pipeline(
    nodes: Sequence[LoadedNode], parameters: PipelineBenchmark, folder: Path, words: Words
) -> Timed:
    """Time a pipeline on whole images, a burst at each word, each going on where the one before ended.

    A time covers the way from the encoded bytes to the last node's prediction, or to the last object's.

    Args:
        nodes: those of the parameters, loaded.
        folder: the job's folder.

    Raises:
        InputProblem: a split that cannot be read.
        UnreadableImage: an image that cannot be decoded.
    """
    samples = frames_of(nodes, parameters, folder)
    frames = cycle([(sample.path.read_bytes(), sample.id) for sample in samples])
    objects: List[int] = []

    def call() -> Mapping[str, int]:
        return run_pipeline(nodes, *next(frames)).times_ns

    def call_for_every() -> Mapping[str, int]:
        read = read_picture(nodes, *next(frames))
        objects.append(len(read.objects))
        return read.times_ns

    own = call_for_every if follows_every(parameters.pipeline.nodes) else call
    _warm_up(own, parameters.warmup, parameters.burst_s)
    objects.clear()
    bursts = take_bursts(own, parameters.burst_s, words)
    latency = Latency(
        Scope.PIPELINE, TimingProtocol.DATASET, bursts.samples_ns, bursts.calls, objects=tuple(objects)
    )
    return latency, notes_on_rest(len(bursts.calls), bursts.restless)


def _quickest_ns(kernel: Kernel) -> int:
    """Return the time of a kernel's quickest run: whatever else slows one says nothing of the CPU's best."""
    times = []
    for _ in range(RUNS_OF_KERNEL):
        start = perf_counter_ns()
        kernel.run()
        times.append(perf_counter_ns() - start)
    return min(times)


def _warm_up(call: Call, calls: int, seconds: float) -> None:
    """Make so many calls at least, for so many seconds at least."""
    report("warm up", 0, 0)
    end = perf_counter_ns() + int(seconds * 1e9)
    done = 0
    while done < calls or perf_counter_ns() < end:
        call()
        done += 1
