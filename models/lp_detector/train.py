"""Train the plate detector and write its graph: `python train.py --output lp_detector.pb --work DIR`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

# Before the imports below: TensorFlow reads the environment when it is loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "license_plate"))

import cv2
import keras
import numpy as np
import tensorflow as tf
from layers import FusedBatchNorm, freeze, multiply_adds, normalise, warm_up_cosine
from pools import DETECTOR_HEIGHT, DETECTOR_WIDTH, load
from training import command_line, read_options

_HEAD = 128
_STAGES = ((6, 32, 2, 2), (6, 48, 3, 2), (6, 104, 4, 2), (6, 160, 3, 2))
_SCORE_SIGMA, _BOX_SIGMA = 0.6, 0.8
_NO_PLATE_WEIGHT = 0.3


def _norm(x: keras.KerasTensor, active: bool = True) -> keras.KerasTensor:
    x = FusedBatchNorm()(x)
    return keras.layers.ReLU(6.0)(x) if active else x


def _conv(
    x: keras.KerasTensor, channels: int, size: int = 3, stride: int = 1, active: bool = True
) -> keras.KerasTensor:
    return _norm(keras.layers.Conv2D(channels, size, stride, "same", use_bias=False)(x), active)


def _inverted_residual(x: keras.KerasTensor, channels: int, expansion: int, stride: int) -> keras.KerasTensor:
    """Expand, filter each channel, project; add the input where the shape allows (MobileNet v2's block)."""
    y = x if expansion == 1 else _conv(x, x.shape[-1] * expansion, 1)
    y = _norm(keras.layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(y))
    y = _conv(y, channels, 1, active=False)
    return keras.layers.Add()([x, y]) if stride == 1 and x.shape[-1] == channels else y


def build(height: int | None = None, width: int | None = None, batch: int | None = None) -> keras.Model:
    """Return the network: float32 [B, H, W, 3] to maps of H/16 by W/16 cells.

    score: logits [.., 1]. offset: the box's centre from the cell's, in cells [.., 2]. size: log of the box's
    half width and half height in cells [.., 2].
    """
    layers = keras.layers
    image = keras.Input((height, width, 3), batch_size=batch)
    x = _inverted_residual(_conv(image, 32, 3, 2), 24, 1, 1)
    maps = []
    for expansion, channels, count, stride in _STAGES:
        for k in range(count):
            x = _inverted_residual(x, channels, expansion, stride if k == 0 else 1)
        maps.append(x)
    _, fine, middle, coarse = maps
    up = layers.UpSampling2D(2)(_conv(coarse, _HEAD, 1))
    x = layers.Add()([_conv(middle, _HEAD, 1), up, _conv(fine, _HEAD, 3, 2)])
    x = _conv(_conv(x, _HEAD), _HEAD)
    start = keras.initializers.RandomNormal(stddev=0.01)
    outputs = {
        "score": layers.Conv2D(1, 1, kernel_initializer=start, name="score")(x),
        "offset": layers.Conv2D(2, 1, kernel_initializer=start, name="offset")(x),
        "size": layers.Conv2D(2, 1, kernel_initializer=start, name="size")(x),
    }
    return keras.Model(image, outputs)


def _cell_centres(height: int, width: int) -> np.ndarray:
    """Return the cells' centres, x and y, in cells, float32 [H, W, 2]."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    return np.stack([xs, ys], -1)


def _decode_single(results: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the best cell's box, float32 [1, 4] relative corners, and its score, float32 [1].

    The best cell is picked first and its few numbers are combined by reductions instead of additions and
    multiplications, which a quantizer would turn to 8 bits: a box then keeps the accuracy of the last
    convolution. The score is the probability of the three by three cells around the best one.
    """
    _, height, width, _ = results["score"].shape
    cells = height * width
    logits = tf.reshape(results["score"], (1, cells))
    best = tf.argmax(logits, 1)
    corners = np.tile(_cell_centres(height, width).reshape(cells, 2), 2)
    grid = tf.gather(tf.constant(corners), best, axis=0)
    offset = tf.tile(tf.gather(tf.reshape(results["offset"], (cells, 2)), best, axis=0), (1, 2))
    half = tf.tile(tf.exp(tf.gather(tf.reshape(results["size"], (cells, 2)), best, axis=0)), (1, 2))
    signs = tf.constant([[-1, -1, 1, 1]], tf.float32)
    in_cells = tf.reduce_sum(tf.stack([grid, offset, tf.reduce_prod(tf.stack([half, signs]), 0)]), 0)
    scale = tf.constant([[1 / width, 1 / height] * 2], tf.float32)
    probability = tf.reshape(tf.nn.softmax(logits), (1, height, width, 1))
    near = tf.nn.conv2d(probability, np.ones((3, 3, 1, 1), np.float32), 1, "SAME")
    score = tf.gather(tf.reshape(near, (cells,)), best, axis=0)
    return {"box": tf.reduce_prod(tf.stack([in_cells, scale]), 0), "score": tf.minimum(score, 1.0)}


def export(model: keras.Model, path: Path) -> None:
    """Write the network with its decoding as a frozen graph."""
    single = build(DETECTOR_HEIGHT, DETECTOR_WIDTH, 1)
    single.set_weights(model.get_weights())
    shape = (1, DETECTOR_HEIGHT, DETECTOR_WIDTH, 3)
    freeze(lambda image: _decode_single(single(image, training=False)), shape, ("box", "score"), path)
    adds, parameters = multiply_adds(single) / 1e9, single.count_params() / 1e6
    print(f"{adds:.3f} GMAC, {parameters:.2f} M parameters", flush=True)


def _giou(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the IoU and the generalised IoU of boxes [..., 4] with corners."""
    low, high = tf.maximum(a[..., :2], b[..., :2]), tf.minimum(a[..., 2:], b[..., 2:])
    shared = tf.maximum(high - low, 0.0)
    inside = shared[..., 0] * shared[..., 1]
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    union = size_a[..., 0] * size_a[..., 1] + size_b[..., 0] * size_b[..., 1] - inside
    hull = tf.maximum(a[..., 2:], b[..., 2:]) - tf.minimum(a[..., :2], b[..., :2])
    area = hull[..., 0] * hull[..., 1]
    iou = inside / tf.maximum(union, 1e-9)
    return iou, iou - (area - union) / tf.maximum(area, 1e-9)


def losses(results: dict[str, tf.Tensor], boxes: tf.Tensor) -> tf.Tensor:
    """Return the losses of score, overlap and size, float32 [3].

    boxes: float32 [B, 4] relative, zeros without a plate.
    """
    height, width = results["score"].shape[1:3]
    scale = np.array([width, height] * 2, np.float32)
    centres = _cell_centres(height, width)
    truth = boxes[:, None, None, :] * scale
    present = tf.cast(boxes[:, 2] > 0, tf.float32)
    distance = tf.reduce_sum((centres - (truth[..., :2] + truth[..., 2:]) / 2) ** 2, -1)
    shape = (-1, height * width)
    target = tf.nn.softmax(tf.reshape(-distance / (2 * _SCORE_SIGMA**2), shape))
    target = tf.where(present[:, None] > 0, target, 1.0 / (height * width))
    score = tf.nn.softmax_cross_entropy_with_logits(target, tf.reshape(results["score"], shape))
    score = tf.reduce_mean(score * (present + (1 - present) * _NO_PLATE_WEIGHT))

    weight = tf.nn.softmax(tf.reshape(-distance / (2 * _BOX_SIGMA**2), shape)) * present[:, None]
    count = tf.maximum(tf.reduce_sum(present), 1.0)
    half = tf.exp(tf.clip_by_value(results["size"], -4.0, 4.0))
    middle = centres + results["offset"]
    guess = tf.concat([middle - half, middle + half], -1)
    span = tf.maximum(truth[..., 2:] - truth[..., :2], 0.1)
    far = tf.reduce_mean(tf.abs(guess - truth) / tf.concat([span, span], -1), -1)
    apart = 1 - _giou(guess, truth)[1]
    return tf.stack([
        score,
        tf.reduce_sum(weight * tf.reshape(apart, shape)) / count,
        tf.reduce_sum(weight * tf.reshape(far, shape)) / count,
    ])  # fmt: skip


def _vary(rng: np.random.Generator, images: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirror, scale and shift some of the frames, uint8 [B, H, W, 3], with their boxes.

    The plate stays inside.
    """
    images, boxes = images.copy(), boxes.copy()
    height, width = images.shape[1:3]
    for k in range(len(images)):
        plate = boxes[k, 2] > 0
        if rng.random() < 0.5:
            images[k] = images[k, :, ::-1].copy()
            boxes[k, [0, 2]] = 1 - boxes[k, [2, 0]] if plate else 0
        if rng.random() < 0.5:
            size = float(rng.uniform(0.75, 1.15))
            low, high = np.full(2, -1), np.full(2, 1)
            if plate:
                low, high = boxes[k, 2:] + 0.01 - size, boxes[k, :2] - 0.01
            low, high = np.maximum(low, min(-0.1, 0.9 - size)), np.minimum(high, max(0.1, 1.1 - size))
            start = np.minimum(low, high) + rng.random(2) * np.abs(high - low)
            matrix = np.array([[size, 0, start[0] * width], [0, size, start[1] * height]])
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            images[k] = cv2.warpAffine(images[k], matrix, (width, height), flags=flags)
            if plate:
                boxes[k] = (boxes[k] - np.concatenate([start, start])) / size
    return images, boxes.astype(np.float32)


class Trainer:
    """The training's state and its step."""

    def __init__(self) -> None:
        self.model = build()
        self.optimizer = keras.optimizers.AdamW(1e-3, weight_decay=1e-2, beta_2=0.99, global_clipnorm=5)
        self.optimizer.build(self.model.trainable_variables)

    @tf.function
    def step(self, pixels: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        """Take one step on uint8 [B, H, W, 3] and relative boxes [B, 4]; return the losses, float32 [3]."""
        count = tf.shape(pixels)[0]
        image = normalise(pixels) * tf.random.uniform((count, 1, 1, 1), 0.8, 1.2)
        image = image + tf.random.uniform((count, 1, 1, 3), -0.08, 0.08)
        with tf.GradientTape() as tape:
            parts = losses(self.model(image, training=True), boxes)
            total = parts[0] + 2 * parts[1] + 0.5 * parts[2]
        gradients = tape.gradient(total, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        return parts


def evaluate(model: keras.Model, pool: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the mean IoU over the frames with a plate and the mean of the score with and without one."""
    infer = tf.function(lambda image: model(normalise(image), training=False))
    overlaps, peaks, blank = [], [], []
    for start in range(0, len(pool["images"]), 20):
        part = slice(start, start + 20)
        maps = infer(pool["images"][part])
        for k, box in enumerate(pool["boxes"][part]):
            found = _decode_single({name: values[k : k + 1] for name, values in maps.items()})
            (peaks if box[2] > 0 else blank).append(float(found["score"][0]))
            if box[2] > 0:
                overlaps.append(float(_giou(found["box"][0], tf.constant(box))[0]))
    return {
        "iou": float(np.mean(overlaps)),
        "score": float(np.mean(peaks)),
        "score_empty": float(np.mean(blank)),
    }


def _halve(images: np.ndarray) -> np.ndarray:
    """Return frames at half their size, uint8 [N, H/2, W/2, 3]."""
    size = (images.shape[2] // 2, images.shape[1] // 2)
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def _fit(
    trainer: Trainer, pool: dict[str, np.ndarray], check: dict[str, np.ndarray], options: argparse.Namespace
) -> None:
    """Train at half the resolution, then at the full one, from the last checkpoint in the work folder on."""
    done = tf.Variable(0, dtype=tf.int64)
    state = tf.train.Checkpoint(model=trainer.model, optimizer=trainer.optimizer, done=done)
    manager = tf.train.CheckpointManager(state, str(options.work / "detector"), max_to_keep=1)
    state.restore(manager.latest_checkpoint)
    low, steps = options.low_steps, options.low_steps + options.steps
    phases = (
        (32, warm_up_cosine(options.low_rate, 100, low), 0, low),
        (16, warm_up_cosine(options.rate, 50, options.steps), low, steps),
    )
    began, average = time.monotonic(), np.zeros(3)
    for half, (batch, rate, start, stop) in zip((True, False), phases, strict=True):
        if int(done.numpy()) >= stop:
            continue
        images = _halve(pool["images"]) if half else np.asarray(pool["images"])
        validation = {**check, "images": _halve(check["images"])} if half else check
        per_epoch = len(images) // batch
        for step in range(max(start, int(done.numpy())), stop):
            order = np.random.default_rng([options.seed, step // per_epoch]).permutation(len(images))
            chosen = order[(step % per_epoch) * batch :][:batch]
            rng = np.random.default_rng([options.seed, 9, step])
            pixels, boxes = _vary(rng, images[chosen], pool["boxes"][chosen])
            trainer.optimizer.learning_rate.assign(rate(step - start))
            average = 0.96 * average + 0.04 * trainer.step(pixels, boxes).numpy()
            if (step + 1) % 25 == 0:
                seconds = time.monotonic() - began
                print(f"step {step + 1} loss {np.round(average, 3)} {seconds:.0f} s", flush=True)
            if (step + 1) % options.every == 0 or step + 1 == stop:
                done.assign(step + 1)
                manager.save()
                print(f"step {step + 1}", evaluate(trainer.model, validation), flush=True)


def main() -> None:
    """Read the command line, train, evaluate, export."""
    parser = command_line(__doc__, rate=1e-3, every=100)
    parser.add_argument("--samples", type=int, default=8000, help="training frames to render")
    parser.add_argument(
        "--low-steps", type=int, default=420, help="steps of 32 frames at half the resolution"
    )
    parser.add_argument("--low-rate", type=float, default=2e-3)
    parser.add_argument("--steps", type=int, default=310, help="steps of 16 frames at the full resolution")
    options = read_options(parser)
    trainer = Trainer()
    if options.steps > 0:
        check = load("detector", options.seed + 1, 300, options.work / "pools", options.workers)
        pool = load("detector", options.seed, options.samples, options.work / "pools", options.workers)
        _fit(trainer, pool, {name: np.asarray(values) for name, values in check.items()}, options)
        print("final", evaluate(trainer.model, check), flush=True)
    export(trainer.model, options.output)


if __name__ == "__main__":
    main()
