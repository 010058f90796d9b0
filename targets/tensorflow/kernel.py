"""The product of float32 matrices in TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from sessions import session_on

from shared.contract.measurement import Precision
from shared.harness.toolchain import KERNEL_PRODUCTS, KERNEL_SIDE, Kernel


class ProductOfMatrices:
    """Makes the kernel, a graph of nothing else, run as graphs are."""

    def kernel(self, artifact: Path, threads: int) -> Kernel:
        shape = (KERNEL_SIDE, KERNEL_SIDE)
        with tf.Graph().as_default() as graph:
            left, right = (tf.compat.v1.placeholder(tf.float32, shape) for _ in range(2))
            product = left
            for _ in range(KERNEL_PRODUCTS):
                product = tf.matmul(product, right)
        call = session_on(graph, threads).make_callable(product, [left, right])
        generator = np.random.default_rng(0)
        scale = np.float32(KERNEL_SIDE**-0.5)
        matrices = [generator.uniform(-1, 1, shape).astype(np.float32) * scale for _ in range(2)]
        return Kernel(Precision.FLOAT32, lambda: call(*matrices))
