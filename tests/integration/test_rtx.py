"""The targets `tensorrt-onnx` and `rtx-tensorrt`, with TensorRT itself and without a GPU: ONNX of every opset
beside TensorFlow, Q/DQ where TensorRT computes in int8, engines of the three models in every precision, read
back.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dockyard.deliver.find import measured_artifact
from dockyard.engines import Limits, images
from dockyard.engines.docker import DockerExecutor
from dockyard.engines.venv import VenvExecutor
from dockyard.plan.make import make_plan
from dockyard.recipe.models import load_model
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.targets import code_folders, load_target
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.check_result import read_result
from dockyard.run.datasets import prepare
from dockyard.workflow import build
from shared.contract.job import Job
from shared.contract.model import Network
from shared.contract.record import Record, RecordStatus
from shared.contract.result import Status
from shared.contract.stages import Evaluate, NetworkFiles
from tests.integration.conftest import DOCKYARD, new_workspace

TARGET, TOOLCHAIN = "rtx-tensorrt", "1.7"
PREPARER, RELEASE = "tensorrt-onnx", "1.32"
FIXTURES = PRODUCT / "tests" / "fixtures"
MODELS = ("lp_detector", "lp_reader", "damage_detector")
OPSETS = load_target(DOCKYARD, TARGET, "test").conversion["properties"]["opset"]["enum"]
CAPABILITIES = ["8.0", "8.6", "8.9", "12.0"]
FEW = {"compute_capabilities": CAPABILITIES}
INT8 = {**FEW, "rest": "float16", "calibration": "minmax", "subset_size": 20}
METHODS = [("fp32", FEW), ("fp16", FEW), ("int8", INT8)]
HAS_GPU = Path("/dev/nvidiactl").exists()


@pytest.fixture(scope="module")
def environments() -> VenvExecutor:
    """The environments of both targets and of the reference, made when they are not there."""
    executor = VenvExecutor(DOCKYARD)
    executor.prepare(TARGET, TOOLCHAIN, print)
    executor.prepare(PREPARER, RELEASE, print)
    executor.prepare("tensorflow", "2.21", print)
    return executor


def in_environment(target: str, toolchain: str, script: str, *arguments: Any) -> Any:
    """Run a script of tests/fixtures in a target's environment with its code; return the JSON it prints."""
    python = DOCKYARD.state / "venvs" / f"{target}-{toolchain}" / "bin" / "python"
    path = os.pathsep.join(map(str, [PRODUCT, *code_folders(DOCKYARD, target)]))
    command = [str(python), "-B", str(FIXTURES / script), *map(str, arguments)]
    done = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def data(environments: VenvExecutor) -> dict[str, Path]:
    """The folder of each model's data, generated where it is not there."""
    found = {}
    for recipe in ("lp_rtx.json", "damage_intel.json"):
        plan = make_plan(DOCKYARD, load_recipe(DOCKYARD, recipe))
        for model, data_set in prepare(plan, lambda *progress: None).items():
            found[model] = data_set.folder
    return found


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    """Each model in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def opsets(model: str, data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder with a model's ONNX of each opset, and how far each is from TensorFlow."""
    folder = tmp_path_factory.mktemp(f"{model}-onnx")
    split = data[model] / "test"
    home = DOCKYARD.model(model)
    return folder, in_environment("tensorflow", "2.21", "convert_opsets.py", home, split, folder, *OPSETS)


