"""Write the detector of many plates: `python export.py --output lp_detector_many.pb`.

It has the weights of `../lp_detector`, whose cells each say how likely a plate's middle lies in them, and
where its box is. That graph gives the best cell's box alone; this one gives every cell's, with its score.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# Before the imports below: TensorFlow reads the environment when it is loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "license_plate"))

import numpy as np
import tensorflow as tf
from layers import freeze
from pools import DETECTOR_HEIGHT, DETECTOR_WIDTH

SOURCE = Path(__file__).resolve().parents[1] / "lp_detector" / "lp_detector.pb"

MAPS = {
    "score": "functional_1_1/score_1/Add:0",
    "offset": "functional_1_1/offset_1/BiasAdd:0",
    "size": "functional_1_1/size_1/BiasAdd:0",
}
"""The tensors of the cells: a logit, the middle's offset from the cell's in cells, the logarithm of the box's
half width and half height in cells."""

EVEN = 8.5
"""The logit at which a plate is as likely as not. In training a softmax over all cells saw nothing but their
differences; of 150 streets of another seed 98.4 % of 310 plates lie above, and 8 cells without one."""


def decoded(maps: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return every cell's box, float32 [1, cells, 4] relative corners, and its score, float32 [1, cells].

    The numbers are combined by reductions, as in `../lp_detector`: a quantizer leaves those in float.
    """
    _, height, width, _ = maps["score"].shape
    cells = height * width
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    grid = tf.constant(np.tile(np.stack([xs, ys], -1).reshape(1, cells, 2), 2))
    offset = tf.tile(tf.reshape(maps["offset"], (1, cells, 2)), (1, 1, 2))
    half = tf.tile(tf.exp(tf.reshape(maps["size"], (1, cells, 2))), (1, 1, 2))
    signs = tf.constant(np.tile(np.array([-1, -1, 1, 1], np.float32), (1, cells, 1)))
    in_cells = tf.reduce_sum(tf.stack([grid, offset, tf.reduce_prod(tf.stack([half, signs]), 0)]), 0)
    scale = tf.constant(np.tile(np.array([1 / width, 1 / height] * 2, np.float32), (1, cells, 1)))
    logits = tf.reshape(maps["score"], (1, cells))
    shifted = tf.reduce_sum(tf.stack([logits, tf.constant(np.full((1, cells), -EVEN, np.float32))]), 0)
    return {"boxes": tf.reduce_prod(tf.stack([in_cells, scale]), 0), "scores": tf.sigmoid(shifted)}


def export(path: Path) -> None:
    """Write the graph."""
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(SOURCE.read_bytes())

    def forward(image: tf.Tensor) -> dict[str, tf.Tensor]:
        tensors = tf.graph_util.import_graph_def(graph, {"image:0": image}, list(MAPS.values()), name="")
        return decoded(dict(zip(MAPS, tensors, strict=True)))

    freeze(forward, (1, DETECTOR_HEIGHT, DETECTOR_WIDTH, 3), ("boxes", "scores"), path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the frozen graph to write")
    export(parser.parse_args().output)
