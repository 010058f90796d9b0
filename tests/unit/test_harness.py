"""The harness: quality and times of a network, the check of a conversion, and one job folder's run."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from shared.contract.artifact import MANIFEST_FILE, BuiltFor, Manifest
from shared.contract.codec import decode, encode
from shared.contract.job import END, GO, Job
from shared.contract.measurement import Latency, Scope, TimingProtocol
from shared.contract.model import DataLocation, InputSpec, Network, PipelineNode
from shared.contract.outputs import ClassificationOutputs, NamedClasses, Task
from shared.contract.result import Notes, OutputDifference, Result, Status, Table
from shared.contract.stages import (
    Compile,
    Convert,
    Evaluate,
    NetworkBenchmark,
    NetworkFiles,
    Optimize,
    Parameters,
    PipelineBenchmark,
    PipelineEvaluate,
    PipelineFiles,
    Predict,
    Tolerance,
    Tracker,
    Tuning,
)
from shared.harness import machine
from shared.harness.bursts import CALLS, MOST_CALLS, Bursts, Words, take_bursts
from shared.harness.calibration import SplitCalibration
from shared.harness.evaluate import evaluate
from shared.harness.progress import report, track
from shared.harness.reference import Kept, compare, load_reference, save_reference
from shared.harness.run_job import run_folder
from shared.harness.toolchain import LONGEST_REASON, OPEN_BATCH, Capabilities, Product, first_line
from shared.inference.cpu import cpu_info, unfit
from shared.inference.image_files import read_image
from shared.inference.preprocess import to_input
from shared.inference.session import Unsupported
from tests.conftest import ROOT
from tests.fakes import FakeSession

WriteImage = Callable[..., Path]
SCHEMA = Draft202012Validator(json.loads((ROOT / "shared" / "contract" / "result.schema.json").read_text()))

CLASSIFIER = Network(
    name="net",
    task=Task.CLASSIFICATION,
    description="",
    graph="g.pb",
    sha256="0" * 64,
    input=InputSpec("image", (1, 8, 8, 3)),
    outputs=ClassificationOutputs(NamedClasses("digit", ("a", "b"))),
    data=DataLocation(folder="data"),
)
FILES = NetworkFiles(CLASSIFIER, "inputs/net")
PIPELINE = PipelineFiles((PipelineNode("first", "net"), PipelineNode("second", "net")), (FILES,))
REFERENCE = "inputs/reference.npz"
TEST = "inputs/data/test"


def saved(path: Path, *outputs: dict[str, Any], size: int = 2) -> Path:
    """A reference file with these outputs for as many images."""
    kept = [Kept(np.full((size, size, 3), i, np.uint8), out) for i, out in enumerate(outputs)]
    save_reference(path, kept)
    return path


SMALL = InputSpec("image", (1, 2, 2, 3))
SAME = {"digit": np.array([[1.0, 2.0]], np.float32), "other": np.zeros((1, 3), np.float32)}


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """Two images with two outputs, the larger value being 2."""
    return saved(tmp_path / "reference.npz", SAME, SAME)


def compared(outputs: Any, reference: Path) -> tuple[OutputDifference, ...]:
    """Compare a network that gives these outputs."""
    return compare(FakeSession(outputs, SMALL), Tolerance(reference.name, 1e-3), reference.parent)


def test_reference_is_read_back(reference: Path) -> None:
    """Images and outputs of the reference are read as they were written."""
    pixels, outputs = load_reference(reference)
    assert (pixels.shape, pixels.dtype) == ((2, 2, 2, 3), np.uint8)
    assert sorted(outputs) == ["digit", "other"]
    assert np.array_equal(outputs["digit"][1], SAME["digit"])


def test_equal_graph_agrees(reference: Path) -> None:
    """A converted graph with the reference's outputs agrees, each output with difference 0."""
    rows = compared(SAME, reference)
    assert rows == (OutputDifference("digit", 0.0, 1e-3, True), OutputDifference("other", 0.0, 1e-3, True))


@pytest.mark.parametrize(("off", "agrees"), [(0.001, True), (0.004, False), (1.0, False), (-1.0, False)])
def test_difference_is_relative(reference: Path, off: float, agrees: bool) -> None:
    """An output's difference is over the reference's largest value, and held against the limit."""
    first, second = compared({**SAME, "digit": SAME["digit"] + np.float32(off)}, reference)
    assert first.difference == pytest.approx(abs(off) / 2, rel=1e-3)
    assert (first.agrees, second.agrees) == (agrees, True)


