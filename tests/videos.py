"""Small videos for tests, written by PyAV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from shared.inference.arrays import Array
from shared.inference.frames import Frame

LOSSLESS = {"qp": "0"}

BITS = 6
"""Of a number that is drawn in a picture."""

TURNED_MATRIX = np.array([0, 1 << 16, 0, -(1 << 16) % (1 << 32), 0, 0, 0, 0, 1 << 30], ">u4").tobytes()
"""Of an MP4 that is to be shown turned by a quarter clockwise."""

UPRIGHT_MATRIX = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">u4").tobytes()


def write_video(
    path: Path,
    frames: Sequence[Any],
    *,
    codec: str = "libx264",
    rate: int = 25,
    options: Mapping[str, str] = LOSSLESS,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Write frames of one size and format, `av.VideoFrame`, as a video of the kind that its name says."""
    first = frames[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=dict(container_options or {})) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        stream.codec_context.colorspace = int(first.colorspace)
        stream.codec_context.color_range = int(first.color_range)
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def frame_of(pixels: Array) -> Any:
    """Return uint8 BGR [height, width, 3], even sides, as a frame of the commonest kind."""
    return av.VideoFrame.from_ndarray(pixels, format="bgr24").reformat(format="yuv420p", threads=1)


def noise(number: int, height: int = 48, width: int = 64) -> Array:
    """Return the picture of a frame, uint8 BGR [height, width, 3]: its number in black and white bits, below
    64, above noise.
    """
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 1), np.uint8).repeat(3, 2)
    for bit in range(BITS):
        left, right = bit * width // BITS, (bit + 1) * width // BITS
        pixels[: height // 2, left:right] = 235 if number >> bit & 1 else 16
    return pixels


def number_in(pixels: Array) -> int:
    """Return the number that `noise` drew."""
    height, width = pixels.shape[:2]
    middles = [pixels[height // 4, (2 * bit + 1) * width // (2 * BITS), 1] for bit in range(BITS)]
    return sum((int(middle) > 128) << bit for bit, middle in enumerate(middles))


def numbers_in(frames: Iterable[Frame]) -> list[int]:
    """Return the number that is drawn in each frame."""
    return [number_in(frame.picture.bgr()) for frame in frames]


def write_noise(path: Path, count: int, options: Mapping[str, str] | None = None, **others: Any) -> Path:
    """Write a video of so many pictures of `noise`, with a key frame every ten."""
    frames = [frame_of(noise(number)) for number in range(count)]
    return write_video(path, frames, options=options or {"crf": "10", "g": "10"}, **others)