@pytest.fixture(scope="module")
def engines(
    model: str, opsets: tuple[Path, Any], data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What came of each method for a model, by the method's name."""
    folder = tmp_path_factory.mktemp(f"{model}-engines")
    onnx = opsets[0] / "17" / "model.onnx"
    home, methods = DOCKYARD.model(model), json.dumps(METHODS)
    arguments = (home, onnx, data[model], folder, methods)
    prepared = in_environment(PREPARER, RELEASE, "tensorrt_graphs.py", *arguments)
    compiled = in_environment(TARGET, TOOLCHAIN, "rtx_engines.py", home, folder, methods)
    found = [{**one, "predicted": graph["predicted"]} for graph, one in zip(prepared, compiled, strict=True)]
    return dict(zip((method for method, _ in METHODS), found, strict=True))


def test_every_opset_agrees_with_tensorflow(opsets: tuple[Path, Any]) -> None:
    """On real images, each output of the ONNX of every opset that is offered is TensorFlow's to 1e-4 of its
    largest value; its channels come first.
    """
    found = opsets[1]
    assert found["layout"] == "NCHW"
    assert list(found["differences"]) == [str(opset) for opset in OPSETS]
    differences = [one for outputs in found["differences"].values() for one in outputs.values()]
    assert differences
    assert all(one is not None and one <= 1e-4 for one in differences), found


@pytest.mark.parametrize(("method", "precision"), [("fp32", "fp32"), ("fp16", "fp16"), ("int8", "int8")])
def test_engines_compute_as_they_are_asked(engines: dict[str, Any], method: str, precision: str) -> None:
    """Every operation with weights is found in the engine, in its method's precision."""
    made = engines[method]
    details = made["notes"]["details"]
    assert set(details["precisions"]) == {precision}
    assert details["compute_capabilities"] == CAPABILITIES
    (kernels,) = [table for table in made["notes"]["tables"] if table["title"].startswith("Kernels of")]
    assert len(kernels["rows"]) >= details["precisions"][precision] / 2
    read = Counter(precision in row[2].split(", ") for row in kernels["rows"])
    assert read[True] > 0
    assert made["manifest"]["built_for"]["processor"].endswith("8.0, 8.6, 8.9, 12.0")


def test_the_more_is_rounded_the_smaller_are_the_weights(engines: dict[str, Any], model: str) -> None:
    """The engine in float16 is smaller than that in float32."""
    sizes = {method: made["notes"]["details"]["engine_mb"] for method, made in engines.items()}
    assert sizes["fp16"] < 0.75 * sizes["fp32"], sizes


def test_predicted_quality_is_near_the_references(engines: dict[str, Any]) -> None:
    """What float16 and int8 are predicted to score on 20 images is within 0.05 of float32."""
    found = {method: made["predicted"] for method, made in engines.items()}
    assert min(found.values()) >= found["fp32"] - 0.05, found
    assert found["fp32"] > 0.4


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_without_a_gpu_an_engine_is_not_measured(engines: dict[str, Any]) -> None:
    """Where there is no GPU, loading an engine ends with a sentence that says so."""
    told = {made["loading"] for made in engines.values()}
    assert len(told) == 1
    assert told.pop().startswith("no NVIDIA GPU is here, and an engine needs one (")


@pytest.fixture(scope="module")
def small(environments: VenvExecutor, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What becomes of a small graph: two convolutions with a sum around them, a dense layer, a softmax."""
    folder = tmp_path_factory.mktemp("small")
    found = in_environment(PREPARER, RELEASE, "tensorrt_placement.py", folder)
    built = in_environment(TARGET, TOOLCHAIN, "rtx_headers.py", folder, FIXTURES / "custom.onnx")
    return {**found, **built}


def test_quantizers_stand_where_tensorrt_computes_in_int8(small: Any) -> None:
    """What convolutions and dense layers read is quantized, weights with a scale for each channel, and
    nothing else: no sum, no bias, no output. Every zero point is 0.
    """
    assert small["nodes"] == ["first", "second", "dense"]
    assert [name for name, _ in small["left"]] == ["relu", "add", "pool", "flatten", "softmax"]
    scales = {one["of"]: one["scale"] for one in small["quantizers"] if one["type"] == "DequantizeLinear"}
    activations = ("image", "r1", "flat")
    one_each = {f"{name}_QuantizeLinear_Output": ["float32", []] for name in activations}
    channels = {
        "w1_quantized": ["float32", [8]],
        "w2_quantized": ["float32", [8]],
        "w3_quantized": ["float32", [10]],
    }
    assert scales == {**one_each, **channels}
    assert {tuple(one["zero"]) for one in small["quantizers"]} == {("int8", 0)}
    readers = {one["for"] for one in small["quantizers"] if one["type"] == "DequantizeLinear"}
    assert readers == set(small["nodes"])


def test_what_is_left_out_reads_floats_again(small: Any) -> None:
    """An operation that is left out of int8 reads what it read before, and no quantizer stays for nobody."""
    assert small["restored"] == ["first", "dense"]
    assert small["restored quantizers"] == 6
    assert small["everything restored"] == ["b1", "b3", "w1", "w2", "w3"]


def test_the_fewest_operations_are_left_out(small: Any) -> None:
    """Operations are left out of int8, the costliest first, until the prediction is within the drop, no more;
    where no number is enough all are, and that is said. The rest of the graph is float16.
    """
    enough, fewer, never = (small["search"][drop] for drop in ("0.35", "0.15", "-1"))
    assert (enough["left out"], enough["in int8"]) == ([], 3)
    assert (len(fewer["left out"]), fewer["in int8"], fewer["costs fall"]) == (2, 1, True)
    assert fewer["remark"] == (
        "left out of int8: 2 of 3 operations; the prediction (0.9000) reaches what is allowed (0.8500), "
        "graphs tried: 3"
    )
    assert (len(never["left out"]), never["in int8"]) == (3, 0)
    assert "does not reach what is allowed (2.0000)" in never["remark"]
    assert all(found["casts"] for found in (enough, fewer, never))


def test_scales_stay_float32_in_a_float16_graph(small: Any) -> None:
    """In a float16 graph the quantizers keep scales of float32; what decodes the outputs stays float32."""
    assert {one["scale"][0] for one in small["typed quantizers"]} == {"float32"}
    assert small["decoding"] == ["softmax"]


def test_an_engine_says_for_what_it_was_built(small: Any) -> None:
    """The header of an engine has exactly the compute capabilities that were asked of the builder."""
    for asked, read in small["headers"].items():
        assert all(one == asked.split() for one in read), (asked, read)


def test_what_cannot_be_done_is_told_in_a_line(small: Any) -> None:
    """A graph that is quantized already, an unknown operation, what Turing has not: each has its line."""
    assert small["twice"] == (
        "the graph of digits is quantized already (QuantizeLinear 'image_QuantizeLinear'): "
        "give the float model, or use a method that does not quantize"
    )
    assert small["unknown operator"].startswith("TensorRT cannot read the operation Mystery: ")
    assert small["no float32 on Turing"] == (
        "TensorRT builds no engine of the graph: "
        "Myelin (Cannot compile operation 'dense' for Turing (SM75): FP32 GEMM is not supported.)"
    )


@pytest.fixture(scope="module")
def built(
    environments: VenvExecutor, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, dict[str, Record]]:
    """A workspace, and the records by variant of a whole build in it."""
    workspace = new_workspace(tmp_path_factory.mktemp("rtx") / "workspace")
    recipe = workspace.root / "recipes" / "digits.json"
    methods = [
        "fp32",
        {"method": "int8-accuracy-aware", "max_drop": 0},
        {"method": "int8", "ignored_scope": {"types": ["Gem"]}},
    ]
    measure = {"threads": 2, "cycles": 3, "burst_s": 0.02, "warmup": 1, "max_rounds": 3}
    document = {"model": "digits", "target": TARGET, "optimizations": methods, "conversion": {"opset": 13}}
    recipe.write_text(json.dumps({**document, "measure": measure}))
    found = build(workspace, str(recipe), Console(quiet=True), engine="venv")
    return workspace, {one.record.variant: one.record for one in found.assessments}


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_a_build_without_a_gpu_ends_with_an_honest_report(built: tuple[Workspace, dict[str, Record]]) -> None:
    """All that needs no GPU is done and kept; the variants are not measured, with the reason; the report has
    what is predicted. What failed is told as failed.
    """
    workspace, records = built
    reference = records["reference"]
    assert (reference.reason, reference.rounds) == ("none of its variants can be measured beside it", ())
    assert reference.quality is not None
    for variant in ("fp32", "int8-accuracy-aware"):
        record = records[variant]
        assert (record.status, record.stage) == (RecordStatus.NOT_MEASURED, "evaluate")
        assert record.reason.startswith("no NVIDIA GPU is here")
        files = {path.name for path in measured_artifact(workspace, record, "digits").iterdir()}
        assert files == {"model.engine", "manifest.json"}
        assert record.notes["digits"].details["conversion"]["opset"] == 13
        assert record.quality is None
        assert record.predicted
        assert record.predicted.value > 0.9
        assert [row.limit for row in record.differences] == [1e-4]
    assert records["int8"].status == RecordStatus.FAILED
    assert "the converted graph has no type 'Gem'; did you mean 'Gemm'?" in records["int8"].reason
    report = (workspace.results / "report.md").read_text()
    assert "predicted without its device: accuracy" in report
    assert "read back from it: of 4 operations with weights 4 fp32" in report


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_the_runtime_image_knows_an_engine(
    docker_executor: DockerExecutor,
    job_folder: Callable[[Job, Mapping[str, Path]], Path],
    built: tuple[Workspace, dict[str, Record]],
) -> None:
    """In the runtime image an engine is read as far as to say that there is no GPU."""
    if images.current_image(DOCKYARD, TARGET, TOOLCHAIN, stage="runtime") is None:
        images.build_image(DOCKYARD, TARGET, TOOLCHAIN, stage="runtime", on_line=print)
    workspace, records = built
    network = load_model(DOCKYARD, "digits", "test")
    assert isinstance(network, Network)
    parameters = Evaluate(NetworkFiles(network, "inputs/digits"), "inputs/data/test")
    job = Job("digits/evaluate-runtime", "digits", TARGET, TOOLCHAIN, "fp32", 2, parameters)
    test = PRODUCT / "models" / "digits" / "data" / "test"
    engine = measured_artifact(workspace, records["fp32"], "digits")
    folder = job_folder(job, {"digits": engine, "data/test": test})
    ended = docker_executor.run(TARGET, f"{TOOLCHAIN}-runtime", folder, Limits(120, 4096), print)
    result = read_result(folder, ended, parameters)
    assert result.status == Status.NOT_MEASURED
    assert result.reason.startswith("no NVIDIA GPU is here, and an engine needs one (")
    assert result.versions["tensorrt-rtx-cu12-libs"] == "1.7.1.116"
