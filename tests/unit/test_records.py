"""A run leaves one record for each model and variant, and the results change as a whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dockyard.deliver.find import measured_artifact
from dockyard.judge.compare_runs import compare_runs
from dockyard.judge.decisions import RoundDecisions
from dockyard.judge.measurements import steps_of_rounds
from dockyard.judge.record_files import SCHEMA, publish, read_records, write_records
from dockyard.judge.records import make_records, new_run
from dockyard.judge.verdicts import judge
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.run.artifact_cache import folder_of
from dockyard.run.clips import PreparedClip
from dockyard.run.datasets import DataSet
from dockyard.run.outcome import Outcome
from dockyard.run.placement import Placement
from dockyard.run.runner import run_plan
from shared.contract.codec import encode
from shared.contract.errors import EnvironmentProblem, InputProblem
from shared.contract.job import Job
from shared.contract.measurement import Scope
from shared.contract.model import steps_of
from shared.contract.recipe import Optimization, Recipe, Search
from shared.contract.record import Record, RecordStatus
from shared.contract.result import Notes, OutputDifference, Result, Status, Table
from shared.contract.stages import PipelineBenchmark, PipelineEvaluate
from tests.builders import failed, latency, quality, record, streams, throughput
from tests.fakes import Answer, Document, FakeExecutor, QuietDisplay, good_answer, good_result

DIGESTS = {"digits": {"test": "0" * 64}}

Records = Mapping[str, Record]
RecordsOf = Callable[[Plan, Mapping[str, Answer]], Records]
DigitsRecords = Callable[[Mapping[str, Answer]], Records]


@pytest.fixture
def records_of(digits_data: dict[str, DataSet], tmp_path: Path) -> RecordsOf:
    """Run a plan of the example model as far as it goes, some jobs answered, and make its records."""

    def run(plan: Plan, answers: Mapping[str, Answer]) -> Records:
        outcomes: list[Outcome] = []
        scratch = tmp_path / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        placement = Placement(FakeExecutor(answers))
        going = run_plan(plan, placement, digits_data, RoundDecisions(), QuietDisplay(), scratch, True)
        try:
            for outcome in going:
                outcomes.append(outcome)
        except (EnvironmentProblem, KeyboardInterrupt):
            assert outcomes
        return {one.variant: one for one in make_records(plan, "run", outcomes, DIGESTS)}

    return run


@pytest.fixture
def digits_records(digits_plan: Plan, records_of: RecordsOf) -> DigitsRecords:
    """Run the example's plan and make its records."""
    return lambda answers: records_of(digits_plan, answers)


def changed(**changes: Any) -> Answer:
    """An answer that differs from a good one."""
    return lambda job, folder: encode(replace(good_result(job, folder), **changes))


def not_done(reason: str, status: Status = Status.FAILED, **parts: Any) -> Answer:
    return lambda job, folder: encode(Result(status, reason, **parts))


def raising(error: BaseException) -> Answer:
    return lambda job, folder: error


def statuses(records: Records) -> dict[str, str]:
    return {variant: one.status.value for variant, one in records.items()}


def errors(one: Record) -> list[str]:
    """What the schema has against a record."""
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    return [error.message for error in validator.iter_errors(json.loads(json.dumps(encode(one))))]


def test_the_states_of_all_rounds(digits_records: DigitsRecords) -> None:
    """A record's device has the states around each of its rounds, and the schema takes them."""

    def answer(job: Job, folder: Path) -> Document:
        device = {"cpu": "fake", "before": {"round": job.id[-1:]}, "after": {}}
        return {**good_answer(job, folder), "device": device}

    int8 = digits_records({"digits/int8/benchmark": answer})["int8"]
    assert errors(int8) == []
    assert "before" not in int8.device
    assert int8.device["rounds"] == [
        {"round": number, "group": 1, "before": {"round": str(number)}, "after": {}} for number in (1, 2, 3)
    ]


def test_one_record_a_variant(digits_records: DigitsRecords) -> None:
    """A run that goes well gives a measured record for the reference and each variant."""
    records = digits_records({})
    assert statuses(records) == {"reference": "measured", "baseline": "measured", "int8": "measured"}
    int8 = records["int8"]
    assert (int8.target, int8.toolchain, int8.method) == ("intel-openvino", "2026.4", "int8")
    assert (len(int8.rounds), len(int8.latencies)) == (3, 3)
    assert int8.differences[0].agrees
    assert int8.identity["lock"] == "lock of intel-openvino 2026.4"
    assert int8.data == DIGESTS["digits"]
    assert int8.dataset_ns == (5, 6)
    assert int8.optimize_s == 1.0
    assert int8.stage is None


