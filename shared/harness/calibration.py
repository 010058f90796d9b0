"""The splits that an optimization may see, pre-processed, and the scores of its own outputs on them."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Tuple

from shared.contract.dataset import Sample, read_split
from shared.contract.model import InputSpec, Network
from shared.harness.scoring import main_metric, score
from shared.inference.arrays import Array
from shared.inference.decoding import predict
from shared.inference.image_files import read_image
from shared.inference.preprocess import Placement, to_input
from shared.inference.session import Tensors


class SplitCalibration:
    """The splits of a network's data (`toolchain.Calibration`).

    Args:
        splits: folder of each.

    Raises:
        InputProblem: a split that cannot be read.
    """

    def __init__(self, network: Network, splits: Mapping[str, Path]) -> None:
        self._network = network
        self._samples: Dict[str, List[Sample]] = {}
        for name, folder in splits.items():
            self._samples[name] = read_split(folder, network.task, network.outputs)
        self._placements: Dict[Tuple[str, int], Placement] = {}

    @property
    def metric(self) -> str:
        return main_metric(self._network)

    def size(self, split: str) -> int:
        return len(self._samples[split])

    def inputs(self, split: str, spec: InputSpec) -> Iterator[Array]:
        for index in range(self.size(split)):
            yield self._prepare(split, index, spec)

    def score(self, split: str, index: int, outputs: Tensors) -> float:
        if (split, index) not in self._placements:
            self._prepare(split, index, self._network.input)
        prediction = predict(self._network, outputs, self._placements[split, index])
        return score(self._network, prediction, self._samples[split][index]).scores[self.metric]

    def _prepare(self, split: str, index: int, spec: InputSpec) -> Array:
        pixels = read_image(self._samples[split][index].path, self._network.input.background)
        image, self._placements[split, index] = to_input(pixels, spec)
        return image
