"""The plan holds every job of a recipe, in an order in which each can run, and making it changes nothing."""

from __future__ import annotations

import builtins
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.plan.jobs import measure_round
from dockyard.plan.make import make_plan
from dockyard.plan.plan import ClipInput, DataInput, GraphInput, OutputInput, Plan, PlannedJob, TuningInput
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.placement import needs_device
from shared.contract.errors import InputProblem
from shared.contract.job import Job
from shared.contract.model import DataLocation, Network, Pipeline, PipelineNode
from shared.contract.outputs import Task
from shared.contract.recipe import Measure, Optimization, Recipe
from shared.contract.stages import (
    Convert,
    Evaluate,
    NetworkBenchmark,
    Optimize,
    PipelineBenchmark,
    PipelineEvaluate,
    StreamBenchmark,
    StreamConfigure,
    StreamEvaluate,
    artifacts_of,
)
from shared.contract.streaming import Tracking
from tests.builders import change_target


def with_methods(recipe: Recipe, *methods: str | Optimization) -> Recipe:
    """The recipe with other optimizations."""
    return replace(recipe, optimizations=tuple(Optimization(m) if isinstance(m, str) else m for m in methods))


def ids(jobs: Sequence[PlannedJob]) -> list[str]:
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
    """Every round has the reference and each variant once, in the same order: drift hits all alike."""
    rounds = [planned for planned in digits_plan.jobs if planned.job.stage.name == "benchmark"]
    assert [planned.round for planned in rounds] == [1] * 3 + [2] * 3 + [3] * 3
    assert [planned.variant for planned in rounds] == ["reference", "baseline", "int8"] * 3
    seventh = [f"digits/{variant}/benchmark/7" for variant in ("reference", "baseline", "int8")]
    assert ids(measure_round(digits_plan, 7)) == seventh


def paths_of(job: Job) -> set[str]:
    """The paths below the job's `inputs/` that its parameters name."""
    parameters = job.parameters
    paths = {files.folder for files in artifacts_of(parameters)}
    if isinstance(parameters, Optimize):
        paths |= set(parameters.data.values())
        if parameters.tuning is not None:
            paths.add(parameters.tuning.databases)
        if parameters.start is not None:
            paths.add(parameters.start)
    elif isinstance(parameters, NetworkBenchmark):
        paths.add(parameters.inputs)
    elif isinstance(parameters, (Evaluate, PipelineBenchmark)):
        paths.add(parameters.test)
    if isinstance(parameters, (Convert, Evaluate)) and parameters.tolerance is not None:
        paths.add(parameters.tolerance.reference)
    return {path.removeprefix("inputs/") for path in paths}


def assert_whole(plan: Plan) -> None:
    """Check what holds for every plan: unique jobs, needs among the earlier ones, an input for every path."""
    before: set[str] = set()
    for planned in plan.jobs:
        job = planned.job
        assert job.id not in before
        assert set(planned.needs) <= before
        before.add(job.id)
        assert paths_of(job) == set(planned.inputs)
        for source in planned.inputs.values():
            match source:
                case GraphInput(network):
                    assert (PRODUCT / "models" / network / plan.networks[network].graph).is_file()
                case DataInput(model, split):
                    assert model in plan.models
                    assert split in plan.splits_of(model)
                case TuningInput(network, target):
                    assert network in plan.networks
                    assert target in plan.targets
                case OutputInput(job_id, _):
                    assert job_id in before


def optimize_jobs(plan: Plan) -> dict[str | None, Optimize]:
    """The parameters of the jobs that make the variants, by variant."""
    found = {}
    for planned in plan.jobs:
        if isinstance(planned.job.parameters, Optimize):
            found[planned.variant] = planned.job.parameters
    return found


def convert_jobs(plan: Plan) -> dict[str, Convert]:
    """The parameters of the conversions, by job id."""
    found = {}
    for planned in plan.jobs:
        if isinstance(planned.job.parameters, Convert):
            found[planned.job.id] = planned.job.parameters
    return found


def test_every_job_can_run(digits_plan: Plan) -> None:
    """No job needs a later one, and every path of a job has a source."""
    assert_whole(digits_plan)


