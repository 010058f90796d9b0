"""What a job left in `result.json`, checked before it is believed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from dockyard.engines import JobExit
from dockyard.recipe import documents
from dockyard.recipe.workspace import SHARED
from shared.contract.codec import DecodeError, decode
from shared.contract.errors import InputProblem
from shared.contract.measurement import (
    TOTAL,
    Latency,
    Quality,
    SampleScore,
    Scope,
    Throughput,
    Yardstick,
    sum_of_counts,
)
from shared.contract.model import follows_every, steps_of
from shared.contract.result import Result, Status
from shared.contract.stages import (
    STAGES,
    NetworkBenchmark,
    Parameters,
    PipelineBenchmark,
    PipelineEvaluate,
    StreamBenchmark,
    StreamEvaluate,
)
from shared.contract.streaming import stream_steps

SCHEMA = SHARED / "contract" / "result.schema.json"

StreamParameters = StreamEvaluate | StreamBenchmark
"""Of what comes to a throughput."""

SAME_METRIC = 1e-6
"""Largest difference of a metric from what its samples give."""

SET_METRIC = "iou_set"
"""A metric that is not the mean of its samples' scores: the IoU over the pixels of all of them."""


def read_result(folder: Path, left: JobExit, parameters: Parameters) -> Result:
    """Read what a job left; one that the executor ended, or that left nothing valid, has failed."""
    if left.reason:
        return Result(Status.FAILED, left.reason)
    path = folder / "result.json"
    if not path.is_file():
        return Result(Status.FAILED, f"the job ended with exit code {left.exit_code} and left no result")
    try:
        document = documents.parse(path.read_text(encoding="utf-8"))
        documents.check(document, SCHEMA, "result.json")
        result = decode(Result, document)
        _check_whole(parameters, result)
    except (InputProblem, DecodeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:500]
        return Result(Status.FAILED, f"the job left a result that cannot be used: {reason}")
    return result


def _check_whole(parameters: Parameters, result: Result) -> None:
    """Refuse a `done` result without what its stage is for. Raises InputProblem."""
    if result.status != Status.DONE:
        return
    stage = STAGES[type(parameters)]
    missing = [name for name in stage.brings if not _is_there(getattr(result, name))]
    if missing:
        raise InputProblem(f"a done {stage.name} without {missing[0]}")
    for table in result.notes.tables:
        if any(len(row) != len(table.columns) for row in table.rows):
            raise InputProblem(f"a table with rows of another length than its heads: {table.title[:80]}")
    if isinstance(result.measurement, Latency):
        _check_latency(parameters, result.measurement)
    if isinstance(result.measurement, Throughput):
        _check_throughput(parameters, result.measurement)
    if result.quality is not None:
        _check_quality(result.quality)
        if _reads_every_object(parameters) and not result.quality.counts:
            raise InputProblem("a quality of every object without what became of them")


def _is_there(part: object) -> bool:
    """Tell whether a part of a result holds something; an artifact without a file does not."""
    return bool(getattr(part, "files", part))


def _check_latency(parameters: Parameters, latency: Latency) -> None:
    if isinstance(parameters, StreamParameters):
        raise InputProblem("a latency of a stream, which has a throughput")
    total = latency.samples_ns.get(TOTAL, ())
    if not total or min(total) <= 0:
        raise InputProblem("a latency without samples, or with a time of zero")
    is_pipeline = isinstance(parameters, (PipelineEvaluate, PipelineBenchmark))
    if (latency.scope == Scope.PIPELINE) != is_pipeline:
        raise InputProblem(f"a latency of the scope {latency.scope.value}, which was not asked for")
    is_benchmark = isinstance(parameters, (NetworkBenchmark, PipelineBenchmark))
    if sum(latency.bursts) != (len(total) if is_benchmark else 0):
        raise InputProblem("a latency whose bursts do not add up to its samples")
    if latency.yardstick is not None:
        _check_yardstick(latency, latency.yardstick)
    if not isinstance(parameters, (PipelineEvaluate, PipelineBenchmark)):
        return
    nodes = parameters.pipeline.nodes
    if len(latency.objects) != (len(total) if follows_every(nodes) else 0):
        raise InputProblem("a pipeline's latency whose objects are not those of each of its images")
    steps = steps_of(nodes)
    if any(len(latency.samples_ns.get(step, ())) != len(total) for step in steps):
        raise InputProblem(f"a pipeline's latency without each of its steps: {', '.join(steps)}")


