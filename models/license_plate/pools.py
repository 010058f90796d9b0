"""Training data, rendered in advance as NumPy files that every run with the same seed takes."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
from formats import ALPHABET, COUNTRIES, MAX_SYMBOLS
from scenes import decode_jpeg, enlarged, jpeg_bytes, render_scene, sample_rng
from training import Sample, load_samples

READER_HEIGHT, READER_WIDTH = 64, 256
DETECTOR_HEIGHT, DETECTOR_WIDTH = 384, 512
BLANK = len(ALPHABET)
_CHUNK = 100
_NO_PLATE_PROBABILITY = 0.08


def resize_crop(pixels: np.ndarray) -> np.ndarray:
    """Return a plate's crop, uint8 [H, W, 3], in the reader's size, uint8 [64, 256, 3]."""
    shrinks = pixels.shape[0] >= READER_HEIGHT and pixels.shape[1] >= READER_WIDTH
    mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(pixels), (READER_WIDTH, READER_HEIGHT), interpolation=mode)


def resize_frame(pixels: np.ndarray) -> np.ndarray:
    """Return a frame, uint8 [720, 1280, 3], in the detector's size, uint8 [384, 512, 3]."""
    size = (DETECTOR_WIDTH, DETECTOR_HEIGHT)
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)


def encode_reading(reading: str) -> np.ndarray:
    """Return a reading as class numbers, uint8 [8], padded with the blank at the end."""
    numbers = [ALPHABET.index(s) for s in reading] + [BLANK] * (MAX_SYMBOLS - len(reading))
    return np.asarray(numbers, np.uint8)


def reader_sample(seed: int, index: int, exact: bool = False) -> Sample:
    """Return one crop with its labels; its margins vary as a detector's would, unless `exact` (10 %)."""
    rng = sample_rng(seed, "train_reader", index)
    scene = render_scene(rng, margin=0.4)
    pixels = decode_jpeg(jpeg_bytes(scene.pixels, scene.quality))
    size = scene.box[2:] - scene.box[:2]
    deviation = 0.0 if exact else 0.05
    jitter = np.clip(rng.normal(0, deviation, 4), -0.12, 0.16) * [1, 1.5, 1, 1.5]
    box = scene.box + np.concatenate([size, size]) * jitter * [-1, -1, 1, 1]
    x0, y0, x1, y1 = enlarged(box, 0.1, pixels.shape[1], pixels.shape[0])
    centres = np.full(MAX_SYMBOLS, -1, np.float32)
    centres[: len(scene.symbols)] = ((scene.symbols[:, 0] + scene.symbols[:, 2]) / 2 - x0) / (x1 - x0)
    return {
        "images": resize_crop(pixels[y0:y1, x0:x1]),
        "symbols": encode_reading(scene.reading),
        "centres": centres,
        "countries": np.uint8(COUNTRIES.index(scene.country)),
        "widths": np.float32(size[0]),
    }


def detector_sample(seed: int, index: int) -> Sample:
    """Return one resized frame with its relative box; a few frames have no plate and a box of zeros."""
    rng = sample_rng(seed, "train_detector", index)
    scene = render_scene(rng, with_plate=bool(rng.random() >= _NO_PLATE_PROBABILITY))
    pixels = decode_jpeg(jpeg_bytes(scene.pixels, scene.quality))
    scale = np.array([pixels.shape[1], pixels.shape[0]] * 2, np.float32)
    box = np.zeros(4, np.float32) if scene.box is None else scene.box / scale
    return {"images": resize_frame(pixels), "boxes": box}


def load(kind: str, seed: int, count: int, folder: Path, workers: int) -> Sample:
    """Return a pool of `count` samples, an array a field; render it if it is missing.

    kind: "reader" or "detector".
    """
    make = functools.partial({"reader": reader_sample, "detector": detector_sample}[kind], seed)
    return load_samples(folder / f"{kind}-{seed}-{count}", make, count, _CHUNK, workers)
