"""The quality of one network on the test split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter_ns
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from shared.contract.dataset import Sample, read_split
from shared.contract.errors import JobFailed
from shared.contract.measurement import MaskPicture, Quality, SampleScore
from shared.contract.model import Network
from shared.contract.output_shapes import unreadable
from shared.harness.mask_scoring import picture, pictured
from shared.harness.progress import track
from shared.harness.reference import Kept
from shared.harness.scoring import quality_of, score
from shared.inference.decoding import FoundMask, predict
from shared.inference.image_files import read_image
from shared.inference.preprocess import to_array, to_pixels
from shared.inference.session import Session, Tensors

KEPT_SAMPLES = 4
"""Real inputs whose reference outputs travel with the jobs."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        quality: the quality on the split.
        times_ns: how long each call of the network alone took, in nanoseconds.
        kept: inputs and outputs of the first samples.
        samples: that were scored.
        not_finite: by output with a NaN or an infinity, the samples that have one.
        outputs_never_change: every output is the same, bit by bit, for each sample.
    """

    quality: Quality
    times_ns: Tuple[int, ...]
    kept: Tuple[Kept, ...]
    samples: Tuple[Sample, ...]
    not_finite: Mapping[str, Sequence[str]]
    outputs_never_change: bool


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
        JobFailed: an output of another shape, or number of classes, than model.json reads.
    """
    chosen = read_split(split, network.task, network.outputs)[:samples]
    scores: List[SampleScore] = []
    times: List[int] = []
    kept: List[Kept] = []
    pictures: List[MaskPicture] = []
    not_finite: Dict[str, List[str]] = {}
    outputs_change = False
    wanted = pictured(len(chosen))
    for number, sample in enumerate(track(chosen, f"evaluate {network.name}", len(chosen))):
        pixels, placement = to_pixels(read_image(sample.path, network.input.background), session.input)
        image = to_array(pixels, session.input)
        start = perf_counter_ns()
        tensors = session.run(image)
        times.append(perf_counter_ns() - start)
        if number == 0:
            _refuse_unreadable(network, tensors)
        if len(kept) < KEPT_SAMPLES:
            kept.append(Kept(pixels, {name: np.array(tensor) for name, tensor in tensors.items()}))
        outputs_change = outputs_change or not _same(tensors, kept[0].outputs)
        for name in _not_finite(tensors):
            not_finite.setdefault(name, []).append(sample.id)
        prediction = predict(network, tensors, placement)
        scores.append(score(network, prediction, sample))
        if isinstance(prediction, FoundMask) and number in wanted:
            pictures.append(picture(network, prediction, sample, with_truth))
    quality = replace(quality_of(network, scores), pictures=tuple(pictures))
    return Evaluation(
        quality, tuple(times), tuple(kept), tuple(chosen), not_finite, outputs_never_change=not outputs_change
    )


def _refuse_unreadable(network: Network, tensors: Tensors) -> None:
    """Refuse outputs that are not as model.json has them: answers would have no name, or be wrong."""
    wrong = unreadable(network, {name: np.shape(tensor) for name, tensor in tensors.items()})
    if wrong is not None:
        raise JobFailed(wrong.what, "", wrong.advice)


def _same(tensors: Tensors, others: Tensors) -> bool:
    return all(np.array_equal(tensor, others[name]) for name, tensor in tensors.items())


def _not_finite(tensors: Tensors) -> List[str]:
    return [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]
