"""One compiled model for several threads: a stream of the runtime and a request for each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import numpy as np
import openvino as ov
from artifact import IR_FILE, PRECISION, RequestSession
from conversion_options import converted_input
from folding import fold

from shared.contract.artifact import Manifest
from shared.contract.model import InputSpec, Network
from shared.inference.session import Session, Unsupported

try:
    from openvino import opset10
except ImportError:  # 2023.3
    from openvino.runtime import opset10

SAME_WITHIN = 1e-3
"""Of an output's largest value, how far a batch's outputs may be from those of single calls."""


def load_parallel(
    network: Network, artifact: Path, manifest: Manifest, count: int, threads: int, batch: int, folds: bool
) -> Sequence[Session]:
    """Load an artifact as `ParallelLoader.load_parallel` says.

    Raises:
        Unsupported: there is nothing left to fold, or the network is not for batches.
    """
    core = ov.Core()
    model, spec = core.read_model(artifact / IR_FILE), manifest.input
    if folds:
        model, spec = _fold(model, spec)
    properties = {
        "NUM_STREAMS": count,
        "INFERENCE_NUM_THREADS": count * threads,
        "INFERENCE_PRECISION_HINT": manifest.settings[PRECISION],
    }
    settings: Dict[str, Any] = {"threads": threads, "streams": count, "batch": batch}
    if batch == 1:
        compiled = core.compile_model(model, "CPU", properties)
        return [RequestSession(compiled, network, spec, settings) for _ in range(count)]
    single = RequestSession(core.compile_model(model.clone(), "CPU", properties), network, spec, settings)
    _set_batch(model, batch)
    compiled = core.compile_model(model, "CPU", properties)
    spec = replace(spec, shape=(batch, *spec.shape[1:]))
    sessions = [RequestSession(compiled, network, spec, settings) for _ in range(count)]
    _refuse_other_outputs(single, sessions[0])
    return sessions


def _fold(model: Any, spec: InputSpec) -> Tuple[Any, InputSpec]:
    """Put what is left of pre-processing, but for the size, into a model; return it and what is left then.

    Raises:
        Unsupported: its input is 8-bit already, or grey.
    """
    if spec.dtype == "uint8" or spec.channels == "GRAY":
        raise Unsupported("its input leaves nothing to fold")
    options = {
        "layout": "NHWC",
        "input_dtype": "uint8",
        "reverse_channels": spec.channels == "RGB",
        "mean": spec.mean,
        "scale": spec.scale,
    }
    return fold(model, spec, options), converted_input(spec, options)


def _set_batch(model: Any, batch: int) -> None:
    """Give a model of batch 1 another one. Raises Unsupported where its operations do not go along.

    Reshapes that were converted with a batch of 1 in their shape take what the rest leaves instead.
    """
    for operation in model.get_ops():
        if operation.get_type_name() != "Reshape":
            continue
        pattern = operation.input_value(1).get_node()
        if pattern.get_type_name() != "Constant":
            continue
        sizes = np.array(pattern.get_data())
        if len(sizes) > 1 and sizes[0] == 1 and sizes.min() > 0:
            sizes[0] = -1
            operation.input(1).replace_source_output(opset10.constant(sizes).output(0))
    try:
        # The batch may be open.
        others = list(model.input().get_partial_shape())[1:]
        model.reshape([batch, *(size.get_length() for size in others)])
    except RuntimeError:
        raise Unsupported(f"the network is not for batches of {batch}") from None


def _refuse_other_outputs(single: Session, batched: Session) -> None:
    """Raise Unsupported where a batch gives other outputs than single calls on the same inputs."""
    spec = batched.input
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, spec.shape)
    normalized = (pixels - 127.5) / 127.5
    images = np.asarray(pixels if spec.dtype == "uint8" else normalized, spec.dtype)
    together = batched.run(images)
    for number in range(spec.shape[0]):
        alone = single.run(images[number : number + 1])
        for name, tensor in alone.items():
            part = together[name][number : number + 1]
            largest = max(float(np.abs(tensor).max()), 1e-12)
            if part.shape != tensor.shape or float(np.abs(part - tensor).max()) > SAME_WITHIN * largest:
                raise Unsupported(f"in a batch its output '{name}' is another than alone")
