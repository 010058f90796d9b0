"""Train the damage segmenter and write its graph: `python train.py --output damage_detector.pb --work DIR`.

Besides what the generator needs: tensorflow-cpu 2.21 and albumentations 2.0.8, which takes
opencv-python-headless as it finds it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

# Both must be set before the imports below: libraries read the environment when they are loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "license_plate"))

import albumentations as A
import cv2
import keras
import numpy as np
import tensorflow as tf
from layers import FusedBatchNorm, freeze, multiply_adds, normalise, warm_up_cosine
from pool import INPUT_HEIGHT, INPUT_WIDTH, Pool, load
from training import command_line, read_options

_SMALL, _LARGE = 128, 224
_STAGES = ((64, 2), (128, 3), (256, 5), (512, 3))
_NECK = 128
_DECODER = (128, 96, 64, 16)
_LAST = 8
_DAMAGE_WEIGHT = 2.0


class _Double(keras.layers.Layer):
    """Nearest neighbours at twice the size, as one ResizeNearestNeighbor of the plainest kind."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return float32 [B, 2H, 2W, C]."""
        size = [2 * (fixed or tf.shape(x)[axis]) for axis, fixed in ((1, x.shape[1]), (2, x.shape[2]))]
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (shape[0], *(2 * side if side else None for side in shape[1:3]), shape[3])


def build(height: int | None = None, width: int | None = None, batch: int | None = None) -> keras.Model:
    """Return the network: float32 [B, H, W, 3] to logits of damage [B, H, W, 1]."""
    layers = keras.layers

    def conv(x: keras.KerasTensor, channels: int, size: int = 3, stride: int = 1) -> keras.KerasTensor:
        y = layers.Conv2D(channels, size, stride, "same", use_bias=False)(x)
        return layers.ReLU(6.0)(FusedBatchNorm()(y))

    def separable(x: keras.KerasTensor, channels: int, stride: int = 1) -> keras.KerasTensor:
        y = layers.ReLU(6.0)(FusedBatchNorm()(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x)))
        y = FusedBatchNorm()(layers.Conv2D(channels, 1, use_bias=False)(y))
        return layers.ReLU(6.0)(layers.Add()([x, y]) if x.shape[-1] == channels and stride == 1 else y)

    image = keras.Input((height, width, 3), batch_size=batch)
    x = separable(conv(image, 24, 3, 2), 32)
    skips = [x]
    for channels, count in _STAGES:
        for k in range(count):
            x = separable(x, channels, 2 if k == 0 else 1)
        skips.append(x)
    x = conv(skips.pop(), _NECK, 1)
    for channels in _DECODER:
        x = conv(layers.Concatenate()([_Double()(x), skips.pop()]), channels)
    x = _Double()(conv(x, _LAST, 1))
    # Few pixels are damaged: the network begins with a probability of sigmoid(-3), 5 %.
    rare = keras.initializers.Constant(-3.0)
    return keras.Model(image, layers.Conv2D(1, 3, padding="same", bias_initializer=rare)(x))


def export(model: keras.Model, path: Path) -> None:
    """Write the network with its sigmoid as a frozen graph, output `mask` float32 [1, 288, 384, 1]."""
    single = build(INPUT_HEIGHT, INPUT_WIDTH, 1)
    single.set_weights(model.get_weights())
    shape = (1, INPUT_HEIGHT, INPUT_WIDTH, 3)
    freeze(lambda image: {"mask": tf.sigmoid(single(image, training=False))}, shape, ("mask",), path)
    adds, parameters = multiply_adds(single) / 1e9, single.count_params() / 1e6
    print(f"{adds:.3f} GMAC, {parameters:.2f} M parameters", flush=True)


def augmentations(crop: int) -> A.Compose:
    """Return the reference work's augmentations to `crop` pixels square.

    Five crops of nine are taken around a damage.
    """
    border, shift = cv2.BORDER_REFLECT_101, (-0.06, 0.06)
    return A.Compose([
        A.Affine(scale=(0.7, 1.4), translate_percent=shift, rotate=(-20, 20), border_mode=border, p=0.5),
        A.LongestMaxSize(max_size=(320, INPUT_WIDTH, INPUT_WIDTH, 448), p=0.5),
        A.PadIfNeeded(crop, crop, border_mode=border),
        A.OneOf([A.CropNonEmptyMaskIfExists(crop, crop, p=1.0), A.RandomCrop(crop, crop, p=0.8)], p=1),
        A.HorizontalFlip(p=0.5),
        A.RandomGamma((75, 135), p=0.3),
        A.ColorJitter(0.2, 0.2, 0.3, 0.08, p=0.4),
        A.ToGray(p=0.04),
        A.MotionBlur((3, 5), p=0.08),
        A.GaussNoise((0.005, 0.025), p=0.15),
        A.ImageCompression(quality_range=(60, 95), p=0.15),
    ])  # fmt: skip


