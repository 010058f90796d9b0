"""What a job leaves is checked before it is believed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines import JobExit
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.run.check_result import read_result
from dockyard.run.datasets import read_progress
from shared.contract.codec import encode
from shared.contract.measurement import (
    Burst,
    Latency,
    ObjectCounts,
    Quality,
    SampleScore,
    Scope,
    Throughput,
    TimingProtocol,
)
from shared.contract.model import steps_of
from shared.contract.result import Notes, Result, Status, Table
from shared.contract.stages import (
    Evaluate,
    Parameters,
    PipelineBenchmark,
    PipelineEvaluate,
    StreamBenchmark,
)
from tests.builders import latency, quality
from tests.fakes import Document

KERNELS = Table("Where the time goes", ("kernel", "ms"), (("fused_conv", "0.250"),), folded=True)
RESULT = Result(
    Status.DONE,
    quality=quality([0.5], "iou"),
    measurement=latency(5, protocol=TimingProtocol.DATASET),
    notes=Notes(("tuned for znver4",), (KERNELS,), calibration_images=300),
)
DOCUMENT: Document = encode(RESULT)
TWICE = replace(quality([0.5]), samples=quality([0.5]).samples * 2)
TABLE = DOCUMENT["notes"]["tables"][0]


@pytest.fixture
def evaluate(digits_plan: Plan) -> Parameters:
    """The parameters of a job that judges quality."""
    return next(p.job.parameters for p in digits_plan.jobs if isinstance(p.job.parameters, Evaluate))


@pytest.fixture
def stream(workspace: Workspace) -> Parameters:
    """The parameters of a job that measures a stream."""
    plan = make_plan(workspace, load_recipe(workspace, "lp_intel_stream.json"))
    return next(p.job.parameters for p in plan.jobs if isinstance(p.job.parameters, StreamBenchmark))


def with_notes(**changes: object) -> bytes:
    return json.dumps({**DOCUMENT, "notes": {**DOCUMENT["notes"], **changes}}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        json.dumps(DOCUMENT).encode()[:-3],
        json.dumps({**DOCUMENT, "version": 1}).encode(),
        json.dumps({**DOCUMENT, "status": "fine"}).encode(),
        json.dumps({**DOCUMENT, "extra": 1}).encode(),
        json.dumps({**DOCUMENT, "reason": "x" * 20_001}).encode(),
        json.dumps({**DOCUMENT, "duration_s": -1}).encode(),
        json.dumps(DOCUMENT).replace("0.5", '"0.5"').encode(),
        json.dumps(DOCUMENT).replace("0.5", "NaN").encode(),
        json.dumps(DOCUMENT).replace("0.5", "Infinity").encode(),
        json.dumps(DOCUMENT).replace("0.5", "1" * 5000).encode(),
        json.dumps({**DOCUMENT, "artifact": {"files": [{"path": "a", "sha256": "no", "bytes": 1}]}}).encode(),
        with_notes(tables=[{**TABLE, "rows": [["fused_conv", 0.25]]}]),
        with_notes(tables=[{**TABLE, "title": "x" * 5000}]),
        with_notes(tables=[{"title": "no columns"}]),
        with_notes(tables=[{**TABLE, "rows": [["fused_conv"]]}]),
        json.dumps({**DOCUMENT, "quality": encode(TWICE)}).encode(),
        with_notes(remarks=["x"] * 1000),
        with_notes(calibration_images=-1),
        with_notes(kernels=[]),
        b'{"device": ' + b"[" * 100_000,
    ],
)
def test_result_that_cannot_be_believed(tmp_path: Path, evaluate: Parameters, content: bytes) -> None:
    """A result that is no JSON, too large, too deep or not in its schema is a failure."""
    (tmp_path / "result.json").write_bytes(content)
    result = read_result(tmp_path, JobExit(0, 1.0), evaluate)
    assert result.status == Status.FAILED
    assert result.reason.startswith("the job left a result that cannot be used: ")
    assert len(result.reason) < 1000


def test_result_that_fits(tmp_path: Path, evaluate: Parameters) -> None:
    """A result that fits its schema is handed on as it is."""
    (tmp_path / "result.json").write_text(json.dumps(DOCUMENT))
    assert read_result(tmp_path, JobExit(0, 1.0), evaluate) == RESULT


@pytest.mark.parametrize(
    ("samples_ns", "status"),
    [
        ({"total": (1,)}, Status.FAILED),
        (
            {
                "total": (9,),
                **dict.fromkeys(("decode", "detector_input", "detector", "detector_output"), (1,)),
            },
            Status.FAILED,
        ),
        (
            {
                "total": (9,),
                **dict.fromkeys(("decode", "detector_input", "detector", "detector_output"), (1,)),
                **dict.fromkeys(("reader_input", "reader", "reader_output"), (1,)),
            },
            Status.DONE,
        ),
    ],
)
def test_pipeline_result_without_its_steps(
    tmp_path: Path, workspace: Workspace, samples_ns: dict[str, tuple[int, ...]], status: Status
) -> None:
    """A pipeline's times must have every step of its nodes, or the report would have a hole."""
    plan = make_plan(workspace, load_recipe(workspace, "lp_intel.json"))
    measured = Latency(Scope.PIPELINE, TimingProtocol.DATASET, samples_ns, bursts=(1,))
    result = Result(Status.DONE, measurement=measured)
    (tmp_path / "result.json").write_text(json.dumps(encode(result)))
    assert read_result(tmp_path, JobExit(0, 1.0), plan.jobs[-1].job.parameters).status == status


