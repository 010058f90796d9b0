"""A run leaves one record for each model and variant, and the results change as a whole or not at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dockyard.judge.comparison import compare_runs
from dockyard.judge.records import make_records, new_run, publish, read_records, write_records
from dockyard.judge.verdicts import judge
from dockyard.plan.plan import Plan, make_plan
from dockyard.recipe.places import SHARED
from dockyard.report.report import COLUMNS, headline, write_report
from dockyard.run.datasets import DataSet
from dockyard.run.runner import Display, Outcome, run_plan
from shared.contract.errors import EnvironmentProblem, InputProblem
from shared.contract.job import Job
from shared.contract.recipe import Optimization, Recipe
from shared.contract.record import Record
from tests.fakes import FakeEngine, good_answer, quality, record

SCHEMA = json.loads((SHARED / "contract" / "record.schema.json").read_text())
DIGESTS = {"digits": {"test": "0" * 64}}

Records = Callable[[FakeEngine], list[Record]]
PlanRecords = Callable[[Plan, FakeEngine], list[Record]]


@pytest.fixture
def run_plan_of(state: Path, digits_data: dict[str, DataSet], tmp_path: Path) -> PlanRecords:
    """Run a plan of the example model on an engine, as far as it goes, and make its records."""

    def do(plan: Plan, engine: FakeEngine) -> list[Record]:
        outcomes: list[Outcome] = []
        with tempfile.TemporaryDirectory(dir=tmp_path) as scratch:
            try:
                for outcome in run_plan(plan, engine, digits_data, Display(), Path(scratch), force=True):
                    outcomes.append(outcome)
            except (EnvironmentProblem, KeyboardInterrupt):
                assert outcomes
        return make_records(plan, "run", "fake", outcomes, DIGESTS)

    return do


@pytest.fixture
def run(digits_plan: Plan, run_plan_of: PlanRecords) -> Records:
    """Run the example's plan on an engine and make its records."""
    return lambda engine: run_plan_of(digits_plan, engine)


def by_variant(records: list[Record]) -> dict[str, Record]:
    return {r.variant: r for r in records}


def test_one_record_a_variant(run: Records) -> None:
    """A run that goes well gives a measured record for the reference and each variant, with what it was made of."""
    records = run(FakeEngine())
    assert [(r.variant, r.status) for r in records] == [("reference", "measured"), ("baseline", "measured"), ("int8", "measured")]
    int8 = by_variant(records)["int8"]
    assert (int8.target, int8.toolchain, int8.method, len(int8.rounds_ns)) == ("intel-openvino", "2026.4", "int8", 3)
    assert [f["path"] for f in int8.artifacts["digits"]] == ["model.bin"]
    assert int8.conversion[0]["agrees"]
    assert int8.identity["lock"] == "lock of intel-openvino 2026.4"
    assert int8.data == DIGESTS["digits"]
    assert int8.dataset_ns == [5, 6, 7, 8]
    assert int8.optimize_s == 1.0
    assert by_variant(records)["reference"].artifacts["digits"][0]["path"] == "digits.pb"


def test_records_fit_their_schema(run: Records, tmp_path: Path) -> None:
    """Records are written in their schema and read back as they were."""
    records = run(FakeEngine({"digits/int8/optimize": lambda job, folder: {"version": 1, "status": "failed", "reason": "broken"}}))
    for one in records:
        assert list(Draft202012Validator(SCHEMA).iter_errors(json.loads(json.dumps(one.to_json())))) == []
    write_records(records, tmp_path / "out")
    read = by_variant(read_records(tmp_path / "out"))
    expected = {r.variant: json.loads(json.dumps(r.to_json())) | {"log": r.log, "warnings": r.warnings} for r in records}
    assert {v: r.to_json() for v, r in read.items()} == expected


def test_failure_has_stage_reason_and_log(run: Records) -> None:
    """A variant that failed has its stage, its reason and the last lines of its log; the others are measured."""
    records = by_variant(
        run(FakeEngine({"digits/int8/optimize": lambda job, folder: {"version": 1, "status": "failed", "reason": "broken"}}))
    )
    int8 = records["int8"]
    assert (int8.status, int8.stage, int8.reason, int8.log) == ("failed", "optimize", "broken", ("log of digits/int8/optimize",))
    assert records["baseline"].status == "measured"


def test_wrong_conversion_fails_every_variant(run: Records) -> None:
    """When the converted graph disagrees with the reference every variant has failed, with output and amount."""
    rows = [{"output": "digit", "difference": 0.4, "limit": 1e-3, "agrees": False}]
    answer = {"version": 1, "status": "failed", "reason": "output 'digit' differs by 0.4", "conversion": rows}
    records = by_variant(run(FakeEngine({"digits/convert/intel-openvino-2026.4": lambda job, folder: answer})))
    for variant in ("baseline", "int8"):
        assert (records[variant].status, records[variant].stage) == ("failed", "convert")
        assert records[variant].reason == "output 'digit' differs by 0.4"
        assert records[variant].conversion == rows
    assert records["reference"].status == "measured"


