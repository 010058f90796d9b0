"""A search tries each method with its options, keeps the Pareto front, chooses a pipeline's combination and
minds its budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from dockyard.judge.assessment import Verdict
from dockyard.judge.decisions import RoundDecisions
from dockyard.judge.records import make_records
from dockyard.judge.verdicts import judge
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan, PlannedJob
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.run import search
from dockyard.run.attempt import INTERRUPTED
from dockyard.run.outcome import Outcome
from shared.contract.artifact import Artifact
from shared.contract.measurement import Scope
from shared.contract.recipe import Measure, Recipe, Search, Stream
from shared.contract.record import Record, RecordStatus
from shared.contract.result import Result, Status
from shared.contract.stages import (
    Evaluate,
    NetworkBenchmark,
    PipelineBenchmark,
    PipelineEvaluate,
    StreamBenchmark,
    StreamEvaluate,
    artifacts_of,
)
from tests.builders import latency, quality, throughput

DECISIONS = RoundDecisions()


class Clock:
    """Seconds that pass with each job."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


Figures = Mapping[tuple[str, str], tuple[int, float]]


def explored(
    plan: Plan, figures: Figures, seconds: float = 1.0, most: int | None = None
) -> tuple[list[PlannedJob], dict[str, Outcome]]:
    """Run a search whose jobs take some seconds and find these times (ns) and qualities by model and variant.

    The job after the first `most` is interrupted, and the run ends there.
    """
    done: dict[str, Outcome] = {}
    clock, ran = Clock(), []
    batches: Iterator[list[PlannedJob]] = search.search_batches(plan, done, DECISIONS, clock)
    for batch in batches:
        for planned in batch:
            if len(ran) == most:
                stage = planned.job.stage.name
                done[planned.job.id] = Outcome(planned, Status.FAILED, INTERRUPTED, stage)
                return ran, done
            clock.now += seconds
            ran.append(planned)
            done[planned.job.id] = Outcome(planned, Status.DONE, result=found(planned, figures))
    return ran, done


def found(planned: PlannedJob, figures: Figures) -> Result:
    """What a job of a search finds."""
    parameters = planned.job.parameters
    time, value = figures.get((planned.job.model, planned.variant or ""), (100, 1.0))
    measured = {files.network.name: Artifact().sha256 for files in artifacts_of(parameters)}
    measured[planned.job.model] = Artifact().sha256  # of a stream, how it is run
    result = Result(Status.DONE, measured=measured)
    if isinstance(parameters, (NetworkBenchmark, PipelineBenchmark)):
        result = replace(result, measurement=latency(time, time, time))
    if isinstance(parameters, StreamBenchmark):
        result = replace(result, measurement=throughput(1e9 / time))
    if isinstance(parameters, (Evaluate, PipelineEvaluate, StreamEvaluate)):
        result = replace(result, quality=replace(quality([1.0]), metrics={"accuracy": value}))
    return result


def records_of(plan: Plan, done: Mapping[str, Outcome], model: str = "digits") -> dict[str, Record]:
    """The records of a model by variant."""
    records = make_records(plan, "run", list(done.values()), {})
    return {record.variant: record for record in records if record.model == model}


def is_benchmark(planned: PlannedJob) -> bool:
    return planned.job.stage.name == "benchmark"


@pytest.fixture
def plan(workspace: Workspace, digits: Recipe) -> Plan:
    """A search for the example model."""
    return make_plan(workspace, replace(digits, optimizations=(), search=Search(1000)))


FIGURES = {
    ("digits", "reference"): (100, 0.99),
    ("digits", "baseline"): (50, 0.99),
    ("digits", "fp16"): (50, 0.99),
    ("digits", "bf16"): (70, 0.98),
    ("digits", "int8"): (20, 0.97),
    ("digits", "int8-2"): (30, 0.96),
}


def test_candidates_are_the_targets(plan: Plan) -> None:
    """Every method of the toolchain is tried with each set of options that the target names."""
    offered = {name: len(method.search.get("2026.4", ())) for name, method in plan.target.methods.items()}
    tried = [optimization.method for optimization in plan.optimizations.values()]
    assert {method: tried.count(method) for method in offered} == offered
    assert not any(is_benchmark(planned) for planned in plan.jobs)


def test_front_is_measured_in_all_rounds(plan: Plan) -> None:
    """Each candidate is timed in one round beside the reference; the front and the reference in all."""
    ran, _ = explored(plan, FIGURES)
    measured = [planned.variant for planned in ran if is_benchmark(planned)]
    rounds = {variant: measured.count(variant) for variant in plan.variants}
    in_all = {variant for variant, number in rounds.items() if number == plan.recipe.measure.rounds}
    assert in_all >= {"reference", "baseline", "fp16", "int8"}
    assert (rounds["bf16"], rounds["int8-2"]) == (1, 1)


def test_dominated_is_recorded(plan: Plan) -> None:
    """A candidate off the front has its record, which says by whom it is beaten and keeps its quality."""
    _, done = explored(plan, FIGURES)
    records = records_of(plan, done)
    assert list(records) == plan.variants
    assert records["int8-2"].status == RecordStatus.NOT_MEASURED
    assert "int8 took 0.00 ms at 0.9700, this one 0.00 ms at 0.9600" in records["int8-2"].reason
    assert records["int8-2"].quality is not None
    assert records["int8"].status == records["reference"].status == RecordStatus.MEASURED


