"""The search through a function's tiles: the best known varied, the most promising by a cost model tried."""

from __future__ import annotations

import random
from dataclasses import asdict
from math import log2, prod
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import xgboost
from candidates import Candidate
from schedules import shape_of, tiled
from tiles import Shape, Tile, first_tile, neighbour, random_tile

from shared.inference.arrays import Array

POOL = 1024
"""Tiles that the cost model ranks in each round."""

PARENTS = 8
"""Of the best known tiles, that are varied."""

STRANGERS = 0.3
"""Fraction of the pool that varies none."""

SEED = 1

UNRANKED = 0.15
"""Fraction of a round's tiles that are tried without asking the cost model, which may be wrong."""


class CostModel:
    """Gradient-boosted trees from what a tile does to how near it comes to its function's best.

    They learn over all functions.

    Args:
        threads: that it may train with.
    """

    def __init__(self, threads: int) -> None:
        self._rows: Dict[int, List[Tuple[List[float], float]]] = {}
        self._threads = threads
        self._model: Optional[Any] = None

    def learn(self, function: int, features: List[float], seconds: float) -> None:
        """Take over a measured time."""
        self._rows.setdefault(function, []).append((features, seconds))

    def train(self) -> None:
        """Learn anew from all that was measured."""
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
        """Return how near each row should come to the best speed, 0 to 1; all alike before it learned."""
        if self._model is None:
            return np.zeros(len(features), np.float32)
        found: Array = self._model.predict(xgboost.DMatrix(np.array(features, np.float32)))
        return found


class NoModel(CostModel):
    """Ranks nothing: tiles are tried as they come."""

    def train(self) -> None:
        pass


def features(tile: Tile, shape: Shape, threads: int) -> List[float]:
    """Return what decides a tile's speed.

    The register tile, what it loads for each product, what lies in the caches, the balance of the threads.
    """
    floats = 4
    y, x, w = tile.rows[2], tile.columns[2], tile.width
    loads = (y * x + w) / (y * x * w)
    chunks = tile.rows[0] * tile.columns[0] * tile.channels[0]
    balance = chunks / (threads * -(-chunks // threads))
    weights = w * shape.lanes * shape.sums * floats
    panel = weights * tile.channels[1]
    inputs = shape.sums / max(1, prod(shape.window)) * floats
    rows, columns = tile.rows[1] * y, tile.columns[1] * x
    outputs = w * shape.lanes * rows * columns * floats
    scales: List[float] = [tile.accumulators, y, x, w, *tile.rows, *tile.columns, *tile.channels]
    scales += [chunks, weights, panel, inputs * rows * columns]
    scales += [rows, columns, shape.rows, shape.columns, shape.vectors, shape.sums, outputs]
    flags: List[float] = [loads, balance, tile.outer == "yxf", tile.inner == "yxf"]
    flags += [tile.inline, shape.grouped, shape.lanes, threads]
    logarithms = [log2(max(scale, 1e-9)) for scale in scales]
    return logarithms + [float(flag) for flag in flags]


class TileSearch:
    """The tiles of one function.

    Args:
        module: of the function.
        costs: shared by all functions.
        known: the best tile of an earlier search, or None.
        threads: that will run it.
        widest: floats of the CPU's vectors.
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
        self._seen: Dict[Tile, Optional[float]] = {}
        self._tried: List[Tile] = []

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
        chosen = [tile for tile in self._first if tile not in self._seen][:count]
        pool = dict.fromkeys(self._vary() for _ in range(POOL))
        fresh = [tile for tile in pool if tile not in self._seen and tile not in chosen]
        described = [self._features(tile) for tile in fresh]
        scores = self._costs.rank(described) if fresh else np.zeros(0)
        ranked = [fresh[i] for i in np.argsort(-scores, kind="stable")]
        chosen += ranked[: max(0, count - len(chosen) - round(UNRANKED * count))]
        left = [tile for tile in fresh if tile not in chosen]
        return chosen + self._rng.sample(left, min(len(left), count - len(chosen)))

    def _vary(self) -> Tile:
        best = sorted((s, i) for i, s in enumerate(self._seen.values()) if s is not None)[:PARENTS]
        if not best or self._rng.random() < STRANGERS:
            return random_tile(self._shape, self._rng)
        parent = list(self._seen)[self._rng.choice(best)[1]]
        return neighbour(parent, self._shape, self._rng)

    def _features(self, tile: Tile) -> List[float]:
        return features(tile, self._shape, self._threads)