def test_difference_in_one_input_only(reference: Path) -> None:
    """One input of several on which the graphs disagree is enough."""
    rows = compared(lambda image: {**SAME, "digit": SAME["digit"] * (1 + image.max())}, reference)
    assert not rows[0].agrees


@pytest.mark.parametrize(
    "digit",
    [np.ones((1, 3)), np.ones((2,)), np.array([[np.nan, 2.0]]), np.array([[np.inf, 2.0]]), None],
    ids=["wider", "flat", "NaN", "inf", "missing"],
)
def test_other_shape_or_no_number(reference: Path, digit: Any) -> None:
    """An output of another shape, with NaN or infinity, or missing, disagrees, without a difference."""
    outputs = {"other": SAME["other"], **({} if digit is None else {"digit": digit})}
    assert compared(outputs, reference)[0] == OutputDifference("digit", None, 1e-3, False)


NOTES = Notes(("what it did",), (Table("Kernels", ("kernel",), (("conv",),)),), details={"nodes": 3})
LEFT_TO_DO = replace(CLASSIFIER.input, channels="BGR")
BUILT_FOR = BuiltFor("x86_64", "znver4", ("avx2",))


class Toolchain:
    """A toolchain whose networks have given outputs; it keeps what its loader was given."""

    def __init__(self, outputs: Any, error: Exception | None = None) -> None:
        self.loaded: list[tuple[str, Manifest, int]] = []
        self.options: Any = None
        self.tunings: list[Any] = []
        self._outputs, self._error = outputs, error

    def versions(self) -> dict[str, str]:
        return {"fake": "1"}

    def convert(self, network: Network, graph: Path, output: Path, options: Any) -> Product:
        (output / "model.bin").write_text(f"converted {graph.read_text()}")
        self.options = options
        return Product("fake-format", LEFT_TO_DO, {"precision": "f32"}, BUILT_FOR, NOTES)

    def optimize(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Any,
        data: Any,
        start: Any,
    ) -> Product:
        if self._error:
            raise self._error
        images = list(data.inputs("calibration", manifest.input)) if data.size("calibration") else []
        start_text = f" from {start.name}" if start is not None else ""
        (output / "model.bin").write_text(f"{method} of {len(images)} images{start_text}")
        return Product(manifest.format, manifest.input, manifest.settings, notes=NOTES)

    def compile(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Any,
        cache: Path,
    ) -> Product:
        (output / "model.bin").write_text(f"{method} of {(source / 'model.bin').read_text()}")
        (cache / "timing.cache").write_text(f"{options}")
        return Product("fake-engine", manifest.input, built_for=BUILT_FOR, notes=NOTES)

    def tune(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Any,
        tuning: Any,
        threads: int,
    ) -> Product:
        self.tunings.append(tuning)
        (output / "model.bin").write_text("tuned")
        (tuning.output / "znver4.json.gz").write_bytes(b"database")
        return Product(manifest.format, manifest.input)

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> FakeSession:
        self.loaded.append((artifact.name, manifest, threads))
        return FakeSession(self._outputs, manifest.input)

    def load_graph(self, network: Network, graph: Path, threads: int) -> FakeSession:
        assert graph.read_text() == "graph"
        return FakeSession(self._outputs, network.input)

    def capabilities(self, **changes: Any) -> Capabilities:
        whole = Capabilities(
            self.versions,
            loader=self,
            converter=self,
            optimizer=self,
            compiler=self,
            tuner=self,
            graph_loader=self,
        )
        return replace(whole, **changes)


@pytest.fixture
def folder(tmp_path: Path, write_image: WriteImage) -> Path:
    """A job folder with a graph, the reference's outputs and data."""
    job = tmp_path / "job"
    (job / "inputs" / "net").mkdir(parents=True)
    (job / "inputs" / "net" / "g.pb").write_text("graph")
    saved(job / "inputs" / "reference.npz", SAME, SAME, size=8)
    rows = "file,label\nimages/0.png,a\nimages/1.png,b\nimages/2.png,b\n"
    for split in ("calibration", "test"):
        for i in range(3):
            write_image(job / "inputs" / "data" / split / "images" / f"{i}.png", i)
        (job / "inputs" / "data" / split / "labels.csv").write_text(rows)
    return job


MANIFEST = Manifest("fake-format", "fake", "1", LEFT_TO_DO, settings={"precision": "f32"})


