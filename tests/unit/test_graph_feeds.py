"""What a graph takes beside the image, in which type, and what it computes in, is known before a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockyard.plan.make import make_plan
from dockyard.recipe.hashing import content_hash
from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.constants import fed_sizes
from shared.contract.errors import InputProblem
from shared.contract.model import EIGHT_BITS, FLOAT16, FLOAT32, Network
from shared.contract.recipe import Optimization, Recipe, Search
from shared.contract.stages import Convert, Evaluate

Put = Callable[..., Path]

TF_FLOAT, TF_UINT8, TF_INT64, TF_BOOL, TF_HALF = 1, 4, 9, 10, 19
FLOAT, UINT8, BOOL, HALF = 1, 2, 9, 10
"""Types by their numbers in types.proto and in onnx.proto."""


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def field(number: int, content: bytes | str | int) -> bytes:
    """Encode a field of a protobuf."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    raw = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def attribute(key: str, value: bytes) -> bytes:
    return field(5, field(1, key) + field(2, value))


def placeholder(name: str, kind: int, sizes: tuple[int, ...] | None) -> bytes:
    """A frozen graph's input; without sizes it has an unknown rank."""
    dims = field(3, 1) if sizes is None else b"".join(field(2, field(1, size)) for size in sizes)
    shape = attribute("shape", field(7, dims))
    return node(name, "Placeholder", attributes=attribute("dtype", field(6, kind)) + shape)


def node(name: str, kind: str, *inputs: str, attributes: bytes = b"") -> bytes:
    """A frozen graph's node."""
    read = b"".join(field(3, each) for each in inputs)
    return field(1, field(1, name) + field(2, kind) + read + attributes)


def frozen(image: int = TF_FLOAT, *more: bytes, digit: bytes = b"") -> bytes:
    """A frozen graph from `image` to `digit`, and more nodes."""
    end = digit or node("digit", "Softmax", "image")
    return placeholder("image", image, (-1, 32, 32, 1)) + b"".join(more) + end


def onnx_input(name: str, kind: int, sizes: tuple[int, ...]) -> bytes:
    dims = b"".join(field(1, field(1, size)) for size in sizes)
    return field(11, field(1, name) + field(2, field(1, field(1, kind) + field(2, dims))))


def onnx_node(kind: str, output: str, *inputs: str, body: bytes = b"") -> bytes:
    read = b"".join(field(1, each) for each in inputs)
    inner = field(5, field(6, body)) if body else b""
    return field(1, read + field(2, output) + field(3, f"the {kind}") + field(4, kind) + inner)


def onnx(*parts: bytes, image: int = FLOAT) -> bytes:
    """An ONNX model that takes `image`."""
    return field(1, 8) + field(7, b"".join(parts) + onnx_input("image", image, (1, 1, 32, 32)))


@pytest.fixture
def put(workspace: Workspace) -> Put:
    """Put a model with a graph into a workspace of its own; return the workspace's folder."""

    def make(file: str, content: bytes, tensor: str = "digit", **changes: Any) -> Path:
        folder = workspace.root / "models" / "tried"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_bytes(content)
        write_model(folder, file.partition("/")[0], tensor, changes)
        return workspace.root

    return make


def write_model(folder: Path, file: str, tensor: str, changes: dict[str, Any]) -> None:
    document = json.loads((PRODUCT / "models" / "digits" / "model.json").read_text())
    of_input = changes.pop("input", {})
    if file.endswith(".onnx"):
        document["input"] |= {"layout": "NCHW", "shape": [1, 1, 32, 32]}
    document["input"] |= of_input
    for key in ("mean", "scale"):
        if of_input.get(key, "") is None:
            document["input"].pop(key, None)
    document["outputs"]["classes"]["tensor"] = tensor
    document["graph"] = {"file": file, "sha256": content_hash(folder / file)}
    (folder / "model.json").write_text(json.dumps({**document, **changes}))


AS_THEY_ARE = {"mean": None, "scale": None}
"""An input without normalization."""


def load(root: Path) -> Network:
    network = load_model(Workspace(root), "tried", "test")
    assert isinstance(network, Network)
    return network


