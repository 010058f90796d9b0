"""Quantization that leaves the costliest operations out, until the predicted drop is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, List, Sequence, Tuple

import numpy as np
import onnx
from quantizers import quantized_nodes, restored
from tensorrt_quantization import Prediction, type_rest

from shared.contract.result import Table
from shared.harness.progress import track
from shared.harness.toolchain import Options
from shared.inference.session import Tensors

RANKING_IMAGES = 4
"""Validation images that an operation's cost is taken from."""


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        left_out: operations that are not quantized, the costliest first.
        operations: how many could be.
        costs: of every operation, by name; none where no ranking was needed.
        score: predicted, of the graph that was written.
        wanted: the least that is allowed.
        tried: how many graphs were scored.
    """

    left_out: Tuple[str, ...]
    operations: int
    costs: Dict[str, float]
    score: float
    wanted: float
    tried: int

    @property
    def remark(self) -> str:
        """A sentence for the report."""
        reached = "reaches" if self.score >= self.wanted else "does not reach"
        return (
            f"left out of int8: {len(self.left_out)} of {self.operations} operations; the prediction "
            f"({self.score:.4f}) {reached} what is allowed ({self.wanted:.4f}), graphs tried: {self.tried}"
        )

    @property
    def tables(self) -> Tuple[Table, ...]:
        """What was left out, and at what cost."""
        rows = tuple((name, f"{self.costs[name]:.3g}") for name in self.left_out)
        title, columns = "Operations left out of int8", ("operation", "error alone, of the outputs' size")
        return (Table(title, columns, rows),) if rows else ()


class Search:
    """Looks for the fewest operations to be left out of a quantized graph.

    Args:
        float_graph: file of the graph before it was quantized.
        quantized: file of the graph with Q/DQ at every operation that may have it, the rest in float32.
        options: `rest` as target.json has it.
    """

    def __init__(self, prediction: Prediction, float_graph: Path, quantized: Path, options: Options) -> None:
        self._prediction, self._float_graph, self._options = prediction, float_graph, options
        self._float, self._quantized = onnx.load(float_graph), onnx.load(quantized)
        self._names = quantized_nodes(self._quantized)
        self._scores: Dict[int, float] = {}

    def run(self, max_drop: float, target: Path) -> Found:
        """Write the graph with the fewest operations left out whose predicted drop is allowed, or with all.

        Args:
            max_drop: of the main metric, from the float32 graph's.
        """
        wanted = self._prediction.score(self._float_graph) - max_drop
        ranking: List[str] = []
        costs: Dict[str, float] = {}
        number = 0
        if self._score(ranking, 0, target) < wanted:
            costs = self._costs()
            ranking = sorted(costs, key=lambda name: -costs[name])
            number = self._fewest(ranking, wanted, target)
        score = self._score(ranking, number, target)
        self._write(ranking[:number], target)
        type_rest(self._float_graph, target, self._options)
        return Found(tuple(ranking[:number]), len(self._names), costs, score, wanted, len(self._scores))

    def _fewest(self, ranking: Sequence[str], wanted: float, target: Path) -> int:
        """Return how many of a ranking's first have to be left out; all of them where no number is enough."""
        enough = 1
        while enough < len(ranking) and self._score(ranking, enough, target) < wanted:
            enough = min(2 * enough, len(ranking))
        too_few = enough // 2
        while enough - too_few > 1:
            middle = (enough + too_few) // 2
            if self._score(ranking, middle, target) < wanted:
                too_few = middle
            else:
                enough = middle
        return enough

    def _score(self, ranking: Sequence[str], number: int, target: Path) -> float:
        if number not in self._scores:
            self._write(ranking[:number], target)
            self._scores[number] = self._prediction.score(target)
        return self._scores[number]

    def _write(self, left_out: Sequence[str], target: Path) -> None:
        # The rest stays float32 while graphs are tried: float16 is slow on a CPU, and costs next to nothing.
        onnx.save(restored(self._quantized, self._float, set(left_out)), target)

    def _costs(self) -> Dict[str, float]:
        """Return what each operation costs when it alone is quantized: the error of the outputs."""
        costs = {}
        with TemporaryDirectory() as folder:
            alone = Path(folder) / "alone.onnx"
            exact = self._prediction.outputs(self._float_graph, RANKING_IMAGES)
            for name in track(self._names, "rank operations", len(self._names)):
                onnx.save(restored(self._quantized, self._float, set(self._names) - {name}), alone)
                costs[name] = error(self._prediction.outputs(alone, RANKING_IMAGES), exact)
        return costs


def error(found: Sequence[Tensors], exact: Sequence[Tensors]) -> float:
    """Return the mean over calls and outputs of the absolute error over the exact output's mean size."""
    errors = []
    for own, wanted in zip(found, exact):
        for name, tensor in wanted.items():
            size = float(np.abs(tensor).mean()) or 1.0
            errors.append(float(np.abs(own[name].astype(np.float64) - tensor).mean()) / size)
    return float(np.mean(errors))
