"""An image's size is known by its header, before anything is allocated for it."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.serving.http.image_size import image_size

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)


def encoded(ending: str, *options: int) -> bytes:
    is_written, content = cv2.imencode(ending, PIXELS, options)
    assert is_written
    return content.tobytes()


IMAGES = {
    "png": encoded(".png"),
    "jpeg": encoded(".jpg"),
    "progressive jpeg": encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "bmp": encoded(".bmp"),
    "webp": encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 50),
    "lossless webp": encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
    "gif": encoded(".gif"),
    "upside down bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, 53, -37),
    "old bmp": b"BM" + bytes(12) + struct.pack("<IHH", 12, 53, 37),
    "extended webp": b"RIFF" + bytes(4) + b"WEBPVP8X" + bytes(8) + struct.pack("<HBHB", 52, 0, 36, 0),
    "jpeg with a comment": b"\xff\xd8\xff\xfe\x00\x06\xff\xc0ab" + encoded(".jpg")[2:],
}


@pytest.mark.parametrize("name", IMAGES)
def test_the_size_of_an_image(name: str) -> None:
    """Each format, and each form of it, says its width and height."""
    assert image_size(IMAGES[name]) == (53, 37)


@pytest.mark.parametrize("name", IMAGES)
def test_a_header_that_is_cut(name: str) -> None:
    """What is cut off has no size, or the one that was already said."""
    for length in range(40):
        assert image_size(IMAGES[name][:length]) in (None, (53, 37))


@given(st.binary(max_size=60), st.sampled_from([image[:14] for image in IMAGES.values()]))
def test_any_bytes(tail: bytes, head: bytes) -> None:
    """Whatever comes after a signature, there is a size or none, and never an error."""
    size = image_size(head + tail)
    assert size is None or min(size) > 0


def png_header(width: int, height: int) -> bytes:
    """A PNG that says a size, and has hardly anything in it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + header + crc


def test_what_says_to_be_huge() -> None:
    """A few bytes may say anything, and are believed, so that they can be refused."""
    assert image_size(png_header(2**31, 2**31)) == (2**31, 2**31)
    assert image_size(png_header(0, 5)) is None
    assert image_size(b"") is None
