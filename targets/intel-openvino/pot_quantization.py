"""Quantization to int8 with POT, the Post-training Optimization Tool of OpenVINO 2023.3.

DefaultQuantization is ActivationChannelAlignment, MinMaxQuantization and FastBiasCorrection (or
BiasCorrection); AccuracyAwareQuantization is that, and operations put back to float while the metric has
dropped too far.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

# The package reads JSON with comments, and there is no wheel of it; POT's file on CPUs is plain JSON.
sys.modules["jstyleson"] = json

import numpy as np  # noqa: E402
import openvino as ov  # noqa: E402
from accuracy_control import (  # noqa: E402
    Messages,
    Quantization,
    accuracy_notes,
    history_of,
    measured_state,
    plain_notes,
)
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
from seven_bits import in_every_layer  # noqa: E402

from shared.contract.model import InputSpec, Network  # noqa: E402
from shared.contract.result import Notes  # noqa: E402
from shared.harness.progress import report, track  # noqa: E402
from shared.harness.toolchain import Calibration, Options  # noqa: E402
from shared.inference.arrays import Array  # noqa: E402
from shared.inference.session import Tensors  # noqa: E402

SCORE = "score"


def _float32_core() -> Any:
    core = ov.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return core


# Left alone, statistics, bias correction and accuracy are in bfloat16 on CPUs that have it.
ie_engine.Core = launcher.Core = _float32_core


class _Images(DataLoader):  # type: ignore[misc]
    """Inputs of a split by index, with the index as annotation where they are to be scored."""

    def __init__(self, images: List[Array], scored: bool) -> None:
        super().__init__({})
        self._images, self._scored = images, scored

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tuple[Tuple[int, Optional[int]], Array]:
        return (index, index if self._scored else None), self._images[index]


class _Score(Metric):  # type: ignore[misc]
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


class _Tracked:
    """A sampler that reports how many images were taken from it."""

    def __init__(self, sampler: Any, what: str) -> None:
        self._sampler, self._what = sampler, what

    def __len__(self) -> int:
        return len(self._sampler)

    def __iter__(self) -> Iterator[Any]:
        return track(self._sampler, self._what, len(self))


class _Engine(IEEngine):  # type: ignore[misc]
    """One request at a time (scores in the order of the samples), statistics from the calibration images.

    POT knows one data set, for statistics and for accuracy: here that is the validation split, and what asks
    for statistics is given the calibration images instead.
    """

    def __init__(
        self, calibration: _Images, validation: _Images, metric: Optional[_Score], messages: Messages
    ) -> None:
        one_at_a_time = {"device": "CPU", "stat_requests_number": 1, "eval_requests_number": 1}
        super().__init__(one_at_a_time, validation, metric)
        self._calibration, self._messages, self._ranked = calibration, messages, 0

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
            sampler, what = BatchSampler(self._calibration), "collect statistics"
        elif metric_per_sample:
            what, self._ranked = f"measure {measured_state(self._messages.events)}", 0
        else:
            self._ranked += 1
            what = f"rank operations, number {self._ranked}"
        given = BatchSampler(self.data_loader) if sampler is None else sampler
        sampler = _Tracked(given, what)
        found = super().predict(stats_layout, sampler, stat_aliases, metric_per_sample, print_progress)
        if metric_per_sample:
            (_, averages), _ = found
            self._messages.pass_done(averages[SCORE])
        return found


PLAIN = "int8"
"""The method without accuracy control."""


def quantize(
    network: Network, ir: Path, spec: InputSpec, method: str, options: Options, data: Calibration
) -> Tuple[Any, Notes]:
    """Return the quantized ov.Model, its weights in 8 bits, and the notes.

    Args:
        ir: of the float network, .xml with .bin beside it.
        spec: of its input.
        method: `int8` or `int8-accuracy-aware`.
        options: of the method, every default filled in.
    """
    messages = Messages()
    messages.addFilter(lambda record: not record.name.endswith("ie_engine"))  # ten lines a pass
    logger.root.setLevel("INFO")
    logger.root.addHandler(messages)
    is_plain = method == PLAIN
    size = min(options["subset_size"], data.size("calibration"))
    stream = track(zip(range(size), data.inputs("calibration", spec)), "read calibration images", size)
    calibration = _Images([image for _, image in stream], scored=False)
    validation, metric = calibration, None
    if not is_plain:
        count = data.size("validation")
        images = list(track(data.inputs("validation", spec), "read validation images", count))
        validation, metric = _Images(images, scored=True), _Score(data)
    algorithm = "DefaultQuantization" if is_plain else "AccuracyAwareQuantization"
    with tempfile.TemporaryDirectory() as scratch:
        report(f"quantize with {size} images", 0, 0)
        parameters = _parameters(options, size, scratch)
        if not is_plain:
            parameters.update(_accuracy_parameters(options))
        engine = _Engine(calibration, validation, metric, messages)
        result = _run(network, ir, {"name": algorithm, "params": parameters}, engine, Path(scratch))
    done = Quantization(
        network=network.name,
        metric=data.metric,
        tool=f"POT {algorithm}",
        images=len(calibration),
        quantized=quantized_operations(result),
        lines=messages.lines,
    )
    if is_plain:
        return result, plain_notes(done)
    types = operation_types(ov.Core().read_model(ir))
    return result, accuracy_notes(done, history_of(messages.events), types)


def _run(network: Network, ir: Path, algorithm: Dict[str, Any], engine: _Engine, scratch: Path) -> Any:
    """Return the ov.Model that an algorithm of POT makes of an IR."""
    model = load_model({"model_name": network.name, "model": str(ir), "weights": str(ir.with_suffix(".bin"))})
    quantized = create_pipeline([algorithm], engine).run(model)
    compress_model_weights(quantized)
    (saved,) = save_model(quantized, str(scratch), "quantized")
    core = ov.Core()
    core.set_property({"ENABLE_MMAP": False})  # the file will be gone
    return core.read_model(saved["model"])


def _parameters(options: Options, size: int, scratch: str) -> Dict[str, Any]:
    """Return POT's parameters of a quantization with so many calibration images."""
    scope = options.get("ignored_scope", {})
    operations = [{"type": kind} for kind in scope.get("types", [])]
    return {
        "target_device": options["target_device"],
        "preset": options["preset"],
        "stat_subset_size": size,
        "use_fast_bias": options["fast_bias_correction"],
        "saturation_fix": "all" if in_every_layer(options["seven_bits"]) else "first_layer",
        "inplace_statistics": True,
        "exec_log_dir": scratch,
        "ignored": {"scope": scope.get("names", []), "operations": operations},
    }


def _accuracy_parameters(options: Options) -> Dict[str, Any]:
    """Return the parameters that a quantization under accuracy control has beside."""
    return {
        "maximal_drop": float(options["max_drop"]),
        "drop_type": "absolute",
        "ranking_subset_size": options["ranking_subset_size"],
        "max_iter_num": options["max_iterations"],
    }
