"""A model in any format goes the whole way on every toolchain of OpenVINO, or says why not, in a line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockyard.engines import Limits
from dockyard.engines.venv import VenvExecutor
from dockyard.judge.record_files import read_records
from dockyard.recipe.graphs.outline import read_outline
from dockyard.recipe.hashing import content_hash
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.report.headline import runtime_of
from dockyard.run.check_result import read_result
from shared.contract import stages
from shared.contract.job import Job
from shared.contract.model import Network
from shared.contract.record import Record, RecordStatus
from shared.contract.result import Status
from shared.contract.stages import Evaluate, NetworkFiles, Parameters, Tolerance
from tests.integration.conftest import new_workspace
from tests.integration.unmeasured import unmeasured

FIXTURES = PRODUCT / "tests" / "fixtures"
DIGITS = PRODUCT / "models" / "digits"
LIMITS = Limits(time_s=120, memory_mb=4096)
NCHW = {"layout": "NCHW", "shape": [1, 1, 32, 32]}
FORMATS: dict[str, tuple[str, dict[str, Any], str]] = {
    "digits.pb": ("image", {}, "digit"),
    "digits": ("image", {}, "digit"),
    "digits.keras": ("image", {}, "digit"),
    "digits.onnx": ("image", NCHW, "digit"),
    "digits.tflite": ("serving_default_image", {}, "StatefulPartitionedCall_1"),
}
"""Input, what else model.json says of it, and output by file."""

BOTH = ["baseline", {"method": "baseline", "toolchain": "2023.3"}]

Build = Callable[..., tuple[dict[str, Record], str]]
Convert = Callable[..., dict[str, Record]]


@pytest.fixture(scope="module")
def workspace(venv_executor: object, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the environments of Dockyard, to which models are added."""
    return new_workspace(tmp_path_factory.mktemp("formats") / "workspace")


def add_model(workspace: Workspace, name: str, file: str) -> None:
    """Add a model of the digits' data to a workspace, with a graph of the fixtures."""
    folder = workspace.root / "models" / name
    shutil.copytree(DIGITS / "data", folder / "data")
    copy_graph(file, folder / file)
    document = json.loads((DIGITS / "model.json").read_text())
    default = ("image", NCHW if file.endswith(".onnx") else {}, "digit")
    feed, changes, tensor = FORMATS.get(file, default)
    document["input"] |= {"name": feed, **changes}
    document["outputs"]["classes"]["tensor"] = tensor
    document["graph"] = {"file": file, "sha256": content_hash(folder / file)}
    (folder / "model.json").write_text(json.dumps(document))


def copy_graph(file: str, destination: Path) -> None:
    origin = DIGITS / file if file == "digits.pb" else FIXTURES / file
    (shutil.copytree if origin.is_dir() else shutil.copyfile)(origin, destination)


@pytest.fixture(scope="module")
def build(workspace: Workspace) -> Build:
    """Build a recipe of a graph with the digits' data; return the records by variant and what was printed."""

    def run(file: str, note: str = "", **changes: Any) -> tuple[dict[str, Record], str]:
        name = file.replace(".", "_") + note
        add_model(workspace, name, file)
        recipe = {
            "model": name,
            "target": "intel-openvino",
            "optimizations": BOTH,
            "measure": {"threads": 2, "cycles": 3, "burst_s": 0.02, "warmup": 1, "max_rounds": 3},
        }
        (workspace.root / "recipes" / f"{name}.json").write_text(json.dumps({**recipe, **changes}))
        invoke = [sys.executable, "-m", "invoke", "--search-root", str(PRODUCT)]
        command = [*invoke, "build", "--recipe", name, "--engine", "venv"]
        done = subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, timeout=600)
        records = read_records(workspace.state / "runs" / name)
        return {record.variant: record for record in records}, done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def convert(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """Convert a graph with the digits' data and both toolchains; return the records by variant."""

    def run(file: str, note: str = "", **changes: Any) -> dict[str, Record]:
        name = file.replace(".", "_") + note
        add_model(workspace, name, file)
        recipe = {"model": name, "target": "intel-openvino", "optimizations": BOTH}
        return unmeasured(workspace, recipe | changes, tmp_path_factory.mktemp(name))

    return run


@pytest.fixture(scope="module")
def of_the_frozen_graph(convert: Convert) -> dict[str, Record]:
    """The records of the digits as a frozen graph."""
    return convert("digits.pb")


def predictions(record: Record) -> list[Any]:
    assert record.quality is not None, record.reason
    return [sample.prediction for sample in record.quality.samples]


def compared(record: Record) -> list[str]:
    """The outputs that were compared with the reference's: the converted graph's, then the artifact's."""
    return [difference.output for difference in record.differences]


@pytest.mark.parametrize("file", [name for name in FORMATS if name != "digits.pb"])
def test_every_format_has_the_quality_of_the_frozen_graph(
    convert: Convert, of_the_frozen_graph: dict[str, Record], file: str
) -> None:
    """The digits in each format predict what the frozen graph does, in the reference and both toolchains."""
    records = convert(file)
    assert set(records) == {"reference", "baseline", "baseline@2023.3"}
    for variant, record in records.items():
        assert predictions(record) == predictions(of_the_frozen_graph[variant])
        assert compared(record) == ([] if variant == "reference" else [FORMATS[file][2]] * 2)
        assert all(difference.agrees for difference in record.differences)
    ((model, artifact),) = records["reference"].artifacts.items()
    (graph,) = artifact.artifact.files
    assert (graph.path, graph.sha256) == (file, records["reference"].graphs[model])


def test_an_onnx_graph_is_cut(convert: Convert, of_the_frozen_graph: dict[str, Record]) -> None:
    """Cut at an inner tensor of an ONNX graph, here before the softmax, all give that tensor."""
    logits = "functional_1/dense_1/MatMul_Gemm__7"
    records = convert("digits.onnx", "cut", conversion={"outputs": {"digit": logits}})
    assert set(records) == set(of_the_frozen_graph)
    for variant, record in records.items():
        assert predictions(record) == predictions(of_the_frozen_graph[variant])
        assert compared(record) == ([] if variant == "reference" else [logits] * 2)


def test_the_answer_names_what_the_reference_ran_in(build: Build) -> None:
    """Of an ONNX model the reference runs in ONNX Runtime: its record says so, and the answer no other."""
    records, printed = build("digits.onnx", "named")
    assert {record.status for record in records.values()} == {RecordStatus.MEASURED}, printed
    assert runtime_of(records["reference"]).startswith("ONNX Runtime")
    assert "TensorFlow" not in printed


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("custom.pb", "NotFoundError: Op type not registered 'Mystery'"),
        ("custom.onnx", "com.example:Mystery(-1) is not a registered function/op"),
        (
            "lambda.keras",
            "ValueError: Requested the deserialization of a `Lambda` layer whose `function` is a Python",
        ),
    ],
)
def test_what_the_reference_cannot_run(build: Build, file: str, message: str) -> None:
    """An unknown operator or Python code in a layer fails every variant, with the tool's reason in a line."""
    records, printed = build(file)
    assert set(records) == {"reference", "baseline", "baseline@2023.3"}
    for record in records.values():
        assert (record.status, record.stage) == (RecordStatus.FAILED, "evaluate")
        assert message in record.reason
        assert len(record.reason.splitlines()) == 1
        assert record.log
    assert message in " ".join(printed.split())