@pytest.fixture
def artifact(folder: Path) -> Path:
    """The same job folder, given an artifact in the place of the graph."""
    given = folder / "inputs" / "net"
    (given / "g.pb").unlink()
    (given / "model.bin").write_text("model")
    (given / MANIFEST_FILE).write_text(json.dumps(encode(MANIFEST)))
    return folder


@pytest.fixture(autouse=True)
def _same_affinity() -> Iterator[None]:
    """Leave this process on the CPUs that it had."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def words_for(bursts: int) -> Words:
    """The words of a host that wants so many bursts."""
    return lambda done: GO if done < bursts else END


def run(
    folder: Path, parameters: Parameters, capabilities: Capabilities, method: str = "x", bursts: int = 1
) -> Result:
    """Run a job and check that its result fits the schema and comes back from its file as it was."""
    job = Job("net/x/y", "net", "fake", "1", method, 1, parameters)
    (folder / "job.json").write_text(json.dumps(encode(job)))
    result = run_folder(folder, capabilities, words_for(bursts))
    document = json.loads(json.dumps(encode(result), allow_nan=False))
    assert list(SCHEMA.iter_errors(document)) == []
    assert decode(Result, document) == result
    return result


CONVERT = Convert(FILES, Tolerance(REFERENCE, 1e-3), {"layout": "NHWC"})
OPTIMIZE = Optimize(FILES, {"preset": "mixed"}, {"calibration": "inputs/data/calibration"})


def test_conversion_job(folder: Path) -> None:
    """A conversion that agrees is done, with its check, its files and what the toolchain said."""
    toolchain = Toolchain(SAME)
    result = run(folder, CONVERT, toolchain.capabilities())
    assert (result.status, result.notes, result.versions) == (Status.DONE, NOTES, {"fake": "1"})
    assert [row.agrees for row in result.differences] == [True, True]
    assert [file.path for file in result.artifact.files] == [MANIFEST_FILE, "model.bin"]
    assert result.device["threads"] == 1
    assert toolchain.options == {"layout": "NHWC"}
    assert result.settings == {"fake": True, "input": encode(LEFT_TO_DO)}


def test_manifest_is_written_and_handed_to_the_loader(folder: Path) -> None:
    """What was made has its manifest beside it, which the loader gets; its bytes are the same each time."""
    toolchain = Toolchain(SAME)
    run(folder, CONVERT, toolchain.capabilities())
    path = folder / "outputs" / MANIFEST_FILE
    first = path.read_bytes()
    wanted = Manifest("fake-format", "fake", "1", LEFT_TO_DO, BUILT_FOR, {"precision": "f32"})
    assert decode(Manifest, json.loads(first)) == wanted
    assert toolchain.loaded == [("outputs", wanted, 1)]
    run(folder, CONVERT, toolchain.capabilities())
    assert path.read_bytes() == first


def test_artifact_is_loaded_with_its_manifest(artifact: Path) -> None:
    """An artifact is loaded with the manifest that lies beside it, and pre-processed as that says."""
    toolchain = Toolchain(SAME)
    result = run(artifact, Evaluate(FILES, TEST), toolchain.capabilities())
    assert (result.status, toolchain.loaded) == (Status.DONE, [("net", MANIFEST, 1)])
    assert result.settings["input"]["channels"] == "BGR"


def test_wrong_conversion_names_output_and_amount(folder: Path) -> None:
    """A conversion that disagrees has failed; the reason names the output, the amount and the limit."""
    toolchain = Toolchain({**SAME, "digit": SAME["digit"] + 1})
    result = run(folder, CONVERT, toolchain.capabilities())
    assert result.status == Status.FAILED
    assert "'digit' differs by 0.5 of its largest value (limit 0.001)" in result.reason
    assert "'other'" not in result.reason


@pytest.mark.parametrize("digit", [np.ones((1, 5)), SAME["digit"] * np.nan], ids=["shape", "NaN"])
def test_conversion_to_another_shape_or_no_number(folder: Path, digit: Any) -> None:
    """An output of another shape, none, or one that is no number has failed as that."""
    result = run(folder, CONVERT, Toolchain({**SAME, "digit": digit}).capabilities())
    assert result.status == Status.FAILED
    assert "'digit' is missing, has another shape or is not finite" in result.reason


class BatchToolchain(Toolchain):
    """A toolchain whose conversions give other outputs where the batch is left open.

    Args:
        opened: those outputs, or what such a conversion raises.
    """

    def __init__(self, outputs: Any, opened: Any) -> None:
        super().__init__(outputs)
        self._opened = opened

    def convert(self, network: Network, graph: Path, output: Path, options: Any) -> Product:
        product = super().convert(network, graph, output, options)
        if options.get(OPEN_BATCH):
            if isinstance(self._opened, Exception):
                raise self._opened
            self._outputs = self._opened
            (output / "opened.bin").write_text("open")
        else:
            (output / "folder").mkdir()
            (output / "folder" / "fixed.bin").write_text("of batch 1")
        return product


WRONG = {**SAME, "digit": SAME["digit"] + 1}


def test_a_conversion_that_is_right_with_the_batch_left_open(folder: Path) -> None:
    """Where a batch of 1 comes out wrong and an open one right, that is taken, and the notes say so."""
    toolchain = BatchToolchain(WRONG, SAME)
    result = run(folder, CONVERT, toolchain.capabilities(leaves_batch_open=True))
    assert result.status == Status.DONE
    assert all(row.agrees for row in result.differences)
    assert toolchain.options == {"layout": "NHWC", OPEN_BATCH: True}
    assert result.notes.remarks == (
        *NOTES.remarks,
        "converted with the batch left open: for a batch of 1 the converted graph disagrees with the"
        " reference (output 'digit' differs by 0.5 of its largest value (limit 0.001))",
    )
    assert [file.path for file in result.artifact.files] == [MANIFEST_FILE, "model.bin", "opened.bin"]


@pytest.mark.parametrize(
    ("opened", "is_known", "told"),
    [
        ({**SAME, "digit": SAME["digit"] + 2}, True, "left open too: output 'digit' differs by 1"),
        (ValueError("not in batches"), True, "; with the batch left open it fails: not in batches"),
        (SAME, False, "(limit 0.001)"),
    ],
    ids=["wrong too", "raises", "unknown"],
)
def test_a_conversion_that_stays_wrong(folder: Path, opened: Any, is_known: bool, told: str) -> None:
    """Where an open batch is wrong too, fails or is not known to the target, the conversion has failed."""
    toolchain = BatchToolchain(WRONG, opened)
    result = run(folder, CONVERT, toolchain.capabilities(leaves_batch_open=is_known))
    assert result.status == Status.FAILED
    assert result.reason.startswith(
        "the converted graph disagrees with the reference: output 'digit' differs by 0.5"
    )
    assert told in result.reason


def test_a_conversion_that_agrees_is_made_once(folder: Path) -> None:
    """A conversion that agrees at once is not made again."""
    toolchain = BatchToolchain(SAME, WRONG)
    result = run(folder, CONVERT, toolchain.capabilities(leaves_batch_open=True))
    assert (result.status, result.notes, toolchain.options) == (Status.DONE, NOTES, {"layout": "NHWC"})


def test_optimization_job(artifact: Path) -> None:
    """An optimization is given its calibration images, and leaves its files with a manifest of their own."""
    result = run(artifact, OPTIMIZE, Toolchain(SAME).capabilities(), "int8")
    assert (result.status, result.notes) == (Status.DONE, NOTES)
    assert (artifact / "outputs" / "model.bin").read_text() == "int8 of 3 images"
    assert decode(Manifest, json.loads((artifact / "outputs" / MANIFEST_FILE).read_text())) == MANIFEST
    assert len(result.measured["net"]) == 64


COMPILE = Compile(FILES, {"room_mb": 64}, "cache", is_ahead_of_time=False)


def test_compilation_job(artifact: Path) -> None:
    """A compilation is given what an optimization left and what is kept of earlier ones; its files have a
    manifest of their own.
    """
    (artifact / "cache").mkdir()
    result = run(artifact, COMPILE, Toolchain(SAME).capabilities(), "int8")
    assert (result.status, result.notes) == (Status.DONE, NOTES)
    assert (artifact / "outputs" / "model.bin").read_text() == "int8 of model"
    assert (artifact / "cache" / "timing.cache").read_text() == "{'room_mb': 64}"
    made = decode(Manifest, json.loads((artifact / "outputs" / MANIFEST_FILE).read_text()))
    assert (made.format, made.built_for) == ("fake-engine", BUILT_FOR)


@pytest.mark.parametrize(("is_there", "text"), [(True, " from start"), (False, "")])
def test_optimization_that_may_start_from_another(artifact: Path, is_there: bool, text: str) -> None:
    """An optimization is given the folder of the artifact to go on from where it is there."""
    if is_there:
        (artifact / "inputs" / "start").mkdir()
    run(artifact, replace(OPTIMIZE, start="inputs/start"), Toolchain(SAME).capabilities(), "int8")
    assert (artifact / "outputs" / "model.bin").read_text() == f"int8 of 3 images{text}"


def test_optimization_without_a_manifest(folder: Path) -> None:
    """A folder that no conversion left is no source of an optimization."""
    result = run(folder, OPTIMIZE, Toolchain(SAME).capabilities())
    assert result.status == Status.FAILED
    assert "manifest.json is missing in inputs/net" in result.reason


def test_tuning_job(artifact: Path) -> None:
    """A method that tunes is given its databases and its tracker, and a folder that it may leave some in."""
    (artifact / "inputs" / "tuning").mkdir()
    tracker = Tracker("host:9190", "board")
    parameters = Optimize(FILES, tuning=Tuning("inputs/tuning", tracker))
    toolchain = Toolchain(SAME)
    result = run(artifact, parameters, toolchain.capabilities(), "tuned")
    assert result.status == Status.DONE
    (tuning,) = toolchain.tunings
    assert (tuning.databases, tuning.tracker) == (artifact / "inputs" / "tuning", tracker)
    assert [path.name for path in (artifact / "tuning").iterdir()] == ["znver4.json.gz"]


def test_prediction(artifact: Path) -> None:
    """A quality is predicted with what stands in for the device's own runtime, which is not loaded."""
    stand_in, own = Toolchain(SAME), Toolchain(SAME, RuntimeError("no device"))
    result = run(artifact, Predict(FILES, TEST, 2), own.capabilities(predictor=stand_in))
    assert result.status == Status.DONE
    assert result.quality
    assert len(result.quality.samples) == 2
    assert (len(stand_in.loaded), own.loaded) == (1, [])


