"""Mask files as people have them: 1, 8 or 16 bits, grey, with a palette, in colour."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Optional, Sequence

import cv2
import numpy as np

from shared.contract.errors import InputProblem
from shared.contract.mask_values import counting
from shared.inference.arrays import Array
from shared.inference.image_files import PNG, UnreadableImage, opacity, png_chunks

GREY, PALETTE = 0, 3
"""Colour types of PNG."""


def read_mask(path: Path, wanted: Optional[Sequence[int]] = None) -> Array:
    """Return where the values that count are, bool [height, width], turned as EXIF data says.

    Args:
        wanted: `values` of model.json.

    Raises:
        UnreadableImage: it cannot be decoded.
        InputProblem: nobody can tell which values count.
    """
    numbers = mask_numbers(path, prefers_indices=wanted is not None)
    found = np.flatnonzero(np.bincount(numbers.ravel())).tolist()
    marked = np.zeros(int(numbers.max()) + 1, bool)
    marked[[value for value in counting(found, wanted, str(path)) if value < len(marked)]] = True
    return np.asarray(marked[numbers])


def mask_numbers(path: Path, prefers_indices: bool) -> Array:
    """Return the values of a mask file as `counting` takes them, uint8 or uint16 [height, width].

    Args:
        prefers_indices: of a palette, though its colours are black and white.

    Raises:
        UnreadableImage: it cannot be decoded.
        InputProblem: it has several colours.
    """
    encoded = path.read_bytes()
    pixels = _pixels(encoded, path)
    has_palette = encoded.startswith(PNG) and encoded[25] == PALETTE
    is_grey = pixels.ndim == 2 or bool((pixels == pixels[..., :1]).all())
    if has_palette and (prefers_indices or not is_grey or not np.isin(pixels, (0, 255)).all()):
        steps = 255 // ((1 << encoded[24]) - 1)  # a grey value for each index, up to 255
        return np.asarray(_pixels(as_grey(encoded), path) // steps)
    if is_grey:
        return pixels if pixels.ndim == 2 else np.asarray(pixels[..., 0])
    colours = np.unique(pixels[pixels.any(-1)], axis=0)
    if len(colours) > 1:
        advice = "paint what counts in white on black, or save the numbers of the classes as grey values"
        raise InputProblem(f"a mask in {len(colours)} colours beside black", str(path), advice)
    return np.where(pixels.any(-1), np.uint8(255), np.uint8(0))


def _pixels(encoded: bytes, path: Path) -> Array:
    """Decode a mask: [height, width], or [height, width, 3] of one in colour, uint8 or uint16."""
    try:
        flags = cv2.IMREAD_ANYDEPTH + cv2.IMREAD_ANYCOLOR
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags) if encoded else None
    except cv2.error:  # more pixels than OpenCV takes
        pixels = None
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise UnreadableImage(f"cannot decode the mask {path}")
    has_palette = encoded.startswith(PNG) and encoded[25] == PALETTE
    alpha = None if has_palette else opacity(encoded, path.name)
    if alpha is not None:
        pixels[alpha == 0] = 0  # nothing was painted there
    return np.asarray(pixels)


def as_grey(encoded: bytes) -> bytes:
    """Return a PNG file with a palette as one whose grey values are its indices: OpenCV gives colours."""
    parts = [PNG]
    for kind, content in png_chunks(encoded):
        if kind == b"IHDR":
            content = content[:9] + bytes([GREY]) + content[10:]
        if kind not in (b"PLTE", b"tRNS", b"bKGD", b"hIST", b"sBIT"):
            check = zlib.crc32(kind + content)
            parts.append(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check))
    return b"".join(parts)
