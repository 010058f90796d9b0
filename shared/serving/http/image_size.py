"""The size of an image by its header, so that nothing is allocated for one that is too large.

PNG, JPEG, GIF, BMP and WebP, by their specifications.
"""

from __future__ import annotations

import struct
from typing import Callable, Optional, Tuple

Size = Tuple[int, int]
"""Width and height in pixels."""

FORMATS = "PNG, JPEG, GIF, BMP, WebP"

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers of a frame's header, SOF0 to SOF15; the three left out are others (DHT, JPG, DAC)."""

ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
"""JPEG's markers without a length: TEM, RST0 to RST7, SOI."""


def image_size(encoded: bytes) -> Optional[Size]:
    """Return width and height of an image; None where that is none of the formats, or damaged."""
    for signature, read in READERS:
        if encoded.startswith(signature):
            try:
                size = read(encoded)
            except (struct.error, IndexError):
                return None
            return size if size is not None and min(size) > 0 else None
    return None


def _png(encoded: bytes) -> Optional[Size]:
    """The first chunk is IHDR, which begins with the size."""
    if encoded[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", encoded, 16)
    return width, height


def _gif(encoded: bytes) -> Optional[Size]:
    width, height = struct.unpack_from("<HH", encoded, 6)
    return width, height


def _bmp(encoded: bytes) -> Optional[Size]:
    """The old header has 16-bit sides, the others 32-bit ones; a negative height is a picture upside down."""
    (header,) = struct.unpack_from("<I", encoded, 14)
    if header == 12:
        width, height = struct.unpack_from("<HH", encoded, 18)
    else:
        width, height = struct.unpack_from("<ii", encoded, 18)
    return abs(width), abs(height)


def _jpeg(encoded: bytes) -> Optional[Size]:
    """Go from segment to segment to the frame's header."""
    place = 2
    while encoded[place] == 0xFF:
        marker = encoded[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
        elif marker in ALONE:
            place += 2
        elif marker in FRAMES:
            height, width = struct.unpack_from(">HH", encoded, place + 5)
            return width, height
        else:
            place += 2 + max(2, struct.unpack_from(">H", encoded, place + 2)[0])
    return None


def _webp(encoded: bytes) -> Optional[Size]:
    if encoded[8:12] != b"WEBP":
        return None
    kind = encoded[12:16]
    if kind == b"VP8 " and encoded[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", encoded, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and encoded[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", encoded, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        low, high, low_height, high_height = struct.unpack_from("<HBHB", encoded, 24)
        return (high << 16 | low) + 1, (high_height << 16 | low_height) + 1
    return None


READERS: Tuple[Tuple[bytes, Callable[[bytes], Optional[Size]]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
    (b"BM", _bmp),
    (b"RIFF", _webp),
)
