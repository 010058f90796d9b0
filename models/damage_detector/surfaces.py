"""Painted surfaces with scratches, dents, rust and cracks, drawn from a seed with the pixels they cover."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "license_plate"))

import cv2
import numpy as np
from assets import noise_tile, photos

WIDTH, HEIGHT = 640, 480
KINDS = ("scratch", "dent", "rust", "crack")
SPLITS = {"calibration": 0, "validation": 1, "test": 2, "train": 3}
_UNDAMAGED_PROBABILITY = 0.05
_CLOSE_PROBABILITY = 0.45
_LEAST_AREA = 24
_KIND_PROBABILITIES = (0.27, 0.28, 0.27, 0.18)
_PAINTS = (
    (232, 232, 230), (205, 207, 210), (150, 153, 158), (95, 98, 104), (38, 39, 43), (20, 20, 23),
    (160, 18, 24), (110, 12, 20), (22, 48, 118), (60, 105, 170), (18, 75, 60), (75, 110, 60), (215, 170, 30),
    (205, 90, 25), (190, 180, 150), (85, 58, 42),
)  # fmt: skip
_RUST = np.array([(58, 30, 20), (110, 52, 24), (158, 82, 34), (196, 122, 62)], np.float32)
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
)


@dataclass(frozen=True)
class Surface:
    """A picture of a surface and its damages.

    pixels: uint8 [480, 640, 3] RGB. damages: each damage's kind (one of KINDS) and pixels, uint8 [480, 640]
    of 0 and 255 without holes. quality: the JPEG quality to store it with.
    """

    pixels: np.ndarray
    damages: tuple[tuple[str, np.ndarray], ...]
    quality: int

    @property
    def mask(self) -> np.ndarray:
        """All damages together, uint8 [480, 640] of 0 and 255."""
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        for _, part in self.damages:
            mask |= part
        return mask


def sample_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """Return the generator of one sample: it depends on nothing but the seed, the split and the index."""
    return np.random.default_rng([seed, SPLITS[split], index])


def _noise(rng: np.random.Generator, height: int, width: int, cells: float) -> np.ndarray:
    """Return smooth noise of about unit variance, float32 [H, W], `cells` waves along the longer side."""
    step = max(height, width) / max(cells, 1.0)
    grid = rng.standard_normal((int(height / step) + 3, int(width / step) + 3), dtype=np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)


def _jitter(rng: np.random.Generator, colour: tuple[int, int, int] | np.ndarray, most: int) -> np.ndarray:
    """Return a colour that differs from the given one by at most `most` in each channel, float32 [3]."""
    return np.clip(np.asarray(colour) + rng.integers(-most, most + 1, 3), 0, 255).astype(np.float32)


def _points(xy: np.ndarray) -> np.ndarray:
    """Return coordinates as OpenCV's drawing takes them with four bits of fraction, int32 [N, 1, 2]."""
    return np.rint(np.clip(xy, -4000, 4000) * 16).astype(np.int32).reshape(-1, 1, 2)


def _blend(image: np.ndarray, alpha: np.ndarray, colour: np.ndarray) -> None:
    """Blend a colour ([3] or [H, W, 3]) into float32 [H, W, 3] in place.

    alpha: [H, W], uint8 from 0 to 255 or float from 0 to 1.
    """
    if alpha.dtype == np.uint8:
        # Lines and letters cover little of the frame; the rest need not be computed.
        x, y, width, height = cv2.boundingRect(alpha)
        covered = (slice(y, y + height), slice(x, x + width))
        image, alpha = image[covered], alpha[covered] * np.float32(1 / 255)
        colour = colour[covered] if colour.ndim == 3 else colour
    image += (colour - image) * alpha[..., None]


