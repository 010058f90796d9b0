"""The target `onnxruntime` on real images: float32 as the reference computes it, and what int8 quantizes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dockyard.deliver.find import measured_artifact
from dockyard.engines import Limits, images
from dockyard.engines.docker import DockerExecutor
from dockyard.recipe.graphs.protobuf import Field, Message, Schema, parse
from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.check_result import read_result
from dockyard.workflow import build
from shared.contract.job import Job
from shared.contract.model import Network
from shared.contract.record import Record, RecordStatus
from shared.contract.result import Result, Status
from shared.contract.stages import Evaluate, NetworkFiles
from tests.integration.conftest import DOCKYARD, new_workspace

TARGET, TOOLCHAIN = "onnxruntime", "1.32"
PLAIN, OTHER, WRONG = "int8", "int8-2", "int8-3"
RECIPE: dict[str, Any] = {
    "model": "digits",
    "target": TARGET,
    "optimizations": [
        "baseline",
        "int8",
        {
            "method": "int8",
            "symmetric": True,
            "per_channel": False,
            "calibration": "percentile",
            "ignored_scope": {"types": ["Gemm"]},
        },
        {"method": "int8", "ignored_scope": {"types": ["Gem"]}},
    ],
    "measure": {"threads": 2, "cycles": 3, "burst_s": 0.02, "warmup": 1, "max_rounds": 3},
}
DATA = PRODUCT / "models" / "digits" / "data"

SCHEMA: Schema = {
    "Model": {"graph": Field(7, "Graph")},
    "Graph": {"node": Field(1, "Node", repeated=True), "initializer": Field(5, "Tensor", repeated=True)},
    "Node": {
        "input": Field(1, "string", repeated=True),
        "output": Field(2, "string", repeated=True),
        "op_type": Field(4, "string"),
    },
    "Tensor": {
        "dims": Field(1, "int64", repeated=True),
        "data_type": Field(2, "int32"),
        "name": Field(8, "string"),
    },
}
"""What the tests look at; numbers are those published in onnx.proto."""

TYPES = {2: "uint8", 3: "int8"}
"""Of a tensor's data, as onnx.proto numbers them."""


