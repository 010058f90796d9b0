"""Whole builds with real toolchains on real images."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dockyard.deliver.find import measured_artifact
from dockyard.judge.record_files import read_records
from dockyard.judge.roofline import roofline
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.report.csv import COLUMNS
from dockyard.workflow import BuildResult, build, summarize
from shared.contract.artifact import MANIFEST_FILE
from shared.contract.errors import JobFailed
from shared.contract.measurement import Scope
from shared.contract.record import Record, RecordStatus
from tests.integration.conftest import new_workspace
from tests.integration.few_plates import add_few_plates

Recipe = Callable[[dict[str, Any]], Path]

DIGITS: dict[str, Any] = {
    "model": "digits",
    "target": "intel-openvino",
    "optimizations": ["baseline", "int8"],
    "requirements": {"max_drop": 0.05},
    "measure": {"threads": 2, "cycles": 3, "burst_s": 0.05, "warmup": 2, "max_rounds": 3},
}


def run(workspace: Workspace, recipe: Path, engine: str, **options: Any) -> tuple[BuildResult, str]:
    """Build a recipe and return what came of it and what it printed."""
    printed = io.StringIO()
    built = build(workspace, str(recipe), Console(file=printed, width=200), engine=engine, **options)
    return built, printed.getvalue()


def records(built: BuildResult) -> list[Record]:
    return [one.record for one in built.assessments]


def qualities(built: BuildResult) -> dict[tuple[str, str], Any]:
    """Metrics and predictions by model and variant."""
    found = {}
    for record in records(built):
        assert record.quality is not None
        predictions = [sample.prediction for sample in record.quality.samples]
        found[record.model, record.variant] = (record.quality.metrics, predictions)
    return found


@pytest.fixture
def private_files() -> Iterator[None]:
    """What is written meanwhile is for its owner alone."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_model_of_ones_own_goes_the_whole_way_in_both_engines(
    docker_executor: object, venv_executor: object, private_files: None, recipe_file: Recipe, tmp_path: Path
) -> None:
    """The documentation's example, a model folder without Python, has the same quality in both engines, in
    folders with blanks and umlauts that only their owner may read.
    """
    recipe = recipe_file(DIGITS)
    in_docker, _ = run(new_workspace(tmp_path / "Prüfstand, docker"), recipe, "docker")
    in_venv, printed = run(new_workspace(tmp_path / "Prüfstand, venv"), recipe, "venv")
    assert qualities(in_docker) == qualities(in_venv)
    assert {record.status for record in [*records(in_docker), *records(in_venv)]} == {RecordStatus.MEASURED}
    assert in_venv.assessments[0].quality is not None
    assert in_venv.assessments[0].quality > 0.9
    rows = list(csv.DictReader((in_venv.workspace.results / "results.csv").open()))
    assert [row["variant"] for row in rows] == ["reference", "baseline", "int8"]
    assert list(rows[0]) == [name for name, _, _ in COLUMNS]
    assert "engine: virtual environments, as asked" in printed


def test_each_toolchain_counts_and_computes_the_same_work(
    venv_executor: object, workspace: Workspace, recipe_file: Recipe
) -> None:
    """Toolchains count the same operations of a network, and each burst has its yardstick beside it."""
    others = [{"method": "int8", "toolchain": "2023.3"}]
    others += [{"method": name, "target": "onnxruntime"} for name in ("baseline", "int8")]
    others.append({"method": "scheduled", "target": "tvm-llvm"})
    recipe = recipe_file({**DIGITS, "optimizations": ["baseline", *others]})
    built, _ = run(workspace, recipe, "venv")
    works = {one.record.variant: one.record.notes["digits"].work for one in built.assessments[1:]}
    assert len(works) == 5
    assert len(set(works.values())) == 1
    reached = roofline(built.assessments)
    assert reached is not None
    assert {one.variant: one.precision.value for one in reached.reached} == {
        "reference": "float32",
        "baseline": "float32",
        "int8@2023.3": "int8",
        "baseline@onnxruntime": "float32",
        "int8@onnxruntime": "int8",
        "scheduled@tvm-llvm": "float32",
    }
    assert all(0 < one.share.estimate < 3 for one in reached.reached)


