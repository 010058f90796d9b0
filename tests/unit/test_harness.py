"""The harness: quality and times of a network and of a pipeline, the check of a conversion, and one job folder's run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cpuinfo
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from shared.contract.model import InputSpec, Network
from shared.contract.steps import STEPS
from shared.runtime import machine
from shared.runtime.benchmark import benchmark_network, benchmark_pipeline
from shared.runtime.evaluate import SplitCalibration, check_conversion, evaluate, load_reference, save_reference
from shared.runtime.progress import report, track
from shared.runtime.run_job import run_folder
from shared.runtime.toolchain import Unsupported
from tests.conftest import ROOT
from tests.fakes import FakeSession

WriteImage = Callable[..., Path]
RESULT_SCHEMA = json.loads((ROOT / "shared" / "contract" / "result.schema.json").read_text())

CLASSIFIER = {
    "task": "classification",
    "graph": {"file": "g.pb", "sha256": "0" * 64},
    "input": {"name": "image", "shape": [1, 8, 8, 3]},
    "outputs": {"classes": {"tensor": "digit", "names": ["a", "b"]}},
    "data": {"folder": "data"},
}


def classifier() -> Network:
    return Network.from_json("net", CLASSIFIER)


def saved(path: Path, *outputs: dict[str, Any], size: int = 2) -> Path:
    """A reference file with these outputs for as many images."""
    save_reference(path, [(np.full((size, size, 3), i, np.uint8), out) for i, out in enumerate(outputs)])
    return path


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """Two images with two outputs, the larger value being 2."""
    first = {"digit": np.array([[1.0, 2.0]], np.float32), "other": np.zeros((1, 3), np.float32)}
    return saved(tmp_path / "reference.npz", first, first)


SMALL = InputSpec("image", (1, 2, 2, 3))
SAME = {"digit": np.array([[1.0, 2.0]], np.float32), "other": np.zeros((1, 3), np.float32)}


def test_reference_is_read_back(reference: Path) -> None:
    """Images and outputs of the reference are read as they were written."""
    pixels, outputs = load_reference(reference)
    assert (pixels.shape, pixels.dtype) == ((2, 2, 2, 3), np.uint8)
    assert sorted(outputs) == ["digit", "other"]
    assert np.array_equal(outputs["digit"][1], SAME["digit"])


def test_equal_graph_agrees(reference: Path) -> None:
    """A converted graph with the reference's outputs agrees, each output with difference 0."""
    rows = check_conversion(FakeSession(SAME, SMALL), reference)
    assert [(r["output"], r["difference"], r["agrees"]) for r in rows] == [("digit", 0.0, True), ("other", 0.0, True)]


@pytest.mark.parametrize(("off", "agrees"), [(0.001, True), (0.004, False), (1.0, False), (-1.0, False)])
def test_difference_is_told_as_a_share(reference: Path, off: float, agrees: bool) -> None:
    """An output's difference is told as a share of the reference's largest value, and held against the limit."""
    rows = check_conversion(FakeSession({**SAME, "digit": SAME["digit"] + np.float32(off)}, SMALL), reference)
    assert rows[0]["difference"] == pytest.approx(abs(off) / 2, rel=1e-3)
    assert (rows[0]["agrees"], rows[1]["agrees"]) == (agrees, True)


def test_difference_in_one_input_only(reference: Path) -> None:
    """One input of several on which the graphs disagree is enough."""
    rows = check_conversion(FakeSession(lambda image: {**SAME, "digit": SAME["digit"] * (1 + image.max())}, SMALL), reference)
    assert not rows[0]["agrees"]


@pytest.mark.parametrize(
    "digit",
    [np.ones((1, 3)), np.ones((2,)), np.array([[np.nan, 2.0]]), np.array([[np.inf, 2.0]]), None],
    ids=["wider", "flat", "NaN", "inf", "missing"],
)
def test_other_shape_or_no_number(reference: Path, digit: Any) -> None:
    """An output of another shape, with NaN or infinity, or missing, disagrees; what is told of it is JSON."""
    outputs = {"other": SAME["other"], **({} if digit is None else {"digit": digit})}
    row = check_conversion(FakeSession(outputs, SMALL), reference)[0]
    assert (row["output"], row["agrees"]) == ("digit", False)
    assert json.loads(json.dumps(row, allow_nan=False)) == row


