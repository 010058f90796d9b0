"""The picture of one plate, seen straight on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from assets import PLATE_FONTS, font, glyph
from formats import Plate
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 390, 83
_PER_MM = WIDTH / 520

_WHITE = (238, 238, 234)
_YELLOW_GB = (245, 200, 40)
_YELLOW_NL = (242, 180, 30)
_BLUE = (20, 60, 150)
_STICKERS = ((200, 120, 60), (70, 130, 190), (210, 190, 60), (90, 160, 90), (190, 120, 170))


@dataclass(frozen=True)
class PlateImage:
    """A plate as a picture.

    pixels: uint8 [83, 390, 3] RGB. alpha: uint8 [83, 390], 0 outside the rounded corners.
    symbols: float32 [N, 4], each symbol's x_min, y_min, x_max, y_max in pixels, in reading order.
    """

    pixels: np.ndarray
    alpha: np.ndarray
    symbols: np.ndarray


@dataclass(frozen=True)
class _Style:
    background: tuple[int, int, int]
    band: str
    right_band: bool
    separator: str
    gap_mm: float


def _style(rng: np.random.Generator, country: str) -> _Style:
    white, yellow_gb = _WHITE, _YELLOW_GB
    if country == "GB":
        background = yellow_gb if rng.random() < 0.5 else white
        return _Style(background, "GB" if rng.random() < 0.6 else "", False, "gap", 33)
    return {
        "D": _Style(white, "D", False, "seals", 44),
        "F": _Style(white, "F", True, "dash", 30),
        "I": _Style(white, "I", True, "gap", 24),
        "E": _Style(white, "E", False, "gap", 36),
        "NL": _Style(_YELLOW_NL, "NL", False, "dash", 30),
        "S": _Style(white, "S", False, "gap", 42),
    }[country]


def _jitter(rng: np.random.Generator, colour: tuple[int, int, int], most: int) -> tuple[int, int, int]:
    """Return a colour that differs from the given one by at most `most` in each channel."""
    r, g, b = np.clip(np.asarray(colour) + rng.integers(-most, most + 1, 3), 0, 255)
    return int(r), int(g), int(b)


def _draw_band(
    draw: ImageDraw.ImageDraw, left: float, width: float, label: str, blue: tuple[int, int, int]
) -> None:
    """Draw the blue euroband with its ring of twelve stars and the country's letters."""
    draw.rectangle((left, 0, left + width, HEIGHT), fill=blue)
    centre, radius = (left + width / 2, HEIGHT * 0.3), width * 0.32
    for k in range(12):
        x = centre[0] + radius * float(np.cos(k * np.pi / 6))
        y = centre[1] + radius * float(np.sin(k * np.pi / 6))
        draw.ellipse(_square(x, y, 1.2), fill=(250, 215, 50))
    if label:
        size = 24 if len(label) == 1 else 19
        face, middle = font("DejaVuSans-Bold", size), (centre[0], HEIGHT * 0.75)
        draw.text(middle, label, fill=(245, 245, 245), font=face, anchor="mm")


def _square(x: float, y: float, half: float) -> tuple[float, float, float, float]:
    """Return the corners of a square around (x, y), as Pillow's drawing takes them."""
    return x - half, y - half, x + half, y + half


def _draw_separator(
    draw: ImageDraw.ImageDraw,
    style: _Style,
    rng: np.random.Generator,
    middle: float,
    first: bool,
    ink: tuple[int, ...],
) -> None:
    """Draw what is between two groups: a dash, or behind the first one the two seals of German plates."""
    if style.separator == "dash":
        half, thickness = 15 * _PER_MM / 2, 10 * _PER_MM / 2
        top, bottom = HEIGHT / 2 - thickness, HEIGHT / 2 + thickness
        draw.rectangle((middle - half, top, middle + half, bottom), fill=ink)
    if style.separator == "seals" and first:
        sticker = _STICKERS[rng.integers(5)]
        for y, radius, colour in ((HEIGHT * 0.29, 12.5, sticker), (HEIGHT * 0.7, 14, (190, 190, 185))):
            draw.ellipse(_square(middle, y, radius), fill=colour, outline=(90, 90, 90))
            draw.ellipse(_square(middle, y, radius / 2), fill=(110, 105, 95))


def _symbol_widths(groups: tuple[str, ...], name: str) -> list[list[float]]:
    """Return each symbol's width in millimetres: plate faces are narrow and nearly monospaced."""
    widths = []
    for group in groups:
        widths.append([float(np.clip(glyph(name, s).shape[1] * 0.62, 13, 49)) for s in group])
    return widths