@pytest.mark.parametrize(
    ("parameters", "capability", "stage"),
    [
        (CONVERT, "converter", "convert"),
        (OPTIMIZE, "optimizer", "optimize"),
        (COMPILE, "compiler", "compile"),
        (Optimize(FILES, tuning=Tuning("inputs/tuning")), "tuner", "optimize"),
        (Evaluate(FILES, TEST), "graph_loader", "evaluate"),
        (Predict(FILES, TEST, 2), "predictor", "predict"),
    ],
    ids=["converter", "optimizer", "compiler", "tuner", "graph_loader", "predictor"],
)
def test_a_target_without_a_capability(
    request: pytest.FixtureRequest, parameters: Parameters, capability: str, stage: str
) -> None:
    """A stage that needs what the target lacks has failed, with a sentence that names it."""
    given: Path = request.getfixturevalue("artifact" if stage in ("optimize", "compile") else "folder")
    lacking = Toolchain(SAME).capabilities(**{capability: None})
    result = run(given, parameters, lacking)
    assert result.status == Status.FAILED
    assert f"the target fake has no {capability}, which this {stage} needs" in result.reason
    assert f"Capabilities({capability}=...)" in result.reason


def test_evaluation_job(folder: Path) -> None:
    """An evaluation scores each sample of the test split once and times each call."""
    result = run(folder, Evaluate(FILES, TEST), Toolchain(SAME).capabilities())
    assert result.quality is not None
    assert result.quality.metrics == {"accuracy": pytest.approx(2 / 3)}
    found = [(sample.id, sample.prediction) for sample in result.quality.samples]
    assert found == [(f"images/{i}.png", "b") for i in range(3)]
    assert isinstance(result.measurement, Latency)
    assert (result.measurement.scope, result.measurement.protocol) == (Scope.NETWORK, TimingProtocol.DATASET)
    assert len(result.measurement.totals_ns) == 3
    assert not (folder / "outputs" / "reference.npz").exists()


