"""Whole builds with real toolchains on real images."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dockyard.report.report import COLUMNS
from dockyard.workflow import Built, build

Recipe = Callable[[dict[str, Any]], Path]

DIGITS: dict[str, Any] = {
    "model": "digits",
    "target": "intel-openvino",
    "optimizations": ["baseline", "int8"],
    "requirements": {"max_drop": 0.05},
    "measure": {"threads": 2, "runs": 20, "warmup": 2, "max_rounds": 3},
}


def run(recipe: Path, engine: str, results: Path, **options: Any) -> tuple[Built, str]:
    """Build a recipe and return what came of it and what it printed."""
    printed = io.StringIO()
    return build(str(recipe), Console(file=printed, width=200), engine=engine, results=results, **options), printed.getvalue()


def qualities(built: Built) -> dict[tuple[str, str], Any]:
    """Metrics and predictions by model and variant."""
    return {
        (j.record.model, j.record.variant): (j.record.quality["metrics"], [s["prediction"] for s in j.record.quality["samples"]])
        for j in built.judged
        if j.record.quality
    }


def test_a_model_of_ones_own_goes_the_whole_way_in_both_engines(
    docker_engine: object, venv_engine: object, recipe_file: Recipe, tmp_path: Path
) -> None:
    """The example of the documentation, a model folder without Python, gives the same quality in both engines, and a full report."""
    recipe = recipe_file(DIGITS)
    in_docker, _ = run(recipe, "docker", tmp_path / "docker")
    in_venv, printed = run(recipe, "venv", tmp_path / "venv")
    assert qualities(in_docker) == qualities(in_venv)
    assert all(j.record.status == "measured" for j in [*in_docker.judged, *in_venv.judged])
    assert in_venv.judged[0].quality is not None
    assert in_venv.judged[0].quality > 0.9
    rows = list(csv.DictReader((tmp_path / "venv" / "results.csv").open()))
    assert [r["variant"] for r in rows] == ["reference", "baseline", "int8"]
    assert tuple(rows[0]) == COLUMNS
    assert "engine: virtual environments, as asked" in printed


def test_a_second_build_makes_nothing_anew(venv_engine: object, recipe_file: Recipe, tmp_path: Path) -> None:
    """A second build reuses every converted and optimized artifact and measures quality and speed again."""
    recipe = recipe_file(DIGITS)
    run(recipe, "venv", tmp_path)
    built, printed = run(recipe, "venv", tmp_path)
    lines = [line.strip() for line in printed.splitlines()]
    made = [line for line in lines if line.startswith("digits/") and ("/optimize:" in line or "/convert/" in line)]
    assert len(made) == 3
    assert all(line.endswith("reused") for line in made)
    assert all(len(j.record.rounds_ns) == 3 for j in built.judged)


def test_only_one_method_leaves_the_published_results(venv_engine: object, recipe_file: Recipe, tmp_path: Path) -> None:
    """`--only` measures one method beside the reference and publishes nothing."""
    built, _ = run(recipe_file(DIGITS), "venv", tmp_path / "results", only="baseline")
    assert [j.record.variant for j in built.judged] == ["reference", "baseline"]
    assert not (tmp_path / "results").exists()


def test_a_search_keeps_the_front_within_its_budget(venv_engine: object, recipe_file: Recipe, tmp_path: Path) -> None:
    """A search measures what no other candidate beats, gives every candidate its record, and stops trying when its time is over."""
    recipe = recipe_file({**DIGITS, "optimizations": {"search": {"time_budget_s": 40}}})
    built, _ = run(recipe, "venv", tmp_path)
    statuses = {j.record.variant: j.record.status for j in built.judged}
    assert {"baseline", "fp16", "bf16", "int8", "int8-2", "int8-accuracy-aware"} <= statuses.keys()
    measured = [j for j in built.judged if j.record.status == "measured"]
    assert all(len(j.record.rounds_ns) == 3 for j in measured)
    assert len(measured) > 1
    for one in built.judged:
        if one.record.status == "not measured":
            assert "off the Pareto front" in one.record.reason or "budget" in one.record.reason or "bfloat16" in one.record.reason
    assert statuses["int8-accuracy-aware-2"] == "not measured"


def test_few_calibration_images_are_a_warning(venv_engine: object, recipe_file: Recipe, tmp_path: Path) -> None:
    """A calibration set below the method's minimum is a warning in the record, on both toolchains, and in the report."""
    recipe = recipe_file({**DIGITS, "optimizations": ["int8", {"method": "int8", "toolchain": "2023.3"}]})
    built, _ = run(recipe, "venv", tmp_path)
    told = "digits was calibrated with 60 images; statistics of fewer than 300 may mislead"
    assert {j.record.variant: j.record.warnings for j in built.judged} == {"reference": (), "int8": (told,), "int8@2023.3": (told,)}
    assert told in (tmp_path / "report.md").read_text()


@pytest.fixture(scope="module")
def pipeline(docker_engine: object, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The licence-plate pipeline from frozen graphs to int8, in containers."""
    import json

    folder = tmp_path_factory.mktemp("pipeline")
    recipe = folder / "plates.json"
    recipe.write_text(
        json.dumps(
            {
                "model": "license_plate",
                "target": "intel-openvino",
                "optimizations": ["baseline", "int8"],
                "measure": {"threads": 2, "runs": 20, "warmup": 5, "max_rounds": 3, "images": 100},
            }
        )
    )
    return run(recipe, "docker", folder / "results")[0]


def test_the_pipeline_is_measured_whole(pipeline: Built) -> None:
    """Detector, reader and pipeline have a record for every variant, each measured, with its scope."""
    found = [(j.record.model, j.record.variant, j.record.status, j.record.scope) for j in pipeline.judged]
    variants = ("reference", "baseline", "int8")
    assert found == [
        (model, variant, "measured", "pipeline" if model == "license_plate" else "network")
        for model in ("lp_detector", "lp_reader", "license_plate")
        for variant in variants
    ]


def test_the_reference_has_the_quality_of_its_model_card(pipeline: Built) -> None:
    """TensorFlow's quality on the test split: IoU at least 0.80, exact readings at least 0.95, countries at least 0.98."""
    metrics = {j.record.model: j.record.quality["metrics"] for j in pipeline.judged if j.record.variant == "reference" and j.record.quality}
    assert metrics["lp_detector"]["iou"] >= 0.80
    assert metrics["lp_reader"]["exact"] >= 0.95
    assert metrics["lp_reader"]["country"] >= 0.98


def test_conversion_costs_no_quality(pipeline: Built) -> None:
    """The float32 conversion agrees with TensorFlow: no sample flips, and the check of each output is in the record."""
    for one in pipeline.judged:
        if one.record.variant == "baseline":
            assert one.flipped == ()
            assert one.record.conversion
            assert all(row["agrees"] for row in one.record.conversion)


def test_what_is_measured_is_what_ships(pipeline: Built) -> None:
    """Every variant's record names the SHA-256 of the files measured, int8 files being the smaller ones."""
    sizes = {(j.record.model, j.record.variant): j.size_mb for j in pipeline.judged}
    for model in ("lp_detector", "lp_reader"):
        assert 0 < sizes[model, "int8"] < 0.5 * sizes[model, "baseline"]
