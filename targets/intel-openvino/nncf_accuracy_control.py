"""NNCF's accuracy control (2026.4), from a network that is quantized already.

`nncf.quantize_with_accuracy_control` quantizes anew and scores one image after the other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import openvino as ov
from accuracy_control import Messages, measured_state
from nncf import DropType
from nncf.quantization.algorithms.accuracy_control import algorithm
from nncf.quantization.algorithms.accuracy_control.evaluator import Evaluator
from nncf.quantization.algorithms.accuracy_control.ranker import Ranker
from openvino._offline_transformations import compress_quantize_weights_transformation
from quantized_graph import restore_weight_quantizers

from shared.contract.model import InputSpec, Network
from shared.harness.progress import track
from shared.harness.toolchain import Calibration, Options

SPLIT = "validation"


class _Ranker(Ranker):  # type: ignore[misc]
    """Tells how many groups of operations it has ranked."""

    # With one worker this is the same, and shows no bar of its own.
    _sequential_calculation_ranking_score = Ranker._multithreading_calculation_ranking_score

    def rank_groups_of_quantizers(self, groups_to_rank: Sequence[Any], *given: Any) -> Any:
        count = len(groups_to_rank)
        self._ranked = iter(track(range(count), "rank operations", count))
        return super().rank_groups_of_quantizers(groups_to_rank, *given)

    def _calculate_ranking_score(self, *given: Any) -> float:
        next(self._ranked)
        return float(super()._calculate_ranking_score(*given))


algorithm.Ranker = _Ranker


class _Validation(Evaluator):  # type: ignore[misc]
    """Scores networks on the validation split, as many images at a time as the CPU has streams.

    Args:
        spec: of the networks' input.
        messages: that are told of the score of each pass over the whole split.
    """

    def __init__(self, network: Network, spec: InputSpec, data: Calibration, messages: Messages) -> None:
        super().__init__(validation_fn=None)
        self._metric_mode = True  # a score is a number
        self._tensors, self._data, self._messages = network.tensors, data, messages
        size = data.size(SPLIT)
        self.images = list(track(data.inputs(SPLIT, spec), "read validation images", size))

    def prepare_model(self, model: Any) -> Any:
        properties = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        return ov.Core().compile_model(model, "CPU", properties)

    def validate_prepared_model(
        self, prepared_model: Any, dataset: Any, indices: Optional[List[int]] = None
    ) -> Tuple[float, List[float]]:
        """Return the mean score and the score of each image, 0 to 1; of all images without `indices`."""
        if indices is not None:
            scores = list(self._scores(prepared_model, indices))
            return float(np.mean(scores)), scores
        count = len(self.images)
        what = f"measure {measured_state(self._messages.events)}"
        scores = list(track(self._scores(prepared_model, range(count)), what, count))
        mean = float(np.mean(scores))
        self._messages.pass_done(mean)
        return mean, scores

    def _scores(self, compiled: Any, indices: Sequence[int]) -> Iterator[float]:
        """Yield the score of each of some images.

        Threads with a request each, and not OpenVINO's AsyncInferQueue: that may end in one of its own
        threads, which ends the process ("Resource deadlock avoided").
        """
        count = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(count):
            idle.put(compiled.create_infer_request())

        def score(index: int) -> float:
            request = idle.get()
            try:
                request.infer([self.images[index]], share_inputs=True)
                outputs = {name: request.get_tensor(compiled.output(name)).data for name in self._tensors}
                return self._data.score(SPLIT, index, outputs)
            finally:
                idle.put(request)  # or the next image would wait for it without end

        with ThreadPoolExecutor(count) as threads:
            yield from threads.map(score, indices)


def restore_accuracy(
    network: Network,
    model: Any,
    quantized: Any,
    spec: InputSpec,
    options: Options,
    data: Calibration,
    messages: Messages,
) -> Any:
    """Return the quantized ov.Model with operations put back to float until the drop is allowed.

    Args:
        model: the float network.
        quantized: the same with 8-bit weights; returned as it is where its drop is allowed.
        spec: of the input.
        options: of the method, every default filled in.
    """
    validation = _Validation(network, spec, data, messages)
    of_float = validation.collect_metric_results(model, None, "initial")
    restored = quantized.clone()
    restore_weight_quantizers(restored, model)
    of_quantized = validation.collect_metric_results(restored, None, "quantized")
    restorer = algorithm.QuantizationAccuracyRestorer(
        ranking_subset_size=options["ranking_subset_size"],
        max_num_iterations=options["max_iterations"],
        max_drop=float(options["max_drop"]),
        drop_type=DropType.ABSOLUTE,
    )
    count = len(validation.images)
    found = restorer.apply(model, of_float, restored, of_quantized, None, count, validation)
    if found is restored:
        return quantized
    compress_quantize_weights_transformation(found)
    return found
