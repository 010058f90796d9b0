"""Any way of cutting up a convolution covers all of it and fits the registers."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import asdict
from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.workspace import PRODUCT

sys.path.insert(0, str(PRODUCT / "targets" / "tvm-llvm"))
from tiles import (
    ACCUMULATORS,
    LANES,
    MOST_ROWS,
    ORDERS,
    ContractionShape,
    Tile,
    first_tile,
    lanes,
    neighbour,
    random_tile,
    tile_of,
)

EXTENTS = st.just(1) | st.sampled_from([2, 3, 5, 7, 29, 31, 113, 509]) | st.integers(1, 300)
SHAPES = st.builds(
    ContractionShape,
    rows=EXTENTS,
    columns=EXTENTS,
    vectors=EXTENTS,
    reduction=st.integers(1, 4608),
    window=st.lists(st.sampled_from([1, 3, 5, 7, 11]), max_size=2).map(tuple),
    lanes=st.sampled_from([*LANES, 1]),
    accumulators=st.sampled_from(sorted(set(ACCUMULATORS.values()))),
    grouped=st.booleans(),
    paddings=st.sampled_from([(False,), (True,), (False, True)]),
)
SEEDS = st.integers(0, 2**32)


def assert_covers_and_fits(tile: Tile, shape: ContractionShape) -> None:
    assert (prod(tile.rows), prod(tile.columns)) == (shape.rows, shape.columns)
    assert prod(tile.channels) * tile.width == shape.vectors
    assert (len(tile.rows), len(tile.columns), len(tile.channels)) == (3, 3, 2)
    assert 1 <= tile.accumulators <= shape.accumulators
    assert tile.rows[2] <= MOST_ROWS
    assert tile.inline in shape.paddings
    assert {tile.outer, tile.inner} <= set(ORDERS)


@given(SHAPES)
def test_the_first_tile(shape: ContractionShape) -> None:
    """The first tile of any shape covers it and fits, and is the same each time."""
    assert_covers_and_fits(first_tile(shape), shape)
    assert first_tile(shape) == first_tile(shape)


@given(SHAPES, SEEDS)
def test_random_tiles(shape: ContractionShape, seed: int) -> None:
    """Any random tile covers its shape and fits."""
    rng = random.Random(seed)
    for _ in range(5):
        assert_covers_and_fits(random_tile(shape, rng), shape)


@given(SHAPES, SEEDS)
def test_neighbours(shape: ContractionShape, seed: int) -> None:
    """However often a tile is varied, it covers its shape and fits."""
    rng = random.Random(seed)
    tile = first_tile(shape)
    for _ in range(20):
        tile = neighbour(tile, shape, rng)
        assert_covers_and_fits(tile, shape)


def test_neighbours_go_everywhere() -> None:
    """Varying one tile again and again changes each of its parts."""
    shape = ContractionShape(56, 56, 8, 576, (3, 3), 16, 28, False, (False, True))
    rng = random.Random(0)
    found = [first_tile(shape)]
    for _ in range(200):
        found.append(neighbour(found[-1], shape, rng))
    for part in asdict(found[0]):
        assert len({getattr(tile, part) for tile in found}) > 1, part


@given(st.tuples(*[st.sampled_from([1, 29, 31, 113])] * 3))
def test_extents_that_cannot_be_cut(extents: tuple[int, int, int]) -> None:
    """Extents of 1 and primes too large for the registers leave one accumulator."""
    kind: dict[str, Any] = {"reduction": 9, "window": (3, 3), "lanes": 16, "accumulators": 28}
    shape = ContractionShape(*extents, **kind, grouped=True, paddings=(False,))
    for tile in (first_tile(shape), random_tile(shape, random.Random(0))):
        assert_covers_and_fits(tile, shape)
        assert tile.accumulators == 1


@given(SHAPES, SEEDS)
def test_a_tile_survives_json(shape: ContractionShape, seed: int) -> None:
    """A tile that was written as JSON is read as the same tile."""
    tile = random_tile(shape, random.Random(seed))
    assert tile_of(json.loads(json.dumps(asdict(tile)))) == tile


def test_no_tile_is_none() -> None:
    """A record of another search has no tile."""
    assert tile_of(None) is None


@given(st.integers(1, 5000), st.sampled_from(LANES))
def test_lanes_divide(extent: int, widest: int) -> None:
    """A vector divides its extent, fits the CPU and is the widest that does; 1 stands for none."""
    found = lanes(extent, widest)
    assert extent % found == 0
    assert found in (*LANES, 1)
    assert found <= widest
    assert not [v for v in LANES if found < v <= widest and extent % v == 0]


@pytest.mark.parametrize(
    ("extent", "widest", "expected"),
    [(1000, 16, 8), (64, 16, 16), (64, 8, 8), (64, 4, 4), (3, 16, 1), (1, 16, 1)],
)
def test_lanes_of_known_extents(extent: int, widest: int, expected: int) -> None:
    """A thousand classes take vectors of eight, an image's three channels none."""
    assert lanes(extent, widest) == expected