def test_engine_is_the_executor_that_measured(digits_records: DigitsRecords) -> None:
    """A record names the executor that its jobs ran on, also where they failed."""
    records = digits_records({"digits/int8/optimize": not_done("broken")})
    assert {one.engine for one in records.values()} == {"fake"}


def test_artifact_is_named_by_its_cache_key(digits_records: DigitsRecords, workspace: Workspace) -> None:
    """A record has the measured files and the key they are kept under; the reference has its graph."""
    records = digits_records({})
    artifact = records["int8"].artifacts["digits"]
    assert [file.path for file in artifact.artifact.files] == ["model.bin"]
    assert artifact.cache_key is not None
    assert (folder_of(workspace, artifact.cache_key) / "outputs" / "model.bin").is_file()
    reference = records["reference"].artifacts["digits"]
    assert ([file.path for file in reference.artifact.files], reference.cache_key) == (["digits.pb"], None)


def test_artifact_that_was_not_made(digits_records: DigitsRecords) -> None:
    """A variant that could not be made has no files and no key."""
    records = digits_records({"digits/int8/optimize": not_done("broken")})
    artifact = records["int8"].artifacts["digits"]
    assert (artifact.artifact.files, artifact.cache_key) == ((), None)


def test_options_are_the_recipes(
    workspace: Workspace, digits: Recipe, second_target: str, records_of: RecordsOf
) -> None:
    """A record has the options that the recipe gives, without the defaults that its job was filled with."""
    given = Optimization("tuned", {"trials": 3}, target=second_target)
    seen: dict[str, Any] = {}

    def look(job: Job, folder: Path) -> Any:
        seen.update(encode(job.parameters)["options"])
        return encode(good_result(job, folder))

    plan = make_plan(workspace, replace(digits, optimizations=(given,)))
    (variant,) = plan.optimizations
    records = records_of(plan, {f"digits/{variant}/optimize": look})
    assert seen == {"trials": 3, "patience": 7}
    assert records[variant].options == {"trials": 3}


def test_notes_of_conversion_and_method(digits_records: DigitsRecords) -> None:
    """What a toolchain says of a conversion and of a method stands together, by network."""
    of_conversion = Notes(("converted",), details={"nodes": 3})
    table = Table("slowest", ("name", "ms"), (("a", "1"),))
    of_method = Notes(("quantized",), (table,), 300, {"passes": [1]})
    records = digits_records(
        {"digits/convert": changed(notes=of_conversion), "digits/int8/optimize": changed(notes=of_method)}
    )
    details = {"conversion": {"nodes": 3}, "passes": [1]}
    assert records["int8"].notes == {"digits": Notes(("converted", "quantized"), (table,), 300, details)}


def test_as_much_as_a_toolchain_may_say(digits_records: DigitsRecords) -> None:
    """Conversion and method may each say as much as a result may hold: their record fits its schema."""
    table = Table("t" * 1000, ("c" * 200,) * 20, (("x" * 1000,) * 20,))
    notes = Notes(("r" * 2000,) * 100, (table,) * 100, 0, {"log": ["x"]})
    said = changed(notes=notes)
    records = digits_records({"digits/convert": said, "digits/int8/optimize": said})
    assert len(records["int8"].notes["digits"].tables) == 200
    assert errors(records["int8"]) == []


def test_records_are_read_as_they_were_written(digits_records: DigitsRecords, tmp_path: Path) -> None:
    """Records fit their schema, and are read back as they were: failures, streams and notes too."""
    notes = {"digits": Notes(("said",), (Table("t", ("a",), (("b",),), True),), 3, {"log": ["x"]})}
    stream = record("stream", rounds=streams(30.0, 31.0), notes=notes)
    made = digits_records({"digits/int8/optimize": not_done("broken")})
    records = sorted([*made.values(), stream, failed("fp16")], key=lambda one: one.variant)
    assert [errors(one) for one in records] == [[]] * len(records)
    write_records(records, tmp_path / "out")
    assert read_records(tmp_path / "out") == records


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("speed", 1, "unknown key 'speed'"),
        ("status", "done", "'done' is not valid here"),
        ("notes", {"digits": {"kernels": []}}, "unknown key 'kernels'"),
        ("artifacts", {"digits": {"artifact": {"files": []}, "cache_key": "../.."}}, "does not match"),
        ("rounds", [{"number": 1, "measured": {"kind": "latency"}}], "is missing"),
        ("rounds", [{"number": 1, "measured": {"kind": "latency", "scope": "stream"}}], "is missing"),
        ("recipe", {"name": "digits"}, "is missing"),
    ],
)
def test_record_that_is_not_strict(tmp_path: Path, place: str, value: Any, expected: str) -> None:
    """A record with an unknown key, or one of another type, is refused with its file and JSON path."""
    document = {**encode(record()), place: value}
    (tmp_path / "int8.json").write_text(json.dumps(document))
    with pytest.raises(InputProblem, match=r"int8\.json: \$") as caught:
        read_records(tmp_path)
    assert expected in str(caught.value)