class Toolchain:
    """A toolchain whose converted graph has given outputs."""

    def __init__(self, outputs: Any, error: Exception | None = None) -> None:
        self._session, self._error = FakeSession(outputs, classifier().input), error

    def versions(self) -> dict[str, str]:
        return {"fake": "1"}

    def convert(self, network: Network, graph: Path, output: Path, options: Any) -> dict[str, Any]:
        (output / "model.bin").write_text("converted")
        return {"nodes": 3}

    def optimize(self, network: Network, source: Path, output: Path, method: str, options: Any, data: Any) -> dict[str, Any]:
        if self._error:
            raise self._error
        (output / "model.bin").write_text(f"{method} of {len(list(data.inputs('calibration', network.input)))} images")
        return {"method": method}

    def load(self, network: Network, artifact: Path, threads: int) -> FakeSession:
        return self._session


@pytest.fixture
def folder(tmp_path: Path, write_image: WriteImage) -> Path:
    """A job folder with a graph, the reference's outputs and data."""
    job = tmp_path / "job"
    (job / "inputs" / "net").mkdir(parents=True)
    (job / "inputs" / "net" / "g.pb").write_bytes(b"graph")
    saved(job / "inputs" / "reference.npz", SAME, SAME, size=8)
    for split in ("calibration", "test"):
        for i in range(3):
            write_image(job / "inputs" / "data" / split / "images" / f"{i}.png", i)
        (job / "inputs" / "data" / split / "labels.csv").write_text("file,label\nimages/0.png,a\nimages/1.png,b\nimages/2.png,b\n")
    return job


CPU = cpuinfo.get_cpu_info()


@pytest.fixture(autouse=True)
def _cpu_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking the CPU takes a second each time."""
    monkeypatch.setattr(cpuinfo, "get_cpu_info", lambda: CPU)


@pytest.fixture(autouse=True)
def _same_affinity() -> Any:
    """Leave this process on the CPUs that it had."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def run(folder: Path, stage: str, toolchain: Toolchain, **changes: Any) -> dict[str, Any]:
    """Run a job of a stage and check that its result fits the schema."""
    job = {
        "version": 1,
        "id": f"net/x/{stage}",
        "stage": stage,
        "model": "net",
        "target": "fake",
        "toolchain": "1",
        "method": "x",
        "networks": {"net": CLASSIFIER},
        "artifacts": {"net": "inputs/net"},
        "reference": "inputs/reference.npz",
        "measure": {"threads": 1, "runs": 7, "warmup": 2, "images": 0},
        **changes,
    }
    (folder / "job.json").write_text(json.dumps(job))
    result = run_folder(folder, lambda: toolchain)
    assert list(Draft202012Validator(RESULT_SCHEMA).iter_errors(json.loads(json.dumps(result, allow_nan=False)))) == []
    return result


def test_conversion_job(folder: Path) -> None:
    """A conversion that agrees is done, with its check, its files and what the toolchain said."""
    result = run(folder, "convert", Toolchain(SAME))
    assert (result["status"], result["notes"], result["versions"]) == ("done", {"nodes": 3}, {"fake": "1"})
    assert [r["agrees"] for r in result["conversion"]] == [True, True]
    assert [f["path"] for f in result["artifact"]] == ["model.bin"]
    assert result["device"]["threads"] == 1


def test_wrong_conversion_names_output_and_amount(folder: Path) -> None:
    """A conversion that disagrees has failed, and the reason names the output, the amount and the limit."""
    result = run(folder, "convert", Toolchain({**SAME, "digit": SAME["digit"] + 1}))
    assert result["status"] == "failed"
    assert "'digit' differs by 0.5 of its largest value (limit 0.001)" in result["reason"]
    assert "'other'" not in result["reason"]


def test_conversion_of_another_shape(folder: Path) -> None:
    """An output of another shape, or none, is told as that."""
    result = run(folder, "convert", Toolchain({**SAME, "digit": np.ones((1, 5))}))
    assert "'digit' is missing, has another shape" in result["reason"]


def test_conversion_to_nan(folder: Path) -> None:
    """An output that is no number is told as not finite."""
    result = run(folder, "convert", Toolchain({**SAME, "digit": SAME["digit"] * np.nan}))
    assert result["status"] == "failed"
    assert "'digit'" in result["reason"]
    assert "not finite" in result["reason"]


def test_optimization_job(folder: Path) -> None:
    """An optimization is given its calibration images and leaves its files."""
    result = run(folder, "optimize", Toolchain(SAME), method="int8", data={"calibration": "inputs/data/calibration"})
    assert (result["status"], result["notes"]) == ("done", {"method": "int8"})
    assert (folder / "outputs" / "model.bin").read_text() == "int8 of 3 images"
    assert len(result["measured"]["net"]) == 64


