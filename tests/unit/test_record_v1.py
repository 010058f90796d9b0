"""Records of version 1 are read as records of version 2, whatever their toolchain noted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dockyard.judge.record_files import read_records
from dockyard.judge.verdicts import judge
from dockyard.recipe.workspace import PRODUCT
from shared.contract.errors import InputProblem
from shared.contract.measurement import Latency, Scope, TimingProtocol
from shared.contract.record import Record, RecordStatus
from shared.contract.result import Notes, Table

COMMITTED = PRODUCT / "results" / "records"

VERSION_1: dict[str, Any] = {
    "version": 1,
    "run": "20260101T000000Z",
    "recipe": {
        "name": "plates",
        "model": "pipe",
        "target": "shelf-cpu",
        "optimizations": [{"method": "int8"}],
        "requirements": {"max_drop": 0.01},
        "measure": {"rounds": 3},
    },
    "model": "pipe",
    "variant": "int8",
    "method": "int8",
    "options": {},
    "target": "shelf-cpu",
    "toolchain": "1",
    "engine": "docker",
    "status": "measured",
    "measured_at": "2026-01-01T00:00:00+00:00",
    "stage": "",
    "artifacts": {"finder": [{"path": "m", "sha256": "0" * 64, "bytes": 5}], "reader": []},
    "quality": {
        "main": "exact",
        "metrics": {"exact": 1},
        "samples": [{"id": "images/0.png", "scores": {"exact": 1}, "prediction": "AB1"}],
    },
    "scope": "pipeline",
    "rounds_ns": [{"total": [9, 10], "decode": [4, 5], "finder": [5, 5]}],
    "dataset_ns": [],
    "optimize_s": 2,
}


def read(folder: Path, **changes: Any) -> Record:
    (folder / "int8.json").write_text(json.dumps({**VERSION_1, **changes}))
    (one,) = read_records(folder)
    return one


def noted(folder: Path, **notes: Any) -> Notes:
    return read(folder, notes={"finder": notes}).notes["finder"]


def test_committed_records_are_read_and_judged() -> None:
    """Every committed record is read, measured, and judged beside its reference."""
    records = read_records(COMMITTED)
    assert len(records) == len(list(COMMITTED.rglob("*.json")))
    assert {one.status for one in records} == {RecordStatus.MEASURED}
    verdicts = Counter(one.verdict.value for one in judge(records))
    assert verdicts["reference"] == 13
    assert not {"failed", "not measured"} & verdicts.keys()


def test_measurement(tmp_path: Path) -> None:
    """A pipeline's rounds have their scope, protocol and steps; a network's were one input many times."""
    one = read(tmp_path)
    steps = {"total": (9, 10), "decode": (4, 5), "finder": (5, 5)}
    assert one.rounds == (Latency(Scope.PIPELINE, TimingProtocol.DATASET, steps),)
    network = read(tmp_path, scope="network", rounds_ns=[{"total": [7]}])
    assert network.rounds == (Latency(Scope.NETWORK, TimingProtocol.REPEAT, {"total": (7,)}),)


def test_what_was_not_known_then(tmp_path: Path) -> None:
    """No cache key is known, and an empty stage is none."""
    one = read(tmp_path)
    assert (one.version, one.stage, one.optimize_s) == (2, None, 2.0)
    assert {name: artifact.cache_key for name, artifact in one.artifacts.items()} == dict.fromkeys(
        ("finder", "reader")
    )
    assert [file.path for file in one.artifacts["finder"].artifact.files] == ["m"]
    assert read(tmp_path, status="failed", stage="convert").stage == "convert"


def test_a_list_of_objects_is_a_table(tmp_path: Path) -> None:
    """Objects in a list are the rows of a table titled by its key; a long table is folded."""
    rows = [{"name": "conv|1", "ms": 0.123456, "calls": 2}, {"name": "add", "ms": None, "parts": ["a", "b"]}]
    table = Table(
        "slow kernels",
        ("name", "ms", "calls", "parts"),
        (("conv|1", "0.1235", "2", "-"), ("add", "-", "-", "a, b")),
    )
    assert noted(tmp_path, slow_kernels=rows).tables == (table,)
    assert noted(tmp_path, slow_kernels=rows * 6).tables[0].folded


def test_numbers_and_plain_objects_are_a_remark(tmp_path: Path) -> None:
    """Numbers, objects of plain values and empty lists are put into words, the rest is kept as details."""
    notes = noted(
        tmp_path,
        quantized_operations=59,
        tuning={"cpu": "znver4", "new_trials": 0},
        reverted=[],
        tool="1.2",
        passes=[0.5, 0.25],
        log=["a line"],
        conversion={"nodes": 3},
        nested={"a": {"b": 1}},
        calibration_images=300,
    )
    said = "quantized operations 59; tuning: cpu znver4, new trials 0; reverted none; calibration images 300"
    assert notes.remarks == (said,)
    assert notes.calibration_images == 300
    assert notes.tables == ()
    assert notes.details == {
        "tool": "1.2",
        "passes": [0.5, 0.25],
        "log": ["a line"],
        "conversion": {"nodes": 3},
        "nested": {"a": {"b": 1}},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "stream"},
        {"rounds_ns": [{"total": []}]},
        {"rounds_ns": [{"total": [1.5]}]},
        {"artifacts": {"finder": [{"path": "m"}]}},
        {"quality": {"main": "exact"}},
        {"recipe": {"name": "plates"}},
        {"notes": {"finder": {"calibration_images": -1}}},
        {"more": 1},
    ],
)
def test_damaged_record(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A record of version 1 that is damaged is refused by its file and place."""
    with pytest.raises(InputProblem, match=r"int8\.json: \$"):
        read(tmp_path, **changes)
