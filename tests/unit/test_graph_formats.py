"""A model in any format is looked into before anything runs: is it what it claims, what model.json has?"""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.plan.make import make_plan
from dockyard.recipe.graphs.outline import read_outline
from dockyard.recipe.hashing import content_hash
from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem
from shared.contract.model import Network
from shared.contract.recipe import Optimization, Recipe
from tests.fakes import attempt, frozen_graph

FIXTURES = PRODUCT / "tests" / "fixtures"
FORMATS = {
    "digits": ("SavedModel", "image", "digit"),
    "digits.keras": ("Keras", "image", "digit"),
    "digits.onnx": ("ONNX", "image", "digit"),
    "digits.tflite": ("TFLite", "serving_default_image", "StatefulPartitionedCall_1"),
}
"""Format, input and output by file."""

Put = Callable[..., Path]


@pytest.fixture
def put(workspace: Workspace) -> Put:
    """Put a model with its checksum into a workspace of its own; return the models folder.

    `change` does something to its graph, keywords to the input in model.json.
    """

    def make(
        file: str, change: Callable[[Path], object] = lambda path: None, source: str = "", **changes: Any
    ) -> Path:
        folder = workspace.root / "models" / "tried"
        folder.mkdir()
        path = folder / file
        origin = FIXTURES / (source or file)
        (shutil.copytree if origin.is_dir() else shutil.copyfile)(origin, path)
        change(path)
        document = json.loads((PRODUCT / "models" / "digits" / "model.json").read_text())
        _, name, tensor = FORMATS.get(source or file, ("", "image", "digit"))
        document["input"]["name"] = name
        if file.endswith(".onnx"):
            document["input"] |= {"layout": "NCHW", "shape": [1, 1, 32, 32]}
        document["input"] |= changes
        document["outputs"]["classes"]["tensor"] = tensor
        document["graph"] = {"file": file, "sha256": content_hash(path)}
        (folder / "model.json").write_text(json.dumps(document))
        return folder.parent

    return make


def load(models: Path) -> Network:
    network = load_model(Workspace(models.parent), "tried", "test")
    assert isinstance(network, Network)
    return network


def refused(models: Path) -> InputProblem:
    with pytest.raises(InputProblem) as caught:
        load(models)
    assert len(str(caught.value).splitlines()) <= 2
    return caught.value


@pytest.mark.parametrize("file", FORMATS)
def test_every_format_is_loaded(put: Put, file: str) -> None:
    """A model in every format passes the checks, its format known by its ending."""
    assert load(put(file)).format == FORMATS[file][0]


@pytest.mark.parametrize("file", FORMATS)
def test_input_not_in_graph(put: Put, file: str) -> None:
    """An input that the graph does not have is refused with the nearest name, in every format."""
    name = FORMATS[file][1]
    problem = refused(put(file, name=name[:-1]))
    assert f"no input '{name[:-1]}'" in problem.what
    assert f"did you mean '{name}'?" in problem.advice


@pytest.mark.parametrize("file", FORMATS)
def test_output_not_in_graph(put: Put, file: str) -> None:
    """An output that the graph does not have is refused with the nearest name, in every format."""
    models, name = put(file), FORMATS[file][2]
    path = models / "tried" / "model.json"
    path.write_text(path.read_text().replace(f'"{name}"', f'"{name}s"'))
    problem = refused(models)
    assert f"no output '{name}s'" in problem.what
    assert f"did you mean '{name}'?" in problem.advice


@pytest.mark.parametrize("file", FORMATS)
def test_shape_of_the_graph(put: Put, file: str) -> None:
    """A shape that is not the graph's is refused with the graph's own, in every format."""
    shape = [1, 1, 28, 28] if file.endswith(".onnx") else [1, 28, 28, 1]
    problem = refused(put(file, shape=shape))
    assert problem.where.endswith("$.input.shape")
    assert (
        "[1, 1, 32, 32]" in problem.advice if file.endswith(".onnx") else "[1, 32, 32, 1]" in problem.advice
    )


@pytest.mark.parametrize("file", ["digits", "digits.onnx", "digits.tflite"])
def test_classes_without_a_name(put: Put, file: str) -> None:
    """Where the graph says how many classes there are, another number of names is refused with both."""
    models = put(file)
    path = models / "tried" / "model.json"
    document = json.loads(path.read_text())
    document["outputs"]["classes"]["names"].pop()
    path.write_text(json.dumps(document))
    problem = refused(models)
    assert "has 10 class(es), outputs.classes.names is for 9" in problem.what
    assert problem.where.endswith("$.outputs.classes.names")


