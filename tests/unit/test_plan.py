"""The plan holds every job of a recipe, in an order in which each can run, and making it changes nothing."""

from __future__ import annotations

import builtins
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.plan.plan import Plan, Planned, make_plan
from dockyard.recipe import catalog
from shared.contract.errors import InputProblem
from shared.contract.model import Network, Pipeline
from shared.contract.recipe import Measure, Optimization, Recipe
from tests.conftest import ROOT


def with_methods(recipe: Recipe, *methods: str | Optimization) -> Recipe:
    """The recipe with other optimizations."""
    return replace(recipe, optimizations=tuple(Optimization(m) if isinstance(m, str) else m for m in methods))


def ids(jobs: Sequence[Planned]) -> list[str]:
    return [p.job.id for p in jobs]


def test_order(digits_plan: Plan) -> None:
    """The reference comes first, then the conversion, then each variant made and scored, then the rounds."""
    assert ids(digits_plan.jobs)[:6] == [
        "digits/reference/evaluate",
        "digits/convert/intel-openvino-2026.4",
        "digits/baseline/optimize",
        "digits/baseline/evaluate",
        "digits/int8/optimize",
        "digits/int8/evaluate",
    ]


def test_rounds_go_round_robin(digits_plan: Plan) -> None:
    """Every round has the reference and each variant once, in the same order, so that drift hits all alike."""
    rounds = [p for p in digits_plan.jobs if p.job.stage == "benchmark"]
    assert [(p.variant, p.round) for p in rounds] == [(v, n) for n in (1, 2, 3) for v in ("reference", "baseline", "int8")]
    assert ids(digits_plan.round(7)) == [f"digits/{v}/benchmark/7" for v in ("reference", "baseline", "int8")]


def assert_whole(plan: Plan) -> None:
    """Check what holds for every plan: unique jobs, needs among the earlier ones, sources for every path."""
    before: set[str] = set()
    for planned in plan.jobs:
        job = planned.job
        assert job.id not in before
        assert set(planned.needs) <= before
        before.add(job.id)
        paths = {p.removeprefix("inputs/") for p in [*job.artifacts.values(), *job.data.values(), *filter(None, [job.reference])]}
        assert paths <= set(planned.sources)
        for source in planned.sources.values():
            if source.kind == "graph":
                assert (ROOT / "models" / source.name / plan.networks[source.name].graph).is_file()
            elif source.kind == "data":
                assert source.name in plan.models
                assert source.part in plan.splits_of(source.name)
            else:
                assert source.kind == "output"
        assert set(job.networks) == set(job.artifacts)


def test_every_job_can_run(digits_plan: Plan) -> None:
    """No job needs a later one, and every path of a job has a source."""
    assert_whole(digits_plan)


methods = st.lists(st.sampled_from(["baseline", "fp16", "bf16", "int8", "int8-accuracy-aware"]), min_size=1, max_size=6)


@given(methods, st.integers(3, 6))
def test_any_plan_can_run(digits: Recipe, chosen: list[str], rounds: int) -> None:
    """Whatever methods a recipe has, and however often, each gets its own variant and every job can run."""
    plan = make_plan(replace(with_methods(digits, *chosen), measure=Measure(rounds=rounds)))
    assert_whole(plan)
    assert [o.method for o in plan.methods.values()] == chosen
    assert len(plan.jobs) == 2 + 2 * len(chosen) + rounds * (1 + len(chosen))


def test_method_twice_is_numbered(digits: Recipe) -> None:
    """A method that a recipe has twice gives two variants, each with its own options."""
    plan = make_plan(with_methods(digits, Optimization("int8", {"subset_size": 5}), Optimization("int8", {"subset_size": 9})))
    assert {name: o.options["subset_size"] for name, o in plan.methods.items()} == {"int8": 5, "int8-2": 9}
    assert plan.variants == ["reference", "int8", "int8-2"]
    options = {p.job.id: p.job.options for p in plan.jobs if p.job.stage == "optimize"}
    assert options == {"digits/int8/optimize": {"subset_size": 5}, "digits/int8-2/optimize": {"subset_size": 9}}


