"""Q/DQ as TensorRT takes it, and how its quality is predicted without a GPU."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Iterator, List

from onnx_session import OnnxSession
from precision import in_float32, to_float16
from quantization import Scheme, quantize

from shared.contract.model import InputSpec, Network
from shared.contract.result import Notes
from shared.harness.progress import track
from shared.harness.toolchain import Calibration, Options
from shared.inference.session import Session, Tensors

PLACEMENT = Scheme(symmetric=True, per_channel=True, only_weighted=True)
"""Symmetric int8, the zero points 0: a scale for each channel of the weights, and one for each tensor that
convolutions and matrix products read. TensorRT computes nothing else in int8."""


def with_quantizers(
    network: Network, source: Path, spec: InputSpec, target: Path, options: Options, data: Calibration
) -> Notes:
    """Write a float32 graph with Q/DQ, the rest in float32; return notes."""
    return quantize(network, source, spec, target, options, data, PLACEMENT)


def quantized(
    network: Network, source: Path, spec: InputSpec, target: Path, options: Options, data: Calibration
) -> Notes:
    """Write a float32 graph with Q/DQ, the rest in the type that `options["rest"]` names; return notes."""
    notes = with_quantizers(network, source, spec, target, options, data)
    type_rest(source, target, options)
    return notes


def type_rest(float_graph: Path, graph: Path, options: Options) -> None:
    """Give what is not quantized the type that `options["rest"]` names, in place.

    Args:
        float_graph: the graph before it was quantized.
    """
    if options["rest"] == "float16":
        to_float16(graph, graph, in_float32(float_graph))


def half(source: Path, target: Path) -> None:
    """Write a float32 graph in float16."""
    to_float16(source, target, in_float32(source))


class Prediction:
    """The quality of typed and quantized graphs on validation images, in ONNX Runtime, which rounds as the
    graph says and sums in float32. It is a prediction: what counts is measured on the engine.

    Args:
        images: the first so many are run.
    """

    def __init__(self, network: Network, spec: InputSpec, data: Calibration, images: int) -> None:
        self._network, self._spec, self._data = network, spec, data
        self.images = min(images, data.size("validation"))

    def score(self, graph: Path) -> float:
        """Return the mean of the main metric (0 to 1)."""
        return fmean(self._scores(graph))

    def outputs(self, graph: Path, images: int) -> List[Tensors]:
        """Return a graph's outputs for the first so many validation images."""
        session = self._session(graph)
        inputs = islice(self._data.inputs("validation", self._spec), images)
        return [session.run(image) for image in inputs]

    def _scores(self, graph: Path) -> Iterator[float]:
        session = self._session(graph)
        images = islice(self._data.inputs("validation", self._spec), self.images)
        for index, image in enumerate(track(images, f"predict {self._network.name}", self.images)):
            yield self._data.score("validation", index, session.run(image))

    def _session(self, graph: Path) -> Session:
        # As many threads as the harness has pinned this job to.
        threads = len(os.sched_getaffinity(0))
        return OnnxSession(self._network, graph, self._spec, threads, in_float=True)