def _draw_wear(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Return the plate with dirt, dust and a gradient of light; uint8 like the input."""
    if rng.random() < 0.5:
        coarse = rng.random((4, 12), dtype=np.float32)
        mask = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        strength = float(rng.uniform(0.15, 0.6))
        mask = np.clip((mask - rng.uniform(0.35, 0.75)) * 2.5, 0, 1)[..., None] * strength
        dirt = rng.integers(60, 130) * np.array([1.0, 0.88, 0.72], np.float32)
        pixels = (pixels * (1 - mask) + dirt * mask).astype(np.uint8)
    for _ in range(int(rng.integers(0, 5)) if rng.random() < 0.4 else 0):
        centre = (int(rng.integers(WIDTH)), int(rng.integers(HEIGHT)))
        shade = int(rng.integers(60, 140))
        brown, radius = (shade, int(shade * 0.9), int(shade * 0.75)), int(rng.integers(1, 5))
        cv2.circle(pixels, centre, radius, brown, -1, cv2.LINE_AA)
    return pixels


def _draw_right_band(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    width: float,
    country: str,
    blue: tuple[int, int, int],
) -> None:
    """Draw the second band: a department's number and crest in France, a yellow ring in Italy."""
    left = WIDTH - width
    draw.rectangle((left, 0, WIDTH, HEIGHT), fill=blue)
    if country == "F":
        face, middle = font("DejaVuSans-Bold", 17), (WIDTH - width / 2, HEIGHT * 0.76)
        draw.text(middle, f"{rng.integers(1, 96):02d}", fill=(240, 240, 240), font=face, anchor="mm")
        crest = (WIDTH - width * 0.8, HEIGHT * 0.15, WIDTH - width * 0.2, HEIGHT * 0.45)
        draw.rectangle(crest, fill=_jitter(rng, (190, 190, 190), 60))
    else:
        ring = (WIDTH - width * 0.75, HEIGHT * 0.18, WIDTH - width * 0.25, HEIGHT * 0.36)
        draw.ellipse(ring, outline=(240, 200, 60), width=2)


@dataclass(frozen=True)
class _Line:
    """Where the symbols stand.

    left, right: the room for them, in pixels. widths: of each group's symbols, in millimetres. gap_mm:
    between two groups.
    """

    left: float
    right: float
    groups: tuple[str, ...]
    widths: list[list[float]]
    gap_mm: float


def _draw_symbols(
    rng: np.random.Generator, pixels: np.ndarray, line: _Line, name: str, ink: tuple[int, int, int]
) -> tuple[np.ndarray, list[float]]:
    """Draw the symbols into uint8 [83, 390, 3].

    Returns their boxes, float32 [N, 4], and the middles of the gaps between the groups.
    """
    gap, between = line.gap_mm, 9.0
    total = sum(sum(g) + between * (len(g) - 1) for g in line.widths) + gap * (len(line.widths) - 1)
    room = (line.right - line.left) / _PER_MM - 22
    squeeze = min(float(rng.uniform(0.94, 1.12)), room / total)
    x = line.left + (line.right - line.left - total * squeeze * _PER_MM) / 2
    height = float(rng.uniform(72, 80)) * _PER_MM
    top = (HEIGHT - height) / 2
    boxes: list[tuple[float, float, float, float]] = []
    separators: list[float] = []
    for group, group_widths in zip(line.groups, line.widths):
        for symbol, width_mm in zip(group, group_widths):
            width = width_mm * squeeze * _PER_MM
            x0, x1, y0, y1 = round(x), round(x + width), round(top), round(top + height)
            mask = cv2.resize(glyph(name, symbol), (max(x1 - x0, 2), y1 - y0), interpolation=cv2.INTER_AREA)
            area = pixels[y0:y1, x0 : x0 + mask.shape[1]]
            weight = mask[:, : area.shape[1], None].astype(np.uint16)
            area[:] = (area * (255 - weight) + np.asarray(ink, np.uint16) * weight) // 255
            boxes.append((x, top, x + width, top + height))
            x += width + between * squeeze * _PER_MM
        x -= between * squeeze * _PER_MM
        separators.append(x + gap * squeeze * _PER_MM / 2)
        x += gap * squeeze * _PER_MM
    return np.asarray(boxes, np.float32), separators[:-1]


def _draw_frame(rng: np.random.Generator, draw: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    """Draw the plate's edge and its screws, where it has them."""
    if rng.random() < 0.7:
        edge = ink if rng.random() < 0.6 else _jitter(rng, (150, 150, 150), 30)
        width = int(rng.integers(2, 4))
        draw.rounded_rectangle((0, 0, WIDTH - 1, HEIGHT - 1), radius=7, outline=edge, width=width)
    if rng.random() < 0.3:
        for part in (0.2, 0.8):
            x, y = WIDTH * part, HEIGHT * float(rng.choice([0.12, 0.5, 0.88]))
            draw.ellipse(_square(x, y, 4), fill=_jitter(rng, (170, 170, 165), 40))


def render_plate(rng: np.random.Generator, plate: Plate) -> PlateImage:
    """Draw a plate in its country's look: colours, euroband, spacing, seals, screws, wear."""
    style = _style(rng, plate.country)
    ink = _jitter(rng, (22, 22, 24), 16)
    background = _jitter(rng, style.background, 14)
    blue = _jitter(rng, _BLUE, 14)
    canvas = Image.new("RGB", (WIDTH, HEIGHT), background)
    band = 42 * _PER_MM if style.band else 0.0
    right = 42 * _PER_MM if style.right_band else 0.0
    if band:
        _draw_band(ImageDraw.Draw(canvas), 0, band, style.band, blue)
    if right:
        _draw_right_band(rng, ImageDraw.Draw(canvas), right, plate.country, blue)
    name = PLATE_FONTS[rng.integers(len(PLATE_FONTS))]
    line = _Line(band, WIDTH - right, plate.groups, _symbol_widths(plate.groups, name), style.gap_mm)
    pixels = np.asarray(canvas).copy()
    boxes, separators = _draw_symbols(rng, pixels, line, name, ink)

    canvas = Image.fromarray(pixels)
    draw = ImageDraw.Draw(canvas)
    for k, middle in enumerate(separators):
        _draw_separator(draw, style, rng, middle, k == 0, ink)
    _draw_frame(rng, draw, ink)
    mask = Image.new("L", (WIDTH, HEIGHT), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, WIDTH - 1, HEIGHT - 1), radius=7, fill=255)
    return PlateImage(_draw_wear(rng, np.asarray(canvas).copy()), np.asarray(mask), boxes)