def test_budget_ends_the_trying(plan: Plan) -> None:
    """What the budget does not reach is recorded as not measured; what was tried is measured all the same."""
    tight = replace(plan, recipe=replace(plan.recipe, search=Search(10)))
    ran, done = explored(tight, FIGURES, seconds=1.0)
    tried = {planned.variant for planned in ran if planned.job.stage.name == "optimize"}
    assert "baseline" in tried
    assert len(tried) < len(plan.optimizations)
    limits = [planned.time_limit_s for planned in ran if planned.time_limit_s is not None]
    assert limits == sorted(limits, reverse=True)
    assert min(limits) > 0
    records = records_of(tight, done)
    untried = [variant for variant in plan.optimizations if variant not in tried]
    assert {records[variant].reason for variant in untried} == {search.BUDGET_SPENT}
    assert records["baseline"].status == RecordStatus.MEASURED


def test_interrupted_search_says_that_the_run_ended(plan: Plan) -> None:
    """What an interrupted search did not reach was not tried because the run ended, not for want of time."""
    _, done = explored(plan, FIGURES, most=8)
    reasons = {variant: record.reason for variant, record in records_of(plan, done).items()}
    assert search.BUDGET_SPENT not in reasons.values()
    assert INTERRUPTED in reasons.values()
    last = list(plan.optimizations)[-1]
    assert "the run ended" in reasons[last]


@pytest.fixture
def pair(workspace: Workspace) -> Plan:
    """A search for a pipeline among two methods."""
    recipe = load_recipe(workspace, "lp_intel.json")
    recipe = replace(recipe, optimizations=(), search=Search(1000), measure=Measure(max_rounds=3))
    plan = make_plan(workspace, recipe)
    chosen = {name: plan.optimizations[name] for name in ("baseline", "int8")}
    return replace(plan, optimizations=chosen)


def test_combination_holds_end_to_end(pair: Plan) -> None:
    """One network may give up accuracy that the other does not need: the combination is judged as a whole."""
    figures: dict[tuple[str, str], tuple[int, float]] = {
        ("license_plate", "reference"): (300, 0.95),
        ("license_plate", "int8+int8"): (50, 0.90),
        ("license_plate", "int8+baseline"): (80, 0.95),
        ("license_plate", "baseline+int8"): (80, 0.93),
        ("license_plate", "baseline+baseline"): (110, 0.95),
    }
    for network in pair.networks:
        figures[network, "baseline"] = (50, 0.99)
        figures[network, "int8"] = (20, 0.90)
    ran, done = explored(pair, figures)
    whole = [
        planned.variant for planned in ran if planned.job.model == "license_plate" and planned.round == 1
    ]
    assert whole[:2] == ["reference", "int8+int8"]
    records = records_of(pair, done, "license_plate")
    chosen = records["int8+baseline"]
    assert (chosen.status, len(chosen.rounds)) == (RecordStatus.MEASURED, 3)
    assert chosen.options == {"lp_detector": {"method": "int8"}, "lp_reader": {"method": "baseline"}}
    assert records["baseline+baseline"].status == RecordStatus.NOT_MEASURED
    job = next(planned for planned in ran if planned.variant == "int8+baseline")
    assert job.needs == ["lp_detector/int8/optimize", "lp_reader/baseline/optimize"]


@pytest.fixture
def stream(pair: Plan) -> Plan:
    """The same search for a pipeline that reads a video."""
    return replace(pair, recipe=replace(pair.recipe, stream=Stream()))


def test_combinations_of_a_stream(stream: Plan) -> None:
    """Of a stream each combination has its settings found, then is judged and measured by its rate."""
    figures: dict[tuple[str, str], tuple[int, float]] = {
        ("license_plate", "reference"): (300, 0.95),
        ("license_plate", "int8+int8"): (50, 0.95),
        ("license_plate", "int8+baseline"): (80, 0.95),
        ("license_plate", "baseline+int8"): (80, 0.96),
    }
    for network in stream.networks:
        figures[network, "baseline"] = (50, 0.99)
        figures[network, "int8"] = (20, 0.90)
    ran, done = explored(stream, figures)

    def stages_of(variant: str) -> list[str]:
        own = [one for one in ran if (one.job.model, one.variant) == ("license_plate", variant)]
        return [one.job.stage.name for one in own]

    assert stages_of("reference") == ["evaluate", "stream", "stream", "stream"]
    assert stages_of("int8+int8") == ["configure", "evaluate", "stream", "stream", "stream"]
    assert stages_of("int8+baseline") == ["configure", "evaluate", "stream"]
    records = records_of(stream, done, "license_plate")
    assert {record.scope for record in records.values()} == {Scope.STREAM}
    assert "license_plate" in records["int8+int8"].artifacts
    left = records["int8+baseline"]
    assert (left.status, len(left.rounds)) == (RecordStatus.NOT_MEASURED, 1)
    verdicts = {one.record.variant: one.verdict for one in judge(list(records.values()))}
    assert verdicts["int8+int8"] == Verdict.RECOMMENDED


def test_settings_found_when_the_time_is_up(stream: Plan) -> None:
    """A stream whose settings are found when the search's time is up is not judged, and says why."""
    _, everything = explored(stream, {})
    ids = list(everything)
    configured = next(job_id for job_id in ids if job_id.endswith("/configure"))
    tight = replace(stream, recipe=replace(stream.recipe, search=Search(ids.index(configured) + 1)))
    ran, done = explored(tight, {})
    assert configured in done
    judged = [one.variant for one in ran if isinstance(one.job.parameters, StreamEvaluate)]
    assert judged == ["reference"]
    reasons = {one.variant: one.reason for one in records_of(tight, done, "license_plate").values()}
    assert reasons[done[configured].planned.variant or ""] == search.BUDGET_SPENT