def test_another_target_in_the_run(digits: Recipe, second_target: str, run_plan_of: PlanRecords) -> None:
    """A variant of another target has that target in its record, that target's minimum of images, and only its own conversion's failure."""
    others = [Optimization(method, target=second_target) for method in ("baseline", "tuned")]
    plan = make_plan(replace(digits, optimizations=(Optimization("baseline"), *others)))

    def few(job: Job, folder: Path) -> Any:
        return {**good_answer(job, folder), "notes": {"calibration_images": 3}}

    found = by_variant(run_plan_of(plan, FakeEngine({"digits/tuned@shelf-cpu/optimize": few})))
    homes = {"reference": "tensorflow", "baseline": "intel-openvino", "baseline@shelf-cpu": second_target, "tuned@shelf-cpu": second_target}
    assert {v: r.target for v, r in found.items()} == homes
    assert {(r.status, r.recipe["target"]) for r in found.values()} == {("measured", "intel-openvino")}
    assert {v: r.warnings for v, r in found.items() if r.warnings} == {
        "tuned@shelf-cpu": ("digits was calibrated with 3 images; statistics of fewer than 9 may mislead",)
    }
    broken = {"version": 1, "status": "failed", "reason": "no such operator"}
    found = by_variant(run_plan_of(plan, FakeEngine({"digits/convert/shelf-cpu-2": lambda job, folder: broken})))
    statuses = {"reference": "measured", "baseline": "measured", "baseline@shelf-cpu": "failed", "tuned@shelf-cpu": "failed"}
    assert {v: r.status for v, r in found.items()} == statuses


def test_not_measured(run: Records) -> None:
    """What the device cannot do is not measured, for the reason given."""
    answer = {"version": 1, "status": "not measured", "reason": "this CPU has no bfloat16 instructions"}
    records = by_variant(run(FakeEngine({"digits/int8/optimize": lambda job, folder: answer})))
    assert (records["int8"].status, records["int8"].reason) == ("not measured", "this CPU has no bfloat16 instructions")


@pytest.mark.parametrize("error", [EnvironmentProblem("the engine is gone"), KeyboardInterrupt()])
def test_run_that_ends_early(run: Records, error: BaseException) -> None:
    """A run cut short leaves a record for every variant: what was not reached says so."""
    records = by_variant(run(FakeEngine({"digits/int8/optimize": lambda job, folder: error})))
    assert len(records) == 3
    assert all(r.status != "measured" and r.reason for r in records.values())
    assert all(list(Draft202012Validator(SCHEMA).iter_errors(json.loads(json.dumps(r.to_json())))) == [] for r in records.values())


def test_only_the_artifact_counts(run: Records) -> None:
    """A variant measured on other bytes than those of its artifact has failed, and only that one."""

    def swapped(job: Job, folder: Path) -> Any:
        return {**good_answer(job, folder), "measured": {"digits": "f" * 64}}

    records = by_variant(run(FakeEngine({"digits/int8/benchmark/2": swapped})))
    assert {v: r.status for v, r in records.items()} == {"reference": "measured", "baseline": "measured", "int8": "failed"}


def results_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def write_run(folder: Path, *records: Record) -> Path:
    write_records(records, folder)
    return folder


def test_publish_replaces_the_whole(tmp_path: Path) -> None:
    """Published records take the place of the recipe's earlier ones, none of which is left; other recipes' stay."""
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
    write_run(tmp_path / "2", record("reference", status="failed"))
    assert results_of(results) == before


