"""A model folder that is wrong is refused before anything runs, with the place and the nearest valid name."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.catalog import load_model, load_target
from dockyard.recipe.graph import read_outline
from dockyard.recipe.places import MODELS
from shared.contract.errors import InputProblem
from shared.contract.model import Network, Pipeline
from tests.fakes import attempt, frozen_graph

Change = Callable[..., InputProblem]
GRAPH = frozen_graph({"image": "Placeholder", "dense": "MatMul", "digit": "Softmax"}, {"image": [-1, 32, 32, 1]})


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder with one model, the example's."""
    (tmp_path / "digits").mkdir()
    for name in ("model.json", "digits.pb"):
        shutil.copy(MODELS / "digits" / name, tmp_path / "digits" / name)
    return tmp_path


def document(models: Path, name: str = "digits") -> dict[str, Any]:
    read: dict[str, Any] = json.loads((models / name / "model.json").read_text())
    return read


def save(models: Path, content: Any, name: str = "digits") -> None:
    (models / name / "model.json").write_text(json.dumps(content))


def put_graph(models: Path, content: bytes) -> None:
    """Put a graph in the example's place, its checksum with it."""
    (models / "digits" / "digits.pb").write_bytes(content)
    changed = document(models)
    changed["graph"]["sha256"] = hashlib.sha256(content).hexdigest()
    save(models, changed)


def refused(models: Path) -> InputProblem:
    with pytest.raises(InputProblem) as caught:
        load_model("digits", "test", models)
    assert len(str(caught.value).splitlines()) <= 2
    return caught.value


def test_whole_model_is_loaded(models: Path) -> None:
    """The example model loads with what its model.json says."""
    network = load_model("digits", "test", models)
    assert isinstance(network, Network)
    assert (network.tensors, network.input.size, network.input.channel_count) == (["digit"], (32, 32), 1)


def test_unknown_model(models: Path) -> None:
    """A model that is not there is refused with the nearest name and the place that asked for it."""
    with pytest.raises(InputProblem, match="did you mean 'digits'") as caught:
        load_model("digit", "own.json: $.model", models)
    assert caught.value.where == "own.json: $.model"


def test_unknown_target() -> None:
    """A target that is not there is refused with the nearest name."""
    with pytest.raises(InputProblem, match="did you mean 'tensorflow'"):
        load_target("tensorflo", "own.json: $.target")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no graph"),
        (b"node { name: 'image' }", "not a protobuf"),
        (b"\x89PNG\r\n\x1a\n", "not a protobuf"),
        (GRAPH[:-5], "not a protobuf"),
        (b"\x10\x01", "no graph"),
    ],
)
def test_no_frozen_graph(models: Path, content: bytes, told: str) -> None:
    """A graph file that is empty, text, cut off or another format is told for what it is not, with the file."""
    put_graph(models, content)
    problem = refused(models)
    assert told in problem.what
    assert problem.where.endswith("digits/digits.pb")
    assert "frozen TensorFlow graph" in problem.advice


def test_checksum_differs(models: Path) -> None:
    """A graph other than the one of the checksum is refused, both checksums told."""
    path = models / "digits" / "digits.pb"
    path.write_bytes(GRAPH)
    problem = refused(models)
    assert hashlib.sha256(GRAPH).hexdigest() in problem.what
    assert document(models)["graph"]["sha256"][:12] in problem.what
    assert problem.where.endswith("$.graph.sha256")


@pytest.mark.parametrize(
    ("file", "told"),
    [("nowhere.pb", "there is no graph"), ("../digits.pb", "leaves"), ("/etc/passwd", "leaves"), (".", "leaves"), ("", "leaves")],
)
def test_graph_elsewhere(models: Path, file: str, told: str) -> None:
    """A graph that is not there, or not in the model's folder, is refused."""
    changed = document(models)
    changed["graph"]["file"] = file
    save(models, changed)
    problem = refused(models)
    assert told in problem.what
    assert problem.where.endswith("$.graph.file")


def test_graph_linked_outside(models: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A link that leads out of the model's folder is no graph of it."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "digits.pb"
    shutil.move(str(models / "digits" / "digits.pb"), elsewhere)
    (models / "digits" / "digits.pb").symlink_to(elsewhere)
    assert "leaves" in refused(models).what


def test_input_not_in_graph(models: Path) -> None:
    """An input name that the graph does not have is refused with the nearest one."""
    changed = document(models)
    changed["input"]["name"] = "imag"
    save(models, changed)
    problem = refused(models)
    assert "no input 'imag'" in problem.what
    assert "did you mean 'image'? valid: image" in problem.advice
    assert problem.where.endswith("$.input.name")


def test_output_not_in_graph(models: Path) -> None:
    """An output name that the graph does not have is refused with the nearest one."""
    changed = document(models)
    changed["outputs"]["classes"]["tensor"] = "digits"
    save(models, changed)
    problem = refused(models)
    assert "no output 'digits'" in problem.what
    assert "did you mean 'digit'?" in problem.advice


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ([1, 28, 28, 1], "has the shape"),
        ([2, 32, 32, 1], "is not one image"),
        ([1, 32, 32, 3], "is not one image"),
        ([1, 1, 32, 32], "is not one image"),
        ([1, 32, 32], ""),
        ([1, 0, 32, 1], "minimum"),
        ([1, 32, -1, 1], "minimum"),
        ([1, 99999, 32, 1], "maximum"),
    ],
)
def test_wrong_shape(models: Path, shape: list[int], told: str) -> None:
    """A shape that is not the graph's, or no image's, is refused at its place."""
    changed = document(models)
    changed["input"]["shape"] = shape
    save(models, changed)
    problem = refused(models)
    assert told in problem.what
    assert "$.input.shape" in problem.where


