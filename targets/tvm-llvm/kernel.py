"""The product of float32 matrices by numpy's own library: TVM has none before it is tuned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shared.contract.measurement import Precision
from shared.harness.toolchain import KERNEL_SIDE, Kernel


class ProductOfMatrices:
    """Makes the kernel, which takes the CPUs that this process may use."""

    def kernel(self, artifact: Path, threads: int) -> Kernel:
        shape, generator = (KERNEL_SIDE, KERNEL_SIDE), np.random.default_rng(0)
        left, right, product = (generator.uniform(-1, 1, shape).astype(np.float32) for _ in range(3))
        return Kernel(Precision.FLOAT32, 2 * KERNEL_SIDE**3, lambda: np.matmul(left, right, out=product))
