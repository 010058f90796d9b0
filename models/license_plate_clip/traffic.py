"""Vehicles on their way past a fixed camera: where each one's plate is in each frame.

It never ends, and depends on nothing but the seed: a longer clip begins as a shorter one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scenes import FRAME_HEIGHT, FRAME_WIDTH

RATE = 25
"""Frames a second."""

MAX_FRAMES = 40 * RATE
"""Of one vehicle, from where all of it is outside the frame to where it is so again."""

GROUPS = (1, 2, 1, 1, 3, 1, 2, 1)
"""How many plates are in sight at once, in turns."""

REACH_SIDE, REACH_UP, REACH_DOWN = 2.4, 2.2, 1.2
"""How far a vehicle reaches from the middle of its plate, in widths of the plate."""


@dataclass(frozen=True)
class Vehicle:
    """One vehicle's way.

    Attributes:
        number: from 0, in the order that their plates come in sight.
        first: the frame of the first place; may lie before frame 0.
        places: float64 [N, 3], the middle of its plate (x, y) and the plate's width, in pixels of the frame.
        in_sight: the first frame with at least a part of its plate, and the one after the last.
    """

    number: int
    first: int
    places: np.ndarray
    in_sight: tuple[int, int]

    @property
    def end(self) -> int:
        """The frame after the last place."""
        return self.first + len(self.places)

    def place(self, frame: int) -> np.ndarray:
        """Return x, y and width at a frame from `first` on and before `end`."""
        return self.places[frame - self.first]


def passing(seed: int, frames: int) -> Iterator[tuple[int, tuple[Vehicle, ...]]]:
    """Yield each frame's number and the vehicles in it, the furthest first."""
    coming = traffic(seed)
    known = [next(coming)]
    for frame in range(frames):
        # A vehicle is there before its plate comes in sight: those that are not yet in sight count too.
        while known[-1].in_sight[0] <= frame + MAX_FRAMES:
            known.append(next(coming))
        known = [vehicle for vehicle in known if vehicle.end > frame]
        here = [vehicle for vehicle in known if vehicle.first <= frame]
        yield frame, tuple(sorted(here, key=lambda vehicle: float(vehicle.place(frame)[1])))


def traffic(seed: int) -> Iterator[Vehicle]:
    """Yield the vehicles in the order that their plates come in sight, without end."""
    number, group, road_is_free = 0, 0, 0
    while True:
        rng = np.random.default_rng([seed, 0, group])
        begin = road_is_free + round(float(rng.uniform(0.2, 1.4)) * RATE)
        overlap = round(float(rng.uniform(0.6, 1.4)) * RATE)
        for member in range(GROUPS[group % len(GROUPS)]):
            vehicle = _vehicle(seed, number, begin)
            yield vehicle
            if member == 0:
                first_leaves = vehicle.in_sight[1]
            begin = first_leaves - overlap // (member + 1)
            road_is_free = max(road_is_free, vehicle.in_sight[1])
            number += 1
        group += 1


def _vehicle(seed: int, number: int, begin: int) -> Vehicle:
    """Return a vehicle whose plate comes in sight at the frame `begin`."""
    places = _places(np.random.default_rng([seed, 1, number]))
    reach = places[:, 2:] * (0.5, 0.15)
    size = np.array([FRAME_WIDTH, FRAME_HEIGHT])
    inside = (places[:, :2] > -reach) & (places[:, :2] < size + reach)
    seen = np.flatnonzero(inside.all(1))
    first = begin - int(seen[0])
    return Vehicle(number, first, places, (begin, first + int(seen[-1]) + 1))


def _places(rng: np.random.Generator) -> np.ndarray:
    """Return a way as float64 [N, 3]: across the frame, or in at its foot and out at a side, or back."""
    size = float(rng.uniform(0.85, 1.15))
    right = bool(rng.random() < 0.5)
    if rng.random() < 0.6:
        # Traffic keeps to its right: what goes to the right is nearer.
        near = FRAME_HEIGHT * float(rng.uniform(0.62, 0.86) if right else rng.uniform(0.36, 0.6))
        far = near + FRAME_HEIGHT * float(rng.uniform(-0.1, 0.1))
        bend = FRAME_HEIGHT * float(rng.uniform(-0.06, 0.06))
        ends = _beside(near, size, not right), _beside(far, size, right)
        middle = np.array([FRAME_WIDTH / 2, (near + far) / 2 + bend])
    else:
        x, y = FRAME_WIDTH * float(rng.uniform(0.3, 0.7)), FRAME_HEIGHT * float(rng.uniform(0.34, 0.55))
        foot = np.array([x, FRAME_HEIGHT + REACH_UP * _width(1.25 * FRAME_HEIGHT, size)])
        ends = foot, _beside(y, size, right)
        middle = np.array([x, y + FRAME_HEIGHT * float(rng.uniform(0.0, 0.15))])
        if rng.random() < 0.5:
            ends = ends[1], ends[0]
    return _driven(rng, np.stack([ends[0], middle, ends[1]]), size)


def _beside(y: float, size: float, right: bool) -> np.ndarray:
    """Return the place beside the frame, at a height, from which nothing of a vehicle is in sight."""
    reach = REACH_SIDE * _width(y, size)
    return np.array([FRAME_WIDTH + reach if right else -reach, y])


def _width(y: float, size: float) -> float:
    """Return a plate's width in pixels: the lower in the frame, the nearer."""
    return size * (60 + 125 * min(y, 1.3 * FRAME_HEIGHT) / FRAME_HEIGHT)


def _driven(rng: np.random.Generator, corners: np.ndarray, size: float) -> np.ndarray:
    """Return the places, frame by frame, on the curve that three points [3, 2] span (quadratic Bezier)."""
    pace = float(rng.uniform(0.08, 0.15))
    slow = float(rng.choice([0.0, 0.5, 0.92], p=[0.4, 0.4, 0.2]))
    slowest, stretch = float(rng.uniform(0.35, 0.65)), float(rng.uniform(0.06, 0.12))
    places, done = [], 0.0
    while done < 1 and len(places) < MAX_FRAMES:
        weights = np.array([(1 - done) ** 2, 2 * done * (1 - done), done**2])
        x, y = weights @ corners
        width = _width(float(y), size)
        places.append((x, y, width))
        slope = 2 * ((1 - done) * (corners[1] - corners[0]) + done * (corners[2] - corners[1]))
        speed = pace * width * (1 - slow * float(np.exp(-(((done - slowest) / stretch) ** 2))))
        done += speed / float(np.hypot(*slope))
    return np.array(places)