@pytest.mark.parametrize("file", FORMATS)
def test_checksum_differs(put: Put, file: str) -> None:
    """A graph with one byte more than the checksum's is refused; in a SavedModel any of its files counts."""
    models = put(file)
    path = models / "tried" / file
    changed = path / "variables" / "variables.index" if path.is_dir() else path
    if file.endswith(".keras"):
        with zipfile.ZipFile(changed, "a") as archive:
            archive.writestr("more", "x")
    else:
        changed.write_bytes(changed.read_bytes() + (b"\x80\x08\x01" if file.endswith(".onnx") else b"\0"))
    assert "has the checksum" in refused(models).what


@pytest.mark.parametrize(
    ("file", "source", "message"),
    [
        ("digits.pb", "digits", "a folder, with the ending of a file"),
        ("digits.onnx", "digits", "a folder with 0 files *.onnx"),
        ("digits.h5", "digits.keras", "save it in Keras's own"),
        ("digits.pb", "digits.onnx", "no graph"),
        ("digits.onnx", "custom.pb", "no ONNX model"),
        ("digits.onnx", "digits.tflite", "not a protobuf"),
        ("digits.tflite", "digits.onnx", "no TFLite flatbuffer"),
        ("digits.keras", "digits.tflite", "no zip archive"),
    ],
)
def test_format_is_not_that_of_the_ending(put: Put, file: str, source: str, message: str) -> None:
    """A graph whose ending is another format's is refused with what it is not and what was expected."""
    problem = refused(put(file, source=source))
    assert message in problem.what
    assert problem.advice.startswith("expected")
    assert problem.where.endswith(file)


@pytest.mark.parametrize("file", ["digits.keras", "digits.onnx", "digits.tflite"])
def test_file_cut_off(put: Put, file: str) -> None:
    """A file that ends halfway is refused."""
    assert refused(put(file, lambda path: path.write_bytes(path.read_bytes()[:100_000]))).where.endswith(file)


def test_saved_model_file_instead_of_folder(put: Put) -> None:
    """The file in a SavedModel is no frozen graph, and its folder is asked for."""
    assert "give the folder" in refused(put("saved_model.pb", source="digits/saved_model.pb")).advice


def test_saved_model_without_its_file(put: Put) -> None:
    """A folder without saved_model.pb is no SavedModel."""
    assert (
        "without saved_model.pb"
        in refused(put("digits", lambda path: (path / "saved_model.pb").unlink())).what
    )


@pytest.mark.parametrize("target", ["elsewhere", "models/tried/digits/variables"])
def test_link_in_a_saved_model(put: Put, tmp_path: Path, target: str) -> None:
    """A link in a SavedModel is refused, be it to a folder outside or inside."""
    assert (
        "the link more"
        in refused(put("digits", lambda path: (path / "more").symlink_to(tmp_path / target))).what
    )


def field(number: int, content: bytes) -> bytes:
    """Encode a field of a protobuf; content shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def test_saved_model_without_a_serving_signature(put: Put) -> None:
    """A SavedModel without the serving signature is refused, and those that it has are named."""
    model = field(2, field(5, field(1, b"train")))
    problem = refused(put("digits", lambda path: (path / "saved_model.pb").write_bytes(model)))
    assert "no signature 'serving_default' (its signatures: train)" in problem.what


@pytest.mark.parametrize("inside", ["initializer", "attribute", "branch"])
def test_weights_in_other_files(put: Put, inside: str) -> None:
    """An ONNX model that reads its weights from other files is refused, wherever it does, with what to do."""
    tensor = field(8, b"w") + b"\x70\x01"
    node = field(2, b"digit") + field(4, b"Relu")
    graph = {
        "initializer": field(1, node) + field(5, tensor),
        "attribute": field(1, node + field(5, field(5, tensor))),
        "branch": field(1, node + field(5, field(6, field(5, tensor)))),
    }[inside]
    problem = refused(put("digits.onnx", lambda path: path.write_bytes(b"\x08\x08" + field(7, graph))))
    assert "weights lie in other files" in problem.what
    assert "save_as_external_data=False" in problem.advice


def long_field(number: int, content: bytes) -> bytes:
    """Encode a field of a protobuf; content shorter than 2 MiB."""
    size = len(content)
    return bytes([number << 3 | 2, size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + content


def test_onnx_branches_in_branches(put: Put) -> None:
    """A file of branches in branches in branches is refused for its depth, however small it is."""
    graph = field(1, field(4, b"If"))
    for _ in range(2000):
        graph = long_field(1, field(4, b"If") + long_field(5, long_field(6, graph)))
    problem = refused(put("digits.onnx", lambda path: path.write_bytes(b"\x08\x08" + long_field(7, graph))))
    assert "nested too deeply" in problem.what


def keras_file(config: Any, **members: str) -> bytes:
    """A Keras file with a config.json, and members by name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {
            "config.json": config if isinstance(config, str) else json.dumps(config),
            **members,
        }.items():
            archive.writestr(name, text)
    return stream.getvalue()


