"""The quality of one network on the test split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter_ns
from typing import List, Optional, Tuple

import numpy as np

from shared.contract.dataset import read_split
from shared.contract.measurement import MaskPicture, Quality, SampleScore
from shared.contract.model import Network
from shared.harness.mask_scoring import picture, pictured
from shared.harness.progress import track
from shared.harness.reference import Kept
from shared.harness.scoring import quality_of, score
from shared.inference.decoding import FoundMask, predict
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
