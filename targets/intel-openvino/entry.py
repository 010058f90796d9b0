"""OpenVINO: conversion, weight compression, quantization (NNCF, or POT of 2023.3), running on the CPU."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any, Dict, Mapping

import numpy as np
import openvino as ov
from artifact import IR_FILE, CompiledSession, read_runtime, save
from conversion_options import converted_input
from quantized_graph import shrink

from shared.contract.model import Network
from shared.runtime.run_job import main
from shared.runtime.toolchain import Calibration, Session, Unsupported

HAS_MO = ov.__version__.startswith("2023.")
"""2023.3 converts with mo and quantizes with POT; later releases have frontends in openvino itself, and NNCF."""


class IntelOpenvino:
    """The `intel-openvino` target."""

    def versions(self) -> Dict[str, str]:
        return {"openvino": ov.__version__, "numpy": np.__version__}

    def convert(self, network: Network, graph: Path, output: Path, options: Mapping[str, Any]) -> Dict[str, Any]:
        if HAS_MO:
            import mo_conversion

            model, parameters = mo_conversion.convert(network, graph, options)
            notes: Dict[str, Any] = {"mo": parameters}
        else:
            import conversion

            model, notes = conversion.convert(network, graph, options), {}
        save(model, output, "f32", converted_input(network.input, options), compress=options.get("data_type") == "float16")
        return {**notes, "nodes": len(model.get_ops())}

    def optimize(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], data: Calibration
    ) -> Dict[str, Any]:
        if method == "baseline":
            shutil.copytree(source, output, dirs_exist_ok=True)
            return {}
        spec = read_runtime(source)[1]
        if method in ("fp16", "bf16"):
            if method == "bf16" and "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
                raise Unsupported("this CPU has no bfloat16 instructions (AVX512-BF16 or AMX)")
            save(ov.Core().read_model(source / IR_FILE), output, "bf16" if method == "bf16" else "f32", spec, compress=True)
            return {}
        if HAS_MO:
            import pot_quantization

            model, notes = pot_quantization.quantize(network, source / IR_FILE, spec, method, options, data)
        else:
            import nncf_quantization

            model, notes = nncf_quantization.quantize(network, ov.Core().read_model(source / IR_FILE), spec, method, options, data)
        shrink(model)
        save(model, output, "f32", spec, compress=False)
        return notes

    def load(self, network: Network, artifact: Path, threads: int) -> Session:
        return CompiledSession(network, artifact, threads)


if __name__ == "__main__":
    sys.exit(main(IntelOpenvino))
