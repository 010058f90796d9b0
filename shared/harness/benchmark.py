"""Clocks: one network alone, and a pipeline from encoded images to what its last network finds."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from typing import Dict, List, Sequence, Tuple

from shared.contract.dataset import Sample, read_split
from shared.contract.measurement import TOTAL, Latency, Quality, SampleScore, Scope, TimingProtocol
from shared.contract.model import steps_of
from shared.contract.stages import NetworkBenchmark, PipelineBenchmark
from shared.harness.mask_scoring import masks_of_part
from shared.harness.progress import report, track
from shared.harness.reference import load_reference
from shared.harness.scoring import quality_of, score, score_masks
from shared.inference.arrays import Array
from shared.inference.decoding import FoundMask
from shared.inference.pipeline import LoadedNode, Passage, run_pipeline
from shared.inference.preprocess import to_array
from shared.inference.session import Session


def benchmark_network(session: Session, parameters: NetworkBenchmark, folder: Path) -> Latency:
    """Time one call of a network many times on one real input.

    A time covers one call: input ready in host memory to outputs in host memory.

    Args:
        folder: the job's folder.
    """
    pixels, _ = load_reference(folder / parameters.inputs)
    image = to_array(pixels[0], session.input)
    report("warm up", 0, 0)
    time_calls(session, image, parameters.warmup, parameters.seconds / 2)
    report("measure", 0, 0)
    times = time_calls(session, image, parameters.runs, parameters.seconds)
    return Latency(Scope.NETWORK, TimingProtocol.REPEAT, {TOTAL: tuple(times)})


def time_calls(session: Session, image: Array, runs: int, seconds: float) -> List[int]:
    """Return the nanoseconds of each call: at least so many, and for at least so many seconds."""
    times: List[int] = []
    end = perf_counter_ns() + int(seconds * 1e9)
    while len(times) < runs or perf_counter_ns() < end:
        start = perf_counter_ns()
        session.run(image)
        times.append(perf_counter_ns() - start)
    return times


def benchmark_pipeline(
    nodes: Sequence[LoadedNode], parameters: PipelineBenchmark, folder: Path
) -> Tuple[Latency, Quality]:
    """Time and score a pipeline on whole images, each once.

    A time covers the way from the encoded bytes to the last node's prediction.

    Args:
        nodes: those of the parameters, loaded.
        folder: the job's folder.

    Returns:
        The time of each step and image, and the quality for the last node's task. Where a box was missing the
        last node's prediction is None and counts as wrong, unless there was nothing to find.

    Raises:
        InputProblem: a split that cannot be read.
        UnreadableImage: an image or a mask that cannot be decoded.
    """
    last = nodes[-1]
    samples = read_split(folder / parameters.test, last.network.task)[: parameters.images]
    encoded = [sample.path.read_bytes() for sample in samples]
    for sample, image in zip(samples[: parameters.warmup], encoded):
        run_pipeline(nodes, image, sample.id)
    times: Dict[str, List[int]] = {step: [] for step in (TOTAL, *steps_of(parameters.nodes))}
    scores: List[SampleScore] = []
    for sample, image in track(zip(samples, encoded), "images through the pipeline", len(samples)):
        passage = run_pipeline(nodes, image, sample.id)
        for step, taken in passage.times_ns.items():
            times[step].append(taken)
        scores.append(_score(last, passage, sample))
    samples_ns = {step: tuple(taken) for step, taken in times.items()}
    return Latency(Scope.PIPELINE, TimingProtocol.DATASET, samples_ns), quality_of(last.network.task, scores)


def _score(last: LoadedNode, passage: Passage, sample: Sample) -> SampleScore:
    """Score what the last node found; a mask over the whole image, of which it may have been given a part."""
    found, name = passage.predictions[last.node.name], last.node.name
    if isinstance(found, FoundMask):
        masks = masks_of_part(last.network, found, passage.areas[name], passage.image_size, sample)
        return score_masks(*masks, sample)
    return score(last.network, found, sample)