def test_failure_has_stage_reason_and_log(digits_records: DigitsRecords) -> None:
    """A variant that failed has its stage, reason and last lines of log; the others are measured."""
    records = digits_records({"digits/int8/optimize": not_done("broken")})
    int8 = records["int8"]
    assert (int8.status, int8.stage, int8.reason) == (RecordStatus.FAILED, "optimize", "broken")
    assert int8.log == ("log of digits/int8/optimize",)
    assert records["baseline"].status == RecordStatus.MEASURED


def test_wrong_conversion_fails_every_variant(digits_records: DigitsRecords) -> None:
    """When the converted graph disagrees with the reference every variant has failed, and by how much."""
    rows = (OutputDifference("digit", 0.4, 1e-3, False),)
    answer = not_done("output 'digit' differs by 0.4", differences=rows)
    records = digits_records({"digits/convert/intel-openvino-2026.4": answer})
    for variant in ("baseline", "int8"):
        assert (records[variant].status, records[variant].stage) == (RecordStatus.FAILED, "convert")
        assert records[variant].reason == "output 'digit' differs by 0.4"
        assert records[variant].differences == rows
    reference = records["reference"]
    assert (reference.status, reference.rounds) == (RecordStatus.NOT_MEASURED, ())
    assert reference.reason == "none of its variants can be measured beside it"


@pytest.fixture
def two_targets(workspace: Workspace, digits: Recipe, second_target: str) -> Plan:
    """The example's baseline, and two methods of another target."""
    others = [Optimization(method, target=second_target) for method in ("baseline", "tuned")]
    return make_plan(workspace, replace(digits, optimizations=(Optimization("baseline"), *others)))


def test_a_prediction_decides_nothing(
    workspace: Workspace, digits: Recipe, second_target: str, records_of: RecordsOf
) -> None:
    """Where a target predicts, records have that beside the quality, before their device is asked, and are
    the same whatever became of it.
    """
    file = workspace.root / "targets" / second_target / "target.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "predicts": True}))
    optimizations = (Optimization("baseline"), Optimization("baseline", target=second_target))
    plan = make_plan(workspace, replace(digits, optimizations=optimizations))
    ids = [planned.job.id for planned in plan.jobs if "baseline@" in planned.job.id]
    assert [job_id.split("/")[-1] for job_id in ids[:3]] == ["optimize", "predict", "evaluate"]
    found = records_of(plan, {})
    predicted = found[f"baseline@{second_target}"].predicted
    assert predicted
    assert (predicted.value, found["baseline"].predicted) == (0.5, None)
    assert found[f"baseline@{second_target}"].quality == found["baseline"].quality
    broken = records_of(plan, {f"digits/baseline@{second_target}/predict": not_done("no memory")})
    assert broken[f"baseline@{second_target}"].predicted is None
    assert broken[f"baseline@{second_target}"].status == RecordStatus.MEASURED


def test_another_target_in_the_run(two_targets: Plan, second_target: str, records_of: RecordsOf) -> None:
    """A variant of another target has that target in its record, and that target's minimum of images."""
    few = changed(notes=Notes(calibration_images=3))
    records = records_of(two_targets, {"digits/tuned@shelf-cpu/optimize": few})
    assert {variant: one.target for variant, one in records.items()} == {
        "reference": "tensorflow",
        "baseline": "intel-openvino",
        "baseline@shelf-cpu": second_target,
        "tuned@shelf-cpu": second_target,
    }
    assert {one.recipe["target"] for one in records.values()} == {"intel-openvino"}
    warning = "digits was calibrated with 3 images; statistics of fewer than 9 may mislead"
    warned = {variant: one.warnings for variant, one in records.items() if one.warnings}
    few = (
        "with 4 test samples what goes wrong with 53% of all images may stay unseen; "
        "for a max_drop of 0.02 take 149"
    )
    assert warned == {"reference": (few,), "tuned@shelf-cpu": (warning,)}