def _photo(rng: np.random.Generator, stretch: float = 1.0) -> np.ndarray:
    """Return a part of a photograph that fills the frame, uint8 [480, 640, 3].

    stretch: how much wider than high the photograph is drawn.
    """
    pictures = photos()
    photo = pictures[rng.integers(len(pictures))]
    scale = max(WIDTH / photo.shape[1], HEIGHT / photo.shape[0]) * float(rng.uniform(0.7, 1.6))
    x, y = (float(rng.uniform(0, 1)) * side for side in (photo.shape[1], photo.shape[0]))
    turn = -1 if rng.random() < 0.5 else 1
    matrix = np.array([[turn / (scale * stretch), 0, x], [0, 1 / scale, y - HEIGHT / scale / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT)


def _paint(rng: np.random.Generator) -> np.ndarray:
    """Return lacquer with its gradients, highlights and reflections, float32 [480, 640, 3]."""
    base = _jitter(rng, _PAINTS[rng.integers(len(_PAINTS))], 18)
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    angle = float(rng.normal(0, 0.35))
    across = (ys * math.cos(angle) + xs * math.sin(angle)) / HEIGHT
    slope, unevenness = float(rng.uniform(-0.3, 0.3)), float(rng.uniform(0.0, 0.1))
    light = 1 + slope * (across - 0.5) + unevenness * _noise(rng, HEIGHT, WIDTH, 2.5)
    image = base * light[..., None]
    for _ in range(int(rng.integers(0, 4))):
        centre, width = float(rng.uniform(-0.1, 1.1)), float(rng.uniform(0.02, 0.25))
        wave = across + 0.03 * _noise(rng, HEIGHT, WIDTH, 2)
        glow = np.exp(-(((wave - centre) / width) ** 2)) * float(rng.uniform(-30, 60))
        image += glow[..., None]
    if rng.random() < 0.75:
        mirror = cv2.GaussianBlur(_photo(rng, float(rng.uniform(1.5, 4))), (0, 0), float(rng.uniform(1.5, 8)))
        fade = np.clip(0.5 + 0.6 * _noise(rng, HEIGHT, WIDTH, 2), 0, 1) * float(rng.uniform(0.08, 0.38))
        _blend(image, fade, mirror.astype(np.float32))
    if rng.random() < 0.3:
        fleck = noise_tile()[:HEIGHT, :WIDTH, :1] * float(rng.uniform(1, 5))
        image += fleck
    return image


def _curve(
    rng: np.random.Generator, start: np.ndarray, angle: float, length: float, bend: float, wander: float = 0.0
) -> np.ndarray:
    """Return a curve from `start`, float64 [N, 2].

    It turns by `bend` radians in all; `wander` is the standard deviation of its turns by the way.
    """
    count = max(4, min(40, int(length / 5)))
    turns = np.linspace(-bend / 2, bend / 2, count) + np.cumsum(rng.normal(0, wander, count))
    steps = np.stack([np.cos(angle + turns), np.sin(angle + turns)], 1) * (length / count)
    return start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)])


def _line(canvas: np.ndarray, xy: np.ndarray, value: int, width: float) -> None:
    cv2.polylines(canvas, [_points(xy)], False, value, max(1, round(width)), cv2.LINE_AA, 4)


def _draw_seam(rng: np.random.Generator, image: np.ndarray, unit: float) -> None:
    """Draw the gap between two panels, or a pressed line in one."""
    start = np.array([rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)])
    angle = float(rng.choice([0, np.pi / 2]) + rng.normal(0, 0.25))
    away = np.array([math.cos(angle), math.sin(angle)])
    line = _curve(rng, start - away * 450, angle, 900, float(rng.normal(0, 0.5)))
    width = max(1.0, unit * float(rng.uniform(2, 7)))
    alpha = np.zeros(image.shape[:2], np.uint8)
    gap = rng.random() < 0.7
    if gap:
        _line(alpha, line, int(rng.integers(150, 256)), width)
        _blend(image, cv2.GaussianBlur(alpha, (0, 0), 0.6), np.full(3, rng.uniform(8, 35), np.float32))
        alpha[:] = 0
    _line(alpha, line + np.array([away[1], -away[0]]) * width * 0.9, int(rng.integers(40, 140)), width * 0.7)
    soft = cv2.GaussianBlur(alpha, (0, 0), 0.8 + width * (0.25 if gap else 0.7))
    _blend(image, soft, np.full(3, rng.uniform(170, 255), np.float32))


