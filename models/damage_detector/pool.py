"""Training pictures, rendered in advance as NumPy files that every run with the same seed takes."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
from surfaces import jpeg_bytes, render_surface, sample_rng
from training import Sample, load_samples

INPUT_HEIGHT, INPUT_WIDTH = 288, 384
_CHUNK = 25
Pool = tuple[np.ndarray, np.ndarray]


def resize(pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture and its mask of 0 and 255 in the network's size.

    The picture is uint8 [288, 384, 3], the mask uint8 [288, 384] of 0 and 1.
    """
    size = (INPUT_WIDTH, INPUT_HEIGHT)
    small = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT) // 255
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA), small


def _sample(seed: int, index: int) -> Sample:
    surface = render_surface(sample_rng(seed, "train", index))
    # Through JPEG, as the pictures that the network gets later.
    pixels = cv2.imdecode(np.frombuffer(jpeg_bytes(surface), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    image, mask = resize(pixels, surface.mask)
    return {"images": image, "masks": mask}


def load(seed: int, count: int, folder: Path, workers: int) -> Pool:
    """Return `count` training pictures, uint8 [N, 288, 384, 3], and masks, uint8 [N, 288, 384].

    They are rendered if `folder` does not hold them yet.
    """
    make = functools.partial(_sample, seed)
    pool = load_samples(folder / f"surfaces-{seed}-{count}", make, count, _CHUNK, workers)
    return pool["images"], pool["masks"]
