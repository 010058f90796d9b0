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
"""Floats in a vector of 512, 256 and 128 bits."""

ACCUMULATORS = {16: 28, 8: 12, 4: 28}
"""Vector registers that may hold sums, by the floats in the CPU's widest vector.

AVX-512 and NEON have 32 registers, AVX2 has 16; four are left for weights and inputs.
"""

MOST_ROWS = 4
"""Rows of a register tile at most: more make it no faster, and its unrolled code long."""

ORDERS = ("yxf", "fyx")
"""Loop orders of rows (y), columns (x) and channels (f), the outermost first.

With channels innermost, a tile of inputs meets all weights; with channels outermost, a tile of weights meets
all inputs.
"""

MUTATIONS = (
    {"rows"},
    {"columns"},
    {"channels", "width"},
    {"outer"},
    {"inner"},
    {"rows", "columns"},
    {"inline"},
)
"""Sets of a tile's attributes; a neighbour takes one of the sets from another random tile."""


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
        rows, columns: extents of the outer, the middle and the innermost loop; the innermost are the register
            tile's.
        channels: extents of the outer and the middle loop, in groups of `width` vectors.
        width: vectors of channels in the register tile.
        outer: order of the outer loops (one of ORDERS), which run in parallel.
        inner: order of the middle loops (one of ORDERS), which run within one thread.
        inline: whether the padding is computed where it is read instead of stored first.
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
class ContractionShape:
    """The extents of a convolution or a matrix product, and what tiles may be chosen for it.

    Attributes:
        rows, columns: extents of the output.
        vectors: number of vectors that hold the output's channels.
        reduction: length of the reduction axes' product, the multiply-adds for each output.
        window: kernel extents, the reduction axes without the input channels; empty for a matrix product.
        lanes: floats in a vector.
        accumulators: vector registers that may hold sums.
        grouped: whether an output reads a single input channel, as in a depthwise convolution.
        paddings: allowed values of `Tile.inline`, the one of the first tile in front.
    """

    rows: int
    columns: int
    vectors: int
    reduction: int
    window: Tuple[int, ...]
    lanes: int
    accumulators: int
    grouped: bool
    paddings: Tuple[bool, ...]


def first_tile(shape: ContractionShape) -> Tile:
    """Return the register tile with the highest arithmetic intensity; ties go to the one with most columns.

    The search begins with it, and what is not tuned is compiled with it.
    """
    every = product(divisors(shape.vectors), divisors(shape.rows), divisors(shape.columns))
    sizes = [(w, y, x) for w, y, x in every if y <= MOST_ROWS and w * y * x <= shape.accumulators]
    width, y, x = max(sizes, key=lambda size: (arithmetic_intensity(*size), size[2]))
    rows, columns = (shape.rows // y, 1, y), (1, shape.columns // x, x)
    return Tile(rows, columns, (1, shape.vectors // width), width, "yxf", "fyx", shape.paddings[0])


def arithmetic_intensity(width: int, rows: int, columns: int) -> float:
    """Return the multiply-adds for each vector or scalar that a register tile loads.

    A step of the reduction loads `width` vectors of weights and one input, a scalar, for each pixel.

    Args:
        width: vectors of channels.
        rows, columns: pixels.
    """
    return width * rows * columns / (width + rows * columns)


def divisors(number: int) -> List[int]:
    """Return the divisors of a number, ascending."""
    return [n for n in range(1, number + 1) if number % n == 0]


def random_tile(shape: ContractionShape, rng: random.Random) -> Tile:
    """Return a random tile whose sums fit the registers."""
    most = shape.accumulators
    width = rng.choice([w for w in divisors(shape.vectors) if w <= most // 2])
    x = rng.choice([d for d in divisors(shape.columns) if d * width <= most])
    y = rng.choice([d for d in divisors(shape.rows) if d <= MOST_ROWS and d * x * width <= most])
    rows, columns = cut(shape.rows // y, rng), cut(shape.columns // x, rng)
    channels = cut(shape.vectors // width, rng)
    inline = rng.choice(shape.paddings)
    outer, inner = rng.choice(ORDERS), rng.choice(ORDERS)
    return Tile((*rows, y), (*columns, x), channels, width, outer, inner, inline)


def cut(extent: int, rng: random.Random) -> Tuple[int, int]:
    """Return an outer and an inner extent, chosen at random, whose product is the given one."""
    inner = rng.choice(divisors(extent))
    return extent // inner, inner


def neighbour(tile: Tile, shape: ContractionShape, rng: random.Random) -> Tile:
    """Return a mutated tile, which takes some attributes from a random one.

    A mutation whose sums do not fit the registers is dropped; the tile then comes back as it is.
    """
    other = random_tile(shape, rng)
    names = rng.choice(MUTATIONS)
    mutated = replace(tile, **{name: getattr(other, name) for name in names})
    return mutated if mutated.accumulators <= shape.accumulators else tile