def test_nothing_that_was_quantized_is_a_warning(digits_plan: Plan, records_of: RecordsOf) -> None:
    """A method that found nothing to quantize has a warning in its record, beside the count of 0."""
    made = changed(notes=Notes(quantized_operations=0))
    found = records_of(digits_plan, {"digits/int8/optimize": made})["int8"]
    assert found.notes["digits"].quantized_operations == 0
    assert found.warnings == (
        "nothing of digits was quantized: no convolution or matrix product was found in it",
    )


def test_what_is_said_of_every_conversion(two_targets: Plan, records_of: RecordsOf) -> None:
    """A variant's notes have what was said of its conversion, and of the reference's to ONNX before that."""
    answers = {
        "digits/reference/convert": changed(notes=Notes(("to ONNX",))),
        "digits/convert/shelf-cpu-2": changed(notes=Notes(("from ONNX",))),
    }
    found = records_of(two_targets, answers)
    assert found["baseline@shelf-cpu"].notes["digits"].remarks == ("to ONNX", "from ONNX")
    assert found["baseline"].notes["digits"].remarks == ()


def test_each_target_has_its_own_conversion(two_targets: Plan, records_of: RecordsOf) -> None:
    """A conversion that fails fails the variants of its own target."""
    records = records_of(two_targets, {"digits/convert/shelf-cpu-2": not_done("no such operator")})
    assert statuses(records) == {
        "reference": "measured",
        "baseline": "measured",
        "baseline@shelf-cpu": "failed",
        "tuned@shelf-cpu": "failed",
    }


def test_not_measured(digits_records: DigitsRecords) -> None:
    """What the device cannot do is not measured, for the reason given."""
    reason = "this CPU has no bfloat16 instructions"
    records = digits_records({"digits/int8/optimize": not_done(reason, Status.NOT_MEASURED)})
    assert (records["int8"].status, records["int8"].reason) == (RecordStatus.NOT_MEASURED, reason)


ENDS = [EnvironmentProblem("the engine is gone"), KeyboardInterrupt()]


@pytest.mark.parametrize("error", ENDS)
def test_run_that_ends_early(digits_records: DigitsRecords, error: BaseException) -> None:
    """A run cut short leaves a record for every variant: what was not reached says so."""
    records = digits_records({"digits/int8/optimize": raising(error)})
    assert len(records) == 3
    assert all(one.status != RecordStatus.MEASURED and one.reason for one in records.values())
    assert [errors(one) for one in records.values()] == [[]] * 3
    assert records["int8"].stage == "optimize"
    assert records["reference"].reason == "the run ended before it was measured"


@pytest.fixture
def search(workspace: Workspace, digits: Recipe) -> Plan:
    """A search for the example model."""
    return make_plan(workspace, replace(digits, optimizations=(), search=Search(3600)))


@pytest.mark.parametrize("error", ENDS)
def test_search_that_ends_early(search: Plan, records_of: RecordsOf, error: BaseException) -> None:
    """Candidates that an interrupted search did not reach say that the run ended, not that time was spent."""
    second = list(search.optimizations)[1]
    records = records_of(search, {f"digits/{second}/optimize": raising(error)})
    assert list(records) == search.variants
    for variant in search.variants[3:]:
        assert records[variant].status == RecordStatus.NOT_MEASURED
        assert records[variant].reason == "the run ended before it was measured"


def test_search_that_ends_early_in_a_later_round(search: Plan, records_of: RecordsOf) -> None:
    """A search that was interrupted after its candidates were chosen has measured what it measured."""
    records = records_of(search, {"digits/reference/benchmark/2": raising(KeyboardInterrupt())})
    assert records["reference"].reason == "interrupted"
    assert "the run ended before it was measured" not in {one.reason for one in records.values()}


def test_search_that_spends_its_budget(workspace: Workspace, digits: Recipe, records_of: RecordsOf) -> None:
    """Candidates that a search had no time for say that its time was spent."""
    no_time = make_plan(workspace, replace(digits, optimizations=(), search=Search(0)))
    records = records_of(no_time, {})
    assert records["reference"].status == RecordStatus.MEASURED
    reasons = {one.reason for variant, one in records.items() if variant != "reference"}
    assert reasons == {"the search's time budget was spent before it was tried to the end"}


