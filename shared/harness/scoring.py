"""How what was found is held against what is true: the scores of a sample, and the metrics of a split.

A score is 0 to 1. A split's metric is the mean of its samples' scores, but for `iou_set`, which is over
the pixels of all of them.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from shared.contract.dataset import Sample
from shared.contract.measurement import OBJECTS_METRIC, Quality, SampleScore
from shared.contract.model import Network
from shared.contract.outputs import ClassificationOutputs, DetectionOutputs, ObjectsOutput, Task, TextOutputs
from shared.harness.detection_scoring import average_precision
from shared.harness.mask_scoring import both_masks, count_pixels, true_mask
from shared.inference.arrays import Array
from shared.inference.boxes import iou
from shared.inference.decoding import (
    FoundBox,
    FoundClass,
    FoundMask,
    FoundObjects,
    FoundText,
    Prediction,
    ScoredBox,
)

METRICS: Mapping[Task, Tuple[str, ...]] = {
    Task.DETECTION: ("iou",),
    Task.TEXT_RECOGNITION: ("exact", "country"),
    Task.CLASSIFICATION: ("accuracy",),
    Task.SEGMENTATION: ("iou", "iou_set"),
}
"""The metrics of each task, the main one first; a detector of many objects has its own (`main_metric`)."""


def score(network: Network, prediction: Optional[Prediction], sample: Sample) -> SampleScore:
    """Score what a network found in a sample.

    Args:
        prediction: None where it found nothing, or was not run.

    Raises:
        UnreadableImage: a true mask that cannot be decoded, or that is not of its image's size.
    """
    outputs = network.outputs
    if isinstance(outputs, DetectionOutputs) and outputs.objects is not None:
        return _score_objects(outputs.objects, prediction, sample)
    if prediction is None:
        return _score_nothing(network, sample)
    if isinstance(prediction, FoundBox):
        box = tuple(round(side, 2) for side in prediction.box)
        value = 0.0 if sample.box is None else iou(prediction.box, sample.box)
        return SampleScore(sample.id, {"iou": value}, box)
    if isinstance(prediction, FoundText):
        text = f"{prediction.text} {prediction.country or ''}".strip()
        return SampleScore(sample.id, text_scores(prediction, sample), text)
    if isinstance(prediction, FoundClass):
        return SampleScore(sample.id, {"accuracy": float(prediction.name == sample.label)}, prediction.name)
    assert isinstance(prediction, FoundMask)
    return score_masks(*both_masks(network, prediction, sample), sample)


def _score_objects(objects: ObjectsOutput, prediction: Optional[Prediction], sample: Sample) -> SampleScore:
    found = prediction.objects if isinstance(prediction, FoundObjects) else ()
    has_names = objects.classes is not None
    value = average_precision(found, sample.objects or (), has_names)
    told = tuple(_told(one, objects.names) for one in found)
    return SampleScore(sample.id, {OBJECTS_METRIC: value}, told or None)


def _told(one: ScoredBox, names: Sequence[str]) -> Tuple[float, ...]:
    """Return an object as numbers: its box, its score, the number of its class."""
    box = tuple(round(side, 2) for side in one.box)
    return (*box, round(one.score or 0.0, 5), float(names.index(one.name or "")))


def _score_nothing(network: Network, sample: Sample) -> SampleScore:
    """Nothing found is right where there was nothing to find, which only boxes and masks can say."""
    outputs = network.outputs
    if isinstance(outputs, DetectionOutputs):
        return SampleScore(sample.id, {"iou": float(sample.box is None)})
    if isinstance(outputs, TextOutputs):
        country = {"country": 0.0} if outputs.country is not None and sample.country else {}
        return SampleScore(sample.id, {"exact": 0.0, **country})
    if isinstance(outputs, ClassificationOutputs):
        return SampleScore(sample.id, {"accuracy": 0.0})
    union = int(np.count_nonzero(true_mask(network, sample)))
    return SampleScore(sample.id, {"iou": pixel_iou(0, union)}, None, (0, union))


def score_masks(mask: Array, truth: Array, sample: Sample) -> SampleScore:
    """Score a mask beside the true one, both bool of one shape.

    The prediction is the fraction of the mask that is marked.
    """
    pixels = count_pixels(mask, truth)
    return SampleScore(sample.id, {"iou": pixel_iou(*pixels)}, f"{mask.mean():.4f}", pixels)


def text_scores(found: FoundText, sample: Sample) -> Dict[str, float]:
    """Score a text: exact only when every symbol is right; the country where both sides have one."""
    scores = {"exact": float(found.text == sample.reading)}
    if found.country is not None and sample.country:
        scores["country"] = float(found.country == sample.country)
    return scores


def pixel_iou(intersection: int, union: int) -> float:
    """Return the IoU of pixel counts; 1 where there is nothing to find and nothing was found."""
    return intersection / union if union else 1.0


def main_metric(network: Network) -> str:
    """Return the metric by which a network's samples are scored.

    The mAP of many objects is no mean over samples: the host computes it from what was found.
    """
    outputs = network.outputs
    if isinstance(outputs, DetectionOutputs) and outputs.finds_many:
        return OBJECTS_METRIC
    return METRICS[network.task][0]


def quality_of(network: Network, samples: Sequence[SampleScore]) -> Quality:
    """Return the quality of a split, of at least one sample."""
    return Quality(main_metric(network), set_metrics(samples), tuple(samples))


def set_metrics(samples: Sequence[SampleScore]) -> Dict[str, float]:
    """Return the metrics of a split: each the mean over the samples that have it; the IoU of all pixels."""
    scores: Dict[str, List[float]] = {}
    for sample in samples:
        for name, value in sample.scores.items():
            scores.setdefault(name, []).append(value)
    metrics = {name: float(np.mean(values)) for name, values in scores.items()}
    pixels = [sample.pixels for sample in samples if sample.pixels is not None]
    if pixels:
        intersections, unions = zip(*pixels)
        metrics["iou_set"] = pixel_iou(sum(intersections), sum(unions))
    return metrics
