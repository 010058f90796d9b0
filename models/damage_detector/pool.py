"""Training pictures rendered ahead of the training, as NumPy files that every run with the same seed shares."""

from __future__ import annotations

import functools
import multiprocessing
from pathlib import Path

import cv2
import numpy as np
from surfaces import jpeg_bytes, render_surface, sample_rng

INPUT_HEIGHT, INPUT_WIDTH = 288, 384
Pool = tuple[np.ndarray, np.ndarray]


def resize(pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture and its mask of 0 and 255 in the network's size, uint8 [288, 384, 3] and [288, 384] of 0 and 1."""
    size = (INPUT_WIDTH, INPUT_HEIGHT)
    small = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT) // 255
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA), small


def _sample(seed: int, index: int) -> tuple[int, np.ndarray, np.ndarray]:
    surface = render_surface(sample_rng(seed, "train", index))
    pixels = cv2.imdecode(np.frombuffer(jpeg_bytes(surface), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return index, *resize(pixels, surface.mask)


def load(seed: int, count: int, folder: Path, workers: int) -> Pool:
    """Return `count` training pictures, uint8 [N, 288, 384, 3], and masks, uint8 [N, 288, 384]; render them if missing."""
    path = folder / f"surfaces-{seed}-{count}"
    if not path.is_dir():
        part = path.with_name(path.name + ".part")
        part.mkdir(parents=True, exist_ok=True)
        images = np.lib.format.open_memmap(
            part / "images.npy", "w+", np.uint8, (count, INPUT_HEIGHT, INPUT_WIDTH, 3)
        )
        masks = np.lib.format.open_memmap(
            part / "masks.npy", "w+", np.uint8, (count, INPUT_HEIGHT, INPUT_WIDTH)
        )
        with multiprocessing.get_context("spawn").Pool(workers, cv2.setNumThreads, (1,)) as pool:
            samples = pool.imap_unordered(functools.partial(_sample, seed), range(count), chunksize=16)
            for done, (index, image, mask) in enumerate(samples, 1):
                images[index], masks[index] = image, mask
                if done % 500 == 0:
                    print(f"{path.name}: {done} of {count}", flush=True)
        images.flush()
        masks.flush()
        part.rename(path)
    return np.load(path / "images.npy", mmap_mode="r"), np.load(path / "masks.npy", mmap_mode="r")
