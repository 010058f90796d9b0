"""A network's normalization put into its ONNX gives what Dockyard's pre-processing does.

It needs onnx and onnxruntime, which the host does not have: there it is skipped.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dockyard.recipe.workspace import PRODUCT
from shared.contract.artifact import Manifest
from shared.contract.model import DataLocation, InputSpec, Network
from shared.contract.outputs import MaskOutput, SegmentationOutputs, Task
from shared.inference.preprocess import to_array

onnx = pytest.importorskip("onnx", reason="onnx is in the targets' environments")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is in the targets' environments")
FLOAT, UINT8, FLOAT16 = (getattr(onnx.TensorProto, name) for name in ("FLOAT", "UINT8", "FLOAT16"))
PER_CHANNEL = InputSpec(
    "image", (1, 3, 4, 6), "NCHW", mean=(123.675, 116.28, 103.53), scale=(58.395, 57.12, 57.375)
)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, which imports onnx."""
    monkeypatch.syspath_prepend(str(PRODUCT / "targets" / "onnx-graphs"))
    import onnx_normalization

    yield onnx_normalization
    del sys.modules["onnx_normalization"]


def model(kind: int = FLOAT, channels: int = 3, opset: int = 17, name: str = "image") -> Any:
    """A graph that hands on its input and doubles it, with an open batch."""
    helper = onnx.helper
    shape = ["batch", channels, 4, 6]
    cast = helper.make_node("Cast", [name], ["float"], to=FLOAT)
    double = helper.make_node("Add", ["float", "float"], ["doubled"])
    fed = helper.make_tensor_value_info(name, kind, shape)
    result = helper.make_tensor_value_info("doubled", FLOAT, shape)
    graph = helper.make_graph([cast, double], "g", [fed], [result])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(made: Any, feed: Any) -> Any:
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: feed})[0]


PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
FED = np.ascontiguousarray(PIXELS[..., ::-1].transpose(2, 0, 1)[None], np.float32)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "spec",
    [
        PER_CHANNEL,
        replace(PER_CHANNEL, scale=(-1.0,)),
        replace(PER_CHANNEL, mean=(0.0,)),
        replace(PER_CHANNEL, mean=(0.0,), scale=(1.0,)),
    ],
    ids=["each channel", "below 0", "scale alone", "neither"],
)
def test_the_graph_gives_what_it_gave(module: Any, spec: InputSpec, batch: int) -> None:
    """Given pixels, the new graph gives what the old one gives of Dockyard's own input, in any batch, as far
    as float32 holds a mean of 123.675.
    """
    old, new = model(), module.normalized(model(), spec)
    own = np.repeat(to_array(PIXELS, spec), batch, 0)
    assert np.allclose(run(new, np.repeat(FED, batch, 0)), run(old, own), rtol=1e-6, atol=4e-5)


def test_the_input_is_pixels_by_its_name_and_type(module: Any) -> None:
    """The input is float32 of the same sizes, called `<name>_pixels`; the first operations normalize."""
    old = model(name="image:0")
    new = module.normalized(old, PER_CHANNEL)
    (fed,) = new.graph.input
    assert (fed.name, fed.type.tensor_type.elem_type) == ("image_pixels", FLOAT)
    assert [size.dim_param or size.dim_value for size in fed.type.tensor_type.shape.dim] == ["batch", 3, 4, 6]
    assert [node.op_type for node in new.graph.node] == ["Sub", "Div", "Cast", "Add"]
    assert new.graph.node[1].output == ["image:0"]
    assert old == model(name="image:0")


def test_a_name_that_is_taken_is_not_taken_again(module: Any) -> None:
    """Where the graph has a tensor of that name the input gets another one."""
    old = model()
    old.graph.node[0].output[0] = old.graph.node[1].input[0] = old.graph.node[1].input[1] = "image_pixels"
    assert module.normalized(old, PER_CHANNEL).graph.input[0].name == "image_pixels_"


@pytest.mark.parametrize("kind", [UINT8, FLOAT16])
def test_other_types_are_reached_from_float32(module: Any, kind: int) -> None:
    """A graph of 8-bit pixels gets them without loss, one of float16 gets the normalized pixels."""
    spec = replace(PER_CHANNEL, dtype="uint8") if kind == UINT8 else PER_CHANNEL
    new = module.normalized(model(kind), spec)
    wanted = to_array(PIXELS, spec).astype(np.float32) * 2
    found = run(new, FED)
    assert np.array_equal(found, wanted) if kind == UINT8 else np.allclose(found, wanted, atol=5e-3)


