"""The product of matrices that OpenVINO does best on this CPU, in the precision of an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from artifact import IR_FILE, PRECISION, compile_for_latency

from shared.contract.measurement import Precision
from shared.harness.toolchain import KERNEL_PRODUCTS, KERNEL_SIDE, Kernel
from shared.inference.artifacts import read_manifest

try:
    from openvino import opset8 as operations
except ImportError:  # 2023.3
    from openvino.runtime import opset8 as operations


class ProductOfMatrices:
    """Makes the kernel, a model of nothing else, compiled as artifacts are."""

    def kernel(self, artifact: Path, threads: int) -> Kernel:
        manifest = read_manifest(artifact)
        assert manifest is not None, "what OpenVINO runs has a manifest"
        precision = Precision.BFLOAT16 if manifest.settings[PRECISION] == "bf16" else Precision.FLOAT32
        core = ov.Core()
        nodes = core.read_model(artifact / IR_FILE).get_ops()
        if any(node.get_type_name() == "FakeQuantize" for node in nodes):
            precision = Precision.INT8
        request = compile_for_latency(core, _model(precision), manifest, threads).create_infer_request()
        matrix = _matrix(seed=0)
        return Kernel(precision, lambda: request.infer([matrix], share_inputs=True))


def _matrix(seed: int) -> Any:
    return np.random.default_rng(seed).uniform(-1, 1, (KERNEL_SIDE, KERNEL_SIDE)).astype(np.float32)


def _model(precision: Precision) -> Any:
    """Return a model that multiplies its input, from -1 to 1, by one constant matrix after the other."""
    given = operations.parameter([KERNEL_SIDE, KERNEL_SIDE], np.float32)
    left = given
    for number in range(KERNEL_PRODUCTS):
        right = operations.constant(_matrix(seed=number + 1) / np.sqrt(np.float32(KERNEL_SIDE)))
        if precision == Precision.INT8:
            left, right = _quantized(left, levels=256), _quantized(right, levels=255)
        left = operations.matmul(left, right, False, False)
    return ov.Model([left], [given], "kernel")


def _quantized(tensor: Any, levels: int) -> Any:
    """Return a tensor rounded to so many levels from -1 to 1, which OpenVINO takes to 8 bits."""
    low, high = operations.constant(np.float32(-1)), operations.constant(np.float32(1))
    return operations.fake_quantize(tensor, low, high, low, high, levels)
