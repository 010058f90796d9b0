"""The quality of a pipeline on the test split."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from shared.contract.dataset import Sample, read_split
from shared.contract.measurement import TOTAL, Latency, Quality, SampleScore, Scope, TimingProtocol
from shared.contract.model import steps_of
from shared.contract.stages import PipelineEvaluate
from shared.harness.mask_scoring import masks_of_part
from shared.harness.progress import track
from shared.harness.scoring import quality_of, score, score_masks
from shared.inference.decoding import FoundMask
from shared.inference.pipeline import LoadedNode, Passage, run_pipeline


def evaluate_pipeline(
    nodes: Sequence[LoadedNode], parameters: PipelineEvaluate, folder: Path
) -> Tuple[Quality, Latency]:
    """Run each image of a split through a pipeline once.

    Args:
        nodes: those of the parameters, loaded.
        folder: the job's folder.

    Returns:
        The quality for the last node's task, and the time of each step and image. Where a box was missing the
        last node's prediction is None and counts as wrong, unless there was nothing to find.

    Raises:
        InputProblem: a split that cannot be read.
        UnreadableImage: an image or a mask that cannot be decoded.
    """
    last = nodes[-1]
    chosen = frames_of(nodes, parameters, folder)
    times: Dict[str, List[int]] = {step: [] for step in (TOTAL, *steps_of(parameters.pipeline.nodes))}
    scores: List[SampleScore] = []
    for sample in track(chosen, "images through the pipeline", len(chosen)):
        passage = run_pipeline(nodes, sample.path.read_bytes(), sample.id)
        for step, taken in passage.times_ns.items():
            times[step].append(taken)
        scores.append(_score_last(last, passage, sample))
    samples_ns = {step: tuple(taken) for step, taken in times.items()}
    latency = Latency(Scope.PIPELINE, TimingProtocol.DATASET, samples_ns)
    return quality_of(last.network.task, scores), latency


def frames_of(nodes: Sequence[LoadedNode], parameters: PipelineEvaluate, folder: Path) -> List[Sample]:
    """Return the samples that a pipeline is judged on, as `evaluate_pipeline` takes them."""
    return read_split(folder / parameters.test, nodes[-1].network.task)[: parameters.images]


def _score_last(last: LoadedNode, passage: Passage, sample: Sample) -> SampleScore:
    """Score what the last node found; a mask over the whole image, of which it may have been given a part."""
    found, name = passage.predictions[last.node.name], last.node.name
    if isinstance(found, FoundMask):
        masks = masks_of_part(last.network, found, passage.areas[name], passage.image_size, sample)
        return score_masks(*masks, sample)
    return score(last.network, found, sample)