def test_a_file_is_changed(module: Any, tmp_path: Path) -> None:
    """A file is changed in place, and how an image becomes its input told."""
    onnx.save(model(), tmp_path / "a.onnx")
    spec = module.normalize_file(tmp_path / "a.onnx", PER_CHANNEL)
    assert (spec.name, spec.mean, spec.scale) == ("image_pixels", (0.0,) * 3, (1.0,) * 3)
    made = onnx.load(tmp_path / "a.onnx")
    assert np.allclose(run(made, FED), to_array(PIXELS, PER_CHANNEL) * 2, atol=1e-6)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: model(channels=5), "not NCHW of 3 channels"),
        (lambda: model(opset=6), "opset 6; the normalization needs 7"),
        (lambda: model(name="other"), "no tensor 'image'"),
    ],
)
def test_what_cannot_begin_so_is_refused(module: Any, made: Any, told: str) -> None:
    """Another layout, an opset that does not broadcast and a graph without the input are refused."""
    with pytest.raises(ValueError, match=told):
        module.normalized(made(), PER_CHANNEL)


def test_the_picture_is_the_first_input(module: Any) -> None:
    """nvinfer feeds a graph's first input: where that is another one the graph is refused."""
    second = model()
    extra = onnx.helper.make_tensor_value_info("extra", FLOAT, [1])
    fed = second.graph.input[0]
    del second.graph.input[:]
    second.graph.input.extend([extra, fed])
    with pytest.raises(ValueError, match="first input is 'extra', not 'image'"):
        module.normalized(second, PER_CHANNEL)


def convolution() -> Any:
    """A graph with weights: a convolution of the input, and what comes after."""
    helper = onnx.helper
    weights = np.random.default_rng(1).normal(0, 0.2, (4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["features"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["features"], ["result"], name="decode"),
    ]
    fed = helper.make_tensor_value_info("image", FLOAT, [1, 3, 4, 6])
    result = helper.make_tensor_value_info("result", FLOAT, [1, 4, 4, 6])
    constants = [onnx.numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph(nodes, "g", [fed], [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


NETWORK = Network(
    "net",
    Task.SEGMENTATION,
    "",
    "net.onnx",
    "0" * 64,
    PER_CHANNEL,
    SegmentationOutputs(MaskOutput("result", kind="sigmoid")),
    DataLocation(folder="data"),
)


@pytest.fixture
def prepares(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The entry script of `tensorrt-onnx`, and its modules."""
    before = set(sys.modules)
    names = ("nvinfer-configs", "onnx-graphs", "tensorrt-graphs", "tensorrt-onnx")
    for name in names:
        monkeypatch.syspath_prepend(str(PRODUCT / "targets" / name))
    monkeypatch.delitem(sys.modules, "serving", raising=False)
    spec = importlib.util.spec_from_file_location(
        "tensorrt_onnx_entry", PRODUCT / "targets" / "tensorrt-onnx" / "entry.py"
    )
    assert spec is not None
    assert spec.loader is not None
    entry = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(entry)
    yield entry
    for name in set(sys.modules) - before:
        if str(PRODUCT / "targets") in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("method", ["fp32", "fp16"])
def test_what_nvinfer_cannot_say_is_in_the_graph(prepares: Any, tmp_path: Path, method: str) -> None:
    """For DeepStream a scale of each channel becomes the graph's first operations, in float32 always; given
    pixels it computes what the graph gave of a normalized image.
    """
    graph = tmp_path / "net.onnx"
    onnx.save(convolution(), graph)
    for name in ("converted", "typed"):
        (tmp_path / name).mkdir()
    product = prepares.OWN.convert(NETWORK, graph, tmp_path / "converted", {"fed_by": "nvinfer"})
    assert (product.input.name, product.input.mean, product.input.scale) == (
        "image_pixels",
        (0.0,) * 3,
        (1.0,) * 3,
    )
    assert "normalizes by itself, given pixels: the scale differs by channel" in product.notes.remarks[1]
    manifest = Manifest(product.format, "tensorrt-onnx", "test", product.input)
    typed = tmp_path / "typed"
    made = prepares.OWN.optimize(NETWORK, tmp_path / "converted", manifest, typed, method, {}, None, None)
    held = {"image_pixels/Sub", "image_pixels/Div"}
    assert held <= set(made.settings["float32"]) or method == "fp32"
    wanted = run(convolution(), to_array(PIXELS, PER_CHANNEL))
    found = run(onnx.load(typed / "model.onnx"), to_array(PIXELS, product.input))
    assert np.abs(found - wanted).max() < (1e-6 if method == "fp32" else 2e-3)
    written = onnx.load(typed / "model.onnx")
    casts = [node for node in written.graph.node if node.op_type == "Cast" and "image_pixels" in node.input]
    assert not casts, "pixels are not rounded before their mean is taken off"


def test_what_nvinfer_can_say_is_left_to_it(prepares: Any, tmp_path: Path) -> None:
    """One scale for all channels stays nvinfer's; and another target's graph takes what it always took."""
    graph = tmp_path / "net.onnx"
    onnx.save(convolution(), graph)
    same = replace(NETWORK, input=replace(PER_CHANNEL, scale=(57.0,)))
    for number, (network, options) in enumerate(((same, {"fed_by": "nvinfer"}), (NETWORK, {}))):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert prepares.OWN.convert(network, graph, folder, options).input == network.input
        assert onnx.load(folder / "model.onnx").graph.input[0].name == "image"
