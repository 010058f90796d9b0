"""Streets with several vehicles, each with its plate, drawn from a seed as `scenes` draws one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from formats import Plate, random_plate
from plates import render_plate
from scenes import (
    FRAME_HEIGHT,
    FRAME_WIDTH,
    Window,
    draw_background,
    draw_light,
    draw_signs,
    draw_vehicle,
    draw_width,
    expose,
    paste_plate,
    plate_corners,
)

COUNTS = (0.1, 0.25, 0.25, 0.2, 0.2)
"""How likely a frame has no plate, one, and so on."""

FRAME = Window(0, 0, FRAME_WIDTH, FRAME_HEIGHT)

REACH_SIDE, REACH_UP, REACH_DOWN = 2.35, 2.15, 1.15
"""How far a vehicle reaches from the middle of its plate, in widths of the plate, at most."""

APART = 0.15
"""Between a plate and a vehicle before it, in widths of the plate, at least."""

TRIES = 400
"""Places that are tried for the vehicles of a frame; where they do not do, it has fewer vehicles."""


@dataclass(frozen=True)
class StreetPlate:
    """A plate, all of it to be seen; box: x_min, y_min, x_max, y_max in pixels, float32 [4]."""

    box: np.ndarray
    plate: Plate


@dataclass(frozen=True)
class Street:
    """A street.

    pixels: uint8 [720, 1280, 3] RGB. plates: from left to right. quality: the JPEG quality to store it with.
    """

    pixels: np.ndarray
    plates: tuple[StreetPlate, ...]
    quality: int


@dataclass(frozen=True)
class _Place:
    """Where a vehicle stands.

    unit: the width of its plate in pixels. middle: x and y of the plate's, float32 [2]. corners: of the plate
    in the frame, float32 [4, 2].
    """

    unit: float
    middle: np.ndarray
    corners: np.ndarray

    @property
    def box(self) -> np.ndarray:
        """Of the plate, float32 [4]."""
        return np.concatenate([self.corners.min(0), self.corners.max(0)]).astype(np.float32)

    def hides(self, other: _Place) -> bool:
        """Tell whether this vehicle, drawn later, may reach another one's plate."""
        low = self.middle - self.unit * np.array([REACH_SIDE, REACH_UP])
        high = self.middle + self.unit * np.array([REACH_SIDE, REACH_DOWN])
        apart = other.unit * APART
        return bool((low < other.box[2:] + apart).all() and (high > other.box[:2] - apart).all())


def render_street(
    rng: np.random.Generator, draw_plate: Callable[[np.random.Generator], Plate] = random_plate
) -> Street:
    """Draw a street with up to four plates, of which none hides another."""
    count = int(rng.choice(len(COUNTS), p=COUNTS))
    places = _places(rng, max(count, 1))
    canvas = np.ascontiguousarray(draw_background(rng, FRAME))
    draw_signs(rng, FRAME, canvas, int(rng.integers(0, 6)))
    found = []
    for place in places:
        if count or rng.random() < 0.6:
            draw_vehicle(rng, FRAME, canvas, float(place.middle[0]), float(place.middle[1]), place.unit)
        if count:
            plate = draw_plate(rng)
            paste_plate(canvas, FRAME, render_plate(rng, plate), place.corners)
            found.append(StreetPlate(place.box, plate))
    image = canvas.astype(np.float32)
    nearest, smallest = places[-1], places[0]
    night = draw_light(rng, FRAME, image, float(nearest.middle[0]), float(nearest.middle[1]), nearest.unit)
    # The blur of the smallest plate, so that it stays legible.
    pixels = expose(rng, image, smallest.unit, night)
    ordered = sorted(found, key=lambda one: float(one.box[0]))
    return Street(pixels, tuple(ordered), int(rng.integers(82, 96)))


def _places(rng: np.random.Generator, count: int) -> list[_Place]:
    """Return places for vehicles in the order in which they are drawn: the smallest, the furthest, first."""
    places: list[_Place] = []
    for _ in range(TRIES):
        candidate = _place(rng)
        ordered = sorted([*places, candidate], key=lambda place: place.unit)
        at = ordered.index(candidate)
        is_hidden = any(nearer.hides(candidate) for nearer in ordered[at + 1 :])
        if not is_hidden and not any(candidate.hides(further) for further in ordered[:at]):
            places = ordered
        if len(places) == count:
            break
    return places


def _place(rng: np.random.Generator) -> _Place:
    unit = draw_width(rng)
    corners = plate_corners(rng, unit)
    reach = np.abs(corners).max(0) + 3
    x = float(rng.uniform(reach[0], FRAME_WIDTH - reach[0]))
    y = float(rng.uniform(max(reach[1], 0.12 * FRAME_HEIGHT), FRAME_HEIGHT - reach[1]))
    middle = np.array([x, y], np.float32)
    return _Place(unit, middle, corners + middle)