@pytest.mark.parametrize(("shape", "fits"), [([-1, 32, 32, 1], True), ([1, 32, 32, 1], True), ([-1, -1, -1, 1], True), ([1, 1024], False)])
def test_unknown_sizes_fit(models: Path, shape: list[int], fits: bool) -> None:
    """A size that the graph leaves open fits any; another number of axes never does."""
    put_graph(models, frozen_graph({"image": "Placeholder", "digit": "Softmax"}, {"image": shape}))
    if fits:
        assert load_model("digits", "test", models).name == "digits"
    else:
        assert "has the shape [1, 1024]" in refused(models).what


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("task",), "reads", "'reads' is not valid here"),
        (("tusk",), "reading", "did you mean 'task'?"),
        (("input", "layout"), "NHCW", "did you mean 'NHWC'?"),
        (("input", "channels"), "RBG", "did you mean 'RGB'?"),
        (("input", "meen"), [1], "did you mean 'mean'?"),
        (("input", "mean"), [1, 2], "2 values for 1 channel"),
        (("input", "scale"), [0], "less than or equal to the minimum"),
        (("input", "pad"), 256, "greater than the maximum"),
        (("graph", "sha256"), "abc", "does not match"),
        (("outputs", "box"), {"tensor": "digit"}, "unknown key 'box'"),
        (("outputs", "classes", "names"), [], ""),
        (("data",), {}, ""),
        (("data",), {"generator": "digits"}, ""),
        (("data",), {"set": "digits"}, ""),
        (("data",), {"foldr": "data"}, "did you mean 'folder'?"),
    ],
)
def test_wrong_model_json(models: Path, path: tuple[str, ...], value: Any, told: str) -> None:
    """Whatever model.json has wrong is told with its JSON path and the nearest valid name."""
    changed = document(models)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    save(models, changed)
    problem = refused(models)
    assert told in str(problem)
    assert "digits/model.json: $" in problem.where


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null"])
def test_no_model_json(models: Path, content: bytes) -> None:
    """A model.json that is empty, cut off or no object is refused."""
    (models / "digits" / "model.json").write_bytes(content)
    assert "digits/model.json" in refused(models).where


def test_missing_keys(models: Path) -> None:
    """Every required key of model.json is named when it is missing."""
    whole = document(models)
    for key in ("task", "graph", "input", "outputs", "data"):
        save(models, {k: v for k, v in whole.items() if k != key})
        assert f"'{key}' is missing" in refused(models).what


def test_pipeline_is_loaded(models: Path) -> None:
    """A model.json with a pipeline names its networks and is not asked for a graph."""
    (models / "both").mkdir()
    save(models, {"pipeline": ["digits", "digits"], "crop_margin": 0.1, "data": {"folder": "data"}}, "both")
    model = load_model("both", "test", models)
    assert isinstance(model, Pipeline)
    assert (model.networks, model.crop_margin) == (("digits", "digits"), 0.1)


def test_pipeline_of_three_is_refused(models: Path) -> None:
    """A pipeline is a detector and a reader, no more."""
    (models / "three").mkdir()
    save(models, {"pipeline": ["digits"] * 3, "data": {"folder": "data"}}, "three")
    with pytest.raises(InputProblem, match=r"\$\.pipeline"):
        load_model("three", "test", models)


names = st.text("abcdefgh/_:0123456789", min_size=1, max_size=20)


@given(st.dictionaries(names, st.sampled_from(["Conv2D", "Softmax", "Const"]), min_size=1), st.lists(st.integers(-1, 2**40), max_size=5))
def test_outline_tells_the_graph(tmp_path: Path, ops: dict[str, str], shape: list[int]) -> None:
    """The outline has every node of a graph, and the placeholder with its shape."""
    path = tmp_path / "graph.pb"
    path.write_bytes(frozen_graph({**ops, "IN": "Placeholder"}, {"IN": shape}))
    outline = read_outline(path, "frozen graph")
    assert outline.inner == {*ops, "IN"}
    assert outline.inputs == {"IN": tuple(shape)}


@given(st.binary(max_size=200) | st.integers(0, len(GRAPH)).map(lambda n: GRAPH[:n]))
def test_any_bytes_are_an_outline_or_refused(tmp_path: Path, content: bytes) -> None:
    """Bytes of any kind are a graph or refused as none, never another error."""
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    outline, problem = attempt(InputProblem, read_outline, path, "frozen graph")
    assert (outline is not None and outline.inner) or (problem is not None and "protobuf" in problem.what)