def test_only_the_artifact_counts(digits_records: DigitsRecords) -> None:
    """A variant measured on other bytes than those of its artifact has failed, and only that one."""
    records = digits_records({"digits/int8/benchmark/2": changed(measured={"digits": "f" * 64})})
    assert statuses(records) == {"reference": "measured", "baseline": "measured", "int8": "failed"}
    assert "digits/int8/benchmark/2 measured ffff" in records["int8"].reason
    assert records["int8"].stage == "benchmark"


def pipeline_answer(job: Job, folder: Path) -> Any:
    """A good answer of any job; those of a pipeline bring times by step, its evaluation a quality."""
    result = good_result(job, folder)
    if isinstance(job.parameters, (PipelineBenchmark, PipelineEvaluate)):
        steps = {step: [1, 1] for step in steps_of(job.parameters.pipeline.nodes)}
        result = replace(result, measurement=latency(9, 9, **steps))
    if isinstance(job.parameters, PipelineEvaluate):
        result = replace(result, quality=quality([1.0]))
    return encode(result)


def test_records_of_a_pipeline(
    workspace: Workspace, digits_data: dict[str, DataSet], records_of: RecordsOf
) -> None:
    """A pipeline's record has both networks' artifacts and keys, its own quality, and its times by step."""
    recipe = replace(load_recipe(workspace, "lp_intel.json"), optimizations=(Optimization("fp16"),))
    plan = make_plan(workspace, recipe)
    digits_data.update(dict.fromkeys(plan.models, digits_data["digits"]))
    one = records_of(plan, {"": pipeline_answer})["fp16"]
    assert (one.model, one.scope, one.status) == ("license_plate", Scope.PIPELINE, RecordStatus.MEASURED)
    assert set(one.artifacts) == {"lp_detector", "lp_reader"}
    assert len({artifact.cache_key for artifact in one.artifacts.values()} - {None}) == 2
    assert one.quality == quality([1.0])
    assert steps_of_rounds(one.latencies) == list(steps_of(plan.pipeline.nodes if plan.pipeline else ()))
    assert (one.method, one.dataset_ns, one.optimize_s) == ("fp16", (9, 9), 2.0)
    assert errors(one) == []


@pytest.fixture
def stream_records(
    workspace: Workspace, digits_data: dict[str, DataSet], records_of: RecordsOf, tmp_path: Path
) -> DigitsRecords:
    """Run the plan of a pipeline that reads a video, and make its records."""
    recipe = load_recipe(workspace, "lp_intel_stream.json")
    plan = make_plan(workspace, replace(recipe, optimizations=(Optimization("int8"),)))
    (tmp_path / "gate.mp4").write_bytes(b"a video")
    clip = PreparedClip(tmp_path / "gate.mp4", None, "c" * 64)
    digits_data.update(dict.fromkeys(plan.networks, digits_data["digits"]))
    digits_data["license_plate"] = DataSet(tmp_path, {"clip": clip.digest}, {}, (), clip)
    return lambda answers: records_of(plan, answers)


def test_records_of_a_stream(stream_records: DigitsRecords, workspace: Workspace) -> None:
    """A stream's record has its settings among the artifacts, its rates and memory, and its own scope."""
    records = stream_records({})
    one, reference = records["int8"], records["reference"]
    assert (one.model, one.scope, one.status) == ("license_plate", Scope.STREAM, RecordStatus.MEASURED)
    assert set(one.artifacts) == {"lp_detector", "lp_reader", "license_plate"}
    settings = one.artifacts["license_plate"]
    assert [file.path for file in settings.artifact.files] == ["stream.json"]
    kept = measured_artifact(workspace, one, "license_plate")
    assert (kept / "stream.json").read_text() == "settings of int8"
    assert set(reference.artifacts) == {"lp_detector", "lp_reader"}
    assert [found.peak_mb for found in one.rounds[:3]] == [100.0] * 3
    assert (one.dataset_ns, one.optimize_s) == ((), 3.0)
    assert one.notes["license_plate"].remarks == ("settings were searched",)
    assert judge([reference, one])[1].fps == pytest.approx(40.0)
    assert errors(one) == []


