"""Quantization to int8 with NNCF (2026.4), plainly or under its accuracy control.

Nothing that NNCF says about accuracy is believed: the `evaluate` stage measures the result again.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, Iterable, List, Mapping, Tuple

import nncf
import numpy as np
from accuracy_control import Messages, notes_of
from quantized_graph import operation_types, quantized_operations

from shared.contract.model import InputSpec, Network
from shared.runtime.progress import report, track
from shared.runtime.toolchain import Calibration


def quantize(
    network: Network, model: Any, spec: InputSpec, method: str, options: Mapping[str, Any], data: Calibration
) -> Tuple[Any, Dict[str, Any]]:
    """Return the quantized ov.Model and the notes.

    Args:
        model: float32.
        spec: of its input.
        method: `int8` or `int8-accuracy-aware`.
    """
    messages = Messages()
    logging.getLogger("nncf").addHandler(messages)
    types = operation_types(model)
    size = min(int(options.get("subset_size", 300)), data.size("calibration"))
    images = list(track(_first(data, spec, size), "read calibration images", size))
    scope = options.get("ignored_scope", {})
    common: Dict[str, Any] = {
        "preset": nncf.QuantizationPreset(options.get("preset", "performance")),
        "target_device": nncf.TargetDevice(options.get("target_device", "CPU")),
        "subset_size": size,
        "fast_bias_correction": bool(options.get("fast_bias_correction", True)),
        "ignored_scope": nncf.IgnoredScope(**scope) if scope else None,
        "advanced_parameters": _advanced(options),
    }
    report(f"quantize with {size} images", 0, 0)
    if method == "int8":
        quantized = nncf.quantize(model, nncf.Dataset(images), **common)
    else:
        common["advanced_quantization_parameters"] = common.pop("advanced_parameters")
        quantized = _with_accuracy_control(network, model, spec, nncf.Dataset(images), options, data, common, messages)
    accuracy = {} if method == "int8" else notes_of(messages.events, types)
    return quantized, {
        "nncf": nncf.__version__,
        "calibration_images": len(images),
        "quantized_operations": quantized_operations(quantized) + len(accuracy.get("reverted", [])),
        **accuracy,
        "log": messages.lines[-60:],
    }


def _first(data: Calibration, spec: InputSpec, count: int) -> Iterable[np.ndarray]:
    for _, image in zip(range(count), data.inputs("calibration", spec)):
        yield image


def _advanced(options: Mapping[str, Any]) -> Any:
    if "smooth_quant" not in options:
        return None
    return nncf.AdvancedQuantizationParameters(smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(**options["smooth_quant"]))


def _with_accuracy_control(
    network: Network,
    model: Any,
    spec: InputSpec,
    calibration: Any,
    options: Mapping[str, Any],
    data: Calibration,
    common: Mapping[str, Any],
    messages: Messages,
) -> Any:
    size = data.size("validation")
    items = list(enumerate(track(data.inputs("validation", spec), "read validation images", size)))
    whole_passes = 0

    def validate(compiled: Any, samples: Iterable[Tuple[int, np.ndarray]]) -> Tuple[float, List[float]]:
        nonlocal whole_passes
        batch = list(samples)
        whole = len(batch) == size
        if whole:
            whole_passes += 1
        request = compiled.create_infer_request()
        scores = []
        for index, image in track(batch, f"accuracy control, pass {whole_passes}", size) if whole else batch:
            request.infer([image], share_inputs=True)
            outputs = {name: request.get_tensor(compiled.output(name)).data for name in network.tensors}
            scores.append(data.score("validation", index, outputs))
        if whole:
            messages.pass_done(float(np.mean(scores)))
        return float(np.mean(scores)), scores

    return nncf.quantize_with_accuracy_control(
        model,
        calibration_dataset=calibration,
        validation_dataset=nncf.Dataset(items, lambda item: item),
        validation_fn=validate,
        max_drop=float(options["max_drop"]),
        drop_type=nncf.DropType.ABSOLUTE,
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
            ranking_subset_size=int(options.get("ranking_subset_size", 100)),
            max_num_iterations=int(options.get("max_iterations", 20)),
        ),
        **common,
    )
