"""Street scenes with one licence plate on a simple vehicle, drawn from a seed.

Everything is drawn in the coordinates of the 1280x720 frame into a window of it. The window is the whole
frame for the detector and the neighbourhood of the plate for the reader's training data, so both see the same
imaging.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from assets import noise_tile, photos
from formats import ALPHABET, Plate, random_plate
from plates import HEIGHT as PLATE_HEIGHT
from plates import WIDTH as PLATE_WIDTH
from plates import PlateImage, render_plate

FRAME_WIDTH, FRAME_HEIGHT = 1280, 720
MIN_WIDTH, MAX_WIDTH = 40.0, 250.0
SPLITS = {"calibration": 0, "validation": 1, "test": 2, "train_reader": 3, "train_detector": 4}
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
)
_PAINTS = (
    (235, 235, 235), (25, 25, 28), (120, 122, 126), (170, 172, 176), (150, 20, 25), (25, 50, 120),
    (60, 90, 60), (200, 190, 150), (90, 60, 40), (210, 160, 30),
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """A scene, or the part of it inside a window; coordinates are pixels of the returned picture.

    pixels: uint8 [H, W, 3] RGB. box: float32 [4], x_min, y_min, x_max, y_max of the plate, or None without a
    plate. symbols: float32 [N, 4], each symbol's bounding box in reading order. quality: the JPEG quality to
    store it with.
    """

    pixels: np.ndarray
    box: np.ndarray | None
    symbols: np.ndarray
    reading: str
    country: str
    quality: int


@dataclass(frozen=True)
class Window:
    """A part of the frame, in its pixels; it may reach beyond it."""

    left: int
    top: int
    width: int
    height: int

    def points(self, xy: np.ndarray | list[tuple[float, float]]) -> np.ndarray:
        """Return frame coordinates as int32 [N, 1, 2] of this window, for OpenCV's drawing."""
        shifted = np.asarray(xy, np.float32) - (self.left, self.top)
        return np.clip(np.rint(shifted), -20000, 20000).astype(np.int32).reshape(-1, 1, 2)


def sample_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """Return the generator of one sample: it depends on nothing but the seed, the split and the index."""
    return np.random.default_rng([seed, SPLITS[split], index])


def _colour(rng: np.random.Generator, base: tuple[int, int, int], most: int) -> tuple[int, int, int]:
    """Return a colour that differs from `base` by at most `most` in each channel."""
    r, g, b = np.clip(np.asarray(base) + rng.integers(-most, most + 1, 3), 0, 255)
    return int(r), int(g), int(b)