def _draw_strip(rng: np.random.Generator, image: np.ndarray, unit: float) -> None:
    """Draw a straight moulding or a painted stripe."""
    angle = float(rng.normal(0, 0.12))
    away = np.array([math.cos(angle), math.sin(angle)])
    middle = np.array([rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)])
    width = unit * float(rng.uniform(4, 34))
    alpha = np.zeros(image.shape[:2], np.uint8)
    _line(alpha, np.array([middle - away * 700, middle + away * 700]), 255, width)
    dark = rng.random() < 0.6
    colour = _jitter(rng, (32, 33, 36) if dark else _PAINTS[rng.integers(len(_PAINTS))], 12)
    _blend(image, alpha, colour)
    if width > 6:
        alpha[:] = 0
        across = np.array([-away[1], away[0]]) * width * float(rng.uniform(-0.35, 0.1))
        _line(alpha, np.array([middle - away * 700, middle + away * 700]) + across, 110, width * 0.15)
        _blend(image, cv2.GaussianBlur(alpha, (0, 0), 1.0), np.full(3, 235, np.float32))


def _draw_fitting(rng: np.random.Generator, image: np.ndarray, unit: float) -> None:
    """Draw a door handle, a fuel lid, a lamp or a row of letters."""
    x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
    alpha = np.zeros(image.shape[:2], np.uint8)
    shadow = np.zeros(image.shape[:2], np.uint8)
    kind = rng.integers(4)
    if kind == 0:
        half, thick = unit * float(rng.uniform(35, 70)), unit * float(rng.uniform(12, 24))
        ends = np.array([[x - half, y], [x + half, y + rng.normal(0, 3)]])
        _line(shadow, ends + np.array([0, thick * 0.5]), 170, thick * 1.5)
        _blend(image, cv2.GaussianBlur(shadow, (0, 0), 1 + thick * 0.3), np.full(3, 15, np.float32))
        _line(alpha, ends, 255, thick)
        colour = image[int(y), int(x)].copy() if rng.random() < 0.5 else _jitter(rng, (180, 182, 186), 40)
        _blend(image, alpha, colour)
        alpha[:] = 0
        _line(alpha, ends - np.array([0, thick * 0.25]), 150, thick * 0.2)
        _blend(image, cv2.GaussianBlur(alpha, (0, 0), 1.0), np.full(3, 245, np.float32))
    elif kind == 1:
        radius = unit * float(rng.uniform(35, 80))
        axes = (int(radius), int(radius * rng.uniform(0.8, 1.1)))
        corners = cv2.ellipse2Poly((int(x), int(y)), axes, 0, 0, 360, 10)
        closed = np.concatenate([corners, corners[:1]]).astype(np.float64)
        _line(alpha, closed, 210, max(1.0, unit * 4))
        _blend(image, alpha, np.full(3, rng.uniform(10, 40), np.float32))
    elif kind == 2:
        wide, high = unit * float(rng.uniform(30, 120)), unit * float(rng.uniform(20, 60))
        top = [[x - wide, y - high], [x + wide, y - high * 0.6]]
        bottom = [[x + wide * 0.8, y + high], [x - wide, y + high * 0.8]]
        corners = np.array(top + bottom)
        cv2.fillPoly(alpha, [_points(corners)], 255, cv2.LINE_AA, 4)
        lamp = ((150, 20, 25), (205, 205, 205), (215, 120, 30))[rng.integers(3)]
        _blend(image, alpha, _jitter(rng, lamp, 25))
        alpha[:] = 0
        for k in range(4):
            part = corners * (1 - k * 0.2) + np.array([x, y]) * (k * 0.2)
            _line(alpha, np.concatenate([part, part[:1]]), 90, max(1.0, unit * 3))
        _blend(image, alpha, np.full(3, rng.uniform(150, 255), np.float32))
    else:
        text = "".join(chr(65 + c) for c in rng.integers(0, 26, int(rng.integers(2, 8))))
        size = unit * float(rng.uniform(0.7, 2.2))
        face, thickness = _FONTS[rng.integers(4)], max(1, round(size * 2))
        cv2.putText(alpha, text, (int(x - 60), int(y)), face, size, 255, thickness, cv2.LINE_AA)
        _blend(image, alpha, _jitter(rng, (190, 190, 195) if rng.random() < 0.6 else (30, 30, 34), 30))


