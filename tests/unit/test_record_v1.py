"""Records of versions 1 and 2 are read as those of today, whatever their toolchain noted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockyard.judge.record_files import read_records
from dockyard.recipe.workspace import PRODUCT
from shared.contract.codec import encode
from shared.contract.errors import InputProblem
from shared.contract.measurement import Latency, Scope, TimingProtocol
from shared.contract.record import Record, Round
from shared.contract.result import Notes, Table
from tests.builders import record

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


def test_measurement(tmp_path: Path) -> None:
    """A pipeline's rounds have their scope, protocol and steps; a network's were one input many times."""
    one = read(tmp_path)
    steps = {"total": (9, 10), "decode": (4, 5), "finder": (5, 5)}
    assert one.rounds == (Round(1, Latency(Scope.PIPELINE, TimingProtocol.DATASET, steps)),)
    network = read(tmp_path, scope="network", rounds_ns=[{"total": [7]}])
    assert network.rounds == (Round(1, Latency(Scope.NETWORK, TimingProtocol.REPEAT, {"total": (7,)})),)


def test_version_2(tmp_path: Path) -> None:
    """The rounds of version 2 get their numbers; all else is as it was."""
    latency = {"kind": "latency", "scope": "network", "protocol": "repeat", "samples_ns": {"total": [7, 8]}}
    document = {**encode(record()), "version": 2, "rounds": [latency, latency]}
    (tmp_path / "int8.json").write_text(json.dumps(document))
    (one,) = read_records(tmp_path)
    measured = Latency(Scope.NETWORK, TimingProtocol.REPEAT, {"total": (7, 8)})
    assert one == replace(record(), rounds=(Round(1, measured), Round(2, measured)))


@pytest.mark.parametrize("rounds", [5, [5], [{"kind": "latency"}]])
def test_version_2_that_is_none(tmp_path: Path, rounds: Any) -> None:
    """What says that it is of version 2 and has other rounds is refused, with its file."""
    (tmp_path / "int8.json").write_text(json.dumps({**encode(record()), "version": 2, "rounds": rounds}))
    with pytest.raises(InputProblem, match=r"int8\.json"):
        read_records(tmp_path)


def test_what_was_not_known_then(tmp_path: Path) -> None:
    """No cache key is known, and an empty stage is none."""
    one = read(tmp_path)
    assert (one.version, one.stage, one.optimize_s) == (3, None, 2.0)
    assert {name: artifact.cache_key for name, artifact in one.artifacts.items()} == dict.fromkeys(
        ("finder", "reader")
    )
    assert [file.path for file in one.artifacts["finder"].artifact.files] == ["m"]
    assert read(tmp_path, status="failed", stage="convert").stage == "convert"


def test_what_was_tuned(tmp_path: Path) -> None:
    """A tuning is a sentence, the slowest kernels a folded table."""
    tuning = {
        "cpu": "znver4",
        "database": "own",
        "tasks": 2,
        "trials": 9,
        "new_trials": 3,
        "seconds": 12.4,
        "stopped": "time budget",
    }
    kernels = [{"name": f"conv{i}", "ms": 0.123456, "share": 0.08, "calls": 2} for i in range(12)]
    notes = noted(tmp_path, tuning=tuning, kernels=kernels)
    assert notes.remarks == (
        "finder was tuned for znver4 with the database kept for this CPU: 9 trials of 2 tasks, "
        "3 of them new, in 12 s, until the time for it was spent",
    )
    (table,) = notes.tables
    assert table.title == "Where the time of finder goes: the 10 slowest of 12 kernels take 80%"
    assert (len(table.rows), table.rows[0], table.folded) == (10, ("conv0", "0.123", "8.0%", "2"), True)
    assert notes.details == {"tuning": tuning}


def test_what_went_back_to_float(tmp_path: Path) -> None:
    """Operations that went back to floating point are counted, and listed with the costliest first."""
    costs = {"add": None, "mul": 0.25, "min": -0.5}
    reverted = [{"operation": name, "type": name.title(), "cost": cost} for name, cost in costs.items()]
    others = {"quantized_operations": 59, "log": ["a line"]}
    notes = noted(tmp_path, reverted=reverted, calibration_images=300, **others)
    whole = "3 of 59 quantized operations of finder went back to floating point (calibrated with 300 images)"
    assert notes.remarks == (whole,)
    rows = (("mul", "Mul", "+0.2500"), ("min", "Min", "-0.5000"), ("add", "Add", "-"))
    columns = ("operation", "type", "cost, as the tool has it")
    assert notes.tables == (Table("Operations of finder put back to floating point", columns, rows),)
    assert notes.calibration_images == 300
    assert notes.details == others


def test_what_the_tool_claims(tmp_path: Path) -> None:
    """Where only the log says what accuracy control did, its last line is quoted as a claim."""
    notes = {"finder": {"log": ["Accuracy  drop: 0.003", "Elapsed Time: 00:00:01"]}}
    one = read(tmp_path, method="int8-accuracy-aware", notes=notes)
    assert one.notes["finder"].remarks == (
        "what the tool said of finder, not believed but measured: Accuracy drop: 0.003",
    )
    assert read(tmp_path, notes=notes).notes["finder"].remarks == ()


@pytest.mark.parametrize(
    ("file", "runtime"), [("m.pb", "TensorFlow"), ("m.onnx", "ONNX Runtime"), ("m.tflite", "TensorFlow Lite")]
)
def test_what_the_reference_ran_in(tmp_path: Path, file: str, runtime: str) -> None:
    """A reference ran in what runs its graph's format."""
    artifacts = {"finder": [{"path": file, "sha256": "0" * 64, "bytes": 5}]}
    one = read(tmp_path, variant="reference", artifacts=artifacts)
    assert one.settings["runtime"] == runtime


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
        {"notes": {"finder": {"tuning": {"cpu": "znver4"}}}},
        {"notes": {"finder": {"kernels": [{"name": "conv"}]}}},
        {"notes": {"finder": {"reverted": ["conv"]}}},
        {"notes": {"finder": {"log": [1]}}},
        {"more": 1},
    ],
)
def test_damaged_record(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A record of version 1 that is damaged is refused by its file and place."""
    with pytest.raises(InputProblem, match=r"int8\.json: \$"):
        read(tmp_path, **changes)
