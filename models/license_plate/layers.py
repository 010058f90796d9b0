"""Parts of the networks' trainings: batch norm on TensorFlow's fused kernel, learning rate, frozen graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2


class FusedBatchNorm(keras.layers.Layer):
    """Batch normalisation of [B, H, W, C]; several times faster on a CPU than Keras's own layer."""

    def __init__(self, momentum: float = 0.95, **options: object) -> None:
        super().__init__(**options)
        self.momentum = momentum

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the scale and offset, and the running mean and variance, each float32 [C]."""
        size = (shape[-1],)
        self.gamma = self.add_weight(shape=size, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=size, initializer="zeros", name="beta")
        self.mean = self.add_weight(shape=size, initializer="zeros", trainable=False, name="mean")
        self.variance = self.add_weight(shape=size, initializer="ones", trainable=False, name="variance")

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalise with the batch's statistics in training, with the running ones otherwise."""
        norm = tf.compat.v1.nn.fused_batch_norm
        if not training:
            return norm(x, self.gamma, self.beta, self.mean, self.variance, epsilon=1e-3, is_training=False)[
                0
            ]
        y, mean, variance = norm(x, self.gamma, self.beta, epsilon=1e-3, is_training=True)
        self.mean.assign(self.mean * self.momentum + mean * (1 - self.momentum))
        self.variance.assign(self.variance * self.momentum + variance * (1 - self.momentum))
        return y


def normalise(pixels: tf.Tensor) -> tf.Tensor:
    """Return uint8 RGB as float32 from -1 to 1."""
    return (tf.cast(pixels, tf.float32) - 127.5) / 127.5


def multiply_adds(model: keras.Model) -> int:
    """Return the multiply-adds of the convolutions for the model's fixed input size."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, (keras.layers.DepthwiseConv2D, keras.layers.Conv2D)):
            _, height, width, _ = layer.output.shape
            total += height * width * int(np.prod(layer.kernel.shape))
    return total


def freeze(
    forward: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    shape: tuple[int, ...],
    outputs: tuple[str, ...],
    path: Path,
) -> None:
    """Write `forward` as a frozen graph.

    Its input is `image`, float32 of `shape`; its outputs are named as the keys of the result of `forward`.
    """

    @tf.function
    def named(image: tf.Tensor) -> list[tf.Tensor]:
        results = forward(image)
        return [tf.identity(results[name], name=name) for name in outputs]

    concrete = named.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="image"))
    constant = convert_variables_to_constants_v2(concrete).graph.as_graph_def()
    graph = tf.compat.v1.graph_util.extract_sub_graph(constant, list(outputs))
    graph.ClearField("library")
    part = path.with_name(path.name + ".part")
    part.write_bytes(graph.SerializeToString(deterministic=True))
    part.replace(path)


def warm_up_cosine(peak: float, warm_up: int, steps: int) -> Callable[[int], float]:
    """Return the learning rate by step: a linear rise to `peak`, then a cosine down to 1 % of it."""

    def rate(step: int) -> float:
        if step < warm_up:
            return peak * (step + 1) / warm_up
        done = min(1.0, (step - warm_up) / max(1, steps - warm_up))
        return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(done * math.pi)))

    return rate
