"""A model folder that is wrong is refused before anything runs, with the place and the nearest valid name."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.graphs.outline import read_outline
from dockyard.recipe.models import check_pipeline, load_model
from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem
from shared.contract.model import DataLocation, Network, Pipeline, PipelineNode, follows_every
from tests.fakes import attempt, frozen_graph

GRAPH = frozen_graph(
    {"image": "Placeholder", "dense": "MatMul", "digit": "Softmax"}, {"image": [-1, 32, 32, 1]}
)


@pytest.fixture
def models(workspace: Workspace) -> Path:
    """The models folder of a workspace that has the example model as its own."""
    folder = workspace.root / "models" / "digits"
    folder.mkdir()
    for name in ("model.json", "digits.pb"):
        shutil.copy(PRODUCT / "models" / "digits" / name, folder / name)
    return folder.parent


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


def load(models: Path, name: str = "digits") -> Network | Pipeline:
    return load_model(Workspace(models.parent), name, "test")


def refused(models: Path, name: str = "digits") -> InputProblem:
    with pytest.raises(InputProblem) as caught:
        load(models, name)
    assert len(str(caught.value).splitlines()) <= 2
    return caught.value


def test_whole_model_is_loaded(models: Path) -> None:
    """The example model loads with what its model.json says."""
    network = load(models)
    assert isinstance(network, Network)
    assert (network.tensors, network.input.size, network.input.channel_count) == (("digit",), (32, 32), 1)


def test_unknown_model(workspace: Workspace) -> None:
    """A model that is not there is refused with the nearest name and the place that asked for it."""
    with pytest.raises(InputProblem, match="did you mean 'digits'") as caught:
        load_model(workspace, "digit", "own.json: $.model")
    assert caught.value.where == "own.json: $.model"


def test_unknown_target(workspace: Workspace) -> None:
    """A target that is not there is refused with the nearest name."""
    with pytest.raises(InputProblem, match="did you mean 'tensorflow'"):
        load_target(workspace, "tensorflo", "own.json: $.target")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no graph"),
        (b"node { name: 'image' }", "not a protobuf"),
        (b"\x89PNG\r\n\x1a\n", "not a protobuf"),
        (GRAPH[:-5], "not a protobuf"),
        (b"\x10\x01", "no graph"),
    ],
)
def test_no_frozen_graph(models: Path, content: bytes, message: str) -> None:
    """A graph file that is empty, text, cut off or another format is refused for what it is not."""
    put_graph(models, content)
    problem = refused(models)
    assert message in problem.what
    assert problem.where.endswith("digits/digits.pb")
    assert "frozen TensorFlow graph" in problem.advice


def test_checksum_differs(models: Path) -> None:
    """A graph other than the one of the checksum is refused, with both checksums."""
    path = models / "digits" / "digits.pb"
    path.write_bytes(GRAPH)
    problem = refused(models)
    assert hashlib.sha256(GRAPH).hexdigest() in problem.what
    assert document(models)["graph"]["sha256"][:12] in problem.what
    assert problem.where.endswith("$.graph.sha256")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("nowhere.pb", "there is no graph"),
        ("n" * 5000, "there is no graph"),
        ("digits\0.pb", "there is no graph"),
        ("../digits.pb", "leaves"),
        ("/etc/passwd", "leaves"),
        (".", "leaves"),
        ("", "leaves"),
    ],
)
def test_graph_elsewhere(models: Path, file: str, message: str) -> None:
    """A graph that is not there, or not in the model's folder, is refused."""
    changed = document(models)
    changed["graph"]["file"] = file
    save(models, changed)
    problem = refused(models)
    assert message in problem.what
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
    ("shape", "message"),
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
def test_wrong_shape(models: Path, shape: list[int], message: str) -> None:
    """A shape that is not the graph's, or no image's, is refused at its place."""
    changed = document(models)
    changed["input"]["shape"] = shape
    save(models, changed)
    problem = refused(models)
    assert message in problem.what
    assert "$.input.shape" in problem.where


