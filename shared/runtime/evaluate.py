"""Quality of one network on the test split, and the check of a converted graph against the reference."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from shared.contract.dataset import Sample, read_split
from shared.contract.model import Network
from shared.runtime import tasks
from shared.runtime.arrays import Array
from shared.runtime.preprocess import Placement, read_image, to_input
from shared.runtime.progress import track
from shared.runtime.toolchain import Session, Tensors

CONVERSION_LIMIT = 1e-3
"""Largest difference of a converted float32 graph: absolute, over the reference output's largest absolute value."""

REFERENCE_SAMPLES = 4
"""Real inputs whose reference outputs travel with the jobs."""


def evaluate(network: Network, session: Session, split: Path) -> Tuple[Dict[str, Any], List[int], List[Tuple[Array, Tensors]]]:
    """Run each sample of a split once.

    Returns:
        The quality (main metric, metrics, scores and prediction of each sample), the time of each call in
        nanoseconds (the network alone, `dataset` protocol), and inputs and outputs of the first samples.
    """
    samples = read_split(split, network.task)
    rows: List[Dict[str, Any]] = []
    times: List[int] = []
    kept: List[Tuple[Array, Tensors]] = []
    for sample in track(samples, f"evaluate {network.name}", len(samples)):
        image, placement = to_input(read_image(sample.path), network.input)
        start = perf_counter_ns()
        outputs = session.run(image)
        times.append(perf_counter_ns() - start)
        if len(kept) < REFERENCE_SAMPLES:
            kept.append((image, {k: np.array(v) for k, v in outputs.items()}))
        prediction, scores = tasks.predict_and_score(network, outputs, placement, sample)
        rows.append({"id": sample.id, "scores": scores, "prediction": prediction})
    quality = {
        "main": tasks.METRICS[network.task][0],
        "metrics": tasks.means([r["scores"] for r in rows]),
        "samples": rows,
    }
    return quality, times, kept


def save_reference(path: Path, kept: Sequence[Tuple[Array, Tensors]]) -> None:
    """Write real inputs and the reference's outputs to an .npz file (keys `input`, `output/<tensor>`)."""
    stacked: Dict[str, Any] = {"input": np.concatenate([image for image, _ in kept])}
    for name in kept[0][1]:
        stacked[f"output/{name}"] = np.stack([outputs[name] for _, outputs in kept])
    np.savez(path, **stacked)


def load_reference(path: Path) -> Tuple[Array, Tensors]:
    """Return inputs [n, ...] and outputs by tensor name [n, ...] that `save_reference` wrote; no pickle is read."""
    with np.load(path, allow_pickle=False) as archive:
        outputs = {k[len("output/") :]: archive[k] for k in archive.files if k.startswith("output/")}
        return archive["input"], outputs


def check_conversion(session: Session, reference: Path) -> List[Dict[str, Any]]:
    """Run a converted graph on the reference's inputs and compare every output.

    Returns:
        For each output: its name, the largest absolute difference over the reference's largest absolute value
        (None where shape or output is missing), the limit, and whether they agree.
    """
    inputs, expected = load_reference(reference)
    produced = [session.run(image[None]) for image in inputs]
    rows: List[Dict[str, Any]] = []
    for name, wanted in expected.items():
        difference = None
        if all(name in outputs and outputs[name].shape == want.shape for outputs, want in zip(produced, wanted)):
            got = np.stack([outputs[name] for outputs in produced])
            span = float(np.abs(wanted).max()) or 1.0
            difference = float(np.abs(got.astype(np.float64) - wanted).max()) / span
            difference = difference if np.isfinite(difference) else None
        rows.append(
            {
                "output": name,
                "difference": difference,
                "limit": CONVERSION_LIMIT,
                "agrees": difference is not None and difference <= CONVERSION_LIMIT,
            }
        )
    return rows


class SplitCalibration:
    """The calibration and validation splits for an optimization (`toolchain.Calibration`)."""

    def __init__(self, network: Network, splits: Dict[str, Path]) -> None:
        self._network = network
        self._samples: Dict[str, List[Sample]] = {name: read_split(path, network.task) for name, path in splits.items()}
        self._placements: Dict[Tuple[str, int], Placement] = {}

    def size(self, split: str) -> int:
        return len(self._samples[split])

    def inputs(self, split: str) -> Iterator[Array]:
        for index in range(self.size(split)):
            yield self._prepare(split, index)

    def score(self, split: str, index: int, outputs: Tensors) -> float:
        if (split, index) not in self._placements:
            self._prepare(split, index)
        sample, placement = self._samples[split][index], self._placements[split, index]
        scores = tasks.predict_and_score(self._network, outputs, placement, sample)[1]
        return scores[tasks.METRICS[self._network.task][0]]

    def _prepare(self, split: str, index: int) -> Array:
        image, self._placements[split, index] = to_input(read_image(self._samples[split][index].path), self._network.input)
        return image
