"""Train the digit classifier and write its frozen graph and its data folder.

    python train.py            (TensorFlow, scikit-learn, OpenCV)

The data are the 1797 handwritten digits that scikit-learn ships, 8x8 pixels, enlarged to 32x32.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

HERE = Path(__file__).resolve().parent
SPLITS = {"calibration": 60, "validation": 60, "test": 200}
SEED = 7


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 [n, 32, 32] and labels [n], shuffled."""
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    pixels = np.clip(digits.images[order] * 16, 0, 255).astype(np.uint8)
    enlarged = [cv2.resize(image, (32, 32), interpolation=cv2.INTER_CUBIC) for image in pixels]
    return np.stack(enlarged), digits.target[order]


def write_split(folder: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Write images/ and labels.csv of one split."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["file", "label"])
        for number, (image, label) in enumerate(zip(pixels, labels)):
            cv2.imwrite(str(folder / "images" / f"{number:03d}.png"), image)
            rows.writerow([f"images/{number:03d}.png", label])


def network() -> tf.keras.Model:
    """Return the classifier: [n, 32, 32, 1] in -1..1 to softmax over ten digits."""
    layers = tf.keras.layers
    image = tf.keras.Input((32, 32, 1))
    x = image
    for channels in (16, 32, 64):
        x = layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return tf.keras.Model(image, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def main() -> None:
    """Train on what no split holds, write the data and the graph."""
    tf.keras.utils.set_random_seed(SEED)
    pixels, labels = images()
    start = 0
    for name, count in SPLITS.items():
        write_split(HERE / "data" / name, pixels[start : start + count], labels[start : start + count])
        start += count
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    inputs = (pixels[start:, ..., None] - 127.5) / 127.5
    model.fit(inputs, labels[start:], epochs=30, batch_size=32, verbose=2)

    @tf.function
    def forward(image: tf.Tensor) -> tf.Tensor:
        return tf.identity(model(image, training=False), name="digit")

    concrete = forward.get_concrete_function(tf.TensorSpec((1, 32, 32, 1), tf.float32, name="image"))
    frozen = convert_variables_to_constants_v2(concrete)
    tf.io.write_graph(frozen.graph, str(HERE), "digits.pb", as_text=False)
    print([n.name for n in frozen.graph.as_graph_def().node][-6:])


if __name__ == "__main__":
    main()
