"""Quality of one network on the test split, and the check of a converted graph against the reference."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from shared.contract.dataset import Sample, read_split
from shared.contract.model import InputSpec, Network
from shared.runtime import masks, tasks
from shared.runtime.arrays import Array
from shared.runtime.preprocess import Placement, read_image, to_array, to_input, to_pixels
from shared.runtime.progress import track
from shared.runtime.toolchain import Session, Tensors

CONVERSION_LIMIT = 1e-3
"""Largest difference of a converted float32 graph: absolute, over the reference output's largest absolute value."""

REFERENCE_SAMPLES = 4
"""Real inputs whose reference outputs travel with the jobs."""


def evaluate(
    network: Network, session: Session, split: Path, with_truth: bool = False, most: int = 0
) -> Tuple[Dict[str, Any], List[int], List[Tuple[Array, Tensors]]]:
    """Run each sample of a split once.

    Args:
        most: of the samples, the first; 0 takes all.
        with_truth: keep images and true masks beside the pictures of the predicted masks (`masks.picture`).

    Returns:
        The quality (main metric, metrics, scores and prediction of each sample, pictures of some masks), the time of each call in
        nanoseconds (the network alone, `dataset` protocol), and pixels (`to_pixels`) and outputs of the first samples.
    """
    samples = read_split(split, network.task)[: most or None]
    rows: List[Dict[str, Any]] = []
    times: List[int] = []
    kept: List[Tuple[Array, Tensors]] = []
    pictures: List[Dict[str, Any]] = []
    shown = masks.spread(len(samples)) if network.task == "segmentation" else []
    for number, sample in enumerate(track(samples, f"evaluate {network.name}", len(samples))):
        pixels, placement = to_pixels(read_image(sample.path), session.input)
        image = to_array(pixels, session.input)
        start = perf_counter_ns()
        outputs = session.run(image)
        times.append(perf_counter_ns() - start)
        if len(kept) < REFERENCE_SAMPLES:
            kept.append((pixels, {k: np.array(v) for k, v in outputs.items()}))
        rows.append({"id": sample.id, **tasks.predict_and_score(network, outputs, placement, sample)})
        if number in shown:
            pictures.append(masks.picture(network, outputs, placement, sample, with_truth))
    quality = {
        "main": tasks.METRICS[network.task][0],
        "metrics": tasks.set_metrics(rows),
        "samples": rows,
        **({"pictures": pictures} if pictures else {}),
    }
    return quality, times, kept


def save_reference(path: Path, kept: Sequence[Tuple[Array, Tensors]]) -> None:
    """Write real images and the reference's outputs to an .npz file.

    Keys: `pixels`, uint8 BGR [n, height, width, 3] of the input's size; `output/<tensor>`, [n, ...].
    """
    stacked: Dict[str, Any] = {"pixels": np.stack([pixels for pixels, _ in kept])}
    for name in kept[0][1]:
        stacked[f"output/{name}"] = np.stack([outputs[name] for _, outputs in kept])
    np.savez(path, **stacked)


def load_reference(path: Path) -> Tuple[Array, Tensors]:
    """Return pixels [n, ...] and outputs by tensor name [n, ...] that `save_reference` wrote; no pickle is read."""
    with np.load(path, allow_pickle=False) as archive:
        outputs = {k[len("output/") :]: archive[k] for k in archive.files if k.startswith("output/")}
        return archive["pixels"], outputs


def check_conversion(session: Session, reference: Path, limit: float = CONVERSION_LIMIT) -> List[Dict[str, Any]]:
    """Run a graph of full precision on the reference's images and compare every output.

    Returns:
        For each output: its name, the largest absolute difference over the reference's largest absolute value
        (None where shape or output is missing), the limit, and whether they agree.
    """
    images, expected = load_reference(reference)
    produced = [session.run(to_array(pixels, session.input)) for pixels in images]
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
                "limit": limit,
                "agrees": difference is not None and difference <= limit,
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

    def inputs(self, split: str, spec: InputSpec) -> Iterator[Array]:
        for index in range(self.size(split)):
            yield self._prepare(split, index, spec)

    def score(self, split: str, index: int, outputs: Tensors) -> float:
        if (split, index) not in self._placements:
            self._prepare(split, index, self._network.input)
        sample, placement = self._samples[split][index], self._placements[split, index]
        scores: Dict[str, float] = tasks.predict_and_score(self._network, outputs, placement, sample)["scores"]
        return scores[tasks.METRICS[self._network.task][0]]

    def _prepare(self, split: str, index: int, spec: InputSpec) -> Array:
        image, self._placements[split, index] = to_input(read_image(self._samples[split][index].path), spec)
        return image