methods = st.lists(
    st.sampled_from(["baseline", "fp16", "bf16", "int8", "int8-accuracy-aware"]), min_size=1, max_size=6
)


@given(methods, st.integers(3, 6))
def test_any_plan_can_run(workspace: Workspace, digits: Recipe, chosen: list[str], rounds: int) -> None:
    """Whatever methods a recipe has, and however often, each gets its own variant and every job can run."""
    plan = make_plan(workspace, replace(with_methods(digits, *chosen), measure=Measure(rounds=rounds)))
    assert_whole(plan)
    assert [o.method for o in plan.optimizations.values()] == chosen
    assert len(plan.jobs) == 2 + 2 * len(chosen) + rounds * (1 + len(chosen))


def test_method_twice_is_numbered(workspace: Workspace, digits: Recipe) -> None:
    """A method that a recipe has twice gives two variants, each with its own options."""
    plan = make_plan(
        workspace,
        with_methods(
            digits, Optimization("int8", {"subset_size": 5}), Optimization("int8", {"subset_size": 9})
        ),
    )
    assert {name: o.options["subset_size"] for name, o in plan.optimizations.items()} == {
        "int8": 5,
        "int8-2": 9,
    }
    assert plan.variants == ["reference", "int8", "int8-2"]
    sizes = {variant: job.options["subset_size"] for variant, job in optimize_jobs(plan).items()}
    assert sizes == {"int8": 5, "int8-2": 9}


CONTROLLED = "int8-accuracy-aware"


@pytest.mark.parametrize(
    ("chosen", "start"),
    [
        (["int8", CONTROLLED], "int8"),
        (
            [Optimization("int8", {"subset_size": 9}), "int8", Optimization(CONTROLLED, {"max_drop": 0.2})],
            "int8-2",
        ),
        ([Optimization("int8", {"preset": "performance"}), CONTROLLED], "int8"),
        (["int8", Optimization(CONTROLLED, {"preset": "mixed"})], None),
        (["int8", Optimization(CONTROLLED, {"smooth_quant": {"matmul": 0.5}})], None),
        ([Optimization("int8", toolchain="2023.3"), CONTROLLED], None),
        ([Optimization(name, toolchain="2023.3") for name in ("int8", CONTROLLED)], None),
        ([CONTROLLED, "int8"], None),
        ([CONTROLLED], None),
    ],
)
def test_a_variant_starts_from_an_earlier_one(
    workspace: Workspace, digits: Recipe, chosen: list[str | Optimization], start: str | None
) -> None:
    """A method that can go on from another's artifact is given that of a variant before it with the same
    options and toolchain, and does not need it.
    """
    plan = make_plan(workspace, with_methods(digits, *chosen))
    assert_whole(plan)
    (planned,) = (p for p in plan.jobs if p.job.method == CONTROLLED and p.job.stage.name == "optimize")
    wanted = OutputInput(f"digits/{start}/optimize", is_optional=True) if start else None
    assert planned.inputs.get("start") == wanted
    assert f"digits/{start}/optimize" not in planned.needs


def test_variants_of_another_target(workspace: Workspace, digits: Recipe, second_target: str) -> None:
    """A variant of another target is named after it, made from that target's own conversion and measured in
    turn with the others.
    """
    others = [Optimization("baseline", {}, toolchain, second_target) for toolchain in ("", "1", "2")]
    plan = make_plan(
        workspace,
        with_methods(digits, "baseline", *others, Optimization("baseline", target="intel-openvino")),
    )
    names = ["baseline", "baseline@shelf-cpu", "baseline@shelf-cpu-1", "baseline-2@shelf-cpu", "baseline-2"]
    assert plan.variants == ["reference", *names]
    assert_whole(plan)
    homes = [
        ("intel-openvino", "2026.4"),
        (second_target, "2"),
        (second_target, "1"),
        (second_target, "2"),
        ("intel-openvino", "2026.4"),
    ]
    for name, home in zip(names, homes):
        assert {(p.job.target, p.job.toolchain) for p in plan.jobs if p.variant == name} == {home}
        (optimize,) = (p for p in plan.jobs if p.job.id == f"digits/{name}/optimize")
        assert optimize.needs == [f"digits/convert/{'-'.join(home)}"]
    assert [p.variant for p in measure_round(plan, 1)] == plan.variants
    assert plan.toolchains == [("tensorflow", plan.reference_toolchain), *dict.fromkeys(homes)]