def refused(root: Path) -> InputProblem:
    with pytest.raises(InputProblem) as caught:
        load(root)
    assert len(str(caught.value).splitlines()) <= 2
    return caught.value


KEPT = frozen(
    TF_FLOAT,
    placeholder("keep_prob", TF_FLOAT, ()),
    placeholder("training", TF_BOOL, ()),
    placeholder("sizes", TF_INT64, (-1, 2)),
    placeholder("not_read", TF_FLOAT, ()),
    node("dropped", "Mul", "image", "keep_prob:0"),
    digit=node("digit", "Select", "training", "dropped", "^sizes"),
)
CONSTANTS = {"keep_prob": 1.0, "training": False, "sizes": [[32, 32]]}


def test_an_input_without_a_constant(put: Put) -> None:
    """A second input is refused by name, type and shape, with what to write; one that is not read is not."""
    problem = refused(put("g.pb", KEPT))
    assert "takes 'keep_prob' (float32 []) beside the image" in problem.what
    assert '"constants": {"keep_prob": 1.0}' in problem.advice
    assert problem.where.endswith("models/tried/model.json: $.constants")
    problem = refused(put("g.pb", KEPT, constants={"keep_prob": 1, "sizes": [32, 32]}))
    assert "takes 'training' (bool []) beside the image" in problem.what
    assert '{"training": false}' in problem.advice
    assert load(put("g.pb", KEPT, constants=CONSTANTS)).constants == CONSTANTS


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"keep_prb": 1.0}, "did you mean 'keep_prob'?"),
        ({"image": 1.0}, "'image' takes the image"),
        ({"keep_prob": True}, "'keep_prob' is float32 in the graph, which true is not"),
        ({"keep_prob": [1.0, 1.0]}, "it has 1 axes, the input 0"),
        ({"keep_prob": 1e39}, "is float32 in the graph"),
        ({"training": 0}, "'training' is bool in the graph, which 0 is not"),
        ({"sizes": 0.5}, "'sizes' is int64 in the graph, which 0.5 is not"),
        ({"sizes": [1, 2, 3]}, "it has the shape [3], the input [1, 2]"),
        ({"sizes": [[1], [2, 3]]}, "not of one length"),
        ({"sizes": "1"}, "is not of type"),
    ],
)
def test_a_constant_that_does_not_fit(put: Put, constants: dict[str, Any], message: str) -> None:
    """A constant for no input, or not of its input's type or shape, is refused in its place."""
    problem = refused(put("g.pb", KEPT, constants={**CONSTANTS, **constants}))
    assert message in str(problem)
    assert "$.constants" in problem.where


@pytest.mark.parametrize(
    ("value", "shape", "sizes"),
    [
        (1.0, None, ()),
        (1.0, [], ()),
        (1.0, [-1, 2], (1, 2)),
        ([5, 6], [-1, 2], (1, 2)),
        ([[5, 6], [7, 8]], [None, 2], (2, 2)),
        ([[5, 6]], None, (1, 2)),
    ],
)
def test_sizes_of_a_constant(value: Any, shape: Any, sizes: tuple[int, ...]) -> None:
    """A constant has the sizes of its input; where the graph leaves one open its own, or 1."""
    assert fed_sizes(value, shape) == sizes


def test_second_input_of_onnx(put: Put) -> None:
    """What an ONNX graph takes beside the image counts where the output needs it, in a branch's body too."""
    read = onnx_node("Mul", "inner", "image", "im_shape")
    shape = onnx_input("im_shape", FLOAT, (1, 2))
    relu = onnx_node("Relu", "digit", "inner")
    assert "'im_shape' (float32 [1, 2])" in refused(put("g.onnx", onnx(read, relu, shape))).what
    branch = onnx_node("If", "digit", "image", body=read)
    assert "'im_shape'" in refused(put("g.onnx", onnx(branch, shape))).what
    assert load(put("g.onnx", onnx(onnx_node("Relu", "digit", "image"), shape))).constants == {}