CONFIG: Any = {
    "class_name": "Functional",
    "config": {
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "image", "batch_shape": [None, 32, 32, 1]}},
            {"class_name": "Dense", "config": {"name": "digit"}},
        ],
        "output_layers": ["digit", 0, 0],
    },
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (keras_file(CONFIG, **{"../model.weights.h5": ""}), "the path '../model.weights.h5'"),
        (keras_file(CONFIG, **{"assets/../../x": ""}), "the path 'assets/../../x'"),
        (keras_file(CONFIG, **{"/etc/passwd": ""}), "the path '/etc/passwd'"),
        (keras_file(CONFIG, **{"..\\x": ""}), "the path '..\\x'"),
        (keras_file(" " * (65 << 20)), "config.json is larger than 64 MiB"),
        (keras_file(CONFIG).replace(b"config.json", b"konfig.json"), "without config.json"),
        (keras_file("{"), "config.json is no JSON"),
        (keras_file("[" * 100_000), "can be read"),
        (keras_file("[]"), "of the class None"),
        (keras_file({"class_name": "Detector", "config": {}}), "of the class Detector"),
        (keras_file({"class_name": "Functional", "config": {"layers": [1]}}), "does not list its layers"),
        (keras_file({"class_name": "Sequential", "config": {"layers": []}}), "does not list its layers"),
    ],
)
def test_no_keras_file(put: Put, content: bytes, message: str) -> None:
    """An archive that leaves its folder, that is to fill a disk, or that lists no layers is refused."""
    problem = refused(put("digits.keras", lambda path: path.write_bytes(content)))
    assert message in problem.what


def test_keras_file_that_fills_the_disk(put: Put) -> None:
    """A Keras file whose members claim more than 16 GiB unpacked is refused, however small it is."""
    content = bytearray(keras_file(CONFIG, a="", b="", c="", d=""))
    for entry in (match.start() for match in re.finditer(b"PK\x01\x02", content)):
        content[entry + 24 : entry + 28] = b"\xfe\xff\xff\xff"
    assert (
        "more than 16 GiB unpacked"
        in refused(put("digits.keras", lambda path: path.write_bytes(content))).what
    )


@pytest.mark.parametrize(
    "entries",
    [["digit", 0, 0], [["digit", 0, 0], ["image", 0, 0]], {"a": ["digit", 0, 0]}, {"a": [["digit", 0, 0]]}],
)
def test_outputs_of_a_keras_file(tmp_path: Path, entries: Any) -> None:
    """The outputs are the names of the layers that `output_layers` lists, as one, a list or an object."""
    path = tmp_path / "x.keras"
    path.write_bytes(keras_file({**CONFIG, "config": {**CONFIG["config"], "output_layers": entries}}))
    assert next(iter(read_outline(path, "Keras", "test").outputs)) == "digit"


def test_sequential_keras_file(tmp_path: Path) -> None:
    """A Sequential model's output is its last layer."""
    layers = CONFIG["config"]["layers"]
    path = tmp_path / "x.keras"
    path.write_bytes(keras_file({"class_name": "Sequential", "config": {"layers": layers}}))
    outline = read_outline(path, "Keras", "test")
    assert (outline.inputs, outline.outputs) == ({"image": (-1, 32, 32, 1)}, {"digit": None})