def test_each_target_converts_from_what_it_reads(
    workspace: Workspace, digits: Recipe, second_target: str
) -> None:
    """The reference makes ONNX once, for the target that cannot read the graph; the other has the graph
    itself.
    """
    others = [Optimization("baseline", {}, toolchain, second_target) for toolchain in ("2", "1")]
    plan = make_plan(workspace, with_methods(digits, "baseline", *others))
    taken = {}
    for job_id, job in convert_jobs(plan).items():
        (planned,) = (p for p in plan.jobs if p.job.id == job_id)
        taken[job_id] = (planned.inputs["digits"], job.source.network.graph)
    onnx = OutputInput("digits/reference/convert")
    assert taken == {
        "digits/reference/convert": (GraphInput("digits"), "digits.pb"),
        "digits/convert/intel-openvino-2026.4": (GraphInput("digits"), "digits.pb"),
        "digits/convert/shelf-cpu-2": (onnx, "model.onnx"),
        "digits/convert/shelf-cpu-1": (onnx, "model.onnx"),
    }
    assert "digits/reference/convert" not in ids(make_plan(workspace, with_methods(digits, "baseline")).jobs)


def test_onnx_as_each_toolchain_wants_it(workspace: Workspace, digits: Recipe, second_target: str) -> None:
    """The reference makes one ONNX for each distinct wish; a target that asks for its channels first is told
    that they are, and compared as closely as it says.
    """
    wish = {"opset": 17, "layout": "NCHW"}
    toolchains = {"3": {}, "2": {"onnx": wish, "tolerance": 1e-4}, "1": {"onnx": wish}}
    none = {"type": "object", "additionalProperties": False}
    methods = {"baseline": {"description": "", "options": dict.fromkeys(toolchains, none)}}
    change_target(workspace, second_target, toolchains=toolchains, methods=methods)
    others = [Optimization("baseline", {}, toolchain, second_target) for toolchain in toolchains]
    plan = make_plan(workspace, with_methods(digits, *others, "baseline"))
    assert_whole(plan)
    jobs = convert_jobs(plan)
    plain, asked = "digits/reference/convert", "digits/reference/convert/opset17-NCHW"
    assert [job_id for job_id in jobs if "/reference/" in job_id] == [plain, asked]
    assert (jobs[plain].options, jobs[asked].options) == ({}, wish)
    needed = {p.job.toolchain: p.needs for p in plan.jobs if p.job.id.startswith("digits/convert/shelf")}
    assert [needed[toolchain][0] for toolchain in ("3", "2", "1")] == [plain, asked, asked]
    own = {toolchain: jobs[f"digits/convert/shelf-cpu-{toolchain}"] for toolchain in toolchains}
    inputs = {toolchain: job.source.network.input for toolchain, job in own.items()}
    assert (inputs["3"].layout, inputs["3"].shape) == ("NHWC", (1, 32, 32, 1))
    assert (inputs["2"].layout, inputs["2"].shape) == ("NCHW", (1, 1, 32, 32))
    assert [own[toolchain].tolerance.limit for toolchain in toolchains] == [1e-3, 1e-4, 1e-3]


def test_a_recipe_chooses_the_opset(workspace: Workspace, digits: Recipe, second_target: str) -> None:
    """The opset of a recipe's conversion is asked of the reference, which makes the ONNX; the target is not
    told of it.
    """
    opset = {"type": "object", "properties": {"opset": {"enum": [13, 17]}}}
    change_target(workspace, second_target, conversion=opset)
    recipe = replace(with_methods(digits, "baseline"), target=second_target, conversion={"opset": 13})
    jobs = convert_jobs(make_plan(workspace, recipe))
    assert jobs["digits/reference/convert/opset13"].options == {"opset": 13}
    assert jobs["digits/convert/shelf-cpu-2"].options == {}