@pytest.mark.parametrize(
    ("shape", "fits"),
    [([-1, 32, 32, 1], True), ([1, 32, 32, 1], True), ([-1, -1, -1, 1], True), ([1, 1024], False)],
)
def test_unknown_sizes_fit(models: Path, shape: list[int], fits: bool) -> None:
    """A size that the graph leaves open fits any; another number of axes never does."""
    put_graph(models, frozen_graph({"image": "Placeholder", "digit": "Softmax"}, {"image": shape}))
    if fits:
        assert load(models).name == "digits"
    else:
        assert "has the shape [1, 1024]" in refused(models).what


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("task",), "text-recognise", "did you mean 'text-recognition'?"),
        (("task",), "reading", "'reading' is not valid here"),
        (("tusk",), "detection", "did you mean 'task'?"),
        (("input", "layout"), "NHCW", "did you mean 'NHWC'?"),
        (("input", "channels"), "RBG", "did you mean 'RGB'?"),
        (("input", "meen"), [1], "did you mean 'mean'?"),
        (("input", "mean"), [1, 2], "2 values for 1 channel"),
        (("input", "scale"), [0], "less than or equal to the minimum"),
        (("input", "pad"), 256, "greater than the maximum"),
        (("graph", "sha256"), "abc", "does not match"),
        (("outputs", "box"), {"tensor": "digit"}, "unknown key 'box'"),
        (("outputs", "classes", "names"), [], ""),
        (("expect",), 0, "minimum"),
        (("expect",), 1.01, "maximum"),
        (("expct",), 0.9, "did you mean 'expect'?"),
        (("data",), {}, ""),
        (("data",), {"generator": "digits"}, ""),
        (("data",), {"set": "digits"}, ""),
        (("data",), {"foldr": "data"}, "did you mean 'folder'?"),
    ],
)
def test_wrong_model_json(models: Path, path: tuple[str, ...], value: Any, message: str) -> None:
    """Whatever model.json has wrong is refused with its JSON path and the nearest valid name."""
    changed = document(models)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    save(models, changed)
    problem = refused(models)
    assert message in str(problem)
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


@pytest.mark.parametrize(
    ("blank", "message"),
    [(2, ""), (3, "the blank 3 is beyond the 2 symbols of the alphabet"), (-1, "less than the minimum")],
)
def test_blank_of_an_alphabet(models: Path, blank: int, message: str) -> None:
    """The blank of a text recognizer is one of its classes, at the latest the one after the alphabet's."""
    changed = document(models)
    changed["task"] = "text-recognition"
    changed["outputs"] = {"symbols": {"tensors": ["digit"], "alphabet": "AB", "blank": blank}}
    save(models, changed)
    if message:
        problem = refused(models)
        assert message in problem.what
        assert problem.where.endswith("$.outputs.symbols.blank")
    else:
        assert load(models).name == "digits"


def pipeline_document(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"pipeline": list(nodes), "data": {"folder": "data"}}


FIND = {"name": "find", "network": "lp_detector"}
READ = {"name": "read", "network": "lp_reader", "input": "find", "crop_margin": 0.1}


@pytest.fixture
def put_pipeline(models: Path) -> Callable[..., Path]:
    """Put a pipeline `both` of some nodes beside the example model; return the models folder."""

    def put(*nodes: dict[str, Any]) -> Path:
        (models / "both").mkdir()
        save(models, pipeline_document(*nodes), "both")
        return models

    return put


def test_pipeline_is_loaded(put_pipeline: Callable[..., Path]) -> None:
    """A model.json with a pipeline names its nodes and is not asked for a graph."""
    model = load(put_pipeline(FIND, READ), "both")
    assert isinstance(model, Pipeline)
    assert model.nodes == (
        PipelineNode("find", "lp_detector"),
        PipelineNode("read", "lp_reader", "find", 0.1),
    )
    assert model.networks == ("lp_detector", "lp_reader")


def test_pipeline_of_any_length(put_pipeline: Callable[..., Path]) -> None:
    """One network can be a pipeline, and three can: two that read what the first one found."""
    model = load(put_pipeline(FIND, READ, {"name": "look", "network": "digits", "input": "find"}), "both")
    assert isinstance(model, Pipeline)
    assert model.nodes[2] == PipelineNode("look", "digits", "find", 0.0)


@pytest.mark.parametrize(
    ("nodes", "place", "message"),
    [
        ([], "$.pipeline", ""),
        (["lp_detector"], "$.pipeline[0]", "not of type 'object'"),
        ([{"name": "find"}], "$.pipeline[0]", "'network' is missing"),
        ([{"network": "lp_detector"}], "$.pipeline[0]", "'name' is missing"),
        ([FIND, {**READ, "crop": 0.1}], "$.pipeline[1]", "did you mean 'crop_margin'?"),
        ([FIND, {**READ, "crop_margin": 1.1}], "$.pipeline[1].crop_margin", "maximum"),
        ([{**FIND, "name": "Find"}], "$.pipeline[0].name", "does not match"),
        ([{**FIND, "name": ""}], "$.pipeline[0].name", "does not match"),
        ([FIND, {**READ, "name": "find"}], "$.pipeline[1].name", "two nodes 'find'"),
        ([{**FIND, "name": "image"}], "$.pipeline[0].name", "timed as 'image'"),
        ([{**FIND, "name": "total"}], "$.pipeline[0].name", "timed as 'total'"),
        ([{**FIND, "name": "decode"}], "$.pipeline[0].name", "timed as 'decode'"),
        ([FIND, {**READ, "name": "find_output"}], "$.pipeline[1].name", "timed as 'find_output'"),
        ([{**FIND, "name": "a_input"}, {**FIND, "name": "a"}], "$.pipeline[1].name", "timed as 'a_input'"),
        ([FIND, {**READ, "input": "fnd"}], "$.pipeline[1].input", "did you mean 'find'? valid: find, image"),
        ([READ, FIND], "$.pipeline[0].input", "no earlier node 'find'"),
        ([{**READ, "input": "read"}], "$.pipeline[0].input", "no earlier node 'read'"),
        ([{**FIND, "crop_margin": 0}], "$.pipeline[0].crop_margin", "nothing is cropped"),
        ([{**FIND, "objects": "all"}], "$.pipeline[0].objects", "valid: best, every"),
    ],
)
def test_wrong_pipeline(
    put_pipeline: Callable[..., Path], nodes: list[Any], place: str, message: str
) -> None:
    """A node without a name of its own, without an earlier input, or that crops nothing is refused."""
    problem = refused(put_pipeline(*nodes), "both")
    assert message in str(problem)
    assert problem.where.endswith(f"both/model.json: {place}")