@pytest.mark.parametrize(
    ("dtype", "types"),
    [
        ("uint8", {"image": "uint8"}),
        ({"class_name": "DTypePolicy", "config": {"name": "float16"}}, {"image": "float16"}),
        ({"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}, {}),
        (None, {}),
    ],
)
def test_type_of_a_keras_input(tmp_path: Path, dtype: Any, types: dict[str, str]) -> None:
    """The type of a Keras file's input is what its config says, as such or as a policy's name."""
    layers = [dict(layer) for layer in CONFIG["config"]["layers"]]
    layers[0]["config"] = {**layers[0]["config"], "dtype": dtype}
    path = tmp_path / "x.keras"
    path.write_bytes(keras_file({"class_name": "Sequential", "config": {"layers": layers}}))
    assert read_outline(path, "Keras", "test").types == types


def test_what_tflite_computes_in() -> None:
    """A TFLite graph of real numbers takes float32 and is not quantized."""
    outline = read_outline(FIXTURES / "digits.tflite", "TFLite", "test")
    assert (outline.types, outline.quantized) == ({"serving_default_image": "float32"}, "")


@pytest.mark.parametrize(
    ("file", "inner"), [("digits.keras", "flatten"), ("digits.onnx", "functional_1/re_lu_1/Relu")]
)
def test_inner_tensors_are_known(put: Put, file: str, inner: str) -> None:
    """A Keras file's layers and an ONNX graph's tensors can be named, without the `:0` at their end."""
    assert inner in read_outline(FIXTURES / file, FORMATS[file][0], "test").inner


def test_what_a_frozen_graph_gives(tmp_path: Path) -> None:
    """The outputs that are offered are the nodes that no other reads."""
    path = tmp_path / "x.pb"
    read = field(1, field(1, b"last") + field(2, b"Relu") + field(3, b"first:0") + field(3, b"^before"))
    path.write_bytes(
        frozen_graph({"in": "Placeholder", "w": "Const", "before": "Relu", "first": "Relu"}) + read
    )
    assert read_outline(path, "frozen graph", "test").outputs == {"last": None}


DAMAGED = ("digits.keras", "digits.onnx", "digits.tflite", "custom.onnx", "digits/saved_model.pb")
CONTENTS = {file: (FIXTURES / file).read_bytes() for file in DAMAGED}


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A fixture with a few bytes of it overwritten, near its ends more often than not, or cut off."""
    file = draw(st.sampled_from(DAMAGED))
    content = bytearray(CONTENTS[file])
    anywhere = st.integers(0, len(content) - 1)
    near_an_end = st.integers(0, 100) | st.integers(len(content) - 3000, len(content) - 1)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(anywhere | near_an_end) % len(content)
        content[place : place + 4] = draw(st.binary(min_size=1, max_size=4))
    return file, bytes(content[: draw(st.none() | st.integers(0, len(content)))])


@given(damaged())
def test_damage_is_seen_or_harmless(tmp_path: Path, case: tuple[str, bytes]) -> None:
    """A damaged graph of any format has an outline or is refused as none, never another error."""
    file, content = case
    path = tmp_path / "saved" / "saved_model.pb" if "/" in file else tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    format = "SavedModel" if "/" in file else FORMATS.get(file, ("ONNX",))[0]
    outline, problem = attempt(
        InputProblem, read_outline, path.parent if "/" in file else path, format, "test"
    )
    assert (outline is None) != (problem is None)
    assert problem is None or problem.advice.startswith("expected")


@given(st.sampled_from(["Keras", "ONNX", "TFLite"]), st.binary(max_size=300), st.booleans())
def test_any_bytes_are_refused(tmp_path: Path, format: str, content: bytes, marked: bool) -> None:
    """Bytes of any kind are refused in each format, also behind a format's mark."""
    path = tmp_path / "graph"
    path.write_bytes((b"\x10\0\0\0TFL3" if marked and format == "TFLite" else b"") + content)
    _, problem = attempt(InputProblem, read_outline, path, format, "models/own/graph")
    assert problem is not None
    assert problem.where == "models/own/graph"


def test_a_graph_that_no_way_leads_to(put: Put, digits: Recipe) -> None:
    """A graph that a target does not read, and that cannot be made ONNX, is refused with what would do."""
    workspace = Workspace(put("digits.tflite").parent)
    recipe = replace(
        digits, model="tried", target="tvm-llvm", toolchain=None, optimizations=(Optimization("baseline"),)
    )
    with pytest.raises(InputProblem) as caught:
        make_plan(workspace, recipe)
    assert "TFLite, which tvm-llvm does not read" in caught.value.what
    assert "tvm-llvm reads ONNX" in caught.value.advice
    assert caught.value.where.endswith("$.target")
    other = (Optimization("baseline"), Optimization("baseline", target="tvm-llvm"))
    with pytest.raises(InputProblem) as caught:
        make_plan(workspace, replace(recipe, target="intel-openvino", optimizations=other))
    assert caught.value.where.endswith("$.optimizations[1].target")
    make_plan(workspace, replace(recipe, target="intel-openvino"))
