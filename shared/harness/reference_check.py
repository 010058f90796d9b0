"""Is the reference one that variants can be compared with? It is judged before anything is made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Hashable, Sequence

import numpy as np

from shared.contract.dataset import Sample
from shared.contract.measurement import Quality, SampleScore
from shared.contract.model import Network
from shared.contract.outputs import DetectionOutputs, Task
from shared.harness.evaluate import Evaluation
from shared.harness.floors import findable, has_something_to_find, shortfall
from shared.harness.mask_scoring import true_mask
from shared.harness.other_readings import TRIED_SAMPLES, better_reading
from shared.harness.reference import largest_difference
from shared.inference.preprocess import to_array
from shared.inference.session import Session

SHOWN_SAMPLES = 3

REPEATS_WITHIN = 1e-4
"""Of an output's largest value, how far two runs on one input may lie apart. Threads that add in another
order make 1e-6 of float32; a conversion is held to 1e-3; dropout makes far more."""


def what_is_wrong(network: Network, session: Session, found: Evaluation) -> str:
    """Return why nothing can be compared with a reference, in a few lines; empty where it can be.

    Args:
        found: its evaluation.

    Raises:
        UnreadableImage: as `true_mask`.
    """
    count = len(found.samples)
    if found.not_finite:
        output, ids = next(iter(found.not_finite.items()))
        what = f"its output '{output}' is not finite for {len(ids)} of {count} sample(s), first {ids[0]}"
    elif found.outputs_never_change and _truths_differ(network, found.samples):
        what = f"its outputs are the same for each of {count} samples, and what is true of them is not"
    else:
        changing = _changing_output(session, found)
        if changing:
            return f"the reference is not deterministic: {changing}\n  {_TRAINING_MODE}"
        what = shortfall(network, found.samples, found.quality)
    if not what:
        return ""
    lines = [f"the reference cannot be what variants are compared with: {what}"]
    if not found.not_finite:
        lines.append(_examples(network, found.samples, found.quality))
    tried = findable(network, found.samples, TRIED_SAMPLES)
    if tried:
        lines.append(better_reading(network, session, tried))
    return "\n  ".join(lines)


def what_is_wrong_end_to_end(network: Network, samples: Sequence[Sample], quality: Quality) -> str:
    """Return why no pipeline can be compared with a reference pipeline; empty where one can be.

    Each of its networks has been judged by itself: what is left is how they are chained, and the data.

    Args:
        network: of its last node. What its model.json expects is of crops, not of what another node finds.
        samples: whole images, those that the quality is of.
    """
    what = shortfall(replace(network, expect=None), samples, quality)
    if not what:
        return ""
    found = _examples(network, samples, quality)
    advice = "look at the nodes of the pipeline, at crop_margin, and at whether its data is annotated alike"
    return f"the reference pipeline cannot be what others are compared with: {what}\n  {found}\n  {advice}"


_TRAINING_MODE = (
    "dropout or batch normalization is likely left in training mode: export the graph for inference"
)


def _truths_differ(network: Network, samples: Sequence[Sample]) -> bool:
    return len({_truth(network, sample) for sample in samples}) > 1


def _truth(network: Network, sample: Sample) -> Hashable:
    """Return what is true of a sample; two masks are alike only where both are empty."""
    if network.task == Task.SEGMENTATION:
        return sample.id if has_something_to_find(network, sample) else None
    return sample.box, sample.objects, sample.reading, sample.country, sample.label


def _changing_output(session: Session, found: Evaluation) -> str:
    """Return which output another run on the same inputs changes, and by how much; empty where none."""
    again = [session.run(to_array(kept.pixels, session.input)) for kept in found.kept]
    for name in found.kept[0].outputs:
        first = np.stack([kept.outputs[name] for kept in found.kept])
        difference = largest_difference([outputs.get(name) for outputs in again], first)
        if difference is None or difference > REPEATS_WITHIN:
            amount = "is of another shape" if difference is None else f"differs by {difference:.2g}"
            return (
                f"its output '{name}' {amount} of its largest value in a second run on the same inputs "
                f"(limit {REPEATS_WITHIN:g})"
            )
    return ""


def _examples(network: Network, samples: Sequence[Sample], quality: Quality) -> str:
    """Return the worst samples, of those in which there is something to find where there are any."""
    pairs = list(zip(quality.samples, samples))
    telling = [pair for pair in pairs if has_something_to_find(network, pair[1])]
    worst = sorted(telling or pairs, key=lambda pair: pair[0].scores[quality.main])
    return "; ".join(_example(network, one, sample) for one, sample in worst[:SHOWN_SAMPLES])


def _example(network: Network, one: SampleScore, sample: Sample) -> str:
    answer = "nothing" if one.prediction is None else one.prediction
    if one.counts is not None:
        true = ", ".join(each.reading or "?" for each in sample.objects or ()) or "nothing"
        return f"{sample.id}: found {str(answer)[:80]}, true is {true[:80]}"
    if sample.objects is not None:
        return f"{sample.id}: found {_surest(network, one)}, true is {_first_true(sample)}"
    if network.task == Task.DETECTION:
        true = "no box" if sample.box is None else str(tuple(round(side, 2) for side in sample.box))
    elif network.task == Task.SEGMENTATION:
        true = f"{true_mask(network, sample).mean():.4f}"
        return f"{sample.id}: {answer} of the pixels marked, {true} in truth"
    else:
        true = sample.label or f"{sample.reading} {sample.country or ''}".strip()
    return f"{sample.id}: found {str(answer)[:80]}, true is {true[:80]}"


def _surest(network: Network, one: SampleScore) -> str:
    """Return what a detector of many objects is surest of in an image."""
    outputs = network.outputs
    assert isinstance(outputs, DetectionOutputs)
    assert outputs.objects is not None
    if not one.boxes:
        return "nothing"
    x0, y0, x1, y1, sure, number = one.boxes[0]
    what = f"{outputs.objects.names[int(number)][:40]} {(x0, y0, x1, y1)} with the score {sure:.2f}"
    return f"{what}, and {len(one.boxes) - 1} more".lstrip()


def _first_true(sample: Sample) -> str:
    objects = sample.objects or ()
    if not objects:
        return "no object"
    box = tuple(round(side, 2) for side in objects[0].box)
    return f"{(objects[0].category or '')[:40]} {box}, and {len(objects) - 1} more".lstrip()