def _check_yardstick(latency: Latency, yardstick: Yardstick) -> None:
    if len(yardstick.quickest_ns) != len(latency.bursts):
        raise InputProblem("a yardstick that was not measured with each burst")
    if yardstick.operations < 1 or min(yardstick.quickest_ns, default=1) <= 0:
        raise InputProblem("a yardstick without operations, or with a time of zero")


def _check_throughput(parameters: Parameters, throughput: Throughput) -> None:
    if not isinstance(parameters, StreamParameters):
        raise InputProblem("a throughput, which was not asked for")
    if throughput.frames < 1:
        raise InputProblem("a throughput without frames")
    if any(burst.seconds <= 0 or burst.frames < 1 for burst in throughput.bursts):
        raise InputProblem("a throughput with a burst in no time, or without a frame")
    if any(latency <= 0 for latency in throughput.latency_ns):
        raise InputProblem("a throughput with a latency of zero")
    if len(throughput.latency_ns) != throughput.frames:
        raise InputProblem("a throughput without the latency of each frame")
    known = stream_steps(parameters.stream.pipeline.nodes)
    unknown = [step for step in throughput.steps_ns if step not in known]
    if unknown:
        raise InputProblem(f"a throughput with the step '{unknown[0][:80]}', which no stream has")


def _check_quality(quality: Quality) -> None:
    if quality.main not in quality.metrics:
        raise InputProblem("a quality without its main metric")
    if len({sample.id for sample in quality.samples}) < len(quality.samples):
        raise InputProblem("a quality with two samples of one name")
    of_objects = _check_counts(quality)
    for name, value in quality.metrics.items():
        if name == SET_METRIC:
            _check_pixels(value, quality.samples)
            continue
        if name in of_objects:
            continue
        scores = list(quality.scores(name).values())
        if not scores or abs(float(np.mean(scores)) - value) > SAME_METRIC:
            raise InputProblem(f"the metric {name} is not the mean of its samples' scores")


def _reads_every_object(parameters: Parameters) -> bool:
    if isinstance(parameters, StreamEvaluate):
        return follows_every(parameters.stream.pipeline.nodes)
    return isinstance(parameters, PipelineEvaluate) and follows_every(parameters.pipeline.nodes)


def _check_counts(quality: Quality) -> Collection[str]:
    """Refuse metrics that the counts of objects do not give; return which those are. Raises InputProblem."""
    if not quality.counts:
        return ()
    if len(quality.counts) < len(quality.samples):
        raise InputProblem("objects that are counted in some samples, and not in others")
    metrics = sum_of_counts(quality.counts).metrics
    for name, value in metrics.items():
        if abs(quality.metrics.get(name, -1.0) - value) > SAME_METRIC:
            raise InputProblem(f"the metric {name} is not the one of its samples' objects")
    for sample in quality.samples:
        if (
            sample.counts is not None
            and abs(sample.counts.exact - sample.scores.get("exact", -1.0)) > SAME_METRIC
        ):
            raise InputProblem(f"the exact of {sample.id} is not the one of its objects")
    return metrics


def _check_pixels(iou_set: float, samples: Sequence[SampleScore]) -> None:
    """Refuse an IoU, of the set or of a sample, that the pixels do not give. Raises InputProblem."""
    intersections, unions = 0, 0
    for sample in samples:
        if sample.pixels is None or sample.pixels[1] < sample.pixels[0]:
            raise InputProblem("the metric iou_set without the pixels of each sample")
        if abs(_iou(*sample.pixels) - sample.scores.get("iou", -1.0)) > SAME_METRIC:
            raise InputProblem(f"the iou of {sample.id} is not the one of its pixels")
        intersections += sample.pixels[0]
        unions += sample.pixels[1]
    if abs(_iou(intersections, unions) - iou_set) > SAME_METRIC:
        raise InputProblem("the metric iou_set is not the one of its samples' pixels")


def _iou(intersection: int, union: int) -> float:
    return intersection / union if union else 1.0
