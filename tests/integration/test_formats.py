"""A model in any form goes the whole way, from plan to record, on every toolchain of OpenVINO; what cannot says why, in a line."""

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
from dockyard.engines.venv import VenvEngine
from dockyard.judge.records import read_records
from dockyard.recipe.graph import read_outline
from dockyard.recipe.hashing import content_hash
from dockyard.recipe.places import MODELS, ROOT, STATE
from dockyard.run.runner import read_result
from shared.contract.job import Job
from shared.contract.record import Record

FIXTURES = ROOT / "tests" / "fixtures"
LIMITS = Limits(time_s=120, memory_mb=4096)
NCHW = {"layout": "NCHW", "shape": [1, 1, 32, 32]}
FORMS: dict[str, tuple[str, dict[str, Any], str]] = {
    "digits.pb": ("image", {}, "digit"),
    "digits": ("image", {}, "digit"),
    "digits.keras": ("image", {}, "digit"),
    "digits.onnx": ("image", NCHW, "digit"),
    "digits.tflite": ("serving_default_image", {}, "StatefulPartitionedCall_1"),
}
"""Input, what else model.json says of it, and output by file."""

Build = Callable[..., tuple[dict[str, Record], str]]


@pytest.fixture(scope="module")
def repository(venv_engine: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the environments of this one, to which models are added."""
    root = tmp_path_factory.mktemp("repository")
    for name in ("dockyard", "shared", "targets", "docker"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tasks.py", "models/model.schema.json", "recipes/recipe.schema.json"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, root / name)
    (root / ".dockyard").mkdir()
    (root / ".dockyard" / "venvs").symlink_to(STATE / "venvs")
    return root


@pytest.fixture(scope="module")
def build(repository: Path) -> Build:
    """Build a recipe of a graph with the digits' data; return the records by variant and what was printed."""

    def run(file: str, note: str = "", **recipe: Any) -> tuple[dict[str, Record], str]:
        name = file.replace(".", "_") + note
        folder = repository / "models" / name
        shutil.copytree(MODELS / "digits" / "data", folder / "data")
        origin = MODELS / "digits" / file if file == "digits.pb" else FIXTURES / file
        (shutil.copytree if origin.is_dir() else shutil.copyfile)(origin, folder / file)
        document = json.loads((MODELS / "digits" / "model.json").read_text())
        feed, changes, tensor = FORMS.get(file, ("image", NCHW if file.endswith(".onnx") else {}, "digit"))
        document["input"] |= {"name": feed, **changes}
        document["outputs"]["classes"]["tensor"] = tensor
        document["graph"] = {"file": file, "sha256": content_hash(folder / file)}
        (folder / "model.json").write_text(json.dumps(document))
        (repository / "recipes" / f"{name}.json").write_text(
            json.dumps(
                {
                    "model": name,
                    "target": "intel-openvino",
                    "optimizations": ["baseline", {"method": "baseline", "toolchain": "2023.3"}],
                    "measure": {"threads": 2, "runs": 5, "warmup": 1, "seconds": 0, "max_rounds": 3},
                    **recipe,
                }
            )
        )
        command = [sys.executable, "-m", "invoke", "--search-root", str(repository), "build", "--recipe", name, "--engine", "venv"]
        done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=600)
        records = read_records(repository / ".dockyard" / "runs" / name)
        return {record.variant: record for record in records}, done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def of_the_frozen_graph(build: Build) -> dict[str, Record]:
    """The records of the digits as a frozen graph."""
    return build("digits.pb")[0]


def predictions(record: Record) -> list[Any]:
    assert record.quality is not None, record.reason
    return [sample["prediction"] for sample in record.quality["samples"]]


@pytest.mark.parametrize("file", [name for name in FORMS if name != "digits.pb"])
def test_every_form_has_the_quality_of_the_frozen_graph(build: Build, of_the_frozen_graph: dict[str, Record], file: str) -> None:
    """The digits in each form predict what the frozen graph does, in the reference and, agreeing with it to 1e-3, in both toolchains."""
    records, printed = build(file)
    assert set(records) == {"reference", "baseline", "baseline@2023.3"}, printed
    for variant, record in records.items():
        assert record.status == "measured", record.reason
        assert predictions(record) == predictions(of_the_frozen_graph[variant])
        assert [row["output"] for row in record.conversion] == ([] if variant == "reference" else [FORMS[file][2]])
        assert all(row["difference"] < 1e-3 for row in record.conversion)
    ((model, files),) = records["reference"].artifacts.items()
    assert [(f["path"], f["sha256"]) for f in files] == [(file, records["reference"].graphs[model])]