def test_variants_of_another_target(digits: Recipe, second_target: str) -> None:
    """A variant of another target is named after it, made from that target's own conversion and measured in turn with the others."""
    others = [Optimization("baseline", {}, toolchain, second_target) for toolchain in ("", "1", "2")]
    plan = make_plan(with_methods(digits, "baseline", *others, Optimization("baseline", target="intel-openvino")))
    names = ["baseline", "baseline@shelf-cpu", "baseline@shelf-cpu-1", "baseline-2@shelf-cpu", "baseline-2"]
    assert plan.variants == ["reference", *names]
    assert_whole(plan)
    homes = [("intel-openvino", "2026.4"), (second_target, "2"), (second_target, "1"), (second_target, "2"), ("intel-openvino", "2026.4")]
    for name, home in zip(names, homes):
        assert {(p.job.target, p.job.toolchain) for p in plan.jobs if p.variant == name} == {home}
        (optimize,) = (p for p in plan.jobs if p.job.id == f"digits/{name}/optimize")
        assert optimize.needs == [f"digits/convert/{'-'.join(home)}"]
    assert [p.variant for p in plan.round(1)] == plan.variants
    assert plan.toolchains == [("tensorflow", plan.reference_toolchain), *dict.fromkeys(homes)]


def test_each_target_converts_from_what_it_reads(digits: Recipe, second_target: str) -> None:
    """The reference makes ONNX once, for the target that cannot read the graph; the other has the graph itself."""
    others = [Optimization("baseline", {}, toolchain, second_target) for toolchain in ("2", "1")]
    plan = make_plan(with_methods(digits, "baseline", *others))
    converts = [p for p in plan.jobs if p.job.stage == "convert"]
    assert {p.job.id: (p.sources["digits"].kind, p.job.networks["digits"]["graph"]["file"]) for p in converts} == {
        "digits/reference/convert": ("graph", "digits.pb"),
        "digits/convert/intel-openvino-2026.4": ("graph", "digits.pb"),
        "digits/convert/shelf-cpu-2": ("output", "model.onnx"),
        "digits/convert/shelf-cpu-1": ("output", "model.onnx"),
    }
    assert "digits/reference/convert" not in ids(make_plan(with_methods(digits, "baseline")).jobs)


def test_another_target_has_its_own_options_and_data(digits: Recipe, second_target: str) -> None:
    """Options and data splits of a variant are those of its own target's method."""
    plan = make_plan(with_methods(digits, "int8", Optimization("tuned", {"trials": 5}, target=second_target)))
    jobs = {p.variant: p.job for p in plan.jobs if p.job.stage == "optimize"}
    assert {v: (set(j.data), dict(j.options)) for v, j in jobs.items()} == {
        "int8": ({"calibration"}, {}),
        "tuned@shelf-cpu": ({"validation"}, {"trials": 5}),
    }


def test_conversion_of_another_target(digits: Recipe, second_target: str) -> None:
    """What a recipe folds in is folded by its own target alone; what it changes of the network holds for every job."""
    recipe = with_methods(digits, "baseline", Optimization("baseline", target=second_target))
    plan = make_plan(replace(recipe, conversion={"mean": [7.0], "layout": "NCHW"}))
    options = {p.job.target: p.job.options for p in plan.jobs if p.job.stage == "convert" and p.job.target != "tensorflow"}
    assert options == {"intel-openvino": plan.conversions["digits"], second_target: {}}
    assert options["intel-openvino"]["mean"] == [7.0]
    assert {tuple(p.job.networks["digits"]["input"]["mean"]) for p in plan.jobs} == {(7.0,)}


def test_only(digits: Recipe) -> None:
    """`only` cuts the plan down to one variant beside the reference."""
    plan = make_plan(digits, "int8")
    assert plan.variants == ["reference", "int8"]
    assert not [i for i in ids(plan.jobs) if "baseline" in i]
    assert_whole(plan)


@pytest.mark.parametrize("only", ["fp16", "int9", "reference", ""])
def test_only_what_the_recipe_has(digits: Recipe, only: str) -> None:
    """`only` with what is no optimization of the recipe is refused with those that are."""
    with pytest.raises(InputProblem, match="valid: baseline, int8"):
        make_plan(digits, only)