COUNTED = SampleScore("a", {"exact": 2 / 3}, "A", counts=ObjectCounts(right=1, missed=1))
OTHER = SampleScore("b", {"exact": 0.0}, None, counts=ObjectCounts(missed=2))
OF_BOTH = {"exact": 0.4, "precision": 1.0, "recall": 0.25}


@pytest.mark.parametrize(
    ("metrics", "samples", "what"),
    [
        (OF_BOTH, (COUNTED, OTHER), ""),
        (
            {**OF_BOTH, "exact": 1 / 3},
            (COUNTED, OTHER),
            "the metric exact is not the one of its samples' obj",
        ),
        ({**OF_BOTH, "recall": 0.5}, (COUNTED, OTHER), "the metric recall is not the one"),
        ({"exact": 0.4, "recall": 0.25}, (COUNTED, OTHER), "the metric precision is not the one"),
        (OF_BOTH, (COUNTED, replace(OTHER, counts=None)), "objects that are counted in some samples"),
        (
            OF_BOTH,
            (COUNTED, replace(OTHER, scores={"exact": 1.0})),
            "the exact of b is not the one of its obj",
        ),
    ],
)
def test_metrics_of_objects_are_those_of_their_counts(
    tmp_path: Path,
    evaluate: Parameters,
    metrics: dict[str, float],
    samples: tuple[SampleScore, ...],
    what: str,
) -> None:
    """What is counted of each image gives the metrics of the whole, or the result is not believed."""
    result = replace(RESULT, quality=Quality("exact", metrics, samples))
    (tmp_path / "result.json").write_text(json.dumps(encode(result)))
    found = read_result(tmp_path, JobExit(0, 1.0), evaluate)
    assert (found.status == Status.DONE, what in found.reason) == (not what, True)


@pytest.mark.parametrize(("counts", "status"), [(None, Status.FAILED), (ObjectCounts(), Status.DONE)])
def test_a_pipeline_of_every_object_counts_them(
    tmp_path: Path, workspace: Workspace, counts: ObjectCounts | None, status: Status
) -> None:
    """Its quality is that of its objects, and of nothing else."""
    plan = make_plan(workspace, load_recipe(workspace, "lp_intel_streets.json"))
    parameters = next(p.job.parameters for p in plan.jobs if isinstance(p.job.parameters, PipelineEvaluate))
    steps = dict.fromkeys(("total", *steps_of(parameters.pipeline.nodes)), (1,))
    measured = Latency(Scope.PIPELINE, TimingProtocol.DATASET, steps, objects=(0,))
    sample = SampleScore("a", {"exact": 1.0}, None, counts=counts)
    metrics = {"exact": 1.0} if counts is None else counts.metrics
    result = Result(Status.DONE, quality=Quality("exact", metrics, (sample,)), measurement=measured)
    (tmp_path / "result.json").write_text(json.dumps(encode(result)))
    assert read_result(tmp_path, JobExit(0, 1.0), parameters).status == status


@pytest.mark.parametrize(("objects", "status"), [((), Status.FAILED), ((3,), Status.DONE)])
def test_a_pipeline_of_every_object_says_how_many_it_timed(
    tmp_path: Path, workspace: Workspace, objects: tuple[int, ...], status: Status
) -> None:
    """A time that covers more or fewer readings says nothing without their number."""
    plan = make_plan(workspace, load_recipe(workspace, "lp_intel_streets.json"))
    parameters = plan.jobs[-1].job.parameters
    assert isinstance(parameters, PipelineBenchmark)
    steps = dict.fromkeys(("total", *steps_of(parameters.pipeline.nodes)), (1,))
    measured = Latency(Scope.PIPELINE, TimingProtocol.DATASET, steps, (1,), objects=objects)
    (tmp_path / "result.json").write_text(json.dumps(encode(Result(Status.DONE, measurement=measured))))
    assert read_result(tmp_path, JobExit(0, 1.0), parameters).status == status