def test_publishing_that_breaks_leaves_the_results(tmp_path: Path) -> None:
    """When publishing breaks off the earlier results are read as before, with nothing beside them."""
    results = tmp_path / "results"
    publish(write_run(tmp_path / "1", record("reference"), record("int8")), "digits", results)
    broken = write_run(tmp_path / "2", record("reference"), record("fp16"))
    (broken / "lost.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match=r"nowhere|lost"):
        publish(broken, "digits", results)
    assert [r.variant for r in read_records(results / "records")] == ["int8", "reference"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 2}'])
def test_no_record(tmp_path: Path, content: str) -> None:
    """A file among the records that is none is refused by name."""
    (tmp_path / "int8.json").write_text(content)
    with pytest.raises(InputProblem, match=r"int8\.json"):
        read_records(tmp_path)


def test_run_names_are_sorted_by_time() -> None:
    """A run's name is its time, and can name a folder."""
    assert new_run() <= new_run()
    assert new_run().isalnum()


def test_report_has_no_hole(tmp_path: Path) -> None:
    """The report has a row for each record, failures and their reasons included, and the columns that others read."""
    write_run(
        tmp_path / "records" / "digits",
        record("reference"),
        record("int8"),
        record("fp16", status="failed", quality=None, rounds_ns=[], reason="broken", stage="optimize"),
        record("baseline", quality=quality([0.0] * 5 + [1.0] * 95)),
    )
    write_report(tmp_path)
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert len(lines) == 5
    promised = (
        "recipe, model, target, toolchain, method, device, engine, status, verdict, metric, quality, reference_quality, drop, mean_ms, "
        "std_ms, min_ms, median_ms, p90_ms, p99_ms, max_ms, runs, rounds, stability, reference_mean_ms, speedup, pipeline_ms, fps, "
        "artifact_mb, size_ratio, optimize_s, artifact_sha256, image_digest, measured_at"
    )
    assert set(promised.split(", ")) <= set(COLUMNS)
    text = (tmp_path / "report.md").read_text()
    for told in ("`fp16`: failed in optimize: broken", "too lossy: it loses 0.0500 of accuracy", "**recommended**"):
        assert told in text
    assert [p.name for p in (tmp_path / "plots").iterdir()] == ["digits-digits.png"]


def test_report_of_nothing(tmp_path: Path) -> None:
    """Without records the report says what to do."""
    assert write_report(tmp_path) == []
    assert "./inv build" in (tmp_path / "report.md").read_text()


def test_headline_answers_the_question() -> None:
    """The headline says how much faster, on which hardware and at what loss, or that nothing meets."""
    told = headline(judge([record("reference"), record("int8")]))
    for part in ("int8", "4.00x", "fake, 2 threads", "drop +0.0000"):
        assert part in told
    assert "No variant of digits is recommended for digits: none meets" in headline(
        judge([record("reference"), record("int8", status="failed")])
    )


def test_headline_tells_the_options_that_a_name_does_not() -> None:
    """A variant that is numbered, or a combination of a pipeline's networks, is recommended with its options."""
    numbered = record("int8-2", method="int8", options={"preset": "mixed"})
    assert 'take int8-2 (preset "mixed"), 4.00x' in headline(judge([record("reference"), numbered]))
    assert "take int8, 4.00x" in headline(judge([record("reference"), record("int8", options={"preset": "mixed"})]))
    both = record("int8+fp16", options={"finder": {"method": "int8"}, "reader": {"method": "fp16"}})
    assert 'take int8+fp16 (finder {"method": "int8"}, reader {"method": "fp16"}), 4.00x' in headline(judge([record("reference"), both]))


def test_headline_of_a_restless_machine() -> None:
    """Where the rounds disagree nothing is recommended, and the headline says what was measured and how far apart."""
    rounds = [{"total": [t] * 3} for t in (1_000_000, 1_000_000, 1_500_000)]
    told = headline(judge([record("reference"), record("int8", rounds_ns=rounds)]))
    assert "No variant of digits is recommended" in told
    assert "int8, was 4.00x" in told
    assert "(2.67 to 4.00 in its 3 rounds)" in told
    assert "50% apart" in told


def test_headline_does_not_hide_what_may_be_faster() -> None:
    """A recommendation is followed by a faster variant that was too unstable to be recommended, and by none that is slower."""
    steady = [{"total": [2_000_000] * 3}] * 3
    quick, slow = ([{"total": [t] * 3} for t in times] for times in ((900_000, 1_000_000, 1_500_000), (2_500_000, 3_000_000, 3_500_000)))
    told = headline(judge([record("reference"), record("baseline", rounds_ns=steady), record("int8", rounds_ns=quick)]))
    assert "take baseline, 2.00x" in told
    assert "unstable here: int8, 4.00x (2.67 to 4.44)" in told
    assert "unstable" not in headline(judge([record("reference"), record("baseline", rounds_ns=steady), record("int8", rounds_ns=slow)]))


def test_compare(tmp_path: Path) -> None:
    """Two runs of a recipe are put side by side; runs of two recipes are refused."""
    a = write_run(tmp_path / "a", record("reference"), record("int8"))
    b = write_run(tmp_path / "b", record("reference"), record("fp16"))
    table = compare_runs(str(a), str(b))
    assert table.row_count == 3
    other = record("reference")
    c = write_run(tmp_path / "c", replace(other, recipe={**other.recipe, "name": "lp_intel"}))
    with pytest.raises(InputProblem, match="different recipes"):
        compare_runs(str(a), str(c))
    with pytest.raises(InputProblem, match="there is no run"):
        compare_runs(str(a), "nowhere")
