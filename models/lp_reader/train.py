"""Train the plate reader and write its frozen graph: `python train.py --output lp_reader.pb --work DIR`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# Before the imports below: TensorFlow reads the environment when it is loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "license_plate"))

import keras
import numpy as np
import tensorflow as tf
from formats import ALPHABET, COUNTRIES, MAX_SYMBOLS
from layers import FusedBatchNorm, freeze, normalise, warm_up_cosine
from pools import BLANK, READER_HEIGHT, READER_WIDTH, load
from training import command_line, read_options

COLUMNS = 32
CLASSES = len(ALPHABET) + 1
_REACH = 0.028
_TRUNK = ((32, 2), (64, 1), (64, 2), (128, 1), (128, 1), (192, 2), (192, 1), (192, 1))


def _block(x: keras.KerasTensor, channels: int, stride: int) -> keras.KerasTensor:
    x = keras.layers.Conv2D(channels, 3, stride, "same", use_bias=False)(x)
    return keras.layers.ReLU()(FusedBatchNorm()(x))


def build(batch: int | None = None) -> keras.Model:
    """Return the network: float32 [B, 64, 256, 3] to the logits of symbols, country and columns.

    symbols: [B, 8, 37]. country: [B, C]. columns: [B, 32, 37], an auxiliary output for training only: which
    symbol's centre is near each of 32 columns, the blank where none is. The country adds what its plates
    usually carry at each place, which distinguishes O from 0.
    """
    layers = keras.layers
    image = keras.Input((READER_HEIGHT, READER_WIDTH, 3), batch_size=batch)
    x = image
    for channels, stride in _TRUNK:
        x = _block(x, channels, stride)
    x = layers.Conv2D(256, (READER_HEIGHT // 8, 1), use_bias=False)(x)
    x = layers.ReLU()(FusedBatchNorm()(x))
    features = layers.Reshape((COLUMNS, 256))(x)
    near = layers.Conv1D(128, 9, padding="same", activation="relu")(features)
    places = layers.Dense(MAX_SYMBOLS * COLUMNS)(layers.Flatten()(near))
    places = layers.Softmax()(layers.Reshape((MAX_SYMBOLS, COLUMNS))(places))
    picked = layers.Dot(axes=(2, 1))([places, features])
    shape_alone = layers.Dense(CLASSES)(picked)
    columns = layers.Dense(CLASSES)(features)
    slim = layers.Conv1D(32, 1, activation="relu")(features)
    country = layers.Dense(len(COUNTRIES))(layers.Flatten()(slim))
    prior = layers.Dense(MAX_SYMBOLS * CLASSES, kernel_initializer="zeros", use_bias=False, name="prior")
    usual = prior(layers.Softmax()(country))
    symbols = layers.Add()([shape_alone, layers.Reshape((MAX_SYMBOLS, CLASSES))(usual)])
    return keras.Model(image, {"symbols": symbols, "country": country, "columns": columns})


def column_labels(centres: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return which symbol is near each column, uint8 [B, 32], from relative centres, float32 [B, 8]."""
    middles = (np.arange(COLUMNS, dtype=np.float32) + 0.5) / COLUMNS
    distance = np.abs(centres[:, None, :] - middles[None, :, None])
    nearest = distance.argmin(2)
    labels = np.take_along_axis(symbols, nearest, 1)
    return np.where(distance.min(2) <= _REACH, labels, BLANK).astype(np.uint8)


def symbol_prior(symbols: np.ndarray, countries: np.ndarray) -> np.ndarray:
    """Return the logarithm of how often a country's plates carry each symbol at each place.

    symbols: uint8 [N, 8]. countries: uint8 [N]. Returns float32 [C, 8 * 37], between -4 and 2; 0 where the
    symbol is as frequent as if all were equally so.
    """
    counts = np.zeros((len(COUNTRIES), MAX_SYMBOLS, CLASSES))
    for place in range(MAX_SYMBOLS):
        np.add.at(counts, (countries, place, symbols[:, place]), 1)
    # Two more of each: a symbol that the samples lack stays possible.
    frequency = (counts + 2) / (counts.sum(-1, keepdims=True) + 2 * CLASSES)
    return np.clip(np.log(frequency * CLASSES), -4, 2).reshape(len(COUNTRIES), -1).astype(np.float32)


def _augment(image: tf.Tensor) -> tf.Tensor:
    """Vary contrast, brightness, colour and noise of float32 [B, 64, 256, 3]."""
    count = tf.shape(image)[0]
    gain = tf.random.uniform((count, 1, 1, 3), 0.92, 1.08) * tf.random.uniform((count, 1, 1, 1), 0.8, 1.2)
    image = image * gain + tf.random.uniform((count, 1, 1, 1), -0.15, 0.15)
    noise = tf.random.normal(tf.shape(image)) * tf.random.uniform((count, 1, 1, 1), 0.0, 0.05)
    return tf.clip_by_value(image + noise, -1.0, 1.0)


def _export(model: keras.Model, path: Path) -> None:
    single = build(1)
    single.set_weights(model.get_weights())

    def forward(image: tf.Tensor) -> dict[str, tf.Tensor]:
        results = single(image, training=False)
        return {"symbols": tf.nn.softmax(results["symbols"]), "country": tf.nn.softmax(results["country"])}

    freeze(forward, (1, READER_HEIGHT, READER_WIDTH, 3), ("symbols", "country"), path)