def test_a_cut_leaves_other_inputs_out(put: Put, digits: Recipe) -> None:
    """A conversion that cuts behind what reads the other inputs needs no constants for them."""
    graph = frozen(
        TF_UINT8,
        placeholder("keep_prob", TF_FLOAT, ()),
        node("dropped", "Mul", "image", "keep_prob"),
        digit=node("digit", "Softmax", "dropped"),
    )
    root = put("g.pb", graph, constants={"keep_prob": 1.0}, input=AS_THEY_ARE)
    recipe = replace(digits, model="tried", conversion={"input": "dropped"})
    network = make_plan(Workspace(root), recipe).networks["tried"]
    assert (network.input.name, network.input.dtype) == ("dropped", "float32")


@pytest.mark.parametrize(
    ("file", "graph", "fed", "arithmetic"),
    [
        ("g.pb", frozen(TF_FLOAT), "float32", FLOAT32),
        ("g.pb", frozen(TF_HALF), "float32", FLOAT16),
        ("g.pb", frozen(TF_UINT8), "uint8", FLOAT32),
        ("g.onnx", onnx(onnx_node("Relu", "digit", "image"), image=HALF), "float32", FLOAT16),
        ("g.onnx", onnx(onnx_node("Relu", "digit", "image"), image=UINT8), "uint8", FLOAT32),
        ("g.onnx", onnx(onnx_node("QuantizeLinear", "digit", "image")), "float32", EIGHT_BITS),
        (
            "g.pb",
            frozen(digit=node("digit", "FakeQuantWithMinMaxVars", "image")),
            "float32",
            EIGHT_BITS,
        ),
    ],
)
def test_what_an_image_is_fed_as(put: Put, file: str, graph: bytes, fed: str, arithmetic: str) -> None:
    """The type of the input, and what the graph computes in, are read from the graph."""
    network = load(put(file, graph, input=AS_THEY_ARE))
    assert (network.input.dtype, network.arithmetic) == (fed, arithmetic)


@pytest.mark.parametrize(
    ("graph", "said", "message"),
    [
        (frozen(TF_UINT8), {**AS_THEY_ARE, "dtype": "float32"}, "is uint8 in the graph, not float32"),
        (frozen(TF_FLOAT), {"dtype": "uint8"}, "is float32 in the graph, not uint8"),
        (frozen(TF_FLOAT), {"dtype": "float16"}, "is float32 in the graph, not float16"),
        (frozen(TF_INT64), {}, "is int64 in the graph; an image is fed as float32, float16 or uint8"),
        (frozen(TF_UINT8), {"mean": [127.5], "scale": [1]}, "takes the pixels as they are, without mean"),
        (frozen(TF_UINT8), {"mean": [0], "scale": [255]}, "takes the pixels as they are, without scale"),
    ],
)
def test_model_json_and_graph_disagree(put: Put, graph: bytes, said: dict[str, Any], message: str) -> None:
    """Where model.json and the graph disagree about the type, both are told before anything runs."""
    problem = refused(put("g.pb", graph, input=said))
    assert message in problem.what
    assert "$.input." in problem.where


@pytest.mark.parametrize(
    ("tensor", "fits"), [("parts", True), ("parts:1", True), ("parts:x", False), ("digit:1", False)]
)
def test_second_output_of_a_node(put: Put, tensor: str, fits: bool) -> None:
    """`node:1` is the second output of a node, unless its operation is known to have but one."""
    graph = frozen(TF_FLOAT, node("parts", "Split", "digit"))
    if fits:
        assert load(put("g.pb", graph, tensor)).tensors == (tensor,)
    else:
        assert f"no output '{tensor}'" in refused(put("g.pb", graph, tensor)).what


def weighted(location: str) -> bytes:
    """An ONNX model with weights in a file of that name."""
    entry = field(13, field(1, "location") + field(2, location))
    return onnx(onnx_node("Mul", "digit", "image", "w"), field(5, field(8, "w") + entry + field(14, 1)))


