"""The quality of a pipeline on the test split."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple, Union

from shared.contract.dataset import Sample, read_split
from shared.contract.measurement import TOTAL, Latency, Quality, SampleScore, Scope, TimingProtocol
from shared.contract.model import follows_every, steps_of
from shared.contract.outputs import names_country
from shared.contract.stages import PipelineBenchmark, PipelineEvaluate
from shared.contract.streaming import TrueObject
from shared.harness.mask_scoring import masks_of_part
from shared.harness.object_scoring import quality_of_objects, score_objects
from shared.harness.progress import track
from shared.harness.scoring import quality_of, score, score_masks
from shared.inference.decoding import FoundMask
from shared.inference.objects import read_picture
from shared.inference.pipeline import LoadedNode, Passage, run_pipeline


def evaluate_pipeline(nodes: Sequence[LoadedNode], frames: Sequence[Sample]) -> Tuple[Quality, Latency]:
    """Run each frame through a pipeline once.

    Args:
        nodes: loaded.
        frames: as `frames_of` has them.

    Returns:
        The quality and the time of each step and image. Of a pipeline that reads every object, the quality is
        that of all objects (`ObjectCounts`). Else it is for the last node's task: where a box was missing its
        prediction is None and counts as wrong, unless there was nothing to find.

    Raises:
        UnreadableImage: an image or a mask that cannot be decoded.
    """
    is_every = follows_every([loaded.node for loaded in nodes])
    read = _read_every if is_every else _read_best
    steps = steps_of(tuple(loaded.node for loaded in nodes))
    times: Dict[str, List[int]] = {step: [] for step in (TOTAL, *steps)}
    scores: List[SampleScore] = []
    objects: List[int] = []
    for sample in track(frames, "images through the pipeline", len(frames)):
        score, times_ns, count = read(nodes, sample)
        for step, taken in times_ns.items():
            times[step].append(taken)
        scores.append(score)
        objects.append(count)
    latency = Latency(
        Scope.PIPELINE,
        TimingProtocol.DATASET,
        {step: tuple(taken) for step, taken in times.items()},
        objects=tuple(objects) if is_every else (),
    )
    quality = quality_of_objects(scores) if is_every else quality_of(nodes[-1].network, scores)
    return quality, latency


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
    is_every = follows_every([loaded.node for loaded in nodes])
    annotated = nodes[0 if is_every else -1].network
    return read_split(folder / parameters.test, annotated.task, annotated.outputs)[: parameters.images]


Read = Tuple[SampleScore, Mapping[str, int], int]
"""Of an image: its score, the nanoseconds of each step, how many objects were read."""


def _read_best(nodes: Sequence[LoadedNode], sample: Sample) -> Read:
    passage = run_pipeline(nodes, sample.path.read_bytes(), sample.id)
    score = _score_last(nodes[-1], passage, sample)
    return score, passage.times_ns, int(score.prediction is not None)


def _read_every(nodes: Sequence[LoadedNode], sample: Sample) -> Read:
    read = read_picture(nodes, sample.path.read_bytes(), sample.id)
    true = [TrueObject(one.box, one.reading, one.country, not one.is_crowd) for one in sample.objects or ()]
    last = nodes[-1]
    score = score_objects(sample.id, read.objects, true, last.node.name, names_country(last.network.outputs))
    return score, read.times_ns, len(read.objects)


def _score_last(last: LoadedNode, passage: Passage, sample: Sample) -> SampleScore:
    """Score what the last node found; a mask over the whole image, of which it may have been given a part."""
    found, name = passage.predictions[last.node.name], last.node.name
    if isinstance(found, FoundMask):
        masks = masks_of_part(last.network, found, passage.areas[name], passage.image_size, sample)
        return score_masks(*masks, sample)
    return score(last.network, found, sample)
