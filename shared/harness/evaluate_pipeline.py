"""The quality of a pipeline on the test split."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Sequence, Tuple, Union

from shared.contract.dataset import Sample, read_split
from shared.contract.measurement import TOTAL, Latency, Quality, SampleScore, Scope, TimingProtocol
from shared.contract.model import steps_of
from shared.contract.stages import PipelineBenchmark, PipelineEvaluate
from shared.harness.mask_scoring import masks_of_part
from shared.harness.progress import track
from shared.harness.scoring import quality_of, score, score_masks
from shared.inference.decoding import FoundMask
from shared.inference.pipeline import LoadedNode, Passage, run_pipeline


def evaluate_pipeline(nodes: Sequence[LoadedNode], frames: Sequence[Sample]) -> Tuple[Quality, Latency]:
    """Run each frame through a pipeline once.

    Args:
        nodes: loaded.
        frames: as `frames_of` has them.

    Returns:
        The quality for the last node's task, and the time of each step and image. Where a box was missing the
        last node's prediction is None and counts as wrong, unless there was nothing to find.

    Raises:
        UnreadableImage: an image or a mask that cannot be decoded.
    """
    last = nodes[-1]
    steps = steps_of(tuple(loaded.node for loaded in nodes))
    times: Dict[str, List[int]] = {step: [] for step in (TOTAL, *steps)}
    scores: List[SampleScore] = []
    for sample in track(frames, "images through the pipeline", len(frames)):
        passage = run_pipeline(nodes, sample.path.read_bytes(), sample.id)
        for step, taken in passage.times_ns.items():
            times[step].append(taken)
        scores.append(_score_last(last, passage, sample))
    samples_ns = {step: tuple(taken) for step, taken in times.items()}
    latency = Latency(Scope.PIPELINE, TimingProtocol.DATASET, samples_ns)
    return quality_of(last.network, scores), latency


def frames_of(
    nodes: Sequence[LoadedNode], parameters: Union[PipelineEvaluate, PipelineBenchmark], folder: Path
) -> List[Sample]:
    """Return the samples that a pipeline is judged and measured on.

    Args:
        nodes: those of the parameters, loaded.
        folder: the job's folder.

    Raises:
        InputProblem: a split that cannot be read.
    """
    last = nodes[-1].network
    return read_split(folder / parameters.test, last.task, last.outputs)[: parameters.images]


def _score_last(last: LoadedNode, passage: Passage, sample: Sample) -> SampleScore:
    """Score what the last node found; a mask over the whole image, of which it may have been given a part."""
    found, name = passage.predictions[last.node.name], last.node.name
    if isinstance(found, FoundMask):
        masks = masks_of_part(last.network, found, passage.areas[name], passage.image_size, sample)
        return score_masks(*masks, sample)
    return score(last.network, found, sample)