def test_an_onnx_graph_is_cut(build: Build, of_the_frozen_graph: dict[str, Record]) -> None:
    """Cut at an inner tensor of an ONNX graph, here before the softmax, reference and both toolchains give that tensor."""
    logits = "functional_1/dense_1/MatMul_Gemm__7"
    records, printed = build("digits.onnx", "cut", conversion={"outputs": {"digit": logits}})
    assert {variant: record.status for variant, record in records.items()} == dict.fromkeys(of_the_frozen_graph, "measured"), printed
    for variant, record in records.items():
        assert predictions(record) == predictions(of_the_frozen_graph[variant])
        assert [row["output"] for row in record.conversion] == ([] if variant == "reference" else [logits])


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("custom.pb", "NotFoundError: Op type not registered 'Mystery'"),
        ("custom.onnx", "com.example:Mystery(-1) is not a registered function/op"),
        ("lambda.keras", "ValueError: Requested the deserialization of a `Lambda` layer whose `function` is a Python lambda"),
    ],
)
def test_what_the_reference_cannot_run(build: Build, file: str, told: str) -> None:
    """An operator that nobody knows, or Python code in a layer, is a failed record of every variant, with the tool's reason in a line."""
    records, printed = build(file)
    assert set(records) == {"reference", "baseline", "baseline@2023.3"}
    for record in records.values():
        assert (record.status, record.stage) == ("failed", "evaluate")
        assert told in record.reason
        assert len(record.reason.splitlines()) == 1
        assert record.log
    assert told in " ".join(printed.split())


def test_what_a_toolchain_cannot_convert(build: Build) -> None:
    """An operator that only TensorFlow has is a failed record of each toolchain, with its reason in a line; the reference is measured."""
    records, _ = build("betainc.pb")
    assert records.pop("reference").status == "measured"
    assert {variant: (record.status, record.stage) for variant, record in records.items()} == dict.fromkeys(
        ("baseline", "baseline@2023.3"), ("failed", "convert")
    )
    assert records["baseline"].reason == "OpConversionFailure: -- No conversion rule found for operations: Betainc"
    assert records["baseline@2023.3"].reason.endswith("no translator found for operation(s): Betainc")
    assert len(records["baseline@2023.3"].reason.splitlines()) == 1


@pytest.mark.parametrize("file", ["digits.pb", "digits", "digits.keras"])
def test_the_reference_converts_to_onnx(venv_engine: VenvEngine, job_folder: Callable[..., Path], tmp_path: Path, file: str) -> None:
    """A frozen graph, a SavedModel and a Keras file become an ONNX graph with model.json's names and an NCHW input that agrees to 1e-3."""
    models = MODELS / "digits"
    document = json.loads((models / "model.json").read_text())
    network = {**{k: v for k, v in document.items() if k not in ("$schema", "licence")}, "graph": {"file": file, "sha256": ""}}
    source = tmp_path / "graph"
    source.mkdir()
    origin = models / file if file == "digits.pb" else FIXTURES / file
    (shutil.copytree if origin.is_dir() else shutil.copyfile)(origin, source / file)
    fields: dict[str, Any] = {
        "model": "digits",
        "target": "tensorflow",
        "toolchain": "2.21",
        "method": "reference",
        "networks": {"digits": network},
        "artifacts": {"digits": "inputs/digits"},
        "measure": {"threads": 1},
    }
    evaluate = Job(id="digits/reference/evaluate", stage="evaluate", data={"test": "inputs/data/test"}, **fields)
    evaluated = job_folder(evaluate, {"digits": source, "data/test": models / "data" / "test"})
    venv_engine.run("tensorflow", "2.21", evaluated, LIMITS, print)
    convert = Job(id="digits/reference/convert", stage="convert", options={"layout": "NCHW"}, reference="inputs/reference.npz", **fields)
    folder = job_folder(convert, {"digits": source, "reference.npz": evaluated / "outputs" / "reference.npz"})
    result = read_result(folder, venv_engine.run("tensorflow", "2.21", folder, LIMITS, print), "convert")
    assert result["status"] == "done", result
    assert result["notes"]["inputs_as_nchw"] is True
    assert [(row["output"], row["agrees"]) for row in result["conversion"]] == [("digit", True)]
    outline = read_outline(folder / "outputs" / "model.onnx", "ONNX")
    assert (outline.inputs, outline.outputs) == ({"image": (1, 1, 32, 32)}, ("digit",))