def test_a_stream_that_ran_other_settings_has_failed(stream_records: DigitsRecords) -> None:
    """A stream that was measured with other settings than were found is a failure."""

    def other(job: Job, folder: Path) -> Document:
        document = good_answer(job, folder)
        return {**document, "measured": {**document["measured"], "license_plate": "f" * 64}}

    one = stream_records({"license_plate/int8/stream": other})["int8"]
    assert (one.status, one.stage) == (RecordStatus.FAILED, "stream")
    assert "not the artifact" in one.reason


def test_a_stream_that_ran_other_bursts_has_failed(stream_records: DigitsRecords) -> None:
    """A stream that ran more bursts than it was told to pairs with none."""

    def twice(job: Job, folder: Path) -> Document:
        return encode(replace(good_result(job, folder), measurement=throughput(40.0, 40.0)))

    one = stream_records({"license_plate/int8/stream": twice})["int8"]
    assert (one.status, one.stage) == (RecordStatus.FAILED, "stream")
    assert "told to run 10 bursts it ran 20" in one.reason


def results_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def write_run(folder: Path, *records: Record) -> Path:
    write_records(records, folder)
    return folder


def test_publish_replaces_the_whole(tmp_path: Path) -> None:
    """Published records take the place of the recipe's earlier ones; other recipes' stay."""
    results = tmp_path / "results"
    publish(write_run(tmp_path / "1", record("reference"), record("fp16")), "digits", results)
    publish(write_run(tmp_path / "other", record("reference")), "other", results)
    publish(write_run(tmp_path / "2", record("reference"), record("int8")), "digits", results)
    assert sorted(results_of(results / "records")) == [
        "digits/digits/int8.json",
        "digits/digits/reference.json",
        "other/digits/reference.json",
    ]


def test_writing_a_run_leaves_the_results(tmp_path: Path) -> None:
    """Records of a run that is not published leave the earlier results as they were."""
    results = tmp_path / "results"
    publish(write_run(tmp_path / "1", record("reference")), "digits", results)
    before = results_of(results)
    write_run(tmp_path / "2", failed("reference"))
    assert results_of(results) == before


def test_publishing_that_breaks_leaves_the_results(tmp_path: Path) -> None:
    """When publishing breaks off the earlier results are read as before, with nothing beside them."""
    results = tmp_path / "results"
    publish(write_run(tmp_path / "1", record("reference"), record("int8")), "digits", results)
    broken = write_run(tmp_path / "2", record("reference"), record("fp16"))
    (broken / "lost.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match=r"nowhere|lost"):
        publish(broken, "digits", results)
    assert [one.variant for one in read_records(results / "records")] == ["int8", "reference"]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"version": 2}', '{"version": 1}', '{"version": 3}', '{"version": [1]}']
)
def test_no_record(tmp_path: Path, content: str) -> None:
    """A file among the records that is none is refused by name."""
    (tmp_path / "int8.json").write_text(content)
    with pytest.raises(InputProblem, match=r"int8\.json"):
        read_records(tmp_path)


def test_run_names_are_sorted_by_time() -> None:
    """A run's name is its time, and can name a folder."""
    assert new_run() <= new_run()
    assert new_run().isalnum()


def test_compare(workspace: Workspace) -> None:
    """Two runs of a recipe are put side by side, each given by its name or its folder."""
    runs = workspace.state / "runs" / "digits"
    write_run(runs / "a", record("reference"), record("int8"))
    b = write_run(runs / "b", record("reference"), record("fp16"))
    compared = compare_runs(workspace, "a", str(b))
    found = [(one.variant, one.first is not None, one.second is not None) for one in compared.variants]
    assert found == [("int8", True, False), ("reference", True, True), ("fp16", False, True)]
    assert compared.variants[1].model == "digits"
    assert compare_runs(workspace, "digits/a", "b") == compared


def test_runs_that_cannot_be_compared(workspace: Workspace) -> None:
    """A run that is not there, one without records, and runs of two recipes are refused."""
    runs = workspace.state / "runs" / "digits"
    other = record("reference")
    write_run(runs / "a", record("reference"))
    write_run(runs / "c", replace(other, recipe={**other.recipe, "name": "lp_intel"}))
    (runs / "empty").mkdir()
    with pytest.raises(InputProblem, match="different recipes: digits, lp_intel"):
        compare_runs(workspace, "a", "c")
    with pytest.raises(InputProblem, match="there is no run 'nowhere'"):
        compare_runs(workspace, "a", "nowhere")
    with pytest.raises(InputProblem, match="there is no run ''"):
        compare_runs(workspace, "a", "")
    with pytest.raises(InputProblem, match="there are no records in it"):
        compare_runs(workspace, "a", "empty")
