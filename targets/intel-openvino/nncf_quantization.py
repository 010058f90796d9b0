"""Quantization to int8 with NNCF (2026.4), plainly or under its accuracy control.

Nothing that NNCF says about accuracy is believed: the `evaluate` stage measures the result again.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Tuple

import nncf
import numpy as np
from accuracy_control import Messages, Quantization, accuracy_notes, history_of, plain_notes
from quantized_graph import operation_types, quantized_operations

from shared.contract.model import InputSpec, Network
from shared.contract.result import Notes
from shared.harness.progress import report, track
from shared.harness.toolchain import Calibration, Options
from shared.inference.arrays import Array

PLAIN = "int8"
"""The method without accuracy control."""


def quantize(
    network: Network, model: Any, spec: InputSpec, method: str, options: Options, data: Calibration
) -> Tuple[Any, Notes]:
    """Return the quantized ov.Model and the notes.

    Args:
        model: float32.
        spec: of its input.
        method: `int8` or `int8-accuracy-aware`.
        options: of the method, every default filled in.
    """
    messages = Messages()
    logging.getLogger("nncf").addHandler(messages)
    types = operation_types(model)
    size = min(options["subset_size"], data.size("calibration"))
    images = list(track(_first(data, spec, size), "read calibration images", size))
    scope = options.get("ignored_scope", {})
    # Each option is declared in target.json, with its default, for `int8` and for `int8-accuracy-aware`.
    common: Dict[str, Any] = {
        "preset": nncf.QuantizationPreset(options["preset"]),
        "target_device": nncf.TargetDevice(options["target_device"]),
        "subset_size": size,
        "fast_bias_correction": options["fast_bias_correction"],
        "ignored_scope": nncf.IgnoredScope(**scope) if scope else None,
        "advanced_parameters": _advanced(options),
    }
    report(f"quantize with {size} images", 0, 0)
    calibration = nncf.Dataset(images)
    if method == PLAIN:
        quantized = nncf.quantize(model, calibration, **common)
    else:
        common["advanced_quantization_parameters"] = common.pop("advanced_parameters")
        validation = _Validation(network, spec, data, messages)
        quantized = _with_accuracy_control(model, calibration, validation, options, common)
    done = Quantization(
        network=network.name,
        metric=data.metric,
        tool=f"NNCF {nncf.__version__}",
        images=len(images),
        quantized=quantized_operations(quantized),
        lines=messages.lines,
    )
    if method == PLAIN:
        return quantized, plain_notes(done)
    return quantized, accuracy_notes(done, history_of(messages.events), types)


def _first(data: Calibration, spec: InputSpec, count: int) -> Iterator[Array]:
    for _, image in zip(range(count), data.inputs("calibration", spec)):
        yield image


def _advanced(options: Options) -> Any:
    if "smooth_quant" not in options:
        return None
    strengths = nncf.AdvancedSmoothQuantParameters(**options["smooth_quant"])
    return nncf.AdvancedQuantizationParameters(smooth_quant_alphas=strengths)


class _Validation:
    """The validation split, and the score of a compiled model on it.

    Args:
        spec: of the model's input.
        messages: that are told of the score of each pass over the whole split.
    """

    def __init__(self, network: Network, spec: InputSpec, data: Calibration, messages: Messages) -> None:
        self._tensors, self._data, self._messages = network.tensors, data, messages
        self._size, self._passes = data.size("validation"), 0
        images = track(data.inputs("validation", spec), "read validation images", self._size)
        self.items = list(enumerate(images))

    def score(self, compiled: Any, samples: Iterable[Tuple[int, Array]]) -> Tuple[float, List[float]]:
        """Return the mean score of some samples and the score of each, 0 to 1."""
        batch = list(samples)
        is_whole = len(batch) == self._size
        items: Iterable[Tuple[int, Array]] = batch
        if is_whole:
            self._passes += 1
            items = track(batch, f"accuracy control, pass {self._passes}", self._size)
        request = compiled.create_infer_request()
        scores = []
        for index, image in items:
            request.infer([image], share_inputs=True)
            outputs = {name: request.get_tensor(compiled.output(name)).data for name in self._tensors}
            scores.append(self._data.score("validation", index, outputs))
        mean = float(np.mean(scores))
        if is_whole:
            self._messages.pass_done(mean)
        return mean, scores


def _with_accuracy_control(
    model: Any, calibration: Any, validation: _Validation, options: Options, common: Mapping[str, Any]
) -> Any:
    restorer = nncf.AdvancedAccuracyRestorerParameters(
        ranking_subset_size=options["ranking_subset_size"],
        max_num_iterations=options["max_iterations"],
    )
    return nncf.quantize_with_accuracy_control(
        model,
        calibration_dataset=calibration,
        validation_dataset=nncf.Dataset(validation.items, lambda item: item),
        validation_fn=validation.score,
        max_drop=float(options["max_drop"]),
        drop_type=nncf.DropType.ABSOLUTE,
        advanced_accuracy_restorer_parameters=restorer,
        **common,
    )
