"""The zoo's pictures: gradients, gratings, discs, polygons and noise, each drawn from its number alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 256
SEED = 20240930
JPEG_QUALITY = 95

Picture = NDArray[np.uint8]


def draw(number: int) -> Picture:
    """Draw picture `number`, uint8 BGR [SIDE, SIDE, 3]."""
    rng = np.random.default_rng([SEED, number])
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.clip((x * np.cos(angle) + y * np.sin(angle) + 1) / 2, 0, 1)[..., None]
    first, last = rng.uniform(0, 255, (2, 3))
    surface = first * (1 - ramp) + last * ramp
    for _ in range(rng.integers(1, 4)):
        surface = surface + _grating(rng, x, y)[..., None] * rng.uniform(-60, 60, 3)
    picture = np.clip(surface, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(2, 12)):
        _draw_shape(rng, picture)
    return np.clip(picture + rng.normal(0, rng.uniform(0, 25), picture.shape), 0, 255).astype(np.uint8)


def _grating(rng: np.random.Generator, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return waves, or stripes, of 2 to 40 periods a picture, -1 to 1."""
    periods = np.exp(rng.uniform(np.log(2), np.log(40)))
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    waves = np.sin(2 * np.pi * periods * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    return np.sign(waves) if rng.random() < 0.5 else waves


def _draw_shape(rng: np.random.Generator, picture: Picture) -> None:
    colour, centre = rng.integers(0, 256, 3).tolist(), rng.integers(0, SIDE, 2)
    if rng.random() < 0.5:
        cv2.circle(picture, centre.tolist(), int(rng.integers(5, 80)), colour, -1)
    else:
        corners = centre + rng.integers(-90, 90, (int(rng.integers(3, 6)), 2))
        cv2.fillPoly(picture, [corners.astype(np.int32)], colour)


def jpeg_bytes(picture: Picture) -> bytes:
    """Encode a picture as JPEG of quality JPEG_QUALITY."""
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise OSError("OpenCV could not encode a picture")
    return encoded.tobytes()
