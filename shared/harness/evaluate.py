"""The quality of one network, or of a pipeline, on the test split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter_ns
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from shared.contract.dataset import Sample, read_split
from shared.contract.measurement import (
    TOTAL,
    Latency,
    MaskPicture,
    Quality,
    SampleScore,
    Scope,
    TimingProtocol,
)
from shared.contract.model import Network, steps_of
from shared.contract.stages import PipelineEvaluate
from shared.harness.mask_scoring import masks_of_part, picture, pictured
from shared.harness.progress import track
from shared.harness.reference import Kept
from shared.harness.scoring import quality_of, score, score_masks
from shared.inference.decoding import FoundMask, predict
from shared.inference.pipeline import LoadedNode, Passage, run_pipeline
from shared.inference.preprocess import read_image, to_array, to_pixels
from shared.inference.session import Session

KEPT_SAMPLES = 4
"""Real inputs whose reference outputs travel with the jobs."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        quality: the quality on the split.
        times_ns: how long each call of the network alone took, in nanoseconds.
        kept: inputs and outputs of the first samples.
    """

    quality: Quality
    times_ns: Tuple[int, ...]
    kept: Tuple[Kept, ...]


def evaluate(
    network: Network, session: Session, split: Path, samples: Optional[int] = None, with_truth: bool = False
) -> Evaluation:
    """Run each sample of a split once.

    Args:
        samples: the first so many; None takes all.
        with_truth: keep images and true masks beside the pictures of the predicted masks.

    Raises:
        InputProblem: a split that cannot be read.
        UnreadableImage: an image or a mask that cannot be decoded.
    """
    chosen = read_split(split, network.task)[:samples]
    scores: List[SampleScore] = []
    times: List[int] = []
    kept: List[Kept] = []
    pictures: List[MaskPicture] = []
    wanted = pictured(len(chosen))
    for number, sample in enumerate(track(chosen, f"evaluate {network.name}", len(chosen))):
        pixels, placement = to_pixels(read_image(sample.path), session.input)
        image = to_array(pixels, session.input)
        start = perf_counter_ns()
        tensors = session.run(image)
        times.append(perf_counter_ns() - start)
        if len(kept) < KEPT_SAMPLES:
            kept.append(Kept(pixels, {name: np.array(tensor) for name, tensor in tensors.items()}))
        prediction = predict(network, tensors, placement)
        scores.append(score(network, prediction, sample))
        if isinstance(prediction, FoundMask) and number in wanted:
            pictures.append(picture(network, prediction, sample, with_truth))
    quality = replace(quality_of(network.task, scores), pictures=tuple(pictures))
    return Evaluation(quality, tuple(times), tuple(kept))


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
    chosen = read_split(folder / parameters.test, last.network.task)[: parameters.images]
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


def _score_last(last: LoadedNode, passage: Passage, sample: Sample) -> SampleScore:
    """Score what the last node found; a mask over the whole image, of which it may have been given a part."""
    found, name = passage.predictions[last.node.name], last.node.name
    if isinstance(found, FoundMask):
        masks = masks_of_part(last.network, found, passage.areas[name], passage.image_size, sample)
        return score_masks(*masks, sample)
    return score(last.network, found, sample)