@pytest.mark.parametrize(
    ("bursts", "status"), [((), Status.FAILED), ((2,), Status.FAILED), ((2, 1), Status.DONE)]
)
def test_bursts_that_do_not_add_up(
    tmp_path: Path, digits_plan: Plan, bursts: tuple[int, ...], status: Status
) -> None:
    """A benchmark's samples must all belong to its bursts, or they would pair with others' wrongly."""
    measured = Latency(Scope.NETWORK, TimingProtocol.REPEAT, {"total": (1, 1, 1)}, bursts)
    (tmp_path / "result.json").write_text(json.dumps(encode(Result(Status.DONE, measurement=measured))))
    assert read_result(tmp_path, JobExit(0, 1.0), digits_plan.jobs[-1].job.parameters).status == status


@pytest.mark.parametrize(
    ("throughput", "status"),
    [
        (Throughput((1, 2), (Burst(2, 0.5),)), Status.DONE),
        (Throughput((1, 2), (Burst(1, 0.5), Burst(1, 0.5)), steps_ns={"reader": 7, "wait": 0}), Status.DONE),
        (Throughput((), ()), Status.FAILED),
        (Throughput((1, 0), (Burst(2, 0.5),)), Status.FAILED),
        (Throughput((1, 2), (Burst(2, 0.0),)), Status.FAILED),
        (Throughput((1, 2), (Burst(2, 0.5), Burst(0, 0.5))), Status.FAILED),
        (Throughput((1,), (Burst(2, 0.5),)), Status.FAILED),
        (Throughput((1, 2), (Burst(1, 0.5),)), Status.FAILED),
        (Throughput((1, 2), (Burst(2, 0.5),), steps_ns={"<b>": 1}), Status.FAILED),
    ],
)
def test_throughput_is_whole(
    tmp_path: Path, stream: Parameters, throughput: Throughput, status: Status
) -> None:
    """A throughput has frames, takes time, has the latency of each frame and no step that no stream has."""
    (tmp_path / "result.json").write_text(json.dumps(encode(Result(Status.DONE, measurement=throughput))))
    assert read_result(tmp_path, JobExit(0, 1.0), stream).status == status


def test_a_stream_alone_has_a_throughput(tmp_path: Path, evaluate: Parameters, stream: Parameters) -> None:
    """A stream's job brings a throughput and no latency; another job brings no throughput."""
    frames = Throughput((1, 2), (Burst(2, 0.5),))
    for parameters, measured in ((evaluate, frames), (stream, latency(1))):
        result = Result(Status.DONE, quality=quality([1.0]), measurement=measured)
        (tmp_path / "result.json").write_text(json.dumps(encode(result)))
        assert read_result(tmp_path, JobExit(0, 1.0), parameters).status == Status.FAILED


def test_no_result(tmp_path: Path, evaluate: Parameters) -> None:
    """A job that left no result, or a folder in its place, failed with its exit code."""
    assert "exit code 139" in read_result(tmp_path, JobExit(139, 1.0), evaluate).reason
    (tmp_path / "result.json").mkdir()
    assert read_result(tmp_path, JobExit(1, 1.0), evaluate).status == Status.FAILED


def test_the_executors_reason_counts(tmp_path: Path, evaluate: Parameters) -> None:
    """A job that the executor ended failed for the executor's reason, whatever it left."""
    (tmp_path / "result.json").write_text(json.dumps(DOCUMENT))
    result = read_result(tmp_path, JobExit(137, 1.0, "killed for memory (limit 100 MB)"), evaluate)
    assert (result.status, result.reason) == (Status.FAILED, "killed for memory (limit 100 MB)")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["what", "done", "total", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.text(max_size=60) | values.map(json.dumps) | values.map(lambda v: json.dumps({"dockyard_progress": v}))
)
def test_any_line_is_progress_or_not(line: str) -> None:
    """Whatever line a job prints, it is progress or it is not, and never an error."""
    step = read_progress(line)
    assert step is None or (
        isinstance(step[0], str)
        and len(step[0]) <= 80
        and isinstance(step[1], int)
        and isinstance(step[2], int)
    )


@pytest.mark.parametrize(
    "line",
    [
        '{"dockyard_progress": {"what": "x", "done": 1e999, "total": 1}}',
        '{"dockyard_progress": {"what": "x", "done": NaN, "total": 1}}',
        '{"dockyard_progress": {"what": "x", "done": ' + "1" * 5000 + ', "total": 1}}',
        '{"a":' + "[" * 100_000,
    ],
    ids=["infinite", "NaN", "5000 digits", "deep"],
)
def test_hostile_progress(line: str) -> None:
    """A line made to break its reader is no progress."""
    assert read_progress(line) is None


@given(st.text(max_size=80), st.integers(0, 10**6), st.integers(0, 10**6))
def test_progress_is_read_back(what: str, done: int, total: int) -> None:
    """What the harness reports is read as it was reported."""
    line = json.dumps({"dockyard_progress": {"what": what, "done": done, "total": total}})
    assert read_progress(line) == (what, done, total)
