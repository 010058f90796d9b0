"""How good a reference has to be at least: below that it is broken, and each variant of it looks lossless."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from typing import List, Mapping, Sequence, Tuple

import numpy as np

from shared.contract.dataset import Sample, boxes_of
from shared.contract.measurement import Quality
from shared.contract.model import Network
from shared.contract.outputs import ClassificationOutputs, DetectionOutputs, Task
from shared.harness.mask_scoring import true_mask

MINIMUM: Mapping[Task, float] = {Task.DETECTION: 0.1, Task.SEGMENTATION: 0.05, Task.TEXT_RECOGNITION: 0.01}
"""Of the main metric, over the samples in which there is something to find. Networks that are weak but work
lie far above it; a box or a mask at random lies below."""

MINIMUM_OF_MANY = 0.02
"""As `MINIMUM`, of many objects: weak detectors of many classes miss 0.1, and chance is far below this."""

FEW = 30
"""Of fewer samples a mean may lie anywhere by chance: neither `expect` nor two deviations are asked of it."""


def has_something_to_find(network: Network, sample: Sample) -> bool:
    """Tell whether a sample has a true box or a marked pixel; a text or a class it always has."""
    if sample.objects is not None:
        return bool(sample.objects)
    if network.task == Task.SEGMENTATION:
        return bool(true_mask(network, sample).any())
    return network.task != Task.DETECTION or bool(boxes_of(sample))


def _finds_many(network: Network) -> bool:
    """Tell whether what model.json expects is of the whole split, which the host knows alone (mAP)."""
    return isinstance(network.outputs, DetectionOutputs) and network.outputs.finds_many


def shortfall(network: Network, samples: Sequence[Sample], quality: Quality) -> str:
    """Return in what a reference's quality is below its floor, a sentence; empty where it is not.

    Args:
        samples: those that the quality is of, in its order.

    Raises:
        UnreadableImage: as `true_mask`.
    """
    scores = list(quality.scores(quality.main).values())
    value, count = quality.value, len(scores)
    if network.expect is not None and count >= FEW and not _finds_many(network):
        # What is cut to the first samples differs from the whole by chance.
        slack = 2 * float(np.std(scores)) / sqrt(count)
        if value + slack < network.expect:
            return _sentence(quality.main, value, count, f"the {network.expect:g} that model.json expects")
    if isinstance(network.outputs, ClassificationOutputs):
        return _against_chance(quality, samples, len(network.outputs.classes.names))
    scored = zip(samples, scores)
    found = [score for sample, score in scored if has_something_to_find(network, sample)]
    least = MINIMUM_OF_MANY if _finds_many(network) else MINIMUM[network.task]
    if found and float(np.mean(found)) < least:
        return _sentence(
            quality.main, float(np.mean(found)), len(found), f"{least:g}, the least for {network.task.value}"
        )
    return ""


def _sentence(metric: str, value: float, samples: int, floor: str) -> str:
    return f"{metric} {value:.4f} on {samples} sample(s) is below {floor}"


def _against_chance(quality: Quality, samples: Sequence[Sample], classes: int) -> str:
    answers = [str(score.prediction) for score in quality.samples]
    chance, deviation = chance_of(answers, [str(sample.label) for sample in samples], classes)
    floor = chance + (2 * deviation if len(answers) >= FEW else 0.0)
    if quality.value > floor or quality.value == 1.0:
        return ""
    if quality.value == 0.0:
        return f"{quality.main} 0 on {len(answers)} sample(s): not one answer is right"
    margin = f" ({chance:.4f}) and two deviations" if floor > chance else ""
    return (
        f"{quality.main} {quality.value:.4f} on {len(answers)} sample(s) is not above {floor:.4f}: "
        f"what its answers, dealt out at random, would score{margin}"
    )


def chance_of(answers: Sequence[str], labels: Sequence[str], classes: int) -> Tuple[float, float]:
    """Return the accuracy that the same answers have when they are dealt out to the samples at random.

    Neither 1/classes nor the share of the commonest class will do: a network that always says `good` beats
    the first where most samples are good, and one that works, but raises false alarms, may miss the second.
    Where all labels are the same this says nothing: it is 1/classes then.

    Args:
        answers, labels: one for each sample, at least one.

    Returns:
        The mean and the standard deviation (of Cohen's kappa under chance: Fleiss, Cohen and Everitt, 1969).
    """
    count = len(labels)
    if len(set(labels)) == 1:
        return 1 / classes, sqrt((1 - 1 / classes) / classes / count)
    said, true = Counter(answers), Counter(labels)
    shares = [(said[name] / count, true[name] / count) for name in true]
    mean = sum(a * b for a, b in shares)
    spread = mean + mean**2 - sum(a * b * (a + b) for a, b in shares)
    return mean, sqrt(max(0.0, spread) / count)


def findable(network: Network, samples: Sequence[Sample], most: int) -> List[Sample]:
    """Return samples in which there is something to find, evenly over the split."""
    count = min(len(samples), most)
    spread = [samples[i * len(samples) // count] for i in range(count)]
    return [sample for sample in spread if has_something_to_find(network, sample)]