def test_evaluation_of_some_samples(folder: Path) -> None:
    """An evaluation may be cut to the first samples."""
    result = run(folder, Evaluate(FILES, TEST, samples=2), Toolchain(SAME).capabilities())
    assert result.quality is not None
    assert len(result.quality.samples) == 2


def test_a_method_of_full_precision_is_held_to_the_reference(artifact: Path) -> None:
    """Where a method has a tolerance, outputs beyond it fail the evaluation before anything is scored."""
    toolchain = Toolchain({**SAME, "digit": SAME["digit"] + np.float32(0.01)})
    strict, loose = (Evaluate(FILES, TEST, tolerance=Tolerance(REFERENCE, limit)) for limit in (1e-4, 0.1))
    result = run(artifact, strict, toolchain.capabilities())
    assert (result.status, result.quality) == (Status.FAILED, None)
    assert result.reason.startswith("not the reference's outputs: output 'digit' differs by 0.005")
    result = run(artifact, loose, toolchain.capabilities())
    assert (result.status, len(result.differences)) == (Status.DONE, 2)


def right_answers(folder: Path) -> Callable[[np.ndarray], Any]:
    """A network that knows the images of the test split, and that the first is `a` and the others `b`."""
    first = to_input(read_image(folder / TEST / "images" / "0.png"), CLASSIFIER.input)[0]

    def answer(image: np.ndarray) -> dict[str, Any]:
        scores = [[2.0, 1.0]] if np.array_equal(image, first) else [[1.0, 2.0]]
        return {**SAME, "digit": np.array(scores, np.float32)}

    return answer


