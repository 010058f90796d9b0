"""Quantization to int8 with POT, the Post-training Optimization Tool of OpenVINO 2023.3.

DefaultQuantization is ActivationChannelAlignment, MinMaxQuantization and FastBiasCorrection (or BiasCorrection);
AccuracyAwareQuantization is that, and operations put back to float while the metric has dropped too far.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

sys.modules["jstyleson"] = json  # JSON with comments, of which there is no wheel; POT's file on CPUs is plain JSON

import numpy as np  # noqa: E402
import openvino as ov  # noqa: E402
from accuracy_control import Messages, notes_of  # noqa: E402
from openvino.tools.pot import (  # noqa: E402
    DataLoader,
    IEEngine,
    Metric,
    compress_model_weights,
    create_pipeline,
    load_model,
    save_model,
)
from openvino.tools.pot.engines import ie_engine  # noqa: E402
from openvino.tools.pot.samplers.batch_sampler import BatchSampler  # noqa: E402
from openvino.tools.pot.utils import launcher, logger  # noqa: E402
from quantized_graph import operation_types, quantized_operations  # noqa: E402

from shared.contract.model import InputSpec, Network  # noqa: E402
from shared.runtime.progress import report, track  # noqa: E402
from shared.runtime.toolchain import Calibration, Tensors  # noqa: E402

SCORE = "score"


def _float32_core() -> Any:
    core = ov.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return core


# Left alone, statistics, bias correction and accuracy are in bfloat16 on CPUs that have it.
ie_engine.Core = launcher.Core = _float32_core


class _Images(DataLoader):
    """Inputs of a split by index, with the index as annotation where they are to be scored."""

    def __init__(self, images: List[np.ndarray], scored: bool) -> None:
        super().__init__({})
        self._images, self._scored = images, scored

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tuple[Tuple[int, Optional[int]], np.ndarray]:
        return (index, index if self._scored else None), self._images[index]


class _Score(Metric):
    """The mean over samples of our own score."""

    def __init__(self, data: Calibration) -> None:
        self._data = data
        super().__init__()

    def reset(self) -> None:
        self._scores: List[float] = []

    def update(self, output: Tensors, target: List[int]) -> None:
        self._scores.append(self._data.score("validation", target[0], output))

    @property
    def value(self) -> Dict[str, List[float]]:
        return {SCORE: self._scores[-1:]}

    @property
    def avg_value(self) -> Dict[str, float]:
        return {SCORE: float(np.mean(self._scores)) if self._scores else 0.0}

    def get_attributes(self) -> Dict[str, Dict[str, str]]:
        return {SCORE: {"direction": "higher-better", "type": SCORE}}


class _Engine(IEEngine):
    """One request at a time (scores in the order of the samples), statistics from the calibration images.

    POT knows one data set, for statistics and for accuracy: here that is the validation split, and what asks for
    statistics is given the calibration images instead.
    """

    def __init__(self, calibration: _Images, validation: _Images, metric: Optional[_Score], messages: Messages) -> None:
        super().__init__({"device": "CPU", "stat_requests_number": 1, "eval_requests_number": 1}, validation, metric)
        self._calibration, self._messages, self._passes = calibration, messages, 0

    @staticmethod
    def postprocess_output(outputs: Tensors, _metadata: Any) -> Tensors:
        return outputs

    def predict(
        self,
        stats_layout: Any = None,
        sampler: Any = None,
        stat_aliases: Any = None,
        metric_per_sample: bool = False,
        print_progress: bool = False,
    ) -> Any:
        if stats_layout:
            sampler = BatchSampler(self._calibration)
        elif metric_per_sample:
            self._passes += 1
            report(f"accuracy control, pass {self._passes}", 0, 0)
        found = super().predict(stats_layout, sampler, stat_aliases, metric_per_sample, print_progress)
        if metric_per_sample:
            self._messages.pass_done(found[0][1][SCORE])
        return found


def quantize(
    network: Network, ir: Path, spec: InputSpec, method: str, options: Mapping[str, Any], data: Calibration
) -> Tuple[Any, Dict[str, Any]]:
    """Return the quantized ov.Model, its weights in 8 bits, and the notes.

    Args:
        ir: of the float network, .xml with .bin beside it.
        spec: of its input.
        method: `int8` or `int8-accuracy-aware`.
    """
    messages = Messages()
    messages.addFilter(lambda record: not record.name.endswith("ie_engine"))  # ten lines a pass
    logger.root.setLevel("INFO")
    logger.root.addHandler(messages)
    size = min(int(options.get("subset_size", 300)), data.size("calibration"))
    stream = zip(range(size), data.inputs("calibration", spec))
    calibration = _Images([image for _, image in track(stream, "read calibration images", size)], scored=False)
    accuracy_aware = method != "int8"
    validation, metric = calibration, None
    if accuracy_aware:
        count = data.size("validation")
        validation = _Images(list(track(data.inputs("validation", spec), "read validation images", count)), scored=True)
        metric = _Score(data)
    with tempfile.TemporaryDirectory() as scratch:
        model = load_model({"model_name": network.name, "model": str(ir), "weights": str(ir.with_suffix(".bin"))})
        report(f"quantize with {size} images", 0, 0)
        algorithm = {
            "name": "AccuracyAwareQuantization" if accuracy_aware else "DefaultQuantization",
            "params": _parameters(options, size, accuracy_aware, scratch),
        }
        quantized = create_pipeline([algorithm], _Engine(calibration, validation, metric, messages)).run(model)
        compress_model_weights(quantized)
        (saved,) = save_model(quantized, scratch, "quantized")
        core = ov.Core()
        core.set_property({"ENABLE_MMAP": False})
        result = core.read_model(saved["model"])
    accuracy = notes_of(messages.events, operation_types(core.read_model(ir))) if accuracy_aware else {}
    return result, {
        "pot": algorithm["name"],
        "calibration_images": len(calibration),
        "quantized_operations": quantized_operations(result) + len(accuracy.get("reverted", [])),
        **accuracy,
        "log": messages.lines[-60:],
    }


def _parameters(options: Mapping[str, Any], size: int, accuracy_aware: bool, scratch: str) -> Dict[str, Any]:
    scope = options.get("ignored_scope", {})
    parameters: Dict[str, Any] = {
        "target_device": options.get("target_device", "CPU"),
        "preset": options.get("preset", "performance"),
        "stat_subset_size": size,
        "use_fast_bias": bool(options.get("fast_bias_correction", True)),
        "inplace_statistics": True,
        "exec_log_dir": scratch,
        "ignored": {"scope": scope.get("names", []), "operations": [{"type": kind} for kind in scope.get("types", [])]},
    }
    if accuracy_aware:
        parameters.update(
            maximal_drop=float(options["max_drop"]),
            drop_type="absolute",
            ranking_subset_size=int(options.get("ranking_subset_size", 100)),
            max_iter_num=int(options.get("max_iterations", 20)),
        )
    return parameters
