"""The product of float32 matrices by numpy's own library: TVM has none before it is tuned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shared.contract.measurement import Precision
from shared.harness.toolchain import KERNEL_PRODUCTS, KERNEL_SIDE, Kernel


class ProductOfMatrices:
    """Makes the kernel, which takes the CPUs that this process may use."""

    def kernel(self, artifact: Path, threads: int) -> Kernel:
        shape, generator = (KERNEL_SIDE, KERNEL_SIDE), np.random.default_rng(0)
        scale = np.float32(KERNEL_SIDE**-0.5)
        given, right = (generator.uniform(-1, 1, shape).astype(np.float32) * scale for _ in range(2))

        def run() -> None:
            left = given
            for _ in range(KERNEL_PRODUCTS):
                left = np.matmul(left, right)

        return Kernel(Precision.FLOAT32, run)