def draw_background(rng: np.random.Generator, window: Window) -> np.ndarray:
    """Return the window of a photograph scaled to cover the frame, uint8 [H, W, 3]."""
    pictures = photos()
    photo = pictures[rng.integers(len(pictures))]
    cover = max(FRAME_WIDTH / photo.shape[1], FRAME_HEIGHT / photo.shape[0])
    scale = cover * float(rng.uniform(1.0, 1.8))
    mirrored = rng.random() < 0.5
    x = float(rng.uniform(0, photo.shape[1] * scale - FRAME_WIDTH)) + window.left
    y = float(rng.uniform(0, photo.shape[0] * scale - FRAME_HEIGHT)) + window.top
    matrix = np.array([[1 / scale, 0, x / scale], [0, 1 / scale, y / scale]], np.float64)
    if mirrored:
        matrix[0] = (-1 / scale, 0, photo.shape[1] - 1 - x / scale)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (window.width, window.height)
    canvas = cv2.warpAffine(photo, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    if rng.random() < 0.6:
        horizon = float(rng.uniform(0.35, 0.8)) * FRAME_HEIGHT
        road = _colour(rng, (95, 95, 98), 40)
        corners = [(0, horizon), (FRAME_WIDTH, horizon + rng.uniform(-60, 60)), (FRAME_WIDTH, 800), (0, 800)]
        cv2.fillPoly(canvas, [window.points(corners)], road)
        for _ in range(int(rng.integers(0, 4))):
            lane = rng.uniform(-300, FRAME_WIDTH + 300)
            foot = lane + rng.uniform(-500, 500)
            stripe = [(lane, horizon), (lane + 6, horizon), (foot + 30, 800), (foot, 800)]
            cv2.fillPoly(canvas, [window.points(stripe)], (205, 205, 200))
    return canvas


def draw_signs(rng: np.random.Generator, window: Window, canvas: np.ndarray, count: int) -> None:
    """Draw boards with text: what a detector could take for a plate."""
    for _ in range(count):
        x, y = float(rng.uniform(-50, FRAME_WIDTH)), float(rng.uniform(-30, FRAME_HEIGHT))
        text = "".join(ALPHABET[i] for i in rng.integers(0, len(ALPHABET), int(rng.integers(2, 11))))
        face = _FONTS[rng.integers(len(_FONTS))]
        size = float(rng.uniform(0.35, 2.2))
        thickness = max(1, round(size * float(rng.uniform(0.8, 2.2))))
        (width, height), _base = cv2.getTextSize(text, face, size, thickness)
        light = rng.random() < 0.5
        board = _colour(rng, (225, 225, 215) if light else (60, 70, 90), 60)
        ink = _colour(rng, (30, 30, 35) if light else (225, 225, 220), 30)
        if rng.random() < 0.75:
            pad_x, pad_y = height * float(rng.uniform(0.2, 1.2)), height * float(rng.uniform(0.3, 1.5))
            corners = [(x - pad_x, y - height - pad_y), (x + width + pad_x, y + pad_y)]
            a, b = window.points(corners)[:, 0]
            cv2.rectangle(canvas, a.tolist(), b.tolist(), board, -1)
        at = window.points([(x, y)])[0, 0]
        if -width < at[0] < window.width and 0 < at[1] < window.height + height:
            cv2.putText(canvas, text, at.tolist(), face, size, ink, thickness, cv2.LINE_AA)


def draw_vehicle(
    rng: np.random.Generator, window: Window, canvas: np.ndarray, x: float, y: float, unit: float
) -> None:
    """Draw the rear of a vehicle around the place of its plate; `unit` is the plate's width in pixels."""
    paint = _colour(rng, _PAINTS[rng.integers(len(_PAINTS))], 25)
    dark = tuple(int(c * 0.55) for c in paint)
    half = unit * float(rng.uniform(1.45, 2.0))
    x += unit * float(rng.uniform(-0.12, 0.12))
    bottom, belt = y + unit * float(rng.uniform(0.3, 0.75)), y - unit * float(rng.uniform(0.55, 1.0))
    roof = belt - unit * float(rng.uniform(0.6, 1.1))
    inset = half * float(rng.uniform(0.08, 0.28))
    shade = [(x - half * 1.1, bottom), (x + half * 1.1, bottom), (x + half, bottom + unit * 0.35)]
    cv2.fillPoly(canvas, [window.points([*shade, (x - half, bottom + unit * 0.35)])], (28, 28, 30))
    for side in (-1, 1):
        outer, inner, ground = x + side * half * 0.95, x + side * half * 0.62, bottom + unit * 0.3
        wheel = [(outer, bottom), (inner, bottom), (inner, ground), (outer, ground)]
        cv2.fillPoly(canvas, [window.points(wheel)], (20, 20, 20))
    body = [(x - half, belt), (x - half + inset, roof), (x + half - inset, roof), (x + half, belt)]
    body += [(x + half * 1.02, bottom - unit * 0.1), (x + half * 0.95, bottom)]
    body += [(x - half * 0.95, bottom), (x - half * 1.02, bottom - unit * 0.1)]
    cv2.fillPoly(canvas, [window.points(body)], paint, cv2.LINE_AA)
    low = roof + unit * 0.12
    glass = [(x - half * 0.82, belt - unit * 0.06), (x - half * 0.9 + inset, low)]
    glass += [(x + half * 0.9 - inset, low), (x + half * 0.82, belt - unit * 0.06)]
    cv2.fillPoly(canvas, [window.points(glass)], _colour(rng, (45, 52, 60), 30), cv2.LINE_AA)
    lamp = _colour(rng, (170, 25, 25), 40)
    lamp_width, lamp_height = half * float(rng.uniform(0.16, 0.36)), unit * float(rng.uniform(0.25, 0.6))
    for side in (-1, 1):
        outer, inner = x + side * half * 0.98, x + side * (half - lamp_width)
        corners = [(outer, belt), (inner, belt), (inner, belt + lamp_height), (outer, belt + lamp_height)]
        cv2.fillPoly(canvas, [window.points(corners)], lamp, cv2.LINE_AA)
    if rng.random() < 0.6:
        bumper = y + unit * float(rng.uniform(-0.35, 0.35))
        a, b = window.points([(x - half, bumper), (x + half, bottom)])[:, 0]
        cv2.rectangle(canvas, a.tolist(), b.tolist(), dark if rng.random() < 0.6 else (40, 40, 42), -1)
    if rng.random() < 0.6:
        wide, high = unit * float(rng.uniform(0.55, 0.8)), unit * float(rng.uniform(0.16, 0.28))
        a, b = window.points([(x - wide, y - high), (x + wide, y + high)])[:, 0]
        cv2.rectangle(canvas, a.tolist(), b.tolist(), dark, -1)
    for _ in range(int(rng.integers(0, 3))):
        text = "".join(ALPHABET[i] for i in rng.integers(10, 36, int(rng.integers(2, 7))))
        at = window.points([(x + half * rng.uniform(-0.8, 0.5), belt + unit * rng.uniform(0.15, 0.35))])[0, 0]
        if abs(at[0]) < 2 * FRAME_WIDTH:
            chrome = _colour(rng, (190, 190, 195), 40)
            face = _FONTS[rng.integers(4)]
            cv2.putText(canvas, text, at.tolist(), face, unit / 260, chrome, 1, cv2.LINE_AA)


def plate_corners(rng: np.random.Generator, width: float) -> np.ndarray:
    """Return the plate's corners around its centre, float32 [4, 2], clockwise from the top left.

    The corners' bounding box is `width` pixels wide.
    """
    ratio = PLATE_HEIGHT / PLATE_WIDTH * float(rng.uniform(0.95, 1.25))
    taper, shear = float(rng.uniform(-0.1, 0.1)), float(rng.uniform(-0.12, 0.12))
    angle = float(np.clip(rng.normal(0, 3.0), -9, 9)) * np.pi / 180
    lean = float(rng.uniform(-0.03, 0.03))
    left, right = ratio * (1 + taper) / 2, ratio * (1 - taper) / 2
    corners = np.array([[-0.5 + lean, -left], [0.5 + lean, -right], [0.5 - lean, right], [-0.5 - lean, left]])
    corners[:, 1] += corners[:, 0] * shear
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = corners @ turn
    return (corners * (width / np.ptp(corners[:, 0]))).astype(np.float32)


def paste_plate(canvas: np.ndarray, window: Window, plate: PlateImage, corners: np.ndarray) -> np.ndarray:
    """Blend the plate into the canvas at its corners in the frame; return its homography, float64 [3, 3]."""
    width = float(np.ptp(corners[:, 0]))
    size = (min(PLATE_WIDTH, max(24, round(width * 1.25))), min(PLATE_HEIGHT, max(8, round(width * 0.3))))
    layers = np.dstack([plate.pixels, plate.alpha])
    if size != (PLATE_WIDTH, PLATE_HEIGHT):
        layers = cv2.resize(layers, size, interpolation=cv2.INTER_AREA)
    outline = np.array([[0, 0], [PLATE_WIDTH, 0], [PLATE_WIDTH, PLATE_HEIGHT], [0, PLATE_HEIGHT]], np.float32)
    small = outline * np.array([size[0] / PLATE_WIDTH, size[1] / PLATE_HEIGHT], np.float32)
    low = np.floor(corners.min(0)).astype(int) - 1
    high = np.ceil(corners.max(0)).astype(int) + 2
    low = np.maximum(low, (window.left, window.top))
    high = np.minimum(high, (window.left + window.width, window.top + window.height))
    matrix = cv2.getPerspectiveTransform(small - 0.5, (corners - low - 0.5).astype(np.float32))
    warped = cv2.warpPerspective(layers, matrix, tuple(int(v) for v in high - low), flags=cv2.INTER_LINEAR)
    x, y = low - (window.left, window.top)
    area = canvas[y : y + warped.shape[0], x : x + warped.shape[1]]
    alpha = warped[..., 3:].astype(np.uint16)
    area[:] = (area * (255 - alpha) + warped[..., :3] * alpha) // 255
    return cv2.getPerspectiveTransform(outline, corners)


def draw_light(
    rng: np.random.Generator, window: Window, image: np.ndarray, x: float, y: float, unit: float
) -> bool:
    """Apply the light of the scene to float32 [H, W, 3] pixels in place; return whether it is night."""
    night = bool(rng.random() < 0.22)
    gain = float(rng.uniform(0.25, 0.5) if night else rng.uniform(0.6, 1.15))
    cast = rng.uniform(0.93, 1.07, 3).astype(np.float32) * gain
    columns = np.arange(window.left, window.left + window.width, dtype=np.float32)
    rows = np.arange(window.top, window.top + window.height, dtype=np.float32)
    if night:
        reach = unit * float(rng.uniform(0.8, 2.2))
        glow = np.exp(-(((rows - y) / reach) ** 2))[:, None] * np.exp(-(((columns - x) / reach) ** 2))
        image *= (1 + glow * float(rng.uniform(0.6, 1.4)))[..., None]
    else:
        slope_x, slope_y = rng.uniform(-0.2, 0.2, 2)
        across = 1 + slope_x * (columns / FRAME_WIDTH - 0.5)
        down = 1 + slope_y * (rows / FRAME_HEIGHT - 0.5)
        image *= (down[:, None] * across).astype(np.float32)[..., None]
    image *= cast
    if rng.random() < 0.35:
        base = np.array([x, y]) + rng.normal(0, unit * 0.5, 2)
        half_size = rng.uniform(0.4, 3.0, 2) * unit
        corners = base + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half_size
        corners += rng.normal(0, unit * 0.4, (4, 2))
        mask = np.zeros(image.shape[:2], np.uint8)
        depth = int(255 * rng.uniform(0.2, 0.5))
        cv2.fillPoly(mask, [window.points(corners)], depth)
        softness = float(rng.uniform(0.5, 4))
        mask = cv2.GaussianBlur(mask, (0, 0), softness)
        image *= 1 - mask[..., None].astype(np.float32) * (1 / 255)
    return night


def smeared(image: np.ndarray, length: float, angle: float) -> np.ndarray:
    """Return a picture as it is when all of it moves so many pixels while the shutter is open."""
    radius = int(np.ceil(length / 2))
    offsets = np.linspace(-length / 2, length / 2, 9)
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float32)
    for offset in offsets:
        px, py = offset * np.cos(angle) + radius, offset * np.sin(angle) + radius
        kernel[round(py), round(px)] += 1
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def expose(rng: np.random.Generator, image: np.ndarray, unit: float, night: bool) -> np.ndarray:
    """Return what a camera makes of float32 light: defocus, motion, noise; uint8 of the same shape.

    The blur grows with the plate's size, so that a plate that is small already stays legible.
    """
    if rng.random() < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), 0.25 + unit / 100 * float(rng.uniform(0.1, 0.9)))
    if rng.random() < 0.3:
        length = 1 + unit / 100 * float(rng.uniform(0.5, 3.0))
        angle = float(rng.uniform(0, np.pi))
        image = smeared(image, length, angle)
    strength = float(rng.uniform(2.0, 8.0) if night else rng.uniform(0.5, 6.0))
    tile = noise_tile()
    top = int(rng.integers(0, tile.shape[0] - image.shape[0] + 1))
    left = int(rng.integers(0, tile.shape[1] - image.shape[1] + 1))
    noise = tile[top : top + image.shape[0], left : left + image.shape[1]]
    image = cv2.addWeighted(image, 1.0, noise, strength, 0.5)
    return np.clip(image, 0, 255).astype(np.uint8)