def test_onnx_with_its_weights_in_a_folder(put: Put) -> None:
    """A folder that ends with .onnx holds a model and its weights; its checksum is over both."""
    root = put("net.onnx/model.onnx", weighted("weights/w.bin"))
    folder = root / "models" / "tried"
    (folder / "net.onnx" / "weights").mkdir()
    (folder / "net.onnx" / "weights" / "w.bin").write_bytes(b"1234")
    write_model(folder, "net.onnx", "digit", {})
    assert load(root).format == "ONNX"
    (folder / "net.onnx" / "weights" / "w.bin").write_bytes(b"4321")
    assert "has the checksum" in refused(root).what


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("../w.bin", "leaves the folder"),
        ("/etc/passwd", "leaves the folder"),
        ("a/../../w.bin", "leaves the folder"),
        ("..\\w.bin", "leaves the folder"),
        ("w.bin", "there is no such file"),
        ("", "there is no such file"),
        ("w" * 5000, "there is no such file"),
    ],
)
def test_weights_elsewhere(put: Put, location: str, message: str) -> None:
    """Weights outside of the model's folder, or not there, are refused with their path."""
    assert message in refused(put("net.onnx/model.onnx", weighted(location))).what


def test_a_folder_of_two_models(put: Put) -> None:
    """A folder of two ONNX models, or with a link, is refused for that."""
    root = put("net.onnx/model.onnx", weighted("w.bin"))
    folder = root / "models" / "tried" / "net.onnx"
    (folder / "other.onnx").write_bytes(b"")
    assert "a folder with 2 files *.onnx" in refused(root).what
    (folder / "other.onnx").unlink()
    (folder / "w.bin").symlink_to("/etc/passwd")
    assert "the link w.bin" in refused(root).what


QUANTIZED = onnx(onnx_node("QuantizeLinear", "digit", "image"))


def test_methods_that_quantize_what_is_quantized(put: Put, digits: Recipe) -> None:
    """A method that quantizes is refused for a graph that is quantized already; a search does not try it."""
    workspace = Workspace(put("g.onnx", QUANTIZED))
    recipe = replace(digits, model="tried", optimizations=(Optimization("baseline"), Optimization("int8")))
    with pytest.raises(InputProblem, match="tried is quantized already, which int8 would do again") as caught:
        make_plan(workspace, recipe)
    assert caught.value.where.endswith("$.optimizations[1]")
    searched = replace(recipe, optimizations=(), search=Search(60))
    methods = {each.method for each in make_plan(workspace, searched).optimizations.values()}
    assert methods == {"baseline", "fp16", "bf16"}


@pytest.mark.parametrize(
    ("graph", "limits"),
    [
        (onnx(onnx_node("Relu", "digit", "image")), {1e-3, 1e-4}),
        (onnx(onnx_node("Relu", "digit", "image"), image=HALF), {1e-2}),
        (QUANTIZED, {0.5}),
    ],
)
def test_how_far_outputs_may_be(put: Put, digits: Recipe, graph: bytes, limits: set[float]) -> None:
    """Conversions, and methods of full precision, are held to what the graph's own arithmetic allows."""
    recipe = replace(
        digits, model="tried", target="onnxruntime", toolchain=None, optimizations=(Optimization("baseline"),)
    )
    plan = make_plan(Workspace(put("g.onnx", graph)), recipe)
    parameters = [planned.job.parameters for planned in plan.jobs]
    checked = [one for one in parameters if isinstance(one, (Convert, Evaluate)) and one.tolerance]
    assert {one.tolerance.limit for one in checked if one.tolerance} == limits


def test_constants_go_to_whoever_reads_the_graph(put: Put, digits: Recipe) -> None:
    """The reference and who reads the graph are told the constants; who gets ONNX of it has them in it."""
    workspace = Workspace(put("g.pb", KEPT, constants=CONSTANTS))
    both = (Optimization("baseline"), Optimization("baseline", target="tvm-llvm"))
    plan = make_plan(workspace, replace(digits, model="tried", optimizations=both))
    given = {}
    for planned in plan.jobs:
        if isinstance(planned.job.parameters, Convert):
            given[planned.job.id] = planned.job.parameters.source.network.constants
    assert given == {
        "tried/reference/convert": CONSTANTS,
        "tried/convert/intel-openvino-2026.4": CONSTANTS,
        "tried/convert/tvm-llvm-0.27": {},
    }
