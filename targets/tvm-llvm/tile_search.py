"""The search through a function's tiles: the best known are mutated, and a cost model picks which to try."""

from __future__ import annotations

import random
from dataclasses import asdict
from math import ceil, log2, prod
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import xgboost
from candidates import Candidate
from schedules import shape_of, tiled
from tiles import ContractionShape, Tile, first_tile, neighbour, random_tile

from shared.inference.arrays import Array

POOL = 1024
"""Tiles that are drawn for each batch, for the cost model to rank."""

PARENTS = 8
"""Number of the fastest tiles, of those measured so far, that the pool is mutated from."""

RANDOM_FRACTION = 0.3
"""Fraction of the pool drawn at random instead of mutated from a good tile."""

EXPLORATION = 0.15
"""Fraction of a batch chosen at random from the pool, against errors of the cost model."""

SEED = 1

FLOAT_BYTES = 4


class CostModel:
    """Gradient-boosted trees that predict a tile's speed as a fraction of its function's best measured speed.

    One model learns from the tiles of all functions.

    Args:
        threads: number of threads that it may train with.
    """

    def __init__(self, threads: int) -> None:
        self._rows: Dict[int, List[Tuple[List[float], float]]] = {}
        self._threads = threads
        self._model: Optional[Any] = None

    def learn(self, function: int, features: List[float], seconds: float) -> None:
        """Add a measured tile to the training data.

        Args:
            function: an id of the function, the same for all of its tiles.
            features: the tile's, as the function `features` returns them.
        """
        self._rows.setdefault(function, []).append((features, seconds))

    def train(self) -> None:
        """Train a new model on all measured tiles."""
        rows, scores = [], []
        for measured in self._rows.values():
            best = min(seconds for _, seconds in measured)
            rows += [features for features, _ in measured]
            scores += [best / seconds for _, seconds in measured]
        if rows:
            matrix = xgboost.DMatrix(np.array(rows, np.float32), np.array(scores, np.float32))
            settings = {"max_depth": 6, "eta": 0.2, "nthread": self._threads, "verbosity": 0, "seed": 1}
            self._model = xgboost.train(settings, matrix, num_boost_round=60)

    def rank(self, features: List[List[float]]) -> Array:
        """Return the predicted fraction of the best speed, about 0 to 1, for each row of features.

        Before the first training all are zero.
        """
        if self._model is None:
            return np.zeros(len(features), np.float32)
        predicted: Array = self._model.predict(xgboost.DMatrix(np.array(features, np.float32)))
        return predicted


class NoModel(CostModel):
    """Stands in for a cost model and never learns: tiles are tried in the order in which they were drawn."""

    def train(self) -> None:
        pass


def features(tile: Tile, shape: ContractionShape, threads: int) -> List[float]:
    """Return the numbers from which the cost model predicts a tile's speed.

    They describe the register tile, its loads for each multiply-add, the bytes that it keeps in the caches,
    and how evenly the threads are loaded. Sizes are logarithms to base 2.
    """
    y, x, w = tile.rows[2], tile.columns[2], tile.width
    loads = (y * x + w) / (y * x * w)
    chunks = tile.rows[0] * tile.columns[0] * tile.channels[0]
    balance = chunks / (threads * ceil(chunks / threads))
    weights = w * shape.lanes * shape.reduction * FLOAT_BYTES
    panel = weights * tile.channels[1]
    inputs = shape.reduction / max(1, prod(shape.window)) * FLOAT_BYTES
    rows, columns = tile.rows[1] * y, tile.columns[1] * x
    outputs = w * shape.lanes * rows * columns * FLOAT_BYTES
    scales: List[float] = [tile.accumulators, y, x, w, *tile.rows, *tile.columns, *tile.channels]
    scales += [chunks, weights, panel, inputs * rows * columns]
    scales += [rows, columns, shape.rows, shape.columns, shape.vectors, shape.reduction, outputs]
    flags: List[float] = [loads, balance, tile.outer == "yxf", tile.inner == "yxf"]
    flags += [tile.inline, shape.grouped, shape.lanes, threads]
    logarithms = [log2(max(scale, 1e-9)) for scale in scales]
    return logarithms + [float(flag) for flag in flags]


class TileSearch:
    """A search through the tiles of one function (`candidates.Search`).

    Args:
        module: the module with the function, as its `main`.
        costs: the cost model, shared by all functions.
        known: the best tile of an earlier search, or None.
        threads: number of threads that will run the network.
        widest: floats that a vector of the CPU holds.
    """

    def __init__(
        self, module: Any, costs: CostModel, known: Optional[Tile], threads: int, widest: int
    ) -> None:
        shape = shape_of(module["main"], widest)
        assert shape is not None
        self._shape, self._function = shape, module["main"]
        self._costs, self._threads, self._widest = costs, threads, widest
        self._rng = random.Random(SEED)
        self._first = [first_tile(self._shape)] + ([known] if known else [])
        # Seconds of each tile that was tried; None for one that could not be built or run.
        self._seen: Dict[Tile, Optional[float]] = {}
        self._tried: List[Tile] = []  # those proposed last, whose times come next

    def propose(self, count: int) -> List[Candidate]:
        """Return candidates that were not tried before; fewer where there are no more."""
        self._costs.train()
        self._tried = self._choose(count)
        return [Candidate(tiled(self._function, tile, self._widest), asdict(tile)) for tile in self._tried]

    def learn(self, seconds: Sequence[Optional[float]]) -> None:
        """Take over the times of the candidates that were proposed last; None for one that has none."""
        for tile, taken in zip(self._tried, seconds):
            self._seen[tile] = taken
            if taken is not None:
                self._costs.learn(id(self), self._features(tile), taken)

    def _choose(self, count: int) -> List[Tile]:
        """Return new tiles: the first ones, then the best ranked of a pool, then some from it at random."""
        chosen = [tile for tile in self._first if tile not in self._seen][:count]
        parents = self._fastest()
        pool = dict.fromkeys(self._draw(parents) for _ in range(POOL))
        fresh = [tile for tile in pool if tile not in self._seen and tile not in chosen]
        described = [self._features(tile) for tile in fresh]
        scores = self._costs.rank(described) if fresh else np.zeros(0)
        ranked = [fresh[i] for i in np.argsort(-scores, kind="stable")]
        chosen += ranked[: max(0, count - len(chosen) - round(EXPLORATION * count))]
        left = [tile for tile in fresh if tile not in chosen]
        return chosen + self._rng.sample(left, min(len(left), count - len(chosen)))

    def _fastest(self) -> List[Tile]:
        """Return the fastest tiles measured so far, PARENTS of them at most."""
        timed = {tile: seconds for tile, seconds in self._seen.items() if seconds is not None}
        return sorted(timed, key=lambda tile: timed[tile])[:PARENTS]

    def _draw(self, parents: List[Tile]) -> Tile:
        """Return a random tile, or a mutation of one of the parents."""
        if not parents or self._rng.random() < RANDOM_FRACTION:
            return random_tile(self._shape, self._rng)
        return neighbour(self._rng.choice(parents), self._shape, self._rng)

    def _features(self, tile: Tile) -> List[float]:
        return features(tile, self._shape, self._threads)