def test_evaluation_job(folder: Path) -> None:
    """An evaluation scores each sample of the test split once and times each call."""
    result = run(folder, "evaluate", Toolchain(SAME), data={"test": "inputs/data/test"})
    assert result["quality"]["metrics"] == {"accuracy": pytest.approx(2 / 3)}
    assert [(s["id"], s["prediction"]) for s in result["quality"]["samples"]] == [(f"images/{i}.png", "b") for i in range(3)]
    assert len(result["timing"]["samples_ns"]["total"]) == 3
    assert result["timing"]["protocol"] == "dataset"
    assert not (folder / "outputs" / "reference.npz").exists()


def test_reference_leaves_its_outputs(folder: Path) -> None:
    """The reference's evaluation leaves real images and its outputs for the others."""
    run(folder, "evaluate", Toolchain(SAME), data={"test": "inputs/data/test"}, reference="")
    inputs, outputs = load_reference(folder / "outputs" / "reference.npz")
    assert inputs.shape == (3, 8, 8, 3)
    assert outputs["digit"].shape == (3, 1, 2)


def test_benchmark_job(folder: Path) -> None:
    """A benchmark keeps the raw time of each call and leaves the warm-up out."""
    result = run(folder, "benchmark", Toolchain(SAME))
    assert len(result["timing"]["samples_ns"]["total"]) == 7
    assert result["timing"]["protocol"] == "repeat"
    assert all(isinstance(v, int) and v >= 0 for v in result["timing"]["samples_ns"]["total"])


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (Unsupported("this CPU has no bfloat16"), "not measured", "this CPU has no bfloat16"),
        (ValueError("wrong preset"), "failed", "ValueError: wrong preset"),
        (MemoryError(), "failed", "MemoryError"),
        (RuntimeError("y" * 50_000), "failed", "RuntimeError: yyy"),
    ],
)
def test_whatever_is_raised_is_a_result(folder: Path, error: Exception, status: str, told: str) -> None:
    """Whatever a toolchain raises becomes a result with its reason."""
    result = run(folder, "optimize", Toolchain(SAME, error), data={"calibration": "inputs/data/calibration"})
    assert result["status"] == status
    assert result["reason"].startswith(told)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 2}', '{"version": 1}', '{"version": 1, "more": 1}'])
def test_no_job(folder: Path, content: str) -> None:
    """A job.json that is none is a failed result."""
    (folder / "job.json").write_text(content)
    result = run_folder(folder, lambda: Toolchain(SAME))
    assert (result["status"], bool(result["reason"])) == ("failed", True)


def test_unreadable_image_fails_the_job(folder: Path) -> None:
    """An image that cannot be decoded fails the job, named."""
    (folder / "inputs" / "data" / "test" / "images" / "1.png").write_bytes(b"text")
    result = run(folder, "evaluate", Toolchain(SAME), data={"test": "inputs/data/test"})
    assert (result["status"], result["reason"]) == ("failed", "cannot decode the image 1.png (4 bytes)")


def test_evaluate_counts_each_sample_once(folder: Path) -> None:
    """Quality, times and kept outputs are of the samples in their order."""
    quality, times, kept = evaluate(classifier(), FakeSession(SAME, classifier().input), folder / "inputs" / "data" / "test")
    assert (quality["main"], len(times), len(kept)) == ("accuracy", 3, 3)


def test_calibration_gives_inputs_and_scores(folder: Path) -> None:
    """An optimization sees the split's inputs in their order and can have its own outputs scored."""
    data = SplitCalibration(classifier(), {"calibration": folder / "inputs" / "data" / "calibration"})
    assert data.size("calibration") == 3
    assert [i.shape for i in data.inputs("calibration", classifier().input)] == [(1, 8, 8, 3)] * 3
    assert [data.score("calibration", i, SAME) for i in range(3)] == [0.0, 1.0, 1.0]


def test_network_is_timed_on_one_input(reference: Path) -> None:
    """A network is timed on its first real input, batch 1, after its warm-up."""
    seen: list[tuple[int, ...]] = []

    def look(image: np.ndarray) -> Any:
        seen.append(image.shape)
        return SAME

    timing = benchmark_network(FakeSession(look, SMALL), reference, 3, 5, 0)
    assert seen == [(1, 2, 2, 3)] * 8
    assert len(timing["samples_ns"]["total"]) == 5


def test_a_round_takes_its_seconds(reference: Path) -> None:
    """A fast network is called more often than asked, until the round's seconds are over."""
    timing = benchmark_network(FakeSession(SAME, SMALL), reference, 0, 1, 0.05)
    assert len(timing["samples_ns"]["total"]) > 1