def test_no_opset_of_a_graph_that_is_taken_as_it_is(
    workspace: Workspace, digits: Recipe, second_target: str
) -> None:
    """An opset for a graph of which no ONNX is made is refused, with its place."""
    opset = {"type": "object", "properties": {"opset": {"enum": [13, 17]}}}
    change_target(workspace, second_target, conversion=opset, sources=["frozen graph"])
    recipe = replace(with_methods(digits, "baseline"), target=second_target, conversion={"opset": 13})
    with pytest.raises(InputProblem, match="takes the frozen graph of digits as it is") as caught:
        make_plan(workspace, recipe)
    assert caught.value.where.endswith("$.conversion.opset")


def test_another_target_has_its_own_options_and_data(
    workspace: Workspace, digits: Recipe, second_target: str
) -> None:
    """Options and data splits of a variant are those of its own target's method."""
    plan = make_plan(
        workspace, with_methods(digits, "int8", Optimization("tuned", {"trials": 5}, target=second_target))
    )
    jobs = optimize_jobs(plan)
    assert set(jobs["int8"].data) == {"calibration"}
    assert set(jobs["tuned@shelf-cpu"].data) == {"validation"}
    assert jobs["tuned@shelf-cpu"].options["trials"] == 5


def test_defaults_are_filled_in(workspace: Workspace, digits: Recipe, second_target: str) -> None:
    """A job is given every option that has a default; the plan keeps what the recipe gives."""
    plan = make_plan(workspace, with_methods(digits, Optimization("tuned", target=second_target)))
    assert optimize_jobs(plan)["tuned@shelf-cpu"].options == {"patience": 7}
    assert plan.optimizations["tuned@shelf-cpu"].options == {}


def test_conversion_of_another_target(workspace: Workspace, digits: Recipe, second_target: str) -> None:
    """What a recipe folds in is folded by its own target alone; what it changes of the network holds for
    every job.
    """
    recipe = with_methods(digits, "baseline", Optimization("baseline", target=second_target))
    plan = make_plan(workspace, replace(recipe, conversion={"mean": [7.0], "layout": "NCHW"}))
    options = {job_id: job.options for job_id, job in convert_jobs(plan).items()}
    assert options["digits/convert/intel-openvino-2026.4"] == plan.conversions["digits"]
    assert plan.conversions["digits"]["mean"] == [7.0]
    assert options["digits/convert/shelf-cpu-2"] == {}
    networks = {files.network.input.mean for p in plan.jobs for files in artifacts_of(p.job.parameters)}
    assert networks == {(7.0,)}


def test_only(workspace: Workspace, digits: Recipe) -> None:
    """`only` cuts the plan down to one variant beside the reference."""
    plan = make_plan(workspace, digits, "int8")
    assert plan.variants == ["reference", "int8"]
    assert not [i for i in ids(plan.jobs) if "baseline" in i]
    assert_whole(plan)


@pytest.mark.parametrize("only", ["fp16", "int9", "reference", ""])
def test_only_what_the_recipe_has(workspace: Workspace, digits: Recipe, only: str) -> None:
    """`only` with what is no optimization of the recipe is refused with those that are."""
    with pytest.raises(InputProblem, match="valid: baseline, int8"):
        make_plan(workspace, digits, only)


def test_required_drop_is_handed_on(workspace: Workspace, digits: Recipe) -> None:
    """A method with `max_drop` gets the recipe's requirement, unless it has its own."""
    aware = "int8-accuracy-aware"
    plan = make_plan(workspace, with_methods(digits, aware, Optimization(aware, {"max_drop": 0.5})))
    assert [o.options["max_drop"] for o in plan.optimizations.values()] == [0.02, 0.5]


def test_what_is_expected_is_of_the_models_own_data(workspace: Workspace, digits: Recipe) -> None:
    """What model.json expects is asked of the model on its own data, in its own shape."""
    (workspace.root / "own").mkdir()
    own_data = replace(digits, data="own")
    own_shape = replace(digits, conversion={"shape": [1, 32, 32, 1]})
    plans = [make_plan(workspace, recipe) for recipe in (digits, own_data, own_shape)]
    assert [plan.networks["digits"].expect for plan in plans] == [0.98, None, None]