class Trainer:
    """The training's state and its step."""

    def __init__(self) -> None:
        self.model = build()
        self.optimizer = keras.optimizers.AdamW(1e-3, weight_decay=1e-2, beta_2=0.99, global_clipnorm=5)
        self.optimizer.build(self.model.trainable_variables)

    @tf.function
    def step(self, pixels: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
        """Take one step of weighted cross-entropy on uint8 [B, H, W, 3] and [B, H, W]; return the loss."""
        target = tf.cast(masks[..., None], tf.float32)
        with tf.GradientTape() as tape:
            logits = self.model(normalise(pixels), training=True)
            loss = tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(target, logits, _DAMAGE_WEIGHT))
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        return loss


def evaluate(model: keras.Model, images: np.ndarray, masks: np.ndarray) -> dict[float, tuple[float, float]]:
    """Return for each threshold the IoU over the pixels of all pictures and the mean of the pictures' IoUs.

    A picture without damage in which none is found counts as 1.
    """
    infer = tf.function(lambda image: tf.sigmoid(model(normalise(image), training=False)))
    thresholds = (0.3, 0.4, 0.5, 0.6, 0.7)
    counts = np.zeros((len(thresholds), len(images), 2))
    for k, (image, mask) in enumerate(zip(images, masks, strict=True)):
        probability = infer(image[None]).numpy()[0, ..., 0]
        for t, threshold in enumerate(thresholds):
            found = probability >= threshold
            counts[t, k] = np.sum(found & (mask > 0)), np.sum(found | (mask > 0))
    common, union = counts[..., 0], counts[..., 1]
    over_pixels = common.sum(1) / union.sum(1)
    over_pictures = np.where(union > 0, common / np.maximum(union, 1), 1.0).mean(1)
    results = {}
    for threshold, of_pixels, of_pictures in zip(thresholds, over_pixels, over_pictures, strict=True):
        results[threshold] = round(float(of_pixels), 4), round(float(of_pictures), 4)
    return results


def _fit(trainer: Trainer, pool: Pool, check: Pool, options: argparse.Namespace) -> None:
    """Train on small crops, then on large ones, going on from the last checkpoint in the work folder."""
    done = tf.Variable(0, dtype=tf.int64)
    state = tf.train.Checkpoint(model=trainer.model, optimizer=trainer.optimizer, done=done)
    manager = tf.train.CheckpointManager(state, str(options.work / "checkpoints"), max_to_keep=1)
    state.restore(manager.latest_checkpoint)
    images, masks = pool
    per_epoch = len(images) // options.batch
    steps = options.small_steps + options.steps
    phases = (
        (_SMALL, warm_up_cosine(options.small_rate, 100, options.small_steps), 0, options.small_steps),
        (_LARGE, warm_up_cosine(options.rate, 20, options.steps), options.small_steps, steps),
    )
    images_checked, masks_checked = check[0][:100], check[1][:100]
    began, average = time.monotonic(), 0.0
    for crop, rate, start, stop in phases:
        augment = augmentations(crop)
        for step in range(max(start, int(done.numpy())), stop):
            order = np.random.default_rng([options.seed, step // per_epoch]).permutation(len(images))
            chosen = order[(step % per_epoch) * options.batch :][: options.batch]
            augment.set_random_seed(options.seed * 1_000_000 + step)
            crops = [augment(image=images[k], mask=masks[k]) for k in chosen]
            trainer.optimizer.learning_rate.assign(rate(step - start))
            pixels = np.stack([crop["image"] for crop in crops])
            damaged = np.stack([crop["mask"] for crop in crops])
            loss = float(trainer.step(pixels, damaged))
            average = loss if average == 0 else 0.98 * average + 0.02 * loss
            if (step + 1) % 50 == 0:
                print(f"step {step + 1} loss {average:.4f} {time.monotonic() - began:.0f} s", flush=True)
            if (step + 1) % options.every == 0 or step + 1 == stop:
                done.assign(step + 1)
                manager.save()
                print(f"step {step + 1}", evaluate(trainer.model, images_checked, masks_checked), flush=True)


def main() -> None:
    """Read the command line, train, evaluate, export."""
    parser = command_line(__doc__, rate=1e-3, every=150)
    parser.add_argument("--samples", type=int, default=3000, help="training pictures to render")
    parser.add_argument("--batch", type=int, default=16, help="crops a step")
    parser.add_argument("--small-steps", type=int, default=3000, help="steps on crops of 128 pixels")
    parser.add_argument("--small-rate", type=float, default=3e-3)
    parser.add_argument("--steps", type=int, default=1600, help="steps on crops of 224 pixels")
    options = read_options(parser)
    trainer = Trainer()
    if options.steps > 0:
        check = load(options.seed + 1, 200, options.work, options.workers)
        pool = load(options.seed, options.samples, options.work, options.workers)
        _fit(trainer, pool, check, options)
        print("final", evaluate(trainer.model, *check), flush=True)
    export(trainer.model, options.output)


if __name__ == "__main__":
    main()