REFERENCE_EVALUATION = Evaluate(FILES, TEST, is_reference=True)


def test_reference_leaves_its_outputs(folder: Path) -> None:
    """The reference's evaluation leaves real images and its outputs for the others."""
    result = run(folder, REFERENCE_EVALUATION, Toolchain(right_answers(folder)).capabilities())
    assert (result.status, result.notes) == (Status.DONE, Notes())
    inputs, outputs = load_reference(folder / "outputs" / "reference.npz")
    assert inputs.shape == (3, 8, 8, 3)
    assert outputs["digit"].shape == (3, 1, 2)


def test_a_reference_that_is_no_reference(folder: Path) -> None:
    """A reference that nothing can be compared with has failed, and leaves nothing to compare with."""
    result = run(folder, REFERENCE_EVALUATION, Toolchain(SAME).capabilities())
    assert (result.status, result.quality) == (Status.FAILED, None)
    assert result.reason.startswith("the reference cannot be what variants are compared with: ")
    assert not (folder / "outputs" / "reference.npz").exists()
    variant = run(folder, Evaluate(FILES, TEST), Toolchain(SAME).capabilities())
    assert variant.status == Status.DONE


def test_benchmark_job(folder: Path) -> None:
    """A benchmark keeps the raw time of each call and leaves the warm-up out."""
    parameters = NetworkBenchmark(FILES, REFERENCE, warmup=2, burst_s=1e-9)
    result = run(folder, parameters, Toolchain(SAME).capabilities(), bursts=3)
    assert isinstance(result.measurement, Latency)
    assert (result.measurement.scope, result.measurement.protocol) == (Scope.NETWORK, TimingProtocol.REPEAT)
    assert result.measurement.bursts == (CALLS,) * 3
    assert len(result.measurement.totals_ns) == 3 * CALLS
    assert min(result.measurement.totals_ns) >= 0
    assert {"before", "after"} <= set(result.device)


def test_pipeline_benchmark_job(artifact: Path) -> None:
    """A pipeline's benchmark has the times of its steps, and the settings of each network."""
    parameters = PipelineBenchmark(PIPELINE, TEST, warmup=1, burst_s=1e-9)
    toolchain = Toolchain(SAME)
    result = run(artifact, parameters, toolchain.capabilities())
    assert isinstance(result.measurement, Latency)
    steps = ["decode", "first_input", "first", "first_output", "second_input", "second", "second_output"]
    assert list(result.measurement.samples_ns) == ["total", *steps]
    assert result.measurement.bursts == (CALLS,)
    assert set(result.settings) == set(result.measured) == {"net"}
    assert len(toolchain.loaded) == 1


def test_pipeline_evaluation_job(artifact: Path) -> None:
    """A pipeline's evaluation has its quality, and the time of each step of each image."""
    result = run(artifact, PipelineEvaluate(PIPELINE, TEST), Toolchain(SAME).capabilities())
    assert result.quality is not None
    assert result.quality.metrics == {"accuracy": pytest.approx(2 / 3)}
    assert isinstance(result.measurement, Latency)
    assert (len(result.measurement.totals_ns), result.measurement.bursts) == (3, ())


