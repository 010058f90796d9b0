"""The splits of the data as Olive asks for them: a dataset that is registered with it, and a score."""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Dict, Iterable, List, Tuple

import numpy as np
import torch.utils.data
from olive.data.registry import Registry

from shared.contract.model import InputSpec, Network
from shared.harness.progress import track
from shared.harness.toolchain import Calibration
from shared.inference.arrays import Array


class Samples(torch.utils.data.Dataset):  # type: ignore[misc]
    """Inputs of a split, each with its index in place of a label; Olive adds the axis of the batch."""

    def __init__(self, split: str, data: Calibration, spec: InputSpec, count: int) -> None:
        self.split = split
        images = track(islice(data.inputs(split, spec), count), f"read {split} images", count)
        self._images: List[Array] = [image[0] for image in images]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tuple[Array, int]:
        return self._images[index], index


def data_config(samples: Samples) -> Dict[str, Any]:
    """Return Olive's description of samples, which have their split's name."""
    Registry.register_dataset(samples.split)(lambda **_: samples)
    return {
        "name": samples.split,
        "load_dataset_config": {"type": samples.split},
        "dataloader_config": {"batch_size": 1},
    }


def scorer(network: Network, data: Calibration, split: str) -> Callable[[Any, Iterable[Any]], float]:
    """Return what tells Olive the mean score (0 to 1) of a compiled model on some of a split's samples."""

    def mean_score(compiled: Any, samples: Iterable[Any]) -> float:
        scores = []
        for image, index in samples:
            found = compiled(image.numpy())
            outputs = {name: found[compiled.output(name)] for name in network.tensors}
            scores.append(data.score(split, int(index), outputs))
        return float(np.mean(scores))

    return mean_score
