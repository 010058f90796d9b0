"""The quality of a detector of many objects: what a job says it found, held against the truth by the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np

from dockyard.run.datasets import DataSet
from dockyard.run.mean_ap import MOST_BOXES, evaluated
from shared.contract.dataset import Sample, read_split
from shared.contract.errors import InputProblem
from shared.contract.job import Job
from shared.contract.measurement import MEAN_AP, ObjectTruth, Quality, SampleScore
from shared.contract.model import Network
from shared.contract.outputs import DetectionOutputs, ObjectsOutput
from shared.contract.result import Result, Status
from shared.contract.stages import Evaluate, Parameters, PipelineEvaluate, Predict

FEW = 30
"""Of fewer images a mAP may lie anywhere by chance: `expect` is not asked of it."""


def with_mean_ap(result: Result, job: Job, data: Mapping[str, DataSet]) -> Result:
    """Return a result with the mAP of the objects that it names; one of anything else as it is.

    A reference whose mAP is below what model.json expects has failed.

    Args:
        job: that left it.
        data: of each model.
    """
    network = _judged_detector(job.parameters)
    if network is None or result.quality is None or result.status != Status.DONE:
        return result
    try:
        quality = _judged(network, result.quality, data[job.model].folder / "test")
    except InputProblem as error:
        return Result(Status.FAILED, f"the job left a result that cannot be used: {error}")
    is_reference = isinstance(job.parameters, Evaluate) and job.parameters.is_reference
    shortfall = _shortfall(quality, network.expect) if is_reference and network.expect is not None else ""
    if shortfall:
        return replace(result, status=Status.FAILED, reason=shortfall)
    return replace(result, quality=quality)


def _shortfall(quality: Quality, expected: float) -> str:
    """Return in what a reference misses what model.json expects; empty where it does not."""
    scores = list(quality.scores(quality.sample_metric).values())
    # What is cut to the first samples differs from the whole by chance.
    slack = 2 * float(np.std(scores)) / sqrt(len(scores))
    if len(scores) < FEW or quality.value + slack >= expected:
        return ""
    what = f"{quality.main} {quality.value:.4f} on {len(scores)} sample(s) is below the {expected:g}"
    return f"the reference cannot be what variants are compared with: {what} that model.json expects"


def _judged_detector(parameters: Parameters) -> Network | None:
    """Return the detector of many objects whose quality a job is to find; None where it is another job."""
    if isinstance(parameters, (Evaluate, Predict)):
        network = parameters.artifact.network
    elif isinstance(parameters, PipelineEvaluate):
        name = parameters.pipeline.nodes[-1].network
        network = next(one.network for one in parameters.pipeline.artifacts if one.network.name == name)
    else:
        return None
    outputs = network.outputs
    return network if isinstance(outputs, DetectionOutputs) and outputs.finds_many else None


def _judged(network: Network, quality: Quality, test: Path) -> Quality:
    """Return a quality with its truth and its mAP. Raises InputProblem."""
    outputs = network.outputs
    assert isinstance(outputs, DetectionOutputs)
    assert outputs.objects is not None
    truths = {sample.id: sample for sample in read_split(test, network.task, outputs)}
    for sample in quality.samples:
        if sample.id not in truths:
            raise InputProblem(f"a sample that the test split does not have: {sample.id[:80]}")
        _check(sample, len(outputs.objects.names))
    own = [truths[sample.id] for sample in quality.samples]
    truth = _truth(own, outputs.objects)
    if not any(row[5] == 0 for rows in truth.objects.values() for row in rows):
        raise InputProblem(
            f"none of the {len(own)} images has an object, and mAP is over those that there are"
        )
    judged = replace(quality, main=MEAN_AP, truth=truth)
    return replace(judged, metrics={**evaluated(judged).metrics, **quality.metrics})


def _check(sample: SampleScore, classes: int) -> None:
    """Refuse what is no list of objects. Raises InputProblem."""
    found = sample.prediction or ()
    if isinstance(found, str) or len(found) > MOST_BOXES:
        raise InputProblem(f"{sample.id[:80]}: not {MOST_BOXES} objects or fewer")
    for one in found:
        if not isinstance(one, tuple) or len(one) != 6 or one[5] not in range(classes):
            raise InputProblem(f"{sample.id[:80]}: an object that is no box with a score and a class")


def _truth(samples: Sequence[Sample], outputs: ObjectsOutput) -> ObjectTruth:
    """Return the truth of samples, categories as numbers: there are no others, or the data was refused."""
    objects = {sample.id: tuple(_rows(sample, outputs)) for sample in samples}
    return ObjectTruth(outputs.names, objects)


def _rows(sample: Sample, outputs: ObjectsOutput) -> Iterator[tuple[float, ...]]:
    for one in sample.objects or ():
        number = 0 if outputs.classes is None else outputs.names.index(one.category or "")
        yield (*one.box, float(number), float(one.is_crowd))
