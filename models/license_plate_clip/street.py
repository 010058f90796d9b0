"""What a fixed camera sees of a street: the background, drawn once, and the vehicles in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from assets import noise_tile
from formats import Plate, random_plate
from plates import PlateImage, render_plate
from scenes import (
    FRAME_HEIGHT,
    FRAME_WIDTH,
    Window,
    draw_background,
    draw_signs,
    draw_vehicle,
    paste_plate,
    plate_corners,
    smeared,
)
from traffic import RATE, REACH_DOWN, REACH_SIDE, REACH_UP, Vehicle

FRAME = Window(0, 0, FRAME_WIDTH, FRAME_HEIGHT)

HORIZON = 0.28
"""Where the road begins, as a share of the frame's height from above."""

SPRITE_UNIT = 220
"""Width of the plate, in pixels, at which the body of a vehicle is drawn."""

SHUTTER_S = 1 / 125
"""Seconds that the shutter is open."""

LIGHT_S = 47
"""Seconds after which the light is what it was."""

BLUR = 6
"""How far, in pixels, what is sharp reaches when it is blurred, at most."""

VISIBLE = 0.05
"""A plate of which less can be seen, as a share of its area, is not there."""


@dataclass(frozen=True)
class Street:
    """What stays.

    Attributes:
        background: float32 [720, 1280, 3] RGB, 0 to 255, in the light of the place.
        light: float32 [720, 1280, 3], what the light makes of a colour, at each pixel.
        strength: of the sensor's noise, standard deviation in grey levels.
    """

    background: np.ndarray
    light: np.ndarray
    strength: float


@dataclass(frozen=True)
class Sprite:
    """A vehicle's looks.

    Attributes:
        body: uint8 [H, W, 4], premultiplied RGB and alpha, its plate `SPRITE_UNIT` wide.
        extent: x_min, y_min, x_max, y_max of the body around the middle of its plate, for a width of 1.
        plate, identity: what is pasted onto it, and what that says.
        corners: float32 [4, 2], of the plate around its middle, for a width of 1.
        defocus: standard deviation of the blur, as a share of the plate's width.
    """

    body: np.ndarray
    extent: tuple[float, float, float, float]
    plate: PlateImage
    identity: Plate
    corners: np.ndarray
    defocus: float


@dataclass(frozen=True)
class SeenPlate:
    """A plate in a frame: the box (x_min, y_min, x_max, y_max) of what lies in it; is all of it seen?"""

    box: tuple[float, float, float, float]
    plate: Plate
    is_whole: bool


@dataclass(frozen=True)
class _Layer:
    """A vehicle in a frame: uint8 [H, W, 3] premultiplied colour and uint8 [H, W] alpha in a window of it."""

    window: Window
    colour: np.ndarray
    alpha: np.ndarray
    corners: np.ndarray
    plate: Plate

    @property
    def area(self) -> tuple[slice, slice]:
        """The rows and columns of the frame."""
        w = self.window
        return slice(w.top, w.top + w.height), slice(w.left, w.left + w.width)


def draw_street(seed: int) -> Street:
    """Draw what stays: a photograph with a road before it, and a board or two, in the light of a day."""
    rng = np.random.default_rng([seed, 2])
    canvas = np.ascontiguousarray(draw_background(rng, FRAME))
    draw_signs(rng, FRAME, canvas, 3)
    _pave(rng, canvas)
    rows, columns = (np.linspace(-0.5, 0.5, count, dtype=np.float32) for count in (FRAME_HEIGHT, FRAME_WIDTH))
    slope_x, slope_y = (float(slope) for slope in rng.uniform(-0.15, 0.15, 2))
    shade = (1 + slope_y * rows)[:, None] * (1 + slope_x * columns)
    cast = rng.uniform(0.95, 1.05, 3).astype(np.float32) * float(rng.uniform(0.85, 1.0))
    light = shade[..., None] * cast
    blurred = cv2.GaussianBlur(canvas, (0, 0), 0.8)
    return Street(blurred * light, light, float(rng.uniform(2.0, 4.0)))


