"""OpenVINO: conversion, weight compression, quantization (NNCF, or POT of 2023.3), running on the CPU."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import openvino as ov
from artifact import IR_FILE
from conversion_options import converted_input
from errors import error_summary
from ir_product import FORMAT, product, save
from kernel import ProductOfMatrices
from network_work import work_of
from quantized_graph import has_products, shrink, widen_weights
from serving import LOADERS
from seven_bits import REMARK, WIDENED, in_every_layer, sums_saturate

from shared.contract.artifact import MANIFEST_FILE, Manifest
from shared.contract.model import Network
from shared.contract.result import Notes
from shared.harness.run_job import main
from shared.harness.toolchain import Calibration, Capabilities, Options, Product
from shared.inference.session import Unsupported

HAS_MO = ov.__version__.startswith("2023.")
"""2023.3 converts with mo and quantizes with POT; later releases have their own frontends, and NNCF."""


def versions() -> Dict[str, str]:
    """Return the releases of the packages that decide what comes out."""
    return {"openvino": ov.__version__, "numpy": np.__version__}


class IntelOpenvino:
    """What the target `intel-openvino` can do beside running its artifacts."""

    def convert(self, network: Network, graph: Path, output: Path, options: Options) -> Product:
        details: Dict[str, Any] = {}
        if HAS_MO:
            import mo_conversion

            model, details["mo"] = mo_conversion.convert(network, graph, options)
        else:
            import conversion

            model = conversion.convert(network, graph, options)
        remarks = (WIDENED,) if sums_saturate() and widen_weights(model) else ()
        save(model, output, compress=options.get("data_type") == "float16")
        details["nodes"] = len(model.get_ops())
        notes = Notes(remarks, work=work_of(model), details=details)
        return product(converted_input(network.input, options), "f32", notes)

    def optimize(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Options,
        data: Calibration,
        start: Optional[Path],
    ) -> Product:
        if method == "baseline":
            ignored = shutil.ignore_patterns(MANIFEST_FILE)
            shutil.copytree(source, output, ignore=ignored, dirs_exist_ok=True)
            return Product(FORMAT, manifest.input, manifest.settings)
        if method in ("fp16", "bf16"):
            if method == "bf16" and "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
                raise Unsupported("this CPU has no bfloat16 instructions (AVX512-BF16 or AMX)")
            save(ov.Core().read_model(source / IR_FILE), output, compress=True)
            return product(manifest.input, "bf16" if method == "bf16" else "f32", Notes())
        float_model = ov.Core().read_model(source / IR_FILE)
        if not has_products(float_model):
            save(float_model, output, compress=False)
            return product(manifest.input, "f32", Notes(quantized_operations=0))
        if HAS_MO:
            import pot_quantization

            ir = source / IR_FILE
            model, notes = pot_quantization.quantize(network, ir, manifest.input, method, options, data)
        else:
            import nncf_quantization

            quantized = None if start is None else ov.Core().read_model(start / IR_FILE)
            model, notes = nncf_quantization.quantize(
                network, float_model, manifest.input, method, options, data, quantized
            )
        if options["seven_bits"] == "auto" and in_every_layer("auto"):
            notes = replace(notes, remarks=(*notes.remarks, REMARK))
        shrink(model)
        save(model, output, compress=False)
        return product(manifest.input, "f32", notes)


OPENVINO = IntelOpenvino()
CAPABILITIES = Capabilities(
    versions,
    loader=LOADERS.loader,
    parallel_loader=LOADERS.parallel_loader,
    converter=OPENVINO,
    leaves_batch_open=True,
    optimizer=OPENVINO,
    kernel_maker=ProductOfMatrices(),
    error_summary=error_summary,
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
