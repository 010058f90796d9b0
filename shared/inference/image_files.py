"""An image file as everything here sees it: upright, 8 bits a channel, nothing transparent.

OpenCV decodes it. What that leaves out or cuts off is looked up in the file itself: transparency, where the
16 bits of a sample end, and (for transparency alone, OpenCV turns the rest) the orientation.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from shared.contract.dataset import is_hidden
from shared.contract.image_depth import BITS, DOUBTFUL, LARGEST, white_of_tiff
from shared.inference.arrays import Array

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
"""Of the files in a folder that are read as images."""

JPEG, PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"

HEADER = 4096
"""Bytes in which a PNM file's numbers are looked for, after comments of any length."""

BACKGROUNDS = {"black": 0, "white": 255}
"""What an image may be laid over where it is transparent."""

ORIENTATION, PHOTOMETRIC, SAMPLES = 274, 262, 277
"""Tags of TIFF 6.0, of which EXIF has the first."""

SHORT, CMYK = 3, 5
"""A tag's type, and a value of PHOTOMETRIC."""


class UnreadableImage(Exception):
    """An image file that cannot be decoded."""


def decode(encoded: bytes, name: str, background: str = "black") -> Array:
    """Decode an image file, turned as its EXIF data says.

    Args:
        encoded: the file.
        name: for messages.
        background: what it is laid over where it is transparent, a key of BACKGROUNDS.

    Returns:
        uint8 BGR [height, width, 3].

    Raises:
        UnreadableImage: naming the file.
    """
    image = _decoded(encoded, cv2.IMREAD_COLOR + cv2.IMREAD_ANYDEPTH)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise UnreadableImage(f"cannot decode the image {name} ({len(encoded)} bytes)")
    if encoded.startswith(JPEG):
        return image
    image = _scaled(image, encoded, name)
    alpha = opacity(encoded, name)
    if alpha is None:
        return image
    share = alpha.astype(np.float32)[..., None] / np.iinfo(alpha.dtype).max
    # Of a TIFF file with 8 bits libtiff has multiplied the colours already.
    shown = image if alpha.dtype == np.uint8 and _tags(encoded) else image * share
    return np.asarray(np.rint(shown + BACKGROUNDS[background] * (1 - share)), np.uint8)


def read_image(path: Path, background: str = "black") -> Array:
    """Read an image file; arguments, result and error as of `decode`."""
    return decode(path.read_bytes(), path.name, background)


def images_of(folder: Path) -> List[Path]:
    """Return the images of a folder in the order of their names, hidden files left out."""
    found = (one for one in folder.iterdir() if one.suffix.lower() in IMAGE_ENDINGS and one.is_file())
    return sorted((one for one in found if not is_hidden(one.name)), key=lambda one: one.name)


def _decoded(encoded: bytes, flags: int) -> Optional[Array]:
    try:
        return cv2.imdecode(np.frombuffer(encoded, np.uint8), flags) if encoded else None
    except cv2.error:  # more pixels than OpenCV takes
        return None


def _scaled(image: Array, encoded: bytes, name: str) -> Array:
    """Return an image in 8 bits, by the largest value that its file says it has."""
    limit = _largest_value(encoded)
    if limit is None and image.dtype == np.uint8:
        return image
    if limit is None:
        if 0 < image.max() < DOUBTFUL:
            raise UnreadableImage(
                f"{name} has 16 bits and no value above {image.max()}: it may be an image of fewer bits, "
                "and its file does not say so"
            )
        limit = 65535
    return np.asarray(np.rint(image.clip(max=limit) * (255 / limit)), np.uint8)


def _largest_value(encoded: bytes) -> Optional[int]:
    """Return the value of white where a file tells it: PNM's third number, tags of TIFF."""
    if encoded[:2] in (b"P2", b"P3", b"P5", b"P6"):
        lines = (line.partition(b"#")[0] for line in encoded[2:HEADER].splitlines())
        numbers = b" ".join(lines).split()[:3]  # width, height and the largest value: netpbm's ppm(5)
        return int(numbers[2]) if numbers[2:] != [b"255"] and b"".join(numbers[2:]).isdigit() else None
    tags = _tags(encoded)
    return white_of_tiff(tags.get(BITS), tags.get(LARGEST))


def opacity(encoded: bytes, name: str) -> Optional[Array]:
    """Return how opaque each pixel is, [height, width], upright; None of an image without transparency.

    Raises:
        UnreadableImage: OpenCV leaves out the transparency of a grey image.
    """
    exif, tags = b"", _tags(encoded)
    is_grey = tags.get(SAMPLES) == 2
    if encoded.startswith(PNG):
        chunks = dict(png_chunks(encoded))
        if encoded[25] not in (4, 6) and b"tRNS" not in chunks:
            return None
        exif, is_grey = chunks.get(b"eXIf", b""), encoded[25] == 0
    elif encoded[8:12] == b"WEBP":
        if not _webp_has_alpha(encoded):
            return None
        exif = _webp_exif(encoded)
    elif encoded.startswith(b"BM") or tags.get(PHOTOMETRIC) == CMYK:
        return None
    if is_grey:
        raise UnreadableImage(f"the image {name} is grey and partly transparent: save it in colour (RGBA)")
    whole = _decoded(encoded, cv2.IMREAD_UNCHANGED)
    if whole is None or whole.ndim != 3 or whole.shape[2] != 4:
        return None
    return upright(whole[..., 3], _tags(exif).get(ORIENTATION, 1))


def png_chunks(encoded: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """Yield type and content of each chunk of a PNG file, as far as it is whole."""
    start = len(PNG)
    while start + 12 <= len(encoded):
        length, kind = struct.unpack(">I4s", encoded[start : start + 8])
        yield kind, encoded[start + 8 : start + 8 + length]
        start += 12 + length


def _webp_has_alpha(encoded: bytes) -> bool:
    """Tell whether a WebP file says that it has an alpha channel (RFC 9649, 2.7.1.1 and 3.4)."""
    place = {b"VP8X": 20, b"VP8L": 24}.get(encoded[12:16])
    return place is not None and bool(encoded[place] & 0x10)


def _webp_exif(encoded: bytes) -> bytes:
    """Return the EXIF data of a WebP file (RIFF), empty where it has none."""
    start = 12
    while start + 8 <= len(encoded):
        kind, length = struct.unpack("<4sI", encoded[start : start + 8])
        if kind == b"EXIF":
            content = encoded[start + 8 : start + 8 + length]
            return content[6:] if content.startswith(b"Exif\0\0") else content
        start += 8 + length + length % 2
    return b""


def _tags(tiff: bytes) -> Dict[int, int]:
    """Return the first number of each tag of 16 bits in the first directory of a TIFF file, or EXIF data."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return {}
    found: Dict[int, int] = {}
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, values = struct.unpack_from(order + "HHI", tiff, place)
            if kind == SHORT and values:
                # More than two do not fit into the entry, which then says where they are.
                where = place + 8 if values <= 2 else struct.unpack_from(order + "I", tiff, place + 8)[0]
                (found[tag],) = struct.unpack_from(order + "H", tiff, where)
    except struct.error:
        pass  # cut off: what was found stands
    return found


def upright(image: Array, orientation: int) -> Array:
    """Turn an image as an orientation of EXIF says, 1 to 8: 5 to 8 exchange its sides."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    rows = slice(None, None, -1) if orientation in (3, 4, 7, 8) else slice(None)
    columns = slice(None, None, -1) if orientation in (2, 3, 6, 7) else slice(None)
    return np.asarray(image[rows, columns])