def test_reference_pipeline_that_finds_nothing(artifact: Path) -> None:
    """A reference pipeline at the level of chance has failed: all would look lossless beside it."""
    wrong = {name: tensor[:, ::-1] for name, tensor in SAME.items()}
    evaluation = PipelineEvaluate(PIPELINE, TEST, is_reference=True)
    result = run(artifact, evaluation, Toolchain(wrong).capabilities())
    assert result.status == Status.FAILED
    assert "cannot be what others are compared with: accuracy 0.3333 on 3 sample(s)" in result.reason
    assert "images/1.png: found a, true is b" in result.reason


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Unsupported("this CPU has no bfloat16"), Status.NOT_MEASURED, "this CPU has no bfloat16"),
        (ValueError("wrong preset"), Status.FAILED, "ValueError: wrong preset"),
        (MemoryError(), Status.FAILED, "MemoryError"),
        (RuntimeError("y" * 50_000), Status.FAILED, "RuntimeError: yyy"),
    ],
)
def test_whatever_is_raised_is_a_result(
    artifact: Path, error: Exception, status: Status, reason: str
) -> None:
    """Whatever a toolchain raises becomes a result with its reason and its device."""
    result = run(artifact, OPTIMIZE, Toolchain(SAME, error).capabilities())
    assert result.status == status
    assert result.reason.startswith(reason)
    assert len(result.reason) <= LONGEST_REASON + 50
    assert result.device["cpu"]
    assert result.versions == {"fake": "1"}


def test_a_target_reads_its_own_messages(artifact: Path) -> None:
    """The reason of a failure is the line that the target finds in its vendor's message, cut."""
    toolchain = Toolchain(SAME, RuntimeError("at line 7\nthe cause\nadvice"))
    own = toolchain.capabilities(error_summary=lambda message: message.splitlines()[1])
    assert run(artifact, OPTIMIZE, own).reason == "RuntimeError: the cause"
    assert run(artifact, OPTIMIZE, toolchain.capabilities()).reason == "RuntimeError: at line 7"
    endless = toolchain.capabilities(error_summary=lambda message: "z" * 50_000)
    assert len(run(artifact, OPTIMIZE, endless).reason) <= LONGEST_REASON + 50


@pytest.mark.parametrize(
    ("message", "line"),
    [("", ""), ("\n \n", ""), ("\n  one\ttwo \nthree", "one two"), ("x" * 600, "x" * 496 + " ...")],
)
def test_first_line(message: str, line: str) -> None:
    """Without a target's own summary it is the first line that is not empty, cut to its length."""
    assert first_line(message) == line


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', '{"version": 2}'])
def test_no_job(folder: Path, content: str) -> None:
    """A job.json that is none, or of another version, is a failed result."""
    (folder / "job.json").write_text(content)
    result = run_folder(folder, Toolchain(SAME).capabilities())
    assert (result.status, bool(result.reason)) == (Status.FAILED, True)


def test_unreadable_image_fails_the_job(folder: Path) -> None:
    """An image that cannot be decoded fails the job, named."""
    (folder / "inputs" / "data" / "test" / "images" / "1.png").write_bytes(b"text")
    result = run(folder, Evaluate(FILES, TEST), Toolchain(SAME).capabilities())
    assert (result.status, result.reason) == (Status.FAILED, "cannot decode the image 1.png (4 bytes)")


def test_evaluate_counts_each_sample_once(folder: Path) -> None:
    """Quality, times and kept outputs are of the samples in their order."""
    found = evaluate(CLASSIFIER, FakeSession(SAME, CLASSIFIER.input), folder / TEST)
    assert (found.quality.main, len(found.times_ns), len(found.kept)) == ("accuracy", 3, 3)


def test_calibration_gives_inputs_and_scores(folder: Path) -> None:
    """An optimization sees the split's inputs in their order and can have its own outputs scored."""
    data = SplitCalibration(CLASSIFIER, {"calibration": folder / "inputs" / "data" / "calibration"})
    assert (data.size("calibration"), data.metric) == (3, "accuracy")
    images = list(data.inputs("calibration", CLASSIFIER.input))
    assert [image.shape for image in images] == [(1, 8, 8, 3)] * 3
    assert [data.score("calibration", i, SAME) for i in range(3)] == [0.0, 1.0, 1.0]


