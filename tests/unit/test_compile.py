"""A toolchain whose graphs another one prepares: what it compiles on a device is what is measured there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockyard.deliver.choose import chosen
from dockyard.judge.assessment import Verdict
from dockyard.judge.decisions import RoundDecisions
from dockyard.judge.record_files import write_records
from dockyard.judge.records import make_records
from dockyard.judge.verdicts import judge, why_nothing_is_measured
from dockyard.plan.make import make_plan
from dockyard.plan.plan import OutputInput, Plan, PlannedJob
from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import Workspace
from dockyard.report.headline import headline
from dockyard.run.datasets import DataSet
from dockyard.run.outcome import Outcome
from dockyard.run.placement import Placement
from dockyard.run.runner import run_plan
from shared.contract.codec import encode
from shared.contract.errors import InputProblem
from shared.contract.job import Job
from shared.contract.recipe import Optimization, Recipe
from shared.contract.record import PreparedArtifact, Record, RecordStatus
from shared.contract.result import Notes, Status
from shared.contract.stages import Compile, Optimize
from tests.fakes import Answer, FakeExecutor, QuietDisplay, artifact_of, good_answer, good_result

BOARD = "board"
COMPILE, OPTIMIZE = "digits/half/compile", "digits/half/optimize"

Write = Callable[..., Plan]


@pytest.fixture
def board_plan(workspace: Workspace, digits: Recipe) -> Write:
    """Write a target whose toolchain is prepared by another one, and plan the example for it."""
    none = {"type": "object", "additionalProperties": False}
    room = {**none, "properties": {"room_mb": {"type": "integer", "default": 64}}}
    half = {"description": "", "data": ["calibration"], "calibration_minimum": 9, "options": {"1": room}}

    def write(target: str, document: Mapping[str, Any]) -> None:
        folder = workspace.root / "targets" / target
        folder.mkdir(parents=True, exist_ok=True)
        common = {"description": "", "sources": ["ONNX"]}
        (folder / "target.json").write_text(json.dumps({**common, **document}))
        (folder / "entry.py").write_text("")
        docker = workspace.root / "docker" / target
        docker.mkdir(parents=True, exist_ok=True)
        (docker / "Dockerfile").write_text("")
        (docker / "requirements-1.txt").write_text("")

    def plan(
        prepared_by: Mapping[str, str] | None = None, beside: Sequence[Optimization] = (), **toolchain: Any
    ) -> Plan:
        given = prepared_by or {"target": "bench", "toolchain": "1"}
        write("bench", {"toolchains": {"1": {}}, "methods": {}})
        own = {"onnx": {"opset": 13}, "prepared_by": given, **toolchain}
        common = {"predicts": True, "compiling": ["room_mb"]}
        write(BOARD, {"toolchains": {"1": own}, "methods": {"half": half}, **common})
        recipe = replace(digits, target=BOARD, toolchain=None, optimizations=(Optimization("half"), *beside))
        return make_plan(workspace, recipe)

    return plan


@pytest.fixture
def run(digits_data: dict[str, DataSet], tmp_path: Path) -> Callable[..., dict[str, Outcome]]:
    """Run a plan; return the outcomes by job."""

    def go(plan: Plan, placement: Placement) -> dict[str, Outcome]:
        scratch = tmp_path / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        jobs = run_plan(plan, placement, digits_data, RoundDecisions(), QuietDisplay(), scratch)
        return {outcome.planned.job.id: outcome for outcome in jobs}

    return go


def job(plan: Plan, job_id: str) -> PlannedJob:
    return next(planned for planned in plan.jobs if planned.job.id == job_id)


def stages_of(plan: Plan, engine: FakeExecutor) -> set[str]:
    """The stages of the jobs that an engine ran."""
    return {planned.job.stage.name for planned in plan.jobs if planned.job.id in engine.ran}


def records_by_variant(plan: Plan, outcomes: Mapping[str, Outcome]) -> dict[str, Record]:
    made = make_records(plan, "run", list(outcomes.values()), {"digits": {}})
    return {record.variant: record for record in made}


def devices() -> tuple[FakeExecutor, FakeExecutor]:
    """A board elsewhere, and this machine."""
    board = FakeExecutor(name="docker:board", device="a board", is_local=False)
    return board, FakeExecutor(name="docker", device="this machine")


def test_what_is_prepared_is_compiled_and_then_measured(board_plan: Write) -> None:
    """Conversion, method and prediction are jobs of what prepares; the compilation is given what the method
    left, with the method's options, and every job that measures is given what was compiled.
    """
    plan = board_plan()
    own = [planned.job for planned in plan.jobs if planned.variant == "half" or planned.variant is None]
    places = {(one.stage.name, one.target) for one in own}
    prepared = {("convert", "bench"), ("optimize", "bench"), ("predict", "bench")}
    assert places == prepared | {("compile", BOARD), ("evaluate", BOARD), ("benchmark", BOARD)}
    compilation = job(plan, COMPILE)
    assert compilation.inputs == {"digits": OutputInput(OPTIMIZE)}
    parameters = compilation.job.parameters
    assert isinstance(parameters, Compile)
    assert (dict(parameters.options), parameters.is_ahead_of_time) == ({"room_mb": 64}, False)
    for name in ("digits/half/evaluate", "digits/half/benchmark/1"):
        assert job(plan, name).inputs["digits"] == OutputInput(COMPILE)
    assert job(plan, "digits/half/predict").inputs["digits"] == OutputInput(OPTIMIZE)
    made = job(plan, OPTIMIZE).job.parameters
    assert isinstance(made, Optimize)
    assert dict(made.options) == {}
    assert (plan.device_toolchains, plan.preparers) == ([("tensorflow", "2.21"), (BOARD, "1")], {"bench"})


@pytest.mark.parametrize(
    ("prepared_by", "message"),
    [
        ({"target": "bensh", "toolchain": "1"}, "there is no target 'bensh'"),
        ({"target": "bench", "toolchain": "2"}, "bench has no toolchain '2'"),
        ({"target": "rtx-tensorrt", "toolchain": "1.7"}, "rtx-tensorrt 1.7 is prepared by another one"),
        ({"target": BOARD, "toolchain": "1"}, "board 1 is prepared by another one"),
    ],
)
def test_what_prepares_is_there(board_plan: Write, prepared_by: Mapping[str, str], message: str) -> None:
    """A target that names what does not prepare for it is refused, with the place."""
    with pytest.raises(InputProblem, match=message) as caught:
        board_plan(prepared_by)
    assert "targets/board/target.json: $.toolchains['1'].prepared_by" in str(caught.value)


def test_what_only_prepares_is_no_target_of_a_recipe(workspace: Workspace, digits: Recipe) -> None:
    """A recipe for a target that measures nothing is refused with what to name in its place."""
    with pytest.raises(InputProblem, match="'tensorrt-onnx' has no methods") as caught:
        make_plan(workspace, replace(digits, target="tensorrt-onnx", toolchain=None))
    assert "$.target" in str(caught.value)


def test_a_board_does_only_what_takes_a_board(board_plan: Write, run: Any) -> None:
    """This machine converts, optimizes and predicts; the board compiles, judges and measures, the reference
    too.
    """
    plan = board_plan()
    board, here = devices()
    outcomes = run(plan, Placement(board, here, {"bench"}))
    assert stages_of(plan, board) == {"evaluate", "compile", "benchmark"}
    assert stages_of(plan, here) == {"convert", "optimize", "predict"}
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert records_by_variant(plan, outcomes)["half"].engine == "docker:board"


def test_what_is_not_prepared_is_made_on_the_board(board_plan: Write, run: Any, second_target: str) -> None:
    """A variant of a target that does all by itself is made, too, where it is measured: on the board."""
    plan = board_plan(beside=[Optimization("baseline", target=second_target)])
    board, here = devices()
    run(plan, Placement(board, here, plan.preparers))
    assert f"digits/convert/{second_target}-2" in board.ran
    assert f"digits/baseline@{second_target}/optimize" in board.ran
    assert {planned.job.target for planned in plan.jobs if planned.job.id in here.ran} == {
        "bench",
        "tensorflow",
    }


def test_a_reference_that_cannot_run_there_is_measured_here(board_plan: Write, run: Any) -> None:
    """Where the board has no image of the reference, this machine measures it, and its record says where."""
    plan = board_plan()
    board, here = devices()
    outcomes = run(plan, Placement(board, here, {"bench"}, no_reference="there is no image of it"))
    assert not any("reference" in job_id for job_id in board.ran)
    records = records_by_variant(plan, outcomes)
    assert (records["reference"].engine, records["half"].engine) == ("docker", "docker:board")
    assessments = judge(list(records.values()))
    (half,) = [one for one in assessments if not one.is_reference]
    assert half.verdict == Verdict.NOT_MEASURED
    assert half.times
    assert half.drop
    assert half.speedup is None
    assert why_nothing_is_measured(assessments).startswith("no speedup: it was measured on fake")
    assert "none has a speedup, it was measured on fake" in headline(assessments)


@pytest.mark.parametrize(("ahead_of_time", "made"), [(False, {"optimize"}), (True, {"optimize", "compile"})])
def test_without_its_device_it_is_compiled_only_ahead_of_time(
    board_plan: Write, run: Any, ahead_of_time: bool, made: set[str]
) -> None:
    """Where the device is missing, what it would compile is prepared, predicted and kept; what compiles ahead
    of time is compiled, too.
    """
    plan = board_plan(ahead_of_time=ahead_of_time)
    _, here = devices()
    outcomes = run(plan, Placement(here, missing_device="no device 'board'"))
    assert {stage for stage in ("optimize", "compile") if f"digits/half/{stage}" in here.ran} == made
    record = records_by_variant(plan, outcomes)["half"]
    assert (record.status, record.reason) == (RecordStatus.NOT_MEASURED, "no device 'board'")
    assert record.predicted
    kept = record.artifacts["digits"]
    last = COMPILE if ahead_of_time else OPTIMIZE
    assert kept.cache_key == outcomes[last].cache_key
    assert kept.artifact.files
    prepared = PreparedArtifact(outcomes[OPTIMIZE].result.artifact, outcomes[OPTIMIZE].cache_key)
    assert kept.prepared == (prepared if ahead_of_time else None)


def test_what_was_prepared_is_delivered_by_an_explicit_wish(board_plan: Write, run: Any) -> None:
    """A variant that its device would compile can be delivered without figures where that is asked for; what
    has failed cannot.
    """
    plan = board_plan()
    plan = replace(plan, recipe=replace(plan.recipe, toolchain="1"))
    board, here = devices()
    outcomes = run(plan, Placement(here, missing_device="no device 'board'"))
    published = plan.workspace.results / "records" / plan.recipe.name
    write_records(list(records_by_variant(plan, outcomes).values()), published)
    with pytest.raises(InputProblem, match=r"half was not measured \(no device 'board'\)\n.*--unmeasured"):
        chosen(plan, "half")
    with pytest.raises(InputProblem, match="is recommended"):
        chosen(plan, None, unmeasured=True)
    assert chosen(plan, "half", unmeasured=True).record.artifacts["digits"].artifact.files
    board.answers[COMPILE] = lambda job, folder: {**good_answer(job, folder), "status": "failed"}
    failed = run(plan, Placement(board, here, {"bench"}))
    write_records(list(records_by_variant(plan, failed).values()), published)
    with pytest.raises(InputProblem, match="half was not measured"):
        chosen(plan, "half", unmeasured=True)


def test_what_a_toolchain_needs_of_the_conversion(board_plan: Write) -> None:
    """Options that a toolchain asks of what prepares for it reach the conversion, and no other job."""
    plan = board_plan({"target": "bench", "toolchain": "1", "conversion": {"fed_by": "something"}})
    assert job(plan, "digits/convert/board-1").job.parameters.options == {"fed_by": "something"}
    assert "fed_by" not in job(plan, OPTIMIZE).job.parameters.options


def test_what_was_made_without_the_device_is_used_when_it_is_there(board_plan: Write, run: Any) -> None:
    """The device joins: what was prepared while it was away is not prepared again, though it has a reference
    of its own.
    """
    plan = board_plan()
    board, here = devices()
    run(plan, Placement(here, missing_device="no device 'board'"))

    def other_outputs(job: Job, folder: Path) -> Any:
        answer = good_answer(job, folder)
        (folder / "outputs" / "reference.npz").write_bytes(b"outputs of the board")
        return {**answer, "artifact": encode(artifact_of(folder / "outputs"))}

    board.answers["digits/reference/evaluate"] = other_outputs
    outcomes = run(plan, Placement(board, here, plan.preparers))
    cached = {stage: outcomes[f"digits/half/{stage}"].cached for stage in ("optimize", "compile")}
    assert cached == {"optimize": True, "compile": False}
    assert not outcomes["digits/convert/board-1"].cached


def test_a_record_has_what_both_steps_say(board_plan: Write, run: Any) -> None:
    """A record has the notes of the method and of the compilation, the time of both, and the bytes of the
    second, which are those that were measured; few calibration images are a warning.
    """
    plan = board_plan()
    board, here = devices()

    def say(remark: str, **notes: Any) -> Answer:
        def answer(job: Job, folder: Path) -> Any:
            result = good_result(job, folder)
            return encode(replace(result, notes=Notes((remark,), details={remark: 1}, **notes)))

        return answer

    here.answers[OPTIMIZE] = say("quantized", calibration_images=4)
    board.answers[COMPILE] = say("compiled")
    outcomes = run(plan, Placement(board, here, {"bench"}))
    record = records_by_variant(plan, outcomes)["half"]
    assert record.status == RecordStatus.MEASURED
    assert record.notes["digits"].remarks == ("quantized", "compiled")
    assert record.notes["digits"].details == {"quantized": 1, "compiled": 1}
    assert record.optimize_s == 2.0
    assert record.artifacts["digits"].artifact == outcomes[COMPILE].result.artifact
    prepared = PreparedArtifact(outcomes[OPTIMIZE].result.artifact, outcomes[OPTIMIZE].cache_key)
    assert record.artifacts["digits"].prepared == prepared
    assert "digits was calibrated with 4 images; statistics of fewer than 9 may mislead" in record.warnings
    assert record.identity["preparation_lock"] == "lock of bench 1"
    assert record.identity["lock"] == "lock of board 1"


def test_a_failed_compilation_is_the_variants_failure(board_plan: Write, run: Any) -> None:
    """What the device cannot compile has failed with the reason, and nothing of it is measured."""
    plan = board_plan()
    board, here = devices()
    board.answers[COMPILE] = lambda job, folder: {
        **good_answer(job, folder),
        "status": "failed",
        "reason": "no room",
    }
    record = records_by_variant(plan, run(plan, Placement(board, here, {"bench"})))["half"]
    assert (record.status, record.stage, record.reason) == (RecordStatus.FAILED, "compile", "no room")


def test_what_a_compilation_leaves_goes_to_the_next_on_its_device(
    board_plan: Write, workspace: Workspace, run: Any
) -> None:
    """Timings that a compilation leaves are given to the next one on that device, and to no other device."""
    plan = board_plan()
    given: list[list[str]] = []

    def compiling(job: Job, folder: Path) -> Any:
        cache = folder / "cache"
        given.append(sorted(f"{path.name} {path.read_text()}" for path in cache.iterdir()))
        (cache / "timing.cache").write_text(f"{len(given)}")
        (cache / "notes.txt").write_text("nobody asked for it")
        return good_answer(job, folder)

    board, here = devices()
    other = FakeExecutor({COMPILE: compiling}, name="docker:other", device="another board", is_local=False)
    board.answers[COMPILE] = compiling
    run(plan, Placement(board, here, {"bench"}))
    shutil.rmtree(workspace.state / "artifacts")
    run(plan, Placement(board, here, {"bench"}))
    run(plan, Placement(other, here, {"bench"}))
    assert given == [[], ["timing.cache 1"], []]
    assert board.followed[COMPILE] is not None


def test_what_was_compiled_is_found_again_on_its_device_alone(board_plan: Write, run: Any) -> None:
    """A second run takes what the first compiled, whatever the device is called; another device compiles."""
    plan = board_plan()
    board, here = devices()
    renamed = FakeExecutor(name="docker:b", device="a board", is_local=False)
    other = FakeExecutor(name="docker:board", device="another board", is_local=False)
    found = [run(plan, Placement(device, here, {"bench"})) for device in (board, renamed, other)]
    assert [outcomes[COMPILE].cached for outcomes in found] == [False, True, False]
    assert found[1][OPTIMIZE].cached


def test_rtx_and_jetson_have_their_graphs_prepared(workspace: Workspace) -> None:
    """TensorRT for RTX compiles ahead of time what `tensorrt-onnx` prepares."""
    release = load_target(workspace, "rtx-tensorrt", "test").toolchains["1.7"]
    assert release.preparation
    assert (release.preparation.target, release.preparation.is_ahead_of_time) == ("tensorrt-onnx", True)