def test_networks_of_a_pipeline(workspace: Workspace) -> None:
    """A pipeline's nodes crop from detectors only, and its networks are there: else the nearest are named."""
    pipeline = load_model(workspace, "license_plate", "test")
    assert isinstance(pipeline, Pipeline)
    networks: dict[str, Network] = {}
    for name in pipeline.networks:
        network = load_model(workspace, name, "test")
        assert isinstance(network, Network)
        networks[name] = network
    check_pipeline(pipeline, networks, "p")
    with pytest.raises(InputProblem, match="no network 'lp_reader'") as caught:
        check_pipeline(pipeline, {"lp_detector": networks["lp_detector"]}, "p: $.pipeline")
    assert caught.value.where == "p: $.pipeline[1].network"
    chain = (*pipeline.nodes, PipelineNode("third", "lp_reader", "reader"))
    with pytest.raises(InputProblem, match="'reader' finds no box") as caught:
        check_pipeline(replace(pipeline, nodes=chain), networks, "p: $.pipeline")
    assert caught.value.where == "p: $.pipeline[2].input"
    assert caught.value.advice.endswith("valid: detector, image")


def pipeline_of(workspace: Workspace, *nodes: PipelineNode) -> tuple[Pipeline, dict[str, Network]]:
    """A pipeline `p` of these nodes, and their networks as they are published."""
    networks = {}
    for each in nodes:
        found = load_model(workspace, each.network, "test")
        assert isinstance(found, Network)
        networks[each.network] = found
    return Pipeline("p", "", nodes, DataLocation()), networks


MANY = PipelineNode("find", "lp_detector_many", objects="every")
READER = PipelineNode("read", "lp_reader", "find")


def test_every_object_is_read_where_a_detector_of_many_is_followed_by_a_reader(workspace: Workspace) -> None:
    pipeline, networks = pipeline_of(workspace, MANY, READER)
    check_pipeline(pipeline, networks, "p: $.pipeline")
    assert follows_every(pipeline.nodes)


@pytest.mark.parametrize(
    ("nodes", "place", "what", "advice"),
    [
        (
            [replace(MANY, network="lp_detector"), READER],
            0,
            "lp_detector is a detector of one box",
            "nms_iou",
        ),
        ([MANY], 0, "'find', reads no text", "leave it out"),
        ([MANY, replace(READER, network="digits")], 0, "'read', reads no text", "leave it out"),
        ([MANY, replace(READER, objects="every")], 1, "'read' is not the first node", "leave it out"),
        ([MANY, READER, replace(READER, name="whole", input="image")], 0, "'whole' is given 'image'", "best"),
    ],
)
def test_where_not_every_object_can_be_read(
    workspace: Workspace, nodes: list[PipelineNode], place: int, what: str, advice: str
) -> None:
    """It is refused with the node that says so, why, and what to do."""
    with pytest.raises(InputProblem, match=what) as caught:
        check_pipeline(*pipeline_of(workspace, *nodes), "p: $.pipeline")
    assert caught.value.where == f"p: $.pipeline[{place}].objects"
    assert advice in caught.value.advice


names = st.text("abcdefgh/_:0123456789", min_size=1, max_size=20)


@given(
    st.dictionaries(names, st.sampled_from(["Conv2D", "Softmax", "Const"]), min_size=1),
    st.lists(st.integers(-1, 2**40), max_size=5),
)
def test_outline_tells_the_graph(tmp_path: Path, ops: dict[str, str], shape: list[int]) -> None:
    """The outline has every node of a graph, and the placeholder with its shape."""
    path = tmp_path / "graph.pb"
    path.write_bytes(frozen_graph({**ops, "IN": "Placeholder"}, {"IN": shape}))
    outline = read_outline(path, "frozen graph", "test")
    assert outline.inner == {*ops, "IN"}
    assert outline.inputs == {"IN": tuple(shape)}


@given(st.binary(max_size=200) | st.integers(0, len(GRAPH)).map(lambda n: GRAPH[:n]))
def test_any_bytes_are_an_outline_or_refused(tmp_path: Path, content: bytes) -> None:
    """Bytes of any kind are a graph or refused as none, never another error."""
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    outline, problem = attempt(InputProblem, read_outline, path, "frozen graph", "test")
    assert (outline is not None and outline.inner) or (problem is not None and "protobuf" in problem.what)