def test_required_drop_is_handed_on(digits: Recipe) -> None:
    """A method with `max_drop` gets the recipe's requirement, unless it has its own."""
    aware = "int8-accuracy-aware"
    plan = make_plan(with_methods(digits, aware, Optimization(aware, {"max_drop": 0.5})))
    assert [o.options["max_drop"] for o in plan.methods.values()] == [0.02, 0.5]


def test_same_threads_for_all(digits_plan: Plan) -> None:
    """Reference and variants are measured with the same threads and runs."""
    assert len({str(p.job.measure) for p in digits_plan.jobs}) == 1


def test_only_quality_sees_the_test_split(digits: Recipe) -> None:
    """No optimization is given the test split."""
    plan = make_plan(with_methods(digits, "int8", "int8-accuracy-aware"))
    given_splits = {p.job.id: set(p.job.data) for p in plan.jobs if p.job.stage == "optimize"}
    assert given_splits == {
        "digits/int8/optimize": {"calibration"},
        "digits/int8-accuracy-aware/optimize": {"calibration", "validation"},
    }
    assert all(set(p.job.data) == {"test"} for p in plan.jobs if p.job.stage == "evaluate")


def test_what_is_measured_is_what_was_made(digits_plan: Plan) -> None:
    """Quality and time of a variant are those of the very output of its optimization."""
    for planned in digits_plan.jobs:
        if planned.job.stage in ("evaluate", "benchmark") and planned.variant != "reference":
            assert planned.sources["digits"].name == f"digits/{planned.variant}/optimize"


def test_plan_is_pure(digits: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a plan writes no file, makes no folder and starts no process."""
    opened: list[str] = []
    real = builtins.open

    def spy(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        opened.append(mode)
        return real(file, mode, *args, **kwargs)

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a plan changes nothing")

    monkeypatch.setattr(builtins, "open", spy)
    for name in ("mkdir", "makedirs", "rename", "replace", "remove", "posix_spawn", "fork"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr("subprocess.Popen", refuse)
    assert make_plan(digits) == make_plan(digits)
    assert all(set(mode) <= set("rbt") for mode in opened)


@pytest.fixture
def pipeline_plan(digits_plan: Plan) -> Plan:
    """A plan of a pipeline of two networks, made from the example's network under two names."""
    (network,) = digits_plan.networks.values()
    pair = {name: replace(network, name=name) for name in ("finder", "reader")}
    pipeline = Pipeline("both", "", ("finder", "reader"), 0.1, {"folder": "data"})
    return replace(digits_plan, networks=pair, pipeline=pipeline)


def test_pipeline_is_measured_after_its_networks(pipeline_plan: Plan) -> None:
    """A round of a pipeline has both networks, then the whole, each with reference and variants."""
    jobs = pipeline_plan.round(1)
    assert [p.job.model for p in jobs] == ["finder"] * 3 + ["reader"] * 3 + ["both"] * 3
    whole = jobs[-1]
    assert whole.needs == ["finder/int8/optimize", "reader/int8/optimize"]
    assert (list(whole.job.networks), whole.job.crop_margin, whole.job.data) == (
        ["finder", "reader"],
        0.1,
        {"test": "inputs/data/test"},
    )
    assert pipeline_plan.splits_of("both") == ("test",)
    assert pipeline_plan.task_of("both") == "reading"


def test_pipeline_needs_a_detector_and_a_reader(digits: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline of networks of other tasks is refused where it is written."""
    shutil.copytree(ROOT / "models" / "digits", tmp_path / "digits", ignore=shutil.ignore_patterns("data"))
    (tmp_path / "both").mkdir()
    pipeline = {"pipeline": ["digits", "digits"], "data": {"folder": "data"}}
    (tmp_path / "both" / "model.json").write_text(json.dumps(pipeline))
    monkeypatch.setattr(catalog.load_model, "__defaults__", (tmp_path,))
    with pytest.raises(InputProblem, match="no network of the task detection") as caught:
        make_plan(replace(digits, model="both"))
    assert caught.value.where == "models/both/model.json: $.pipeline"


def test_network_is_whole(digits_plan: Plan) -> None:
    """A job carries its network as model.json tells it, so that a container needs nothing else."""
    job = digits_plan.jobs[0].job
    assert Network.from_json("digits", job.networks["digits"]) == digits_plan.networks["digits"]