def _draw_dirt(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw dust as a soft veil and some drops: no damage."""
    clouds = _noise(rng, HEIGHT, WIDTH, 5) * 0.5 + _noise(rng, HEIGHT, WIDTH, 40) * 0.25
    veil = np.clip(clouds, 0, 1) * float(rng.uniform(0.1, 0.35))
    _blend(image, veil.astype(np.float32), _jitter(rng, (140, 128, 110), 20))
    alpha = np.zeros(image.shape[:2], np.uint8)
    for x, y, r in rng.uniform((0, 0, 0.6), (WIDTH, HEIGHT, 2.2), (int(rng.integers(0, 40)), 3)):
        cv2.circle(alpha, (int(x * 16), int(y * 16)), int(r * 16), 130, -1, cv2.LINE_AA, 4)
    _blend(image, alpha, np.full(3, rng.uniform(60, 220), np.float32))


def _panel(rng: np.random.Generator, close: bool, unit: float) -> np.ndarray:
    """Return where the lacquer is, uint8 [480, 640], soft at its edges."""
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    if close:
        alpha[:] = 255
        if rng.random() < 0.35:
            edge = float(rng.uniform(0.05, 0.3))
            angle, bend = float(rng.normal(0, 0.12)), float(rng.normal(0, 0.3))
            top = _curve(rng, np.array([-20.0, HEIGHT * edge]), angle, 720, bend)
            cv2.fillPoly(alpha, [_points(np.concatenate([top, [[700, -50], [-50, -50]]]))], 0, cv2.LINE_AA, 4)
        return alpha
    half = np.array([rng.uniform(260, 460), rng.uniform(150, 260)]) * (0.62 + 0.38 * unit)
    middle = np.array([WIDTH / 2, HEIGHT / 2]) + rng.uniform(-1, 1, 2) * (90, 60)
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    power = float(rng.uniform(0.35, 0.8))
    shape = np.stack([np.sign(f(angles)) * np.abs(f(angles)) ** power for f in (np.cos, np.sin)], 1)
    shape *= 1 + 0.06 * np.sin(angles * int(rng.integers(2, 5)) + rng.uniform(0, 6))[:, None]
    shape[:, 0] += shape[:, 1] * float(rng.uniform(-0.3, 0.3))
    cv2.fillPoly(alpha, [_points(middle + shape * half)], 255, cv2.LINE_AA, 4)
    for _ in range(int(rng.integers(0, 3))):
        x, y = middle + rng.uniform(-0.9, 0.9, 2) * half
        if rng.random() < 0.5:
            hub, radius = (int(x), int(middle[1] + half[1])), int(half[1] * rng.uniform(0.3, 0.55))
            cv2.circle(alpha, hub, radius, 0, -1, cv2.LINE_AA)
        else:
            size = half * rng.uniform(0.15, 0.4, 2)
            corners = np.array([[-1, 1], [-0.7, -1], [0.8, -1], [1, 1]]) * size + (x, y)
            cv2.fillPoly(alpha, [_points(corners)], 0, cv2.LINE_AA, 4)
    return alpha


def _contrasting(
    rng: np.random.Generator, image: np.ndarray, x: float, y: float, dark_probability: float
) -> np.ndarray:
    """Return a colour that stands out from the picture around (x, y), float32 [3]: metal, primer or shade."""
    column, row = int(np.clip(x, 0, WIDTH - 1)), int(np.clip(y, 0, HEIGHT - 1))
    near = float(np.median(image[max(0, row - 16) : row + 17 : 2, max(0, column - 16) : column + 17 : 2]))
    dark = rng.random() < dark_probability
    # Almost white and almost black leave room on one side only.
    if near > 185:
        dark = True
    elif near < 70:
        dark = False
    gap = float(rng.uniform(55, 110))
    level = near - gap if dark else near + gap
    return np.clip(level + rng.normal(0, 8, 3), 6, 250).astype(np.float32)


def _scratch(rng: np.random.Generator, image: np.ndarray, x: float, y: float, unit: float) -> np.ndarray:
    """Draw a bundle of scratches in place; return their pixels, uint8 [H, W]."""
    mask, alpha = np.zeros(image.shape[:2], np.uint8), np.zeros(image.shape[:2], np.uint8)
    angle, length = float(rng.uniform(0, np.pi)), unit * float(rng.uniform(70, 300))
    bend, strokes = float(rng.normal(0, 0.35)), int(rng.choice([1, 1, 2, 3, 5]))
    away = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-away[1], away[0]])
    spacing = unit * float(rng.uniform(4, 14))
    for k in range(strokes):
        shift = (k - (strokes - 1) / 2) * spacing + rng.normal(0, spacing * 0.2)
        start = np.array([x, y]) + across * shift - away * length * float(rng.uniform(0.35, 0.65))
        stroke, wander = length * float(rng.uniform(0.5, 1.0)), float(rng.uniform(0, 0.03))
        line = _curve(rng, start, angle, stroke, bend, wander)
        width = max(1.6, unit * float(rng.uniform(4, 11)) / (1 + 0.2 * (strokes - 1)))
        # A scratch is thinner towards its ends.
        widths = width * np.clip(1.15 - np.abs(np.linspace(-1, 1, len(line) - 1)) ** 3, 0.3, 1)
        for a, b, thick in zip(line[:-1], line[1:], widths, strict=True):
            segment = np.array([a, b])
            _line(alpha, segment, int(rng.integers(170, 256)), thick)
            cv2.polylines(mask, [_points(segment)], False, 255, max(3, round(thick + 1.5)), cv2.LINE_8, 4)
    _blend(image, alpha, _contrasting(rng, image, x, y, 0.35))
    return mask


def _crack(rng: np.random.Generator, image: np.ndarray, x: float, y: float, unit: float) -> np.ndarray:
    """Draw a branching crack in place; return its pixels, uint8 [H, W]."""
    mask, alpha, edge = (np.zeros(image.shape[:2], np.uint8) for _ in range(3))
    width = max(1.8, unit * float(rng.uniform(3.5, 7)))
    first = float(rng.uniform(0, 2 * np.pi))
    arms = int(rng.integers(1, 5))
    branches = []
    for k in range(arms):
        angle = first + 2 * np.pi * k / arms + rng.normal(0, 0.25)
        branches.append((np.array([x, y]), angle, unit * float(rng.uniform(40, 150)), width))
    while branches:
        start, angle, length, thick = branches.pop()
        line = _curve(rng, start, angle, length, 0.0, float(rng.uniform(0.15, 0.4)))
        _line(alpha, line, 235, thick)
        _line(edge, line + thick * 0.6, 120, thick * 0.7)
        cv2.polylines(mask, [_points(line)], False, 255, max(3, round(thick + 2)), cv2.LINE_8, 4)
        if length > 45 * unit:
            for _ in range(int(rng.integers(0, 3))):
                at = int(rng.integers(1, len(line)))
                turn = float(rng.choice([-1, 1]) * rng.uniform(0.4, 1.1))
                shorter = length * float(rng.uniform(0.25, 0.5))
                branches.append((line[at], angle + turn, shorter, thick * 0.75))
    ink = _contrasting(rng, image, x, y, 0.85)
    _blend(image, edge, np.clip(ink + (110 if ink.mean() < 100 else -90), 0, 255))
    _blend(image, alpha, ink)
    return mask


def _around(x: float, y: float, reach: int) -> tuple[int, int, int, int]:
    """Return the part of the frame up to `reach` pixels from (x, y): x0, x1, y0, y1."""
    x0, x1 = max(0, int(x) - reach), min(WIDTH, int(x) + reach)
    y0, y1 = max(0, int(y) - reach), min(HEIGHT, int(y) + reach)
    return x0, x1, y0, y1


def _dent(rng: np.random.Generator, image: np.ndarray, x: float, y: float, unit: float) -> np.ndarray:
    """Press a dent into the picture in place, by its shading and its bent reflections.

    Returns its pixels, uint8 [H, W].
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    wide = unit * float(rng.uniform(35, 120))
    high = wide * float(rng.uniform(0.4, 1.0))
    reach = int(wide * 1.3) + 3
    x0, x1, y0, y1 = _around(x, y, reach)
    ys, xs = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    turn = float(rng.uniform(0, np.pi))
    u = ((xs - x) * math.cos(turn) + (ys - y) * math.sin(turn)) / wide
    v = ((ys - y) * math.cos(turn) - (xs - x) * math.sin(turn)) / high
    around, outline = np.arctan2(v, u), np.ones_like(u)
    for wave in (2, 3, 5):
        outline += float(rng.uniform(0, 0.12)) * np.cos(wave * around + float(rng.uniform(0, 6.3)))
    r = np.sqrt(u * u + v * v) / outline
    depth = np.clip(1 - r**2, 0, 1) ** 1.5
    if rng.random() < 0.5:
        crease = np.clip(1 - np.abs(v + 0.2 * u * u) * 5, 0, 1)
        depth += crease * np.clip(1 - r**2, 0, 1) * float(rng.uniform(0.2, 0.5))
    slope_x, slope_y = cv2.Sobel(depth, cv2.CV_32F, 1, 0), cv2.Sobel(depth, cv2.CV_32F, 0, 1)
    light = float(rng.normal(-np.pi / 2, 0.7))
    shade = slope_x * math.cos(light) + slope_y * math.sin(light)
    shade /= max(1e-6, float(np.abs(shade).max()))
    part = image[y0:y1, x0:x1]
    bend = wide * float(rng.uniform(2, 6))
    from_x, from_y = xs - x0 + slope_x * bend, ys - y0 + slope_y * bend
    bent = cv2.remap(part, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    gain = float(rng.uniform(45, 95)) * (0.55 + 0.45 * float(part.mean()) / 128)
    dark = -float(rng.uniform(5, 25)) * np.clip(1 - r, 0, 1)
    part[:] = bent + (shade * gain + np.maximum(shade, 0) ** 4 * float(rng.uniform(0, 70)) + dark)[..., None]
    mask[y0:y1, x0:x1] = np.where(r < 0.95, 255, 0)
    return mask


def _rust(rng: np.random.Generator, image: np.ndarray, x: float, y: float, unit: float) -> np.ndarray:
    """Draw a rusty patch in place; return its pixels, uint8 [H, W]."""
    mask = np.zeros(image.shape[:2], np.uint8)
    wide = unit * float(rng.uniform(24, 85))
    high = wide * float(rng.uniform(0.5, 1.3))
    reach = int(max(wide, high) * 1.7) + 3
    x0, x1, y0, y1 = _around(x, y, reach)
    ys, xs = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    size = ys.shape
    field = 1 - np.sqrt(((xs - x) / wide) ** 2 + ((ys - y) / high) ** 2)
    field += 0.3 * _noise(rng, *size, 6) + 0.15 * _noise(rng, *size, 16)
    tone = 0.5 + 0.28 * _noise(rng, *size, 14) + 0.16 * _noise(rng, *size, max(20, reach / 2)) - 0.25 * field
    place = np.clip(tone, 0, 0.999) * (len(_RUST) - 1)
    low = place.astype(np.intp)
    colour = _RUST[low] + (_RUST[low + 1] - _RUST[low]) * (place - low)[..., None]
    colour *= float(rng.uniform(0.8, 1.25))
    inside = np.clip(field * max(4.0, wide * 0.35) + 0.5, 0, 1)
    part = image[y0:y1, x0:x1]
    edge = np.clip(1 - np.abs(field) * max(3.0, wide * 0.15), 0, 1) * float(rng.uniform(0, 0.5))
    _blend(part, edge, _jitter(rng, (215, 190, 165) if rng.random() < 0.5 else (60, 40, 30), 15))
    _blend(part, inside * float(rng.uniform(0.75, 1.0)), colour)
    mask[y0:y1, x0:x1] = np.where(field > 0, 255, 0)
    return mask


_DRAW = {"scratch": _scratch, "dent": _dent, "rust": _rust, "crack": _crack}


def _filled(mask: np.ndarray) -> np.ndarray:
    """Return the mask without its holes and without its specks."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    kept = [c for c in contours if len(c) >= 4 and cv2.contourArea(c) >= _LEAST_AREA / 2]
    return cv2.drawContours(np.zeros_like(mask), kept, -1, 255, cv2.FILLED)


def _expose(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return what a camera makes of float32 light: shadow, exposure, blur, noise; uint8 of the same shape."""
    if rng.random() < 0.3:
        shadow = np.zeros(image.shape[:2], np.uint8)
        corners = rng.uniform((-200, -200), (WIDTH + 200, HEIGHT + 200), (4, 2))
        cv2.fillPoly(shadow, [_points(corners)], int(rng.integers(40, 120)), cv2.LINE_AA, 4)
        shadow = cv2.GaussianBlur(shadow, (0, 0), float(rng.uniform(1, 12)))
        image *= 1 - shadow[..., None].astype(np.float32) * (1 / 255)
    image *= rng.uniform(0.94, 1.06, 3).astype(np.float32) * float(rng.uniform(0.6, 1.15))
    if rng.random() < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.3)))
    if rng.random() < 0.15:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        ends = rng.integers(0, length, 2)
        cv2.line(kernel, (0, int(ends[0])), (length - 1, int(ends[1])), 1.0)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    tile = noise_tile()
    top, left = int(rng.integers(0, tile.shape[0] - HEIGHT)), int(rng.integers(0, tile.shape[1] - WIDTH))
    noise = tile[top : top + HEIGHT, left : left + WIDTH]
    image = cv2.addWeighted(image, 1.0, noise, float(rng.uniform(0.5, 6)), 0.5)
    return np.clip(image, 0, 255).astype(np.uint8)


