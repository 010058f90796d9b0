"""A search tries each method with its options, keeps the Pareto front, chooses a pipeline's combination and minds its budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.judge.records import make_records
from dockyard.plan.plan import Plan, Planned, make_plan
from dockyard.recipe.catalog import load_recipe
from dockyard.run import search
from dockyard.run.outcome import Outcome
from dockyard.run.search import Point, front
from shared.contract.job import Artifact
from shared.contract.recipe import Measure, Recipe, Search
from tests.fakes import quality

clouds = st.lists(st.builds(Point, st.uuids().map(str), st.floats(1, 100), st.floats(0, 1)), min_size=1, max_size=12)


@given(clouds)
def test_front_is_what_none_beats(cloud: list[Point]) -> None:
    """No point of the front is beaten, each point off it is beaten by one of the front, the fastest comes first."""
    kept = front(cloud)
    assert kept
    assert not [p for p in kept if any(q.beats(p) for q in cloud)]
    assert all(any(q.beats(p) for q in kept) for p in cloud if p not in kept)
    assert [p.time for p in kept] == sorted(p.time for p in kept)


class Clock:
    """Seconds that pass with each job."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


Figures = Mapping[tuple[str, str], tuple[int, float]]


def explored(plan: Plan, figures: Figures, seconds: float = 1.0) -> tuple[list[Planned], dict[str, Outcome]]:
    """Run a search whose jobs take some seconds and find these times (ns) and qualities by model and variant."""
    done: dict[str, Outcome] = {}
    clock, ran = Clock(), []
    batches: Iterator[list[Planned]] = search.explore(plan, done, clock)
    for batch in batches:
        for planned in batch:
            job = planned.job
            clock.now += seconds
            time, value = figures.get((job.model, planned.variant), (100, 1.0))
            measured = dict.fromkeys(job.networks, Artifact(()).sha256)
            result: dict[str, Any] = {"artifact": [], "measured": measured, "timing": {"samples_ns": {"total": [time] * 3}}}
            if job.stage == "evaluate" or job.model not in plan.networks:
                result["quality"] = {**quality([1.0]), "metrics": {"accuracy": value}}
            ran.append(planned)
            done[job.id] = Outcome(planned, "done", result=result)
    return ran, done


@pytest.fixture
def plan(digits: Recipe) -> Plan:
    """A search for the example model."""
    return make_plan(replace(digits, optimizations=(), search=Search(1000)))


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
    offered = {name: len(plan.target.methods[name]["search"]["2026.4"]) for name in plan.target.methods}
    assert {m: sum(o.method == m for o in plan.methods.values()) for m in offered} == offered
    assert [p.job.stage for p in plan.jobs if p.job.stage == "benchmark"] == []


def test_front_is_measured_in_all_rounds(plan: Plan) -> None:
    """Each candidate is timed in one round beside the reference; the front and the reference in all of them."""
    ran, _ = explored(plan, FIGURES)
    rounds = {v: sum(p.job.stage == "benchmark" and p.variant == v for p in ran) for v in plan.variants}
    assert {v for v, n in rounds.items() if n == plan.recipe.measure.rounds} >= {"reference", "baseline", "fp16", "int8"}
    assert (rounds["bf16"], rounds["int8-2"]) == (1, 1)


def test_dominated_is_recorded(plan: Plan) -> None:
    """A candidate off the front has its record, which says by whom it is beaten and keeps its quality."""
    _, done = explored(plan, FIGURES)
    records = {r.variant: r for r in make_records(plan, "run", "fake", list(done.values()), {})}
    assert list(records) == plan.variants
    assert records["int8-2"].status == "not measured"
    assert "int8 took 0.00 ms at 0.9700, this one 0.00 ms at 0.9600" in records["int8-2"].reason
    assert records["int8-2"].quality is not None
    assert (records["int8"].status, records["reference"].status) == ("measured", "measured")


def test_budget_ends_the_trying(plan: Plan) -> None:
    """What the budget does not reach is recorded as not measured; what was tried is measured all the same."""
    tight = replace(plan, recipe=replace(plan.recipe, search=Search(10)))
    ran, done = explored(tight, FIGURES, seconds=1.0)
    tried = {p.variant for p in ran if p.job.stage == "optimize"}
    assert "baseline" in tried
    assert len(tried) < len(plan.methods)
    limits = [p.time_limit_s for p in ran if p.time_limit_s is not None]
    assert limits == sorted(limits, reverse=True)
    assert min(limits) > 0
    records = {r.variant: r for r in make_records(tight, "run", "fake", list(done.values()), {})}
    assert {records[v].reason for v in plan.methods if v not in tried} == {search.SPENT}
    assert records["baseline"].status == "measured"


@pytest.fixture
def pair() -> Plan:
    """A search for a pipeline among two methods."""
    plan = make_plan(replace(load_recipe("lp_intel.json"), optimizations=(), search=Search(1000), measure=Measure(max_rounds=3)))
    return replace(plan, methods={name: plan.methods[name] for name in ("baseline", "int8")})


def test_combination_holds_end_to_end(pair: Plan) -> None:
    """One network may give up accuracy that the other does not need: the combination is judged as a whole."""
    figures = {
        **{(n, "baseline"): (50, 0.99) for n in pair.networks},
        **{(n, "int8"): (20, 0.90) for n in pair.networks},
        ("license_plate", "reference"): (300, 0.95),
        ("license_plate", "int8+int8"): (50, 0.90),
        ("license_plate", "int8+baseline"): (80, 0.95),
        ("license_plate", "baseline+int8"): (80, 0.93),
        ("license_plate", "baseline+baseline"): (110, 0.95),
    }
    ran, done = explored(pair, figures)
    whole = [p.variant for p in ran if p.job.model == "license_plate" and p.round == 1]
    assert whole[:2] == ["reference", "int8+int8"]
    records = {r.variant: r for r in make_records(pair, "run", "fake", list(done.values()), {}) if r.model == "license_plate"}
    assert (records["int8+baseline"].status, len(records["int8+baseline"].rounds_ns)) == ("measured", 3)
    assert records["baseline+baseline"].status == "not measured"
    assert records["int8+baseline"].options == {"lp_detector": {"method": "int8"}, "lp_reader": {"method": "baseline"}}
    job = next(p for p in ran if p.variant == "int8+baseline")
    assert job.needs == ["lp_detector/int8/optimize", "lp_reader/baseline/optimize"]