@pytest.fixture(scope="module")
def built_digits(venv_executor: object, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The digits, built from recipes/digits.json of a workspace."""
    workspace = new_workspace(tmp_path_factory.mktemp("digits") / "workspace")
    recipe = workspace.root / "recipes" / "digits.json"
    recipe.write_text(json.dumps(DIGITS))
    return run(workspace, recipe, "venv")[0]


def test_a_second_build_makes_nothing_anew(built_digits: BuildResult) -> None:
    """A second build reuses every converted and optimized artifact and measures quality and speed again."""
    workspace = built_digits.workspace
    built, printed = run(workspace, workspace.root / "recipes" / "digits.json", "venv")
    lines = [line.strip() for line in printed.splitlines()]
    made = [
        line for line in lines if line.startswith("digits/") and ("/optimize:" in line or "/convert/" in line)
    ]
    assert len(made) == 3
    assert all(line.endswith("reused") for line in made)
    assert all(len(record.rounds) == 3 for record in records(built))


def test_the_record_leads_to_the_bytes(built_digits: BuildResult) -> None:
    """The cache key in a record leads to the files that were measured, byte for byte."""
    (record,) = (record for record in records(built_digits) if record.variant == "int8")
    folder = measured_artifact(built_digits.workspace, record, "digits")
    names = {file.path for file in record.artifacts["digits"].artifact.files}
    assert names == {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert MANIFEST_FILE in names


def test_only_one_method_leaves_the_published_results(built_digits: BuildResult) -> None:
    """`--only` measures one method beside the reference and publishes nothing."""
    workspace = built_digits.workspace
    published = {path: path.read_bytes() for path in workspace.results.rglob("*") if path.is_file()}
    assert published
    built, _ = run(workspace, workspace.root / "recipes" / "digits.json", "venv", only="baseline")
    assert [record.variant for record in records(built)] == ["reference", "baseline"]
    assert {path: path.read_bytes() for path in workspace.results.rglob("*") if path.is_file()} == published


def test_a_reference_that_finds_nothing_fails_the_build(
    venv_executor: object, workspace: Workspace, recipe_file: Recipe
) -> None:
    """Names shifted by one fail the reference and all its variants, with the cause, and the build."""
    folder = workspace.root / "models" / "digits"
    shutil.copytree(PRODUCT / "models" / "digits", folder)
    model = json.loads((folder / "model.json").read_text())
    names = model["outputs"]["classes"]["names"]
    model["outputs"]["classes"]["names"] = [*names[1:], names[0]]
    (folder / "model.json").write_text(json.dumps(model))
    built, _ = run(workspace, recipe_file(DIGITS), "venv")
    assert {record.status for record in records(built)} == {RecordStatus.FAILED}
    (reason,) = {record.reason for record in records(built)}
    assert "below the 0.98 that model.json expects" in reason
    assert "with the names shifted by one (the last to the front)" in reason
    with pytest.raises(JobFailed, match="3 of 3 variants failed; first: the reference cannot be"):
        summarize(built, Console(file=io.StringIO()))


def test_a_search_keeps_the_front_within_its_budget(
    venv_executor: object, workspace: Workspace, recipe_file: Recipe
) -> None:
    """A search measures what no other candidate beats, records each candidate, and minds its time."""
    recipe = recipe_file({**DIGITS, "optimizations": {"search": {"time_budget_s": 40}}})
    built, _ = run(workspace, recipe, "venv")
    found = {record.variant: record for record in records(built)}
    assert {"baseline", "fp16", "bf16", "int8", "int8-2", "int8-accuracy-aware"} <= found.keys()
    measured = [record for record in found.values() if record.status == RecordStatus.MEASURED]
    assert all(len(record.rounds) == 3 for record in measured)
    assert len(measured) > 1
    reasons = [record.reason for record in found.values() if record.status == RecordStatus.NOT_MEASURED]
    for reason in reasons:
        assert "off the Pareto front" in reason or "budget" in reason or "bfloat16" in reason
    # Whether one is left depends on the machine: of networks of 0.05 ms none may certainly beat another.
    assert len(measured) + len(reasons) == len(found), "each candidate is measured or left, and none failed"


def test_few_calibration_images_are_a_warning(
    venv_executor: object, workspace: Workspace, recipe_file: Recipe
) -> None:
    """A calibration set below the method's minimum is a warning in record and report, on both toolchains."""
    recipe = recipe_file({**DIGITS, "optimizations": ["int8", {"method": "int8", "toolchain": "2023.3"}]})
    built, _ = run(workspace, recipe, "venv")
    warning = "digits was calibrated with 60 images; statistics of fewer than 300 may mislead"
    warnings = {record.variant: record.warnings for record in records(built)}
    assert warnings == {"reference": (), "int8": (warning,), "int8@2023.3": (warning,)}
    assert warning in (workspace.results / "report.md").read_text()


PLATES: dict[str, Any] = {
    "model": "license_plate",
    "target": "intel-openvino",
    "optimizations": ["baseline", "int8"],
    "measure": {"threads": 2, "cycles": 3, "burst_s": 0.05, "warmup": 5, "max_rounds": 3, "images": 100},
}


@pytest.fixture(scope="module")
def pipeline(docker_executor: object, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The licence-plate pipeline from frozen graphs to int8, in containers."""
    workspace = new_workspace(tmp_path_factory.mktemp("pipeline") / "workspace")
    recipe = workspace.root / "recipes" / "plates.json"
    recipe.write_text(json.dumps({**PLATES, "data": add_few_plates(workspace, 100)}))
    return run(workspace, recipe, "docker")[0]


def test_the_pipeline_is_measured_whole(pipeline: BuildResult) -> None:
    """Detector, reader and pipeline have a record for every variant, each measured, with its scope."""
    found = [(record.model, record.variant, record.status, record.scope) for record in records(pipeline)]
    expected = []
    for model in ("lp_detector", "lp_reader", "license_plate"):
        scope = Scope.PIPELINE if model == "license_plate" else Scope.NETWORK
        variants = ("reference", "baseline", "int8")
        expected += [(model, variant, RecordStatus.MEASURED, scope) for variant in variants]
    assert found == expected


def test_the_reference_has_the_quality_of_its_model_card(pipeline: BuildResult) -> None:
    """On 100 test images TensorFlow has IoU of 0.80, exact readings of 0.95, countries of 0.98 at least."""
    references = [record for record in records(pipeline) if record.variant == "reference"]
    metrics = {record.model: record.quality.metrics for record in references if record.quality}
    assert metrics["lp_detector"]["iou"] >= 0.80
    assert metrics["lp_reader"]["exact"] >= 0.95
    assert metrics["lp_reader"]["country"] >= 0.98


def test_conversion_costs_no_quality(pipeline: BuildResult) -> None:
    """The float32 conversion agrees with TensorFlow: no sample flips, and each output's check is in the
    record.
    """
    for one in pipeline.assessments:
        if one.record.variant == "baseline":
            assert one.flipped == ()
            assert one.record.differences
            assert all(difference.agrees for difference in one.record.differences)


def test_what_is_measured_is_what_ships(pipeline: BuildResult) -> None:
    """Every variant's record names the SHA-256 of the files measured, int8 files being the smaller ones."""
    sizes = {(one.record.model, one.record.variant): one.size_mb for one in pipeline.assessments}
    for model in ("lp_detector", "lp_reader"):
        assert 0 < sizes[model, "int8"] < 0.5 * sizes[model, "baseline"]


def test_two_builds_in_one_workspace_take_turns(venv_executor: object, workspace: Workspace) -> None:
    """Two recipes that are built at once in one workspace both come out right, and both are published."""
    for name in ("one", "other"):
        (workspace.root / "recipes" / f"{name}.json").write_text(json.dumps(DIGITS))
    build_it = [sys.executable, "-m", "invoke", "--search-root", str(PRODUCT), "build", "--engine", "venv"]
    build_it += ["--workspace", str(workspace.root), "--recipe"]
    running = []
    for name in ("one", "other"):
        running.append(subprocess.Popen([*build_it, f"{name}.json"], stdout=subprocess.PIPE, text=True))
    printed = [process.communicate(timeout=1200)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], printed
    assert any("waiting for venv, where another build is at work" in text for text in printed)
    found = [read_records(workspace.results / "records" / name) for name in ("one", "other")]
    for one, other in zip(*found):
        assert one.status == other.status == RecordStatus.MEASURED
        assert one.quality == other.quality
    rows = list(csv.DictReader((workspace.results / "results.csv").open()))
    assert [row["recipe"] for row in rows] == ["one"] * 3 + ["other"] * 3