def test_network_is_timed_on_one_input(folder: Path) -> None:
    """A network is timed on its first real input, batch 1, after its warm-up."""
    seen: list[tuple[int, ...]] = []

    def look(image: np.ndarray) -> Any:
        seen.append(image.shape)
        return SAME

    parameters = NetworkBenchmark(FILES, REFERENCE, warmup=3, burst_s=1e-9)
    result = run(folder, parameters, Toolchain(look).capabilities())
    assert seen == [(1, 8, 8, 3)] * (3 + CALLS)
    assert isinstance(result.measurement, Latency)
    assert len(result.measurement.totals_ns) == CALLS


def test_a_burst_takes_its_seconds() -> None:
    """A burst has more calls than it must where its seconds are not over yet."""
    taken = take_bursts(lambda: {"total": 1}, 0.01, words_for(2))
    assert min(taken.calls) > CALLS
    assert taken.samples_ns == {"total": (1,) * sum(taken.calls)}


def test_a_burst_of_a_tiny_network_ends() -> None:
    """A burst has no more calls than a record can hold, however short they are."""
    assert take_bursts(lambda: {"total": 1}, 5.0, words_for(1)).calls == (MOST_CALLS,)


def test_no_burst_without_a_word() -> None:
    """A benchmark that is told to end at once has run nothing."""
    assert take_bursts(lambda: {"total": 1}, 0.01, words_for(0)) == Bursts({}, ())


class Spinning:
    """A call after which a thread goes on computing for so many seconds, as those of some runtimes do."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until, self._thread = seconds, 0.0, threading.Thread(target=self._spin)

    def __call__(self) -> dict[str, int]:
        self._until = time.monotonic() + self._seconds
        if not self._thread.is_alive():
            self._thread = threading.Thread(target=self._spin)
            self._thread.start()
        return {"total": 1}

    def _spin(self) -> None:
        while time.monotonic() < self._until:
            pass

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._until


def test_the_host_hears_of_a_burst_when_its_threads_rest() -> None:
    """Threads that compute on after a call do so in nobody else's burst: the next word comes after them."""
    call = Spinning(0.2)
    rested = []

    def words(done: int) -> signal.Signals:
        rested.append(call.is_over)
        return GO if done < 2 else END

    assert take_bursts(call, 1e-9, words).restless == 0
    assert rested == [True] * 3


def test_what_never_rests_is_told(folder: Path) -> None:
    """Where threads compute for longer than is waited for, the result says that they may slow the others."""
    call = Spinning(2.5)

    def look(image: np.ndarray) -> Any:
        call()
        return SAME

    parameters = NetworkBenchmark(FILES, REFERENCE, warmup=0, burst_s=1e-9)
    result = run(folder, parameters, Toolchain(look).capabilities())
    (remark,) = result.notes.remarks
    assert remark.startswith("its threads still computed 2 s after 1 of 1 bursts")


def test_device_is_described() -> None:
    """What is read of the device is JSON: its CPU, its affinity, the load before, and which boot it is."""
    found = machine.describe()
    assert json.loads(json.dumps(found)) == found
    assert {"cpu", "affinity", "load_before", "kernel", "cpus", "boot_id"} <= set(found)
    assert machine.describe()["boot_id"] == found["boot_id"]


def test_a_cpu_that_cannot_run_it() -> None:
    """What was built for another architecture, or for instructions that this CPU lacks, is not run here."""
    here = os.uname().machine
    assert unfit(BuiltFor(here, "this one", tuple(cpu_info().get("flags", "").split()[:3]))) == ""
    assert unfit(BuiltFor("vax", "old")) == f"compiled for vax, and this machine is {here}"
    lacking = BuiltFor(
        here, "znver9", ("quantum", "fpu" if "fpu" in cpu_info().get("flags", "") else "quantum")
    )
    assert unfit(lacking) == "compiled for znver9, and this CPU has no quantum"


def test_pinning() -> None:
    """A job is pinned to as many of its CPUs as it asks for, and no more than it may use."""
    allowed = len(os.sched_getaffinity(0))
    assert machine.pin(0) == allowed
    assert machine.pin(10_000) == allowed
    assert (machine.pin(1), len(os.sched_getaffinity(0))) == (1, 1)


def test_progress_at_both_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """A long step reports its beginning and its end, as lines of JSON, and hands its items on."""
    assert list(track("abc", "read", 3)) == ["a", "b", "c"]
    report("load", 0, 0)
    lines = capsys.readouterr().out.splitlines()
    steps = [json.loads(line)["dockyard_progress"] for line in lines]
    found = [(step["what"], step["done"], step["total"]) for step in steps]
    assert found == [("read", 0, 3), ("read", 3, 3), ("load", 0, 0)]
