"""Photographs and fonts that ship inside Python packages, so that every machine has the same ones."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

PLATE_FONTS = (
    "DejaVuSans-Bold",
    "DejaVuSans",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono",
    "DejaVuSerif-Bold",
    "STIXGeneralBol",
    "STIXGeneral",
    "cmb10",
    "cmss10",
    "cmtt10",
)
_PHOTOS = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/brick.png"),
    ("skimage", "data/camera.png"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/coins.png"),
    ("skimage", "data/grass.png"),
    ("skimage", "data/gravel.png"),
    ("skimage", "data/hubble_deep_field.jpg"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/motorcycle_right.png"),
    ("skimage", "data/page.png"),
    ("skimage", "data/rocket.jpg"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)
_GLYPH_HEIGHT = 96


def _package_file(package: str, relative: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the data generator needs the package {package}")
    return Path(spec.origin).parent / relative


@lru_cache(maxsize=1)
def photos() -> tuple[np.ndarray, ...]:
    """Return the bundled photographs, each uint8 [H, W, 3] RGB."""
    return tuple(np.asarray(Image.open(_package_file(p, f)).convert("RGB")) for p, f in _PHOTOS)


@lru_cache(maxsize=1)
def noise_tile() -> np.ndarray:
    """Return standard normal sensor noise, float32 [1024, 1536, 3], the same on every call.

    A picture takes a part of it at a random place, which costs nothing beside new noise for each.
    """
    return np.random.default_rng(0).standard_normal((1024, 1536, 3), dtype=np.float32)


@lru_cache(maxsize=64)
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Return one of Matplotlib's faces at a pixel size, laid out without a shaping library."""
    path = _package_file("matplotlib", f"mpl-data/fonts/ttf/{name}.ttf")
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=512)
def glyph(name: str, symbol: str) -> np.ndarray:
    """Return a symbol's ink, uint8 [96, W] with 255 for full ink, cropped to its outline."""
    face = font(name, 128)
    left, top, right, bottom = face.getbbox(symbol)
    canvas = Image.new("L", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(canvas).text((2 - left, 2 - top), symbol, fill=255, font=face)
    ink = np.asarray(canvas)
    rows, columns = np.flatnonzero(ink.max(1) > 64), np.flatnonzero(ink.max(0) > 64)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width = max(4, round(ink.shape[1] * _GLYPH_HEIGHT / ink.shape[0]))
    return cv2.resize(ink, (width, _GLYPH_HEIGHT), interpolation=cv2.INTER_AREA)