def render_surface(rng: np.random.Generator) -> Surface:
    """Draw one surface; all its chances come from `rng`."""
    close = bool(rng.random() < _CLOSE_PROBABILITY)
    unit = float(rng.uniform(0.7, 1.3) if close else rng.uniform(0.32, 0.85))
    image = _photo(rng).astype(np.float32)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 4)))
    panel = _panel(rng, close, unit)
    lacquer = _paint(rng)
    for draw, most in ((_draw_seam, 3), (_draw_strip, 2), (_draw_fitting, 3)):
        for _ in range(int(rng.integers(0, most))):
            draw(rng, lacquer, unit)
    if rng.random() < 0.35:
        _draw_dirt(rng, lacquer)
    damages = []
    room = cv2.erode(panel, np.ones((9, 9), np.uint8), borderType=cv2.BORDER_REPLICATE)
    rows, columns = np.nonzero(room == 255)
    count = 0 if rng.random() < _UNDAMAGED_PROBABILITY else int(rng.choice([1, 1, 2, 2, 3, 4]))
    if len(rows):
        for _ in range(count):
            at = int(rng.integers(len(rows)))
            kind = KINDS[rng.choice(len(KINDS), p=_KIND_PROBABILITIES)]
            mask = _DRAW[kind](rng, lacquer, float(columns[at]), float(rows[at]), unit)
            mask = _filled(np.where(panel >= 128, mask, 0).astype(np.uint8))
            if mask.any():
                damages.append((kind, mask))
    _blend(image, panel, lacquer)
    return Surface(_expose(rng, image), tuple(damages), int(rng.integers(60, 96)))


def polygons(mask: np.ndarray) -> list[np.ndarray]:
    """Return the outlines of a mask without holes, each float64 [N, 2] in pixels, N >= 3."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    simple = [cv2.approxPolyDP(contour, 0.6, True) for contour in contours]
    return [line[:, 0].astype(np.float64) for line in simple if len(line) >= 3]


def jpeg_bytes(surface: Surface) -> bytes:
    """Return the surface's picture as a JPEG file."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, surface.quality]
    return cv2.imencode(".jpg", np.ascontiguousarray(surface.pixels[..., ::-1]), settings)[1].tobytes()
