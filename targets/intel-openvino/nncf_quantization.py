"""Quantization to int8 with NNCF (2026.4), plainly or under its accuracy control.

Nothing that NNCF says about accuracy is believed: the `evaluate` stage measures the result again.
"""

from __future__ import annotations

import logging
from typing import Any, Iterator, Optional, Tuple

import nncf
from accuracy_control import Messages, Quantization, accuracy_notes, history_of, plain_notes
from nncf.common.logging import track_progress
from nncf_accuracy_control import restore_accuracy
from quantized_graph import operation_types, quantized_operations, shrink
from seven_bits import in_every_layer

from shared.contract.model import InputSpec, Network
from shared.contract.result import Notes
from shared.harness.progress import report, track
from shared.harness.toolchain import Calibration, Options
from shared.inference.arrays import Array

PLAIN = "int8"
"""The method without accuracy control."""


def _steps(bar: Any) -> Iterator[Any]:
    """Yield what NNCF would show a bar of."""
    total = len(bar.sequence) if bar.total is None else int(bar.total)
    return track(bar.sequence, bar.description.lower(), total)


# Its bars draw on a terminal, which a job has not.
track_progress.track.__iter__ = _steps


def quantize(
    network: Network,
    model: Any,
    spec: InputSpec,
    method: str,
    options: Options,
    data: Calibration,
    start: Optional[Any],
) -> Tuple[Any, Notes]:
    """Return the quantized ov.Model, its weights in 8 bits, and the notes.

    Args:
        model: float32.
        spec: of its input.
        method: `int8` or `int8-accuracy-aware`.
        options: of the method, every default filled in.
        start: for `int8-accuracy-aware`, the ov.Model that `int8` left with the same options, or None.
    """
    messages = Messages()
    logging.getLogger("nncf").addHandler(messages)
    types = operation_types(model)
    images = min(options["subset_size"], data.size("calibration"))
    quantized = start if start is not None else _calibrated(model, spec, options, data, images)
    if method != PLAIN:
        shrink(quantized)  # as an artifact of `int8` is: either start gives the same
        quantized = restore_accuracy(network, model, quantized, spec, options, data, messages)
    done = Quantization(
        network=network.name,
        metric=data.metric,
        tool=f"NNCF {nncf.__version__}",
        images=images,
        quantized=quantized_operations(quantized),
        lines=messages.lines,
    )
    if method == PLAIN:
        return quantized, plain_notes(done)
    return quantized, accuracy_notes(done, history_of(messages.events), types)


def _calibrated(model: Any, spec: InputSpec, options: Options, data: Calibration, size: int) -> Any:
    """Return the ov.Model quantized with the first `size` calibration images."""
    images = list(track(_first(data, spec, size), "read calibration images", size))
    scope = options.get("ignored_scope", {})
    report(f"quantize with {size} images", 0, 0)
    # Each option is declared in target.json, with its default, for `int8` and for `int8-accuracy-aware`.
    return nncf.quantize(
        model,
        nncf.Dataset(images),
        preset=nncf.QuantizationPreset(options["preset"]),
        target_device=nncf.TargetDevice(options["target_device"]),
        subset_size=size,
        fast_bias_correction=options["fast_bias_correction"],
        ignored_scope=nncf.IgnoredScope(**scope) if scope else None,
        advanced_parameters=_advanced(options),
    )


def _first(data: Calibration, spec: InputSpec, count: int) -> Iterator[Array]:
    for _, image in zip(range(count), data.inputs("calibration", spec)):
        yield image


def _advanced(options: Options) -> Any:
    everywhere = in_every_layer(options["seven_bits"])
    chosen = {"overflow_fix": nncf.OverflowFix.ENABLE if everywhere else nncf.OverflowFix.FIRST_LAYER}
    if "smooth_quant" in options:
        chosen["smooth_quant_alphas"] = nncf.AdvancedSmoothQuantParameters(**options["smooth_quant"])
    return nncf.AdvancedQuantizationParameters(**chosen)
