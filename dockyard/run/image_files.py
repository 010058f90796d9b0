"""Image and mask files as the host sees them, and what of them no job could read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.contract.errors import InputProblem
from shared.contract.image_depth import BITS, DOUBTFUL, LARGEST, white_of_tiff

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "MPO", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "SUN")
"""What OpenCV decodes in a job, by Pillow's names."""

TIFF_COMPRESSIONS = ("raw", "packbits", "jpeg", "tiff_jpeg", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate")
TIFF_FAX = ("group3", "group4", "tiff_ccitt")
TIFF_BITS = (1, 8, 10, 12, 14, 16)
"""The same, within TIFF."""

ORIENTATION = 274
"""The tag of EXIF and of TIFF."""

ADVICE = "save it as PNG or JPEG, or take its row out"


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Attributes:
        size: width and height in pixels as it is shown, turned as its EXIF data says.
        is_turned: its width is the height of what is stored.
        has_alpha: it may be transparent in parts.
    """

    size: tuple[int, int]
    is_turned: bool
    has_alpha: bool

    @property
    def stored_size(self) -> tuple[int, int]:
        return self.size[::-1] if self.is_turned else self.size


def read_header(path: Path, where: str) -> Header:
    """Read what an image file says of itself, and refuse what no job could read.

    Args:
        where: the path in messages.

    Raises:
        InputProblem: no image, or one that is cut off; of a format, a compression or a type of pixels that
            OpenCV does not decode; of 16 bits, of which nobody says how many are used.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            header = Header(*_size(image), _has_alpha(image))
            problem = _why_not_decoded(image)
            if not problem and _is_deep(image):
                problem = _doubtful_depth(image)
            elif not problem:
                image.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        problem = f"no readable image ({type(error).__name__})"
    if problem:
        raise InputProblem(problem, where, ADVICE)
    return header


def _size(image: Image) -> tuple[tuple[int, int], bool]:
    """Return the size as it is shown, and whether that is turned."""
    width, height = image.size
    # Of a PNG without the chunk Pillow would decode the whole image to look for one behind it.
    has_exif = "exif" in image.info or image.format == "TIFF"
    is_turned = has_exif and image.getexif().get(ORIENTATION) in (5, 6, 7, 8)
    # Of a TIFF file Pillow has exchanged the sides already.
    is_exchanged = is_turned and image.format != "TIFF"
    return ((height, width) if is_exchanged else (width, height)), is_turned


def _has_alpha(image: Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _why_not_decoded(image: Image) -> str:
    """Return why OpenCV does not decode an image; empty where it does."""
    form = str(image.format)
    if form not in FORMATS:
        return f"an image of the format {form}, which is not decoded"
    if (image.mode in ("F", "I") and form != "PPM") or (image.mode, form) == ("F", "PPM"):
        return f"a {form} image of 32 bits a sample, which is not decoded"
    if (image.mode, form) == ("CMYK", "JPEG2000"):
        return "a JPEG 2000 image in CMYK, which is not decoded"
    is_grey = image.mode in ("LA", "La") if form == "TIFF" else image.mode in ("1", "L", "I", "I;16")
    if is_grey and form in ("PNG", "TIFF") and _has_alpha(image):
        return "a grey image that is transparent in parts, which is decoded in colour (RGBA) alone"
    return _why_no_tiff(image) if form == "TIFF" else ""


def _why_no_tiff(image: Image) -> str:
    compression = str(image.info.get("compression"))
    if compression not in (*TIFF_COMPRESSIONS, *TIFF_FAX):
        return f"a TIFF image with the compression {compression}, which is not decoded"
    bits = _tag(image, BITS) or 1
    return "" if bits in TIFF_BITS else f"a TIFF image of {bits} bits a sample, which is not decoded"


def _tag(image: Image, tag: int) -> int | None:
    """Return the first number of a tag of a TIFF image."""
    value = getattr(image, "tag_v2", {}).get(tag)
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else None


def _is_deep(image: Image) -> bool:
    """Tell whether an image has 16 bits a sample and a format that does not say where white is."""
    if image.format == "TIFF":
        return _tag(image, BITS) == 16 and white_of_tiff(16, _tag(image, LARGEST)) is None
    return image.format == "PNG" and (image.mode.startswith("I") or _has_wide_channels(image))


def _has_wide_channels(image: Image) -> bool:
    """Tell whether a file in colour has 16 bits a sample, of which Pillow keeps 8."""
    return ";16" in str(getattr(image, "tile", ""))


def _doubtful_depth(image: Image) -> str:
    """Return why nobody can tell where white is in an image of 16 bits; empty where it is at 65535."""
    extrema = image.getextrema()
    if image.mode.startswith("I"):
        largest = int(extrema[1])  # type: ignore[arg-type]
    else:
        # Pillow keeps the upper 8 bits of each channel.
        largest = 256 * max(int(band[1]) for band in extrema[:3])  # type: ignore[index]
    if 0 < largest < DOUBTFUL:
        return f"16 bits a sample and none from {DOUBTFUL} on: it may have fewer, and does not say so"
    return ""


@dataclass(frozen=True)
class MaskValues:
    """The values of a mask file, as `shared.contract.mask_values` takes them, and its size as it is shown."""

    values: frozenset[int]
    size: tuple[int, int]


def read_mask(path: Path, where: str, prefers_indices: bool) -> MaskValues:
    """Read which values a mask file has.

    Args:
        where: the path in messages.
        prefers_indices: of a palette, though its colours are black and white.

    Raises:
        InputProblem: it cannot be read, or has several colours.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            problem = _why_not_decoded(image)
            values = frozenset[int]() if problem else _values(image, prefers_indices, where)
            size, _ = _size(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        problem = f"no readable mask ({type(error).__name__})"
    if problem:
        raise InputProblem(problem, where, "save it as a grey PNG of 8 bits")
    return MaskValues(values, size)


def _values(image: Image, prefers_indices: bool, where: str) -> frozenset[int]:
    import numpy as np

    if image.mode in ("1", "L"):
        return _used(image.histogram())
    if image.mode == "P" and image.format == "PNG":
        indices, colours = _used(image.histogram()), image.getpalette() or []
        shown = {index: tuple(colours[3 * index : 3 * index + 3]) for index in indices}
        if prefers_indices or not set(shown.values()) <= {(0, 0, 0), (255, 255, 255)}:
            return indices
        return frozenset(colour[0] for colour in shown.values())
    if image.mode.startswith("I"):
        return frozenset(np.unique(np.asarray(image)).tolist())
    if _has_wide_channels(image):
        raise InputProblem("a mask in colour with 16 bits a sample", where, "save it as a grey PNG")
    pixels = np.asarray(image.convert("RGBA")).reshape(-1, 4)
    # Nothing was painted where it is transparent.
    colours = np.unique(pixels[:, :3] * (pixels[:, 3:] > 0), axis=0)
    if (colours == colours[:, :1]).all():
        return frozenset(colours[:, 0].tolist())
    painted = colours[colours.any(-1)]
    if len(painted) > 1:
        advice = "paint what counts in white on black, or save the numbers of the classes as grey values"
        raise InputProblem(f"a mask in {len(painted)} colours beside black", where, advice)
    return frozenset((255,) if len(painted) == len(colours) else (0, 255))


def _used(histogram: Sequence[int]) -> frozenset[int]:
    return frozenset(value for value, count in enumerate(histogram) if count)
