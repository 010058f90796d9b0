"""OpenVINO and NNCF: conversion, weight compression, quantization, running on the CPU."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Tuple

import numpy as np
import openvino as ov

from shared.contract.model import Network
from shared.runtime.progress import report, track
from shared.runtime.run_job import main
from shared.runtime.toolchain import Calibration, Session, Tensors, Unsupported

IR_FILE = "model.xml"
RUNTIME_FILE = "runtime.json"
"""Beside the IR: the inference precision it was made for, so that whoever loads it runs what was measured."""


class CompiledSession:
    """A compiled model and one infer request, latency mode."""

    def __init__(self, network: Network, folder: Path, threads: int) -> None:
        precision = json.loads((folder / RUNTIME_FILE).read_text())["inference_precision"]
        model = ov.Core().read_model(folder / IR_FILE)
        compiled = ov.Core().compile_model(
            model,
            "CPU",
            {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": 1},
        )
        self._request = compiled.create_infer_request()
        self._outputs = {name: self._request.get_tensor(compiled.output(name)) for name in network.tensors}
        self.settings: Mapping[str, Any] = {
            "inference_precision": str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()),
            "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
            "streams": compiled.get_property("NUM_STREAMS"),
        }

    def run(self, image: np.ndarray) -> Tensors:
        self._request.infer([image], share_inputs=True)
        return {name: tensor.data.copy() for name, tensor in self._outputs.items()}


class IntelOpenvino:
    """The `intel-openvino` target, toolchain 2026.4."""

    def versions(self) -> Dict[str, str]:
        return {"openvino": ov.__version__, "numpy": np.__version__}

    def convert(self, network: Network, graph: Path, output: Path, options: Mapping[str, Any]) -> Dict[str, Any]:
        model = ov.convert_model(graph)
        model = ov.Model([_output(model, name) for name in network.tensors], model.get_parameters(), network.name)
        model.reshape(list(network.input.shape))
        save(model, output, "f32", compress=False)
        return {"nodes": len(model.get_ops())}

    def optimize(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], data: Calibration
    ) -> Dict[str, Any]:
        model = ov.Core().read_model(source / IR_FILE)
        if method == "baseline":
            shutil.copytree(source, output, dirs_exist_ok=True)
            return {}
        if method == "fp16":
            save(model, output, "f32", compress=True)
            return {}
        if method == "bf16":
            if "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
                raise Unsupported("this CPU has no bfloat16 instructions (AVX512-BF16 or AMX)")
            save(model, output, "bf16", compress=True)
            return {}
        return quantize(network, model, output, method, options, data)

    def load(self, network: Network, artifact: Path, threads: int) -> Session:
        return CompiledSession(network, artifact, threads)


def _output(model: Any, name: str) -> Any:
    for op in (op for op in model.get_ops() if op.get_type_name() != "Result"):
        for port in op.outputs():
            if {name, f"{name}:0"} & port.get_names():
                port.get_tensor().set_names({name})
                return port
    known = sorted(n for port in model.outputs for n in port.get_names())
    raise ValueError(f"the converted graph has no tensor '{name}'; its outputs: {', '.join(known)}")


def save(model: Any, output: Path, precision: str, compress: bool) -> None:
    """Write the IR and the precision it is to run in (`f32`, `bf16`)."""
    ov.save_model(model, output / IR_FILE, compress_to_fp16=compress)
    (output / RUNTIME_FILE).write_text(json.dumps({"inference_precision": precision}))


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def quantize(network: Network, model: Any, output: Path, method: str, options: Mapping[str, Any], data: Calibration) -> Dict[str, Any]:
    """Quantize to int8 with NNCF, plainly or under its accuracy control; return what NNCF said of it.

    Nothing that NNCF says about accuracy is believed: the `evaluate` stage measures the result again.
    """
    import nncf

    messages = _Messages()
    logging.getLogger("nncf").addHandler(messages)
    size = min(int(options.get("subset_size", 300)), data.size("calibration"))
    calibration = nncf.Dataset(list(track(data.inputs("calibration"), "read calibration images", data.size("calibration"))))
    scope = options.get("ignored_scope", {})
    common: Dict[str, Any] = {
        "preset": nncf.QuantizationPreset(options.get("preset", "performance")),
        "target_device": nncf.TargetDevice(options.get("target_device", "CPU")),
        "subset_size": size,
        "ignored_scope": nncf.IgnoredScope(**scope) if scope else None,
    }
    report(f"quantize with {size} images", 0, 0)
    if method == "int8":
        bias = bool(options.get("fast_bias_correction", True))
        quantized = nncf.quantize(model, calibration, fast_bias_correction=bias, **common)
    else:
        quantized = _with_accuracy_control(nncf, network, model, calibration, options, data, common)
    save(quantized, output, "f32", compress=True)
    quantizers = sum(op.get_type_name() == "FakeQuantize" for op in quantized.get_ops())
    return {"nncf": nncf.__version__, "subset_size": size, "fake_quantize": quantizers, "log": messages.lines[-60:]}


def _with_accuracy_control(
    nncf: Any,
    network: Network,
    model: Any,
    calibration: Any,
    options: Mapping[str, Any],
    data: Calibration,
    common: Dict[str, Any],
) -> Any:
    size = data.size("validation")
    items = list(enumerate(track(data.inputs("validation"), "read validation images", size)))
    rounds = {"count": 0}

    def validate(compiled: Any, samples: Iterable[Tuple[int, np.ndarray]]) -> Tuple[float, List[float]]:
        rounds["count"] += 1
        batch = list(samples)
        request = compiled.create_infer_request()
        scores = []
        for index, image in track(batch, f"accuracy control, pass {rounds['count']}", len(batch)):
            request.infer([image], share_inputs=True)
            outputs = {name: request.get_tensor(compiled.output(name)).data for name in network.tensors}
            scores.append(data.score("validation", index, outputs))
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


if __name__ == "__main__":
    sys.exit(main(IntelOpenvino))