READER = {"symbols": {"tensors": ["s"], "alphabet": "AB"}}
FOUND = {"box": np.array([[2, 2, 20, 10]]), "score": np.array([0.9])}
READ = {"s": np.array([[[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.0, 0.0, 0.9]]]), "country": np.array([[0.1, 0.9]])}


@pytest.fixture
def frames(tmp_path: Path, write_image: WriteImage) -> Path:
    """A split of three frames, the first of which a detector that looks for light will miss."""
    for i in range(3):
        write_image(tmp_path / "frames" / "images" / f"{i}.png", i)
    (tmp_path / "frames" / "readings.csv").write_text("file,reading,country\nimages/0.png,AB,GB\nimages/1.png,AB,GB\nimages/2.png,BA,D\n")
    return tmp_path / "frames"


def pipeline(frames: Path, outputs: dict[str, Any], images: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a pipeline whose detector misses the first frame that is measured."""
    finder_outputs = {"box": {"tensor": "box", "unit": "pixels"}, "score": {"tensor": "score", "minimum": 0.5}}
    finder = Network("finder", "detection", "", "g", "0" * 64, InputSpec("i", (1, 24, 32, 3)), finder_outputs, {})
    reader = Network("reader", "reading", "", "g", "0" * 64, InputSpec("i", (1, 8, 16, 3)), outputs, {})
    calls = iter([True] + [False] * 9)
    detect = FakeSession(lambda image: {**FOUND, "score": np.array([0.1])} if next(calls) else FOUND, finder.input)
    return benchmark_pipeline((finder, reader), (detect, FakeSession(READ, reader.input)), frames, 0.1, 0, images)


def test_pipeline_from_frames_to_readings(frames: Path) -> None:
    """A pipeline reads every frame; a plate that was missed counts as wrong."""
    outputs = {**READER, "country": {"tensor": "country", "names": ["D", "GB"]}}
    timing, quality = pipeline(frames, outputs)
    assert [s["prediction"] for s in quality["samples"]] == [None, "AB GB", "AB GB"]
    assert quality["metrics"] == {"exact": pytest.approx(1 / 3), "country": pytest.approx(1 / 3)}
    assert timing["scope"] == "pipeline"


def test_pipeline_time_is_the_sum_of_its_steps(frames: Path) -> None:
    """Each frame has a time for each step; they add up to the total, and steps that were not taken are 0."""
    timing, _ = pipeline(frames, READER)
    samples = timing["samples_ns"]
    assert set(samples) == set(STEPS)
    for i in range(3):
        assert samples["total"][i] == sum(samples[s][i] for s in STEPS if s != "total")
    assert (samples["reader"][0], samples["reader"][1] > 0) == (0, True)


def test_pipeline_may_be_cut_short(frames: Path) -> None:
    """A recipe may have fewer images measured."""
    timing, quality = pipeline(frames, READER, images=2)
    assert (len(timing["samples_ns"]["total"]), len(quality["samples"])) == (2, 2)


@pytest.mark.parametrize("reads_country", [True, False])
def test_no_country_is_not_wrong(frames: Path, reads_country: bool) -> None:
    """A missed plate is not counted against a country that the data, or the reader, does not have."""
    if reads_country:
        (frames / "readings.csv").write_text("file,reading\nimages/0.png,AB\nimages/1.png,AB\n")
    outputs = {**READER, "country": {"tensor": "country", "names": ["D", "GB"]}} if reads_country else READER
    _, quality = pipeline(frames, outputs)
    assert set(quality["metrics"]) == {"exact"}


def test_device_is_described() -> None:
    """What is told of the device is JSON, with its CPU, its affinity and the load before."""
    told = machine.describe()
    assert json.loads(json.dumps(told)) == told
    assert {"cpu", "affinity", "load_before", "kernel", "cpus"} <= set(told)


def test_pinning() -> None:
    """A job is pinned to as many of its CPUs as it asks for, and no more than it may use."""
    allowed = len(os.sched_getaffinity(0))
    assert machine.pin(0) == allowed
    assert machine.pin(10_000) == allowed
    assert (machine.pin(1), len(os.sched_getaffinity(0))) == (1, 1)


def test_progress_is_told_at_both_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """A long step tells its beginning and its end, as lines of JSON, and hands its items on."""
    assert list(track("abc", "read", 3)) == ["a", "b", "c"]
    report("load", 0, 0)
    steps = [json.loads(line)["dockyard_progress"] for line in capsys.readouterr().out.splitlines()]
    assert [(s["what"], s["done"], s["total"]) for s in steps] == [("read", 0, 3), ("read", 3, 3), ("load", 0, 0)]
