"""Tiles: how a convolution or matrix product is cut up for registers, caches and threads.

Needs no vendor package.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, List, Mapping, Optional, Tuple

from shared.contract.codec import decode

LANES = (16, 8, 4)
"""Floats of a vector: 512, 256 and 128 bits."""

MOST_ACCUMULATORS = 28
"""Of the 32 vector registers of AVX-512 and NEON; the others hold weights and inputs."""

MOST_ROWS = 4
"""Of the register tile: more make it no better, and the code long."""

ORDERS = ("yxf", "fyx")
"""Channels innermost (an input tile meets all weights) or outermost (a tile of weights meets all inputs)."""


EXCHANGED = (
    {"rows"},
    {"columns"},
    {"channels", "width"},
    {"outer"},
    {"inner"},
    {"rows", "columns"},
    {"inline"},
)
"""The parts of a tile that a neighbour has from another one, one set at a time."""


def lanes(extent: int, widest: int) -> int:
    """Return the floats of the widest vector that divides an extent; 1 where none does.

    Args:
        widest: floats that a vector of the CPU holds.
    """
    return next((v for v in LANES if v <= widest and extent % v == 0), 1)


@dataclass(frozen=True)
class Tile:
    """How a contraction is cut up.

    Attributes:
        rows, columns: outer, middle and innermost extents; the innermost are the register tile's.
        channels: outer and middle extents, in groups of `width` vectors.
        width: vectors of channels in the register tile.
        outer: order of the outer loops over rows (y), columns (x) and channels (f), which run in parallel.
        inner: order of the middle loops, within one thread.
        inline: compute the padding where it is read.
    """

    rows: Tuple[int, ...]
    columns: Tuple[int, ...]
    channels: Tuple[int, ...]
    width: int
    outer: str
    inner: str
    inline: bool

    @property
    def accumulators(self) -> int:
        """Vector registers that hold sums."""
        return self.rows[2] * self.columns[2] * self.width


def tile_of(document: Optional[Mapping[str, Any]]) -> Optional[Tile]:
    """Return the tile that was written as JSON, or None for none."""
    return None if document is None else decode(Tile, document)


@dataclass(frozen=True)
class Shape:
    """A contraction's extents.

    Attributes:
        rows, columns, vectors: of the output, its channels in vectors.
        sums: products in each sum.
        window: of those, along each axis but the channels'.
        lanes: floats of a vector.
        grouped: each channel reads its own inputs alone (depthwise).
        paddings: whether the padding may be computed where it is read.
    """

    rows: int
    columns: int
    vectors: int
    sums: int
    window: Tuple[int, ...]
    lanes: int
    grouped: bool
    paddings: Tuple[bool, ...]


def first_tile(shape: Shape) -> Tile:
    """Return the tile that loads least for each product: the search begins with it."""
    every = product(divisors(shape.vectors), divisors(shape.rows), divisors(shape.columns))
    sizes = [(w, y, x) for w, y, x in every if y <= MOST_ROWS and w * y * x <= MOST_ACCUMULATORS]
    width, y, x = max(sizes, key=lambda s: (s[0] * s[1] * s[2] / (s[0] + s[1] * s[2]), s[2]))
    rows, columns = (shape.rows // y, 1, y), (1, shape.columns // x, x)
    return Tile(rows, columns, (1, shape.vectors // width), width, "yxf", "fyx", shape.paddings[0])


def divisors(number: int) -> List[int]:
    """Return the divisors of a number, ascending."""
    return [n for n in range(1, number + 1) if number % n == 0]


def random_tile(shape: Shape, rng: random.Random) -> Tile:
    """Return any tile whose sums fit the registers."""
    width = rng.choice([w for w in divisors(shape.vectors) if w <= MOST_ACCUMULATORS // 2])
    x = rng.choice([d for d in divisors(shape.columns) if d * width <= MOST_ACCUMULATORS])
    y = rng.choice([d for d in divisors(shape.rows) if d <= MOST_ROWS and d * x * width <= MOST_ACCUMULATORS])
    rows, columns = cut(shape.rows // y, rng), cut(shape.columns // x, rng)
    channels = cut(shape.vectors // width, rng)
    inline = rng.choice(shape.paddings)
    outer, inner = rng.choice(ORDERS), rng.choice(ORDERS)
    return Tile((*rows, y), (*columns, x), channels, width, outer, inner, inline)


def cut(extent: int, rng: random.Random) -> Tuple[int, int]:
    """Cut an extent in two at random."""
    inner = rng.choice(divisors(extent))
    return extent // inner, inner


def neighbour(tile: Tile, shape: Shape, rng: random.Random) -> Tile:
    """Return a tile with some parts of another random one."""
    other = random_tile(shape, rng)
    parts = rng.choice(EXCHANGED)
    mixed = replace(tile, **{part: getattr(other, part) for part in parts})
    return mixed if mixed.accumulators <= MOST_ACCUMULATORS else tile