def _pave(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """Lay a road with a broken line over the lower part of uint8 [720, 1280, 3]."""
    horizon, grey = round(HORIZON * FRAME_HEIGHT), int(rng.integers(80, 115))
    grain = cv2.GaussianBlur(noise_tile()[: FRAME_HEIGHT - horizon, :FRAME_WIDTH, 0], (0, 0), 1.5)
    canvas[horizon:] = np.clip(grey + 25 * grain, 0, 255)[..., None]
    for x in range(0, FRAME_WIDTH, 160):
        y = 0.6 * FRAME_HEIGHT
        dash = [(x, y), (x + 90, y), (x + 88, y + 7), (x - 2, y + 7)]
        cv2.fillPoly(canvas, [FRAME.points(dash)], (205, 205, 200))


def draw_sprite(seed: int, number: int) -> Sprite:
    """Draw a vehicle's looks."""
    window = Window(
        round(-REACH_SIDE * SPRITE_UNIT),
        round(-REACH_UP * SPRITE_UNIT),
        round(2 * REACH_SIDE * SPRITE_UNIT),
        round((REACH_UP + REACH_DOWN) * SPRITE_UNIT),
    )
    on_black, on_white = (_drawn(seed, number, window, ground) for ground in (0, 255))
    # What is seen of the ground through it is what it lets through.
    alpha = (255 - (on_white.astype(np.int16) - on_black).max(-1)).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(alpha)
    body = np.dstack([on_black, alpha])[top : top + height, left : left + width]
    x, y = left + window.left, top + window.top
    x0, y0, x1, y1 = (side / SPRITE_UNIT for side in (x, y, x + width, y + height))
    rng = np.random.default_rng([seed, 4, number])
    identity = random_plate(rng)
    plate = render_plate(rng, identity)
    corners, defocus = plate_corners(rng, 1000) / 1000, float(rng.uniform(0.001, 0.009))
    return Sprite(np.ascontiguousarray(body), (x0, y0, x1, y1), plate, identity, corners, defocus)


def _drawn(seed: int, number: int, window: Window, ground: int) -> np.ndarray:
    canvas = np.full((window.height, window.width, 3), ground, np.uint8)
    draw_vehicle(np.random.default_rng([seed, 3, number]), window, canvas, 0, 0, SPRITE_UNIT)
    return canvas


def draw_frame(
    street: Street, vehicles: tuple[tuple[Vehicle, Sprite], ...], seed: int, frame: int
) -> tuple[np.ndarray, list[SeenPlate]]:
    """Draw a frame.

    Args:
        vehicles: that are in it, the furthest first.

    Returns:
        uint8 [720, 1280, 3] RGB, and the plates that can be seen, the nearest first.
    """
    image = street.background.copy()
    seen: list[SeenPlate] = []
    cover = np.zeros((FRAME_HEIGHT, FRAME_WIDTH), np.uint8)
    placed = [_layer(vehicle, sprite, frame) for vehicle, sprite in vehicles]
    layers = [layer for layer in placed if layer is not None]
    for layer in layers:
        _blend(image[layer.area], street.light[layer.area], layer)
    for layer in reversed(layers):
        seen += _seen(layer, cover)
        np.maximum(cover[layer.area], layer.alpha, out=cover[layer.area])
    return _exposed(street, image, seed, frame), seen


def _blend(image: np.ndarray, light: np.ndarray, layer: _Layer) -> None:
    """Put a vehicle into its area of the picture, in the light there; both float32 [H, W, 3]."""
    through = cv2.cvtColor(255 - layer.alpha, cv2.COLOR_GRAY2RGB)
    lit = cv2.multiply(layer.colour, light, dtype=cv2.CV_32F)
    ground = cv2.multiply(image, through, scale=1 / 255, dtype=cv2.CV_32F)
    cv2.add(ground, lit, dst=ground)
    image[:] = ground


def _layer(vehicle: Vehicle, sprite: Sprite, frame: int) -> _Layer | None:
    """Return a vehicle as it is in a frame; None where nothing of it is."""
    x, y, unit = (float(value) for value in vehicle.place(frame))
    ends = np.array([x, y]) + np.array(sprite.extent).reshape(2, 2) * unit
    # Some pixels more, for what is blurred.
    low = np.floor(ends[0] - BLUR).clip(0).astype(int)
    high = np.minimum(np.ceil(ends[1] + BLUR), (FRAME_WIDTH, FRAME_HEIGHT)).astype(int)
    if (high <= low).any():
        return None
    window = Window(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
    scale, (left, top) = unit / SPRITE_UNIT, ends[0] - low
    matrix = np.array([[scale, 0, left], [0, scale, top]])
    body = cv2.warpAffine(sprite.body, matrix, (window.width, window.height), flags=cv2.INTER_LINEAR)
    corners = sprite.corners * np.float32(unit) + np.array([x, y], np.float32)
    if (corners.max(0) > low + 1).all() and (corners.min(0) < high - 1).all():
        paste_plate(body[..., :3], window, sprite.plate, corners)
    body = _moved(body, vehicle, sprite, frame)
    colour, alpha = cv2.cvtColor(body, cv2.COLOR_RGBA2RGB), cv2.extractChannel(body, 3)
    return _Layer(window, colour, alpha, corners, sprite.identity)


def _moved(body: np.ndarray, vehicle: Vehicle, sprite: Sprite, frame: int) -> np.ndarray:
    """Return uint8 [H, W, 4] as the lens and the time that the shutter is open have it."""
    place = vehicle.place(frame)
    dx, dy, _ = vehicle.place(min(frame + 1, vehicle.end - 1)) - place
    body = cv2.GaussianBlur(body, (0, 0), 0.25 + sprite.defocus * float(place[2]))
    length = float(np.hypot(dx, dy)) * RATE * SHUTTER_S
    return smeared(body, 1 + length, float(np.arctan2(dy, dx))) if length > 0.5 else body


def _seen(layer: _Layer, cover: np.ndarray) -> list[SeenPlate]:
    """Return the plate of a vehicle behind a cover, uint8 [720, 1280]; nothing where it cannot be seen."""
    low, high = layer.corners.min(0), layer.corners.max(0)
    inner, outer = np.maximum(low, 0), np.minimum(high, (FRAME_WIDTH, FRAME_HEIGHT))
    inside = float(np.prod(np.maximum(outer - inner, 0)) / np.prod(high - low))
    if inside < VISIBLE:
        return []
    x0, y0, x1, y1 = (float(value) for value in (*inner, *outer))
    covered = cover[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] > 0
    if inside * (1 - covered.mean()) < VISIBLE:
        return []
    is_whole = bool((inner == low).all() and (outer == high).all()) and not covered.any()
    return [SeenPlate((x0, y0, x1, y1), layer.plate, is_whole)]


def _exposed(street: Street, image: np.ndarray, seed: int, frame: int) -> np.ndarray:
    """Return what the sensor makes of the light, which changes slowly; uint8 of the same shape."""
    rng = np.random.default_rng([seed, 5, frame])
    gain = 1 + 0.1 * float(np.sin(2 * np.pi * frame / (RATE * LIGHT_S)))
    tile = noise_tile()
    top, left = (int(rng.integers(room + 1)) for room in np.array(tile.shape[:2]) - image.shape[:2])
    noise = tile[top : top + FRAME_HEIGHT, left : left + FRAME_WIDTH]
    return cv2.addWeighted(image, gain, noise, street.strength, 0, dtype=cv2.CV_8U)