@pytest.fixture(scope="module")
def workspace(docker_executor: object, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace for all tests of this module."""
    return new_workspace(tmp_path_factory.mktemp("onnxruntime") / "workspace")


@pytest.fixture(scope="module")
def built(workspace: Workspace) -> dict[str, Record]:
    """The records by variant of a whole build in containers."""
    recipe = workspace.root / "recipes" / "digits.json"
    recipe.write_text(json.dumps(RECIPE))
    found = build(workspace, str(recipe), Console(quiet=True), engine="docker")
    return {one.record.variant: one.record for one in found.assessments}


@pytest.fixture
def graph(workspace: Workspace, built: dict[str, Record]) -> Callable[[str], Message]:
    """Return the graph of a variant's artifact."""

    def read(variant: str) -> Message:
        folder = measured_artifact(workspace, built[variant], "digits")
        return parse(SCHEMA, "Model", (folder / "model.onnx").read_bytes()).graph

    return read


def predictions(record: Record) -> list[Any]:
    assert record.quality is not None, record.reason
    return [sample.prediction for sample in record.quality.samples]


def quantized(graph: Message) -> list[str]:
    """The types of the operations from a DequantizeLinear to a QuantizeLinear, in their order."""
    after: set[str] = set()
    before: set[str] = set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            after.update(node.output)
        elif node.op_type == "QuantizeLinear":
            before.update(node.input)
    return [node.op_type for node in graph.node if after & set(node.input) and before & set(node.output)]


def weights(graph: Message) -> list[tuple[str, str, bool]]:
    """Of each operation with quantized weights: its type, theirs, and whether each channel has a scale."""
    constants = {constant.name: constant for constant in graph.initializer}
    made_by = {node.output[0]: node for node in graph.node}
    found = []
    for node in graph.node:
        of_weights = made_by.get(node.input[1]) if node.op_type in ("Conv", "Gemm") else None
        if of_weights is not None:
            values, scale = (constants[name] for name in of_weights.input[:2])
            found.append((node.op_type, TYPES[values.data_type], list(scale.dims) not in ([], [1])))
    return found


def activations(graph: Message) -> set[str]:
    """The types that activations are quantized to."""
    constants = {constant.name: constant for constant in graph.initializer}
    zeros = [constants[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"]
    return {TYPES[zero.data_type] for zero in zeros}


def test_the_baseline_computes_what_the_reference_does(built: dict[str, Record]) -> None:
    """The digits predict what they do in TensorFlow, and each output is as near as target.json says."""
    assert built["baseline"].status == RecordStatus.MEASURED, built["baseline"].reason
    assert predictions(built["baseline"]) == predictions(built["reference"])
    limits = [difference.limit for difference in built["baseline"].differences if difference.agrees]
    assert limits == [1e-3, 1e-4]


@pytest.mark.parametrize("variant", [PLAIN, OTHER])
def test_int8_keeps_the_quality(built: dict[str, Record], variant: str) -> None:
    """However it is calibrated, int8 has another opinion of at most one digit in a hundred."""
    pairs = list(zip(predictions(built[variant]), predictions(built["reference"])))
    assert sum(own != other for own, other in pairs) <= len(pairs) / 100


def test_what_int8_quantizes(built: dict[str, Record], graph: Callable[[str], Message]) -> None:
    """Convolutions and dense layers are int8 with a scale for each channel, activations uint8; the softmax
    behind the last layer stays float; the notes say so.
    """
    found = graph(PLAIN)
    assert quantized(found) == ["Conv", "Conv", "Conv", "Transpose", "Reshape", "Gemm"]
    assert weights(found) == [("Conv", "int8", True)] * 3 + [("Gemm", "int8", True)]
    assert activations(found) == {"uint8"}
    notes = built[PLAIN].notes["digits"]
    assert notes.remarks == ("6 of 8 operations of digits are quantized (calibrated with 60 images)",)
    assert [row[1] for row in notes.tables[0].rows] == ["Reshape", "Softmax"]


def test_what_options_change(graph: Callable[[str], Message]) -> None:
    """Where it is asked for, activations are int8, weights have one scale, and what is ignored is float."""
    found = graph(OTHER)
    assert activations(found) == {"int8"}
    assert weights(found) == [("Conv", "int8", False)] * 3
    assert set(quantized(found)) == {"Conv", "Relu"}


def test_a_name_that_is_not_there(built: dict[str, Record]) -> None:
    """A type to be ignored that the graph lacks fails the variant, with the nearest and all valid names."""
    valid = "Conv, Gemm, Relu, Reshape, Softmax, Transpose"
    advice = f"did you mean 'Gemm'? valid: {valid}"
    assert built[WRONG].status == RecordStatus.FAILED
    assert built[WRONG].reason.endswith(f"ValueError: the converted graph has no type 'Gem'; {advice}")


def evaluate_in(
    image: str, model: Path, executor: DockerExecutor, job_folder: Callable[[Job, Mapping[str, Path]], Path]
) -> Result:
    """Evaluate the artifact of a folder in an image of the target."""
    network = load_model(DOCKYARD, "digits", "test")
    assert isinstance(network, Network)
    parameters = Evaluate(NetworkFiles(network, "inputs/digits"), "inputs/data/test")
    job = Job(f"digits/evaluate-{image}", "digits", TARGET, TOOLCHAIN, "int8", 2, parameters)
    folder = job_folder(job, {"digits": model, "data/test": DATA / "test"})
    return read_result(folder, executor.run(TARGET, image, folder, Limits(120, 4096), print), parameters)


def test_the_runtime_image_runs_an_artifact(
    docker_executor: DockerExecutor,
    job_folder: Callable[[Job, Mapping[str, Path]], Path],
    workspace: Workspace,
    built: dict[str, Record],
) -> None:
    """In the image without the package onnx an artifact predicts what it does where it was made."""
    if images.current_image(DOCKYARD, TARGET, TOOLCHAIN, stage="runtime") is None:
        images.build_image(DOCKYARD, TARGET, TOOLCHAIN, stage="runtime", on_line=print)
    folder = measured_artifact(workspace, built[PLAIN], "digits")
    result = evaluate_in(f"{TOOLCHAIN}-runtime", folder, docker_executor, job_folder)
    assert result.status == Status.DONE, result.reason
    assert result.quality == built[PLAIN].quality


def test_a_damaged_artifact(
    docker_executor: DockerExecutor,
    job_folder: Callable[[Job, Mapping[str, Path]], Path],
    workspace: Workspace,
    built: dict[str, Record],
    tmp_path: Path,
) -> None:
    """ONNX Runtime's own error is told in one line, without its code."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    manifest = measured_artifact(workspace, built[PLAIN], "digits") / "manifest.json"
    (folder / manifest.name).write_bytes(manifest.read_bytes())
    (folder / "model.onnx").write_bytes(b"no model")
    result = evaluate_in(TOOLCHAIN, folder, docker_executor, job_folder)
    place = "/job/inputs/digits/model.onnx"
    assert result.reason == f"InvalidProtobuf: Load model from {place} failed:Protobuf parsing failed."