def _window_around(box: np.ndarray, margin: float) -> Window:
    """Return the part of the frame around a box; it starts on JPEG's blocks of 16 pixels."""
    grow = (box[2:] - box[:2]) * margin + 4
    low = np.maximum(np.floor((box[:2] - grow) / 16) * 16, 0).astype(int)
    high = np.minimum(np.ceil(box[2:] + grow), (FRAME_WIDTH, FRAME_HEIGHT)).astype(int)
    return Window(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


def _symbol_boxes(symbols: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the bounding boxes in the frame of boxes on the plate, both float32 [N, 4]."""
    quads = symbols[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(1, -1, 2)
    quads = cv2.perspectiveTransform(quads.astype(np.float32), matrix).reshape(-1, 4, 2)
    return np.concatenate([quads.min(1), quads.max(1)], 1).astype(np.float32)


def draw_width(rng: np.random.Generator) -> float:
    """Draw the width of a plate in pixels, 40 to 250: most are of middle size, few are at the ends."""
    return MIN_WIDTH + (MAX_WIDTH - MIN_WIDTH) * float(rng.beta(1.7, 1.9))


def render_scene(rng: np.random.Generator, with_plate: bool = True, margin: float | None = None) -> Scene:
    """Draw a scene; with a `margin`, only the plate's box enlarged by that part of its size on each side."""
    unit = draw_width(rng)
    corners = plate_corners(rng, unit)
    reach = np.abs(corners).max(0) + 3
    x = float(rng.uniform(reach[0], FRAME_WIDTH - reach[0]))
    y = float(rng.uniform(max(reach[1], 0.12 * FRAME_HEIGHT), FRAME_HEIGHT - reach[1]))
    corners = corners + np.array([x, y], np.float32)
    box = np.concatenate([corners.min(0), corners.max(0)]).astype(np.float32)
    window = Window(0, 0, FRAME_WIDTH, FRAME_HEIGHT) if margin is None else _window_around(box, margin)
    canvas = np.ascontiguousarray(draw_background(rng, window))
    draw_signs(rng, window, canvas, int(rng.integers(0, 6)))
    if with_plate or rng.random() < 0.6:
        draw_vehicle(rng, window, canvas, x, y, unit)
    plate: Plate | None = None
    symbols = np.zeros((0, 4), np.float32)
    if with_plate:
        plate = random_plate(rng)
        picture = render_plate(rng, plate)
        symbols = _symbol_boxes(picture.symbols, paste_plate(canvas, window, picture, corners))
    image = canvas.astype(np.float32)
    night = draw_light(rng, window, image, x, y, unit)
    pixels = expose(rng, image, unit, night)
    quality = int(rng.integers(82, 96))
    offset = np.array([window.left, window.top] * 2, np.float32)
    if plate is None:
        return Scene(pixels, None, symbols, "", "", quality)
    return Scene(pixels, box - offset, symbols - offset, plate.reading, plate.country, quality)


def jpeg_bytes(pixels: np.ndarray, quality: int) -> bytes:
    """Return uint8 [H, W, 3] RGB as a JPEG file."""
    done, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return data.tobytes()


def decode_jpeg(data: bytes) -> np.ndarray:
    """Return a JPEG file's pixels, uint8 [H, W, 3] RGB."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def enlarged(box: np.ndarray, by: float, width: int, height: int) -> tuple[int, int, int, int]:
    """Return a box enlarged by a part of its size on each side, rounded and clipped to the picture."""
    grow = (box[2:] - box[:2]) * by
    low, high = np.rint(box[:2] - grow), np.rint(box[2:] + grow)
    x0, y0 = int(np.clip(low[0], 0, width - 1)), int(np.clip(low[1], 0, height - 1))
    return x0, y0, int(np.clip(high[0], x0 + 1, width)), int(np.clip(high[1], y0 + 1, height))