def evaluate(model: keras.Model, pool: dict[str, np.ndarray], count: int) -> dict[str, float]:
    """Return the fractions of exact readings, of right symbols and of right countries."""
    infer = tf.function(lambda image: model(normalise(image), training=False))
    exact, single, country = [], [], []
    for start in range(0, count, 100):
        part = slice(start, min(start + 100, count))
        results = infer(pool["images"][part])
        right = results["symbols"].numpy().argmax(-1) == pool["symbols"][part]
        exact.append(right.all(1))
        single.append(right.mean(1))
        country.append(results["country"].numpy().argmax(-1) == pool["countries"][part])
    names = ("exact", "symbol", "country")
    return {n: float(np.concatenate(v).mean()) for n, v in zip(names, (exact, single, country), strict=True)}


class Trainer:
    """The training's state and its step."""

    def __init__(self) -> None:
        self.model = build()
        self.optimizer = keras.optimizers.AdamW(
            1e-3, weight_decay=1e-2, beta_2=0.99, clipnorm=None, global_clipnorm=2
        )
        self.optimizer.build(self.model.trainable_variables)

    @tf.function
    def step(
        self, pixels: tf.Tensor, symbols: tf.Tensor, country: tf.Tensor, columns: tf.Tensor
    ) -> tf.Tensor:
        """Take one step; return the losses of symbols, country and columns, float32 [3]."""
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
        image = _augment(normalise(pixels))
        with tf.GradientTape() as tape:
            results = self.model(image, training=True)
            losses = tf.stack([
                tf.reduce_mean(cross_entropy(tf.cast(symbols, tf.int32), results["symbols"])),
                tf.reduce_mean(cross_entropy(tf.cast(country, tf.int32), results["country"])),
                tf.reduce_mean(cross_entropy(tf.cast(columns, tf.int32), results["columns"])),
            ])  # fmt: skip
            total = losses[0] + 0.3 * losses[1] + losses[2]
        gradients = tape.gradient(total, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        return losses


@dataclass(frozen=True)
class Round:
    """Training on one pool from step `start` up to `stop`, with a warm-up to the rate `peak` and a cosine."""

    seed: int
    samples: int
    start: int
    stop: int
    peak: float


def _fit(
    trainer: Trainer, rounds: tuple[Round, ...], check: dict[str, np.ndarray], options: argparse.Namespace
) -> None:
    """Train all rounds, going on from the last checkpoint in the work folder."""
    done = tf.Variable(0, dtype=tf.int64)
    state = tf.train.Checkpoint(model=trainer.model, optimizer=trainer.optimizer, done=done)
    manager = tf.train.CheckpointManager(state, str(options.work / "reader"), max_to_keep=1)
    state.restore(manager.latest_checkpoint)
    for part in rounds:
        if int(done.numpy()) >= part.stop:
            continue
        pool = load("reader", part.seed, part.samples, options.work / "pools", options.workers)
        pool = {name: np.asarray(values) for name, values in pool.items()}
        if int(done.numpy()) == 0:
            trainer.model.get_layer("prior").set_weights([symbol_prior(pool["symbols"], pool["countries"])])
        rate = warm_up_cosine(part.peak, min(200, (part.stop - part.start) // 8), part.stop - part.start)
        began, average = time.monotonic(), np.zeros(3)
        per_epoch = part.samples // options.batch
        for step in range(max(part.start, int(done.numpy())), part.stop):
            order = np.random.default_rng([part.seed, step // per_epoch]).permutation(part.samples)
            chosen = np.sort(order[(step % per_epoch) * options.batch :][: options.batch])
            symbols = pool["symbols"][chosen]
            columns = column_labels(pool["centres"][chosen], symbols)
            trainer.optimizer.learning_rate.assign(rate(step - part.start))
            losses = trainer.step(pool["images"][chosen], symbols, pool["countries"][chosen], columns)
            average = 0.98 * average + 0.02 * losses.numpy()
            if (step + 1) % 50 == 0:
                seconds = time.monotonic() - began
                print(f"step {step + 1} loss {np.round(average, 3)} {seconds:.0f} s", flush=True)
            if (step + 1) % options.every == 0 or step + 1 == part.stop:
                done.assign(step + 1)
                manager.save()
                print(f"step {step + 1}", evaluate(trainer.model, check, 600), flush=True)


def main() -> None:
    """Read the command line, train, evaluate, export."""
    parser = command_line(__doc__, rate=2e-3, every=250)
    parser.add_argument("--samples", type=int, default=60000, help="samples of the first round")
    parser.add_argument("--steps", type=int, default=1600, help="first round's steps; 0: export untrained")
    parser.add_argument("--more-samples", type=int, default=19200, help="samples of the second round")
    parser.add_argument("--more-steps", type=int, default=600, help="second round's steps, at half the rate")
    parser.add_argument(
        "--last-steps", type=int, default=250, help="third round's steps, at a fifth of the rate"
    )
    parser.add_argument("--batch", type=int, default=32)
    options = read_options(parser)
    trainer = Trainer()
    if options.steps > 0:
        second = options.steps + options.more_steps
        last = second + options.last_steps
        rounds = (
            Round(options.seed, options.samples, 0, options.steps, options.rate),
            Round(options.seed + 2, options.more_samples, options.steps, second, options.rate / 2),
            Round(options.seed, options.samples, second, last, options.rate / 5),
        )
        check = load("reader", options.seed + 1, 2000, options.work / "pools", options.workers)
        _fit(trainer, rounds, check, options)
        print("final", evaluate(trainer.model, check, 2000), flush=True)
    _export(trainer.model, options.output)


if __name__ == "__main__":
    main()