def test_what_a_toolchain_cannot_convert(build: Build) -> None:
    """An operator that only TensorFlow has fails each toolchain, and says so; no time is measured."""
    records, _ = build("betainc.pb")
    reference = records.pop("reference")
    assert (reference.status, reference.rounds) == (RecordStatus.NOT_MEASURED, ())
    assert reference.quality is not None
    outcomes = {variant: (record.status, record.stage) for variant, record in records.items()}
    assert outcomes == dict.fromkeys(("baseline", "baseline@2023.3"), (RecordStatus.FAILED, "convert"))
    expected = "OpConversionFailure: -- No conversion rule found for operations: Betainc"
    assert records["baseline"].reason == expected
    older = records["baseline@2023.3"].reason
    assert older.endswith("no translator found for operation(s): Betainc")
    assert len(older.splitlines()) == 1


@pytest.mark.parametrize("file", ["digits.pb", "digits", "digits.keras"])
def test_the_reference_converts_to_onnx(
    venv_executor: VenvExecutor, job_folder: Callable[..., Path], tmp_path: Path, file: str
) -> None:
    """Every format of TensorFlow's becomes an ONNX graph with model.json's names and an NCHW input that
    agrees.
    """
    document = json.loads((DIGITS / "model.json").read_text())
    document["graph"] = {"file": file, "sha256": ""}
    files = NetworkFiles(Network.from_model_json("digits", document), "inputs/digits")
    source = tmp_path / "graph"
    source.mkdir()
    copy_graph(file, source / file)

    def job(stage: str, parameters: Parameters) -> Job:
        return Job(f"digits/reference/{stage}", "digits", "tensorflow", "2.21", "reference", 1, parameters)

    evaluate = job("evaluate", Evaluate(files, "inputs/data/test", is_reference=True))
    evaluated = job_folder(evaluate, {"digits": source, "data/test": DIGITS / "data" / "test"})
    venv_executor.run("tensorflow", "2.21", evaluated, LIMITS, print)
    tolerance = Tolerance("inputs/reference.npz", 1e-3)
    convert = job("convert", stages.Convert(files, tolerance, {"layout": "NCHW"}))
    reference = evaluated / "outputs" / "reference.npz"
    folder = job_folder(convert, {"digits": source, "reference.npz": reference})
    left = venv_executor.run("tensorflow", "2.21", folder, LIMITS, print)
    result = read_result(folder, left, convert.parameters)
    assert result.status == Status.DONE, result
    assert result.notes.details["inputs_as_nchw"] is True
    assert [(each.output, each.agrees) for each in result.differences] == [("digit", True)]
    outline = read_outline(folder / "outputs" / "model.onnx", "ONNX", "model.onnx")
    assert (outline.inputs, outline.outputs) == ({"image": (1, 1, 32, 32)}, {"digit": (1, 10)})