def test_same_threads_for_all(digits_plan: Plan) -> None:
    """Reference and variants are measured with the same threads and bursts."""
    measured = set()
    for planned in digits_plan.jobs:
        if isinstance(planned.job.parameters, NetworkBenchmark):
            how = planned.job.parameters
            measured.add((planned.job.threads, how.warmup, how.burst_s))
    assert len(measured) == 1


def test_only_quality_sees_the_test_split(workspace: Workspace, digits: Recipe) -> None:
    """No optimization is given the test split."""
    plan = make_plan(workspace, with_methods(digits, "int8", "int8-accuracy-aware"))
    splits = {variant: set(job.data) for variant, job in optimize_jobs(plan).items()}
    assert splits == {"int8": {"calibration"}, "int8-accuracy-aware": {"calibration", "validation"}}


def test_what_is_measured_is_what_was_made(digits_plan: Plan) -> None:
    """Quality and time of a variant are those of the very output of its optimization."""
    for planned in digits_plan.jobs:
        if planned.job.stage.name in ("evaluate", "benchmark") and planned.variant != "reference":
            assert planned.inputs["digits"] == OutputInput(f"digits/{planned.variant}/optimize")


def test_plan_is_pure(workspace: Workspace, digits: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert make_plan(workspace, digits) == make_plan(workspace, digits)
    assert all(set(mode) <= set("rbt") for mode in opened)


@pytest.fixture
def pipeline_plan(digits_plan: Plan) -> Plan:
    """A plan of a pipeline of two networks, made from the example's network under two names."""
    (network,) = digits_plan.networks.values()
    pair = {name: replace(network, name=name) for name in ("finder", "reader")}
    nodes = (PipelineNode("find", "finder"), PipelineNode("read", "reader", "find", 0.1))
    pipeline = Pipeline("both", "", nodes, DataLocation(folder="data"))
    return replace(digits_plan, networks=pair, pipeline=pipeline)


def test_pipeline_is_measured_after_its_networks(pipeline_plan: Plan) -> None:
    """A round of a pipeline has both networks, then the whole, each with reference and variants."""
    jobs = measure_round(pipeline_plan, 1)
    assert [p.job.model for p in jobs] == ["finder"] * 3 + ["reader"] * 3 + ["both"] * 3
    whole = jobs[-1]
    assert whole.needs == ["finder/int8/optimize", "reader/int8/optimize"]
    assert isinstance(whole.job.parameters, PipelineBenchmark)
    assert pipeline_plan.pipeline is not None
    files = whole.job.parameters.pipeline
    assert files.nodes == pipeline_plan.pipeline.nodes
    assert [each.network.name for each in files.artifacts] == ["finder", "reader"]
    assert pipeline_plan.splits_of("both") == ("test",)
    assert pipeline_plan.annotated_network("both").task == Task.CLASSIFICATION


def test_pipeline_is_judged_once(workspace: Workspace) -> None:
    """A pipeline's quality is that of one pass over its test split, before any round."""
    plan = make_plan(workspace, load_recipe(workspace, "lp_intel.json"))
    own = [planned for planned in plan.jobs if planned.job.model == "license_plate"]
    judged = [planned.variant for planned in own if isinstance(planned.job.parameters, PipelineEvaluate)]
    assert judged == plan.variants
    assert [planned.round for planned in own[: len(judged)]] == [None] * len(judged)


@pytest.fixture
def stream_plan(workspace: Workspace) -> Plan:
    """A plan of a pipeline that reads a video."""
    return make_plan(workspace, load_recipe(workspace, "lp_intel_stream.json"))


def test_a_stream_is_configured_judged_and_measured(stream_plan: Plan) -> None:
    """A stream's settings are found before it is judged and measured; the reference runs without any."""
    own = [planned for planned in stream_plan.jobs if planned.job.model == "license_plate"]
    assert ids(own)[:4] == [
        "license_plate/reference/evaluate",
        "license_plate/baseline/configure",
        "license_plate/baseline/evaluate",
        "license_plate/int8/configure",
    ]
    rounds = [planned for planned in own if planned.round is not None]
    assert ids(rounds)[:2] == ["license_plate/reference/stream/1", "license_plate/baseline/stream/1"]
    assert len(rounds) == len(stream_plan.variants) * stream_plan.recipe.measure.rounds
    for planned in own:
        assert planned.inputs["data/clip"] == ClipInput("license_plate")
        if not isinstance(planned.job.parameters, StreamConfigure):
            is_reference = planned.variant == "reference"
            found = OutputInput(f"license_plate/{planned.variant}/configure")
            assert planned.inputs.get("settings") == (None if is_reference else found)
            assert isinstance(planned.job.parameters, (StreamEvaluate, StreamBenchmark))
            assert planned.job.parameters.settings == (None if is_reference else "inputs/settings")
            assert planned.job.parameters.stream.clip == "inputs/data/clip"


def test_a_stream_needs_its_device(stream_plan: Plan) -> None:
    """Settings, quality and speed of a stream are those of a device, and found on it alone."""
    own = [planned.job.parameters for planned in stream_plan.jobs if planned.job.model == "license_plate"]
    assert all(map(needs_device, own))


def _jobs_of(plan: Plan, model: str) -> list[PlannedJob]:
    return [planned for planned in plan.jobs if planned.job.model == model]


def test_the_networks_of_a_stream_stay_as_they_are(workspace: Workspace, stream_plan: Plan) -> None:
    """A recipe's stream changes what is done of the pipeline, and nothing of its networks."""
    images = make_plan(workspace, replace(stream_plan.recipe, stream=None))
    for network in stream_plan.networks:
        assert _jobs_of(stream_plan, network) == _jobs_of(images, network)
    assert stream_plan.splits_of("license_plate") == ()
    assert stream_plan.splits_of("lp_reader") == images.splits_of("lp_reader")


def test_a_stream_is_read_as_the_recipe_says(workspace: Workspace) -> None:
    """Interval, vote, frames and the seconds of the search and of a burst reach the jobs; the reference reads
    each frame.
    """
    recipe = load_recipe(workspace, "lp_intel_stream_tracked.json")
    assert recipe.stream is not None
    recipe = replace(recipe, stream=replace(recipe.stream, frames=100, search_s=7, burst_s=2.0))
    jobs = [p.job.parameters for p in make_plan(workspace, recipe).jobs if p.job.model == "license_plate"]
    configure = next(one for one in jobs if isinstance(one, StreamConfigure))
    reference, clocked = [one for one in jobs if isinstance(one, StreamBenchmark)][:2]
    assert (configure.time_budget_s, configure.stream.frames) == (7, 100)
    assert (clocked.burst_s, clocked.stream.tracking) == (2.0, Tracking(3, True))
    assert (reference.settings, reference.stream.tracking) == (None, Tracking())


def add_pipeline(workspace: Workspace, nodes: list[dict[str, Any]]) -> None:
    """Put a pipeline `both` into a workspace, with the example's network beside it."""
    digits = workspace.root / "models" / "digits"
    shutil.copytree(PRODUCT / "models" / "digits", digits, ignore=shutil.ignore_patterns("data"))
    folder = workspace.root / "models" / "both"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"pipeline": nodes, "data": {"folder": "data"}}))


def test_pipeline_crops_what_a_detector_finds(workspace: Workspace, digits: Recipe) -> None:
    """A node that takes its input from one that does not detect is refused where it is written."""
    nodes = [{"name": "a", "network": "digits"}, {"name": "b", "network": "digits", "input": "a"}]
    add_pipeline(workspace, nodes)
    with pytest.raises(InputProblem, match="finds no box") as caught:
        make_plan(workspace, replace(digits, model="both"))
    assert caught.value.where == "models/both/model.json: $.pipeline[1].input"


def test_pipeline_of_a_pipeline_is_refused(workspace: Workspace, digits: Recipe) -> None:
    """A pipeline is made of networks."""
    add_pipeline(workspace, [{"name": "whole", "network": "license_plate"}])
    with pytest.raises(InputProblem, match="a pipeline itself"):
        make_plan(workspace, replace(digits, model="both"))


def test_network_is_whole(digits_plan: Plan) -> None:
    """A job carries its network as model.json has it, so that a container needs nothing else."""
    parameters = digits_plan.jobs[0].job.parameters
    networks: list[Network] = [files.network for files in artifacts_of(parameters)]
    assert networks == [digits_plan.networks["digits"]]
