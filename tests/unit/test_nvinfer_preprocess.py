"""nvinfer's pre-processing, restated from the file that nvinfer is given, against Dockyard's own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem
from shared.contract.model import InputSpec, Network
from shared.contract.streaming import Tracking
from shared.inference.preprocess import area_of, crop, to_input

sys.path.insert(0, str(PRODUCT / "targets" / "nvinfer-configs"))
from nvinfer_config import Element, detector_config, reader_config
from nvinfer_entries import Config, Entry
from nvinfer_input import input_entries
from nvinfer_preprocess import Preparation, even_area, grey_levels_apart, preparation_of, prepare
from nvinfer_text import read, write

OURS = Workspace(PRODUCT)
ONE_LEVEL = 1.0
"""How far two inputs of one filter and one geometry may be apart, in grey levels."""

SCENES = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from scenes import render_scene, sample_rng
scenes = [render_scene(sample_rng(20240501, "test", index)) for index in range(6)]
pictures = np.stack([scene.pixels[..., ::-1] for scene in scenes])
np.savez(sys.argv[2], pictures=pictures, boxes=np.stack([scene.box for scene in scenes]))
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Any]]:
    """Frames of the licence plates' generator, uint8 BGR [720, 1280, 3], each with the box of its plate."""
    path = tmp_path_factory.mktemp("scenes") / "scenes.npz"
    folder = PRODUCT / "models" / "license_plate"
    subprocess.run([sys.executable, "-c", SCENES, str(folder), str(path)], check=True)
    with np.load(path) as file:
        return list(zip(np.ascontiguousarray(file["pictures"]), file["boxes"].astype(float)))


def network(name: str, **more: Any) -> Network:
    found = load_model(OURS, name, "test")
    assert isinstance(found, Network)
    return replace(found, input=replace(found.input, **more))


def how(spec: InputSpec, syntax: str = "ini") -> Preparation:
    """What a file of either syntax says of an input, read back."""
    return preparation_of(read(write(Config(input_entries(spec)), syntax), syntax))


def bilinear(pixels: Any, height: int, width: int) -> Any:
    """Pixels scaled between the centres of pixels, in float64: bilinear by its definition."""

    def weights(length: int, wanted: int) -> tuple[Any, Any, Any]:
        at = np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, length - 1), at - low

    above, below, down = weights(pixels.shape[0], height)
    left, right, across = weights(pixels.shape[1], width)
    values = pixels.astype(np.float64)
    rows = values[above] * (1 - down)[:, None, None] + values[below] * down[:, None, None]
    return rows[:, left] * (1 - across)[None, :, None] + rows[:, right] * across[None, :, None]


@pytest.mark.parametrize("syntax", ["ini", "yaml"])
def test_a_detectors_input_is_dockyards(scenes: list[tuple[Any, Any]], syntax: str) -> None:
    """Of whole frames the detector's file gives Dockyard's own input to a grey level: both are bilinear."""
    lp_detector = network("lp_detector")
    element = Element("detector", 1, "7.1", "detector.onnx", "libparsers.so")
    config = read(write(detector_config(lp_detector, element, Tracking()), syntax), syntax)
    for picture, _ in scenes:
        assert grey_levels_apart(picture, lp_detector.input, preparation_of(config)) <= ONE_LEVEL


def test_a_readers_input_is_dockyards(scenes: list[tuple[Any, Any]]) -> None:
    """Of the plate of an even box the reader's file gives Dockyard's own input to a grey level."""
    lp_reader = network("lp_reader", interpolation="linear")
    element = Element("reader", 2, "7.1", "reader.onnx", "libparsers.so")
    made = preparation_of(reader_config(lp_reader, element, Tracking(), 1))
    for picture, box in scenes:
        area = even_area(tuple(box), 1280, 720)
        assert area is not None
        plate = crop(picture, area)
        own, _ = to_input(plate, lp_reader.input)
        other, _ = prepare(picture, made, area)
        assert np.abs(own.transpose(0, 3, 1, 2) - other).max() * 127.5 <= ONE_LEVEL
        assert grey_levels_apart(plate, lp_reader.input, made) <= ONE_LEVEL


@pytest.mark.parametrize("size", [(384, 512), (64, 256), (900, 1600)])
def test_the_filter_is_bilinear_by_its_definition(
    scenes: list[tuple[Any, Any]], size: tuple[int, int]
) -> None:
    """What the filter gives is what bilinear is, computed in float64, to a grey level."""
    spec = InputSpec("image", (1, *size, 3), channels="BGR")
    for picture, _ in scenes[:2]:
        made, _ = prepare(picture, how(spec))
        wanted = bilinear(picture, *size).transpose(2, 0, 1)[None]
        assert np.abs(made - wanted).max() <= ONE_LEVEL


@pytest.mark.parametrize("channels", ["RGB", "BGR", "GRAY"])
@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_every_input_that_nvinfer_can_make(
    scenes: list[tuple[Any, Any]], channels: str, resize: str, layout: str
) -> None:
    """Stretched or in a letterbox, in each colour order and layout, both inputs are one to a grey level."""
    count = 1 if channels == "GRAY" else 3
    spec = InputSpec(
        "image",
        (1, 360, 720, count),
        resize=resize,
        channels=channels,
        mean=(100.0, 110.0, 120.0)[:count],
        scale=(50.0,),
        interpolation="linear",
    ).in_layout(layout)
    assert grey_levels_apart(scenes[0][0], spec, how(spec)) <= ONE_LEVEL


@pytest.mark.parametrize(
    "changes", [{"mean": (123.675, 116.28, 103.53), "scale": (58.395, 57.12, 57.375)}, {"dtype": "uint8"}]
)
def test_pixels_are_handed_on_where_the_graph_normalizes(
    scenes: list[tuple[Any, Any]], changes: dict[str, Any]
) -> None:
    """Where the normalization is in the graph, nvinfer's input is the pixels themselves, as float32."""
    spec = network("lp_detector", **changes).input
    made, _ = prepare(scenes[0][0], how(spec))
    assert (made.dtype, made.shape) == (np.float32, (1, 3, 384, 512))
    assert np.array_equal(made, np.rint(made))
    assert grey_levels_apart(scenes[0][0], spec, how(spec)) <= ONE_LEVEL


def test_black_is_padded_before_the_normalization() -> None:
    """Padding is black pixels, on both sides or on the right and at the bottom, as the file says."""
    spec = InputSpec("image", (1, 40, 40, 3), resize="letterbox", mean=(127.5,), scale=(127.5,))
    white = np.full((20, 40, 3), 255, np.uint8)
    both, placement = prepare(white, how(spec))
    assert (placement.left, placement.top, placement.scale_x) == (0, 10, 1)
    assert both[0, 0, :, 0].tolist() == pytest.approx([-1] * 10 + [1] * 20 + [-1] * 10)
    below, placement = prepare(white, replace(how(spec), is_symmetric=False))
    assert placement.top == 0
    assert below[0, 0, :, 0].tolist() == pytest.approx([1] * 20 + [-1] * 20)


def test_the_inner_size_is_cut_off() -> None:
    """The side that the aspect ratio leaves is cut off to whole pixels, and never nothing."""
    spec = InputSpec("image", (1, 100, 100, 3), resize="letterbox")
    _, placement = prepare(np.zeros((34, 60, 3), np.uint8), how(spec))
    assert placement.scale_y * 34 == pytest.approx(56)  # of 56.67
    _, placement = prepare(np.zeros((2, 1000, 3), np.uint8), how(spec))
    assert placement.scale_y * 2 == pytest.approx(1)
    _, placement = prepare(np.zeros((60, 34, 3), np.uint8), how(spec))
    assert (placement.scale_x * 34, placement.left) == (pytest.approx(56), 22)


def test_nearest_takes_pixels_as_they_are() -> None:
    """The filter that nvinfer takes without being told makes no value that was not there."""
    entries = (Entry("infer-dims", "3;7;5"), Entry("model-color-format", "1"))
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    made, _ = prepare(picture, preparation_of(Config(entries)))
    assert made.shape == (1, 3, 7, 5)
    assert all(set(made[0, channel].ravel()) <= set(picture[..., channel].ravel()) for channel in range(3))


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({}, "infer-dims is not 3;height;width"),
        ({"infer-dims": "1;8;8"}, "infer-dims is not 3;height;width"),
        ({"infer-dims": "3;8;x"}, "infer-dims is 'x'"),
        ({"infer-dims": "3;8;8", "offsets": "1;2"}, "offsets has 2 numbers for 3 channels"),
        ({"infer-dims": "3;8;8", "net-scale-factor": "0"}, "not above 0"),
        ({"infer-dims": "3;8;8", "scaling-filter": "3"}, "the VIC's own"),
        ({"infer-dims": "3;8;8", "network-input-order": "1"}, "not NCHW"),
        ({"infer-dims": "3;8;8", "mean-file": "a.ppm"}, "in another way"),
    ],
)
def test_what_is_not_restated_is_refused(entries: dict[str, str], told: str) -> None:
    """A file that does not say the input, or says one that this pre-processing does not make, is refused."""
    with pytest.raises(InputProblem, match=told):
        preparation_of(Config(tuple(Entry(key, value) for key, value in entries.items())))


@pytest.mark.parametrize(
    ("box", "area"),
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((11, 21, 31, 41), (12, 22, 32, 42)),
        ((11.9, 12.9, 30, 30), (12, 12, 30, 28)),
        ((-5, -5, 7, 7), (0, 0, 6, 6)),
        ((1, 0, 101, 10), (2, 0, 100, 10)),
        ((0, 0, 1, 10), None),
        ((5, 5, 4, 9), None),
        ((200, 0, 210, 9), None),
        ((float("nan"), 0, 4, 4), None),
        ((0, 0, float("inf"), 4), None),
    ],
)
def test_areas_are_even(box: Any, area: Any) -> None:
    """Fractions are cut off, left and top rounded up to even, sides down; what is no area is none."""
    assert even_area(box, 101, 101) == area


sides = st.integers(1, 4000)
edges = st.floats(-1e6, 1e6)


@given(edges, edges, edges, edges, sides, sides)
def test_any_area_is_even_and_inside(
    x0: float, y0: float, x1: float, y1: float, width: int, height: int
) -> None:
    """Whatever the box, its area lies inside the frame and the box's own pixels but two, on even places."""
    area = even_area((x0, y0, x1, y1), width, height)
    if area is None:
        return
    left, top, right, bottom = area
    assert all(side % 2 == 0 for side in area)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert max(0, x0) - 1 <= left <= max(0, x0) + 1 + 1
    assert right - left <= x1 - max(0, x0)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50), st.integers(1, 50))
def test_even_boxes_are_what_dockyard_crops(left: int, top: int, width: int, height: int) -> None:
    """Of a box of even corners nvinfer crops what Dockyard does."""
    box = (2.0 * left, 2.0 * top, 2.0 * (left + width), 2.0 * (top + height))
    assert even_area(box, 300, 300) == area_of(box, 0.0, 300, 300)


@given(st.integers(2, 60), st.integers(2, 60), st.sampled_from(["stretch", "letterbox"]))
def test_any_frame_makes_an_input(height: int, width: int, resize: str) -> None:
    """Of any frame of two pixels or more comes float32 of the input's shape, contiguous."""
    spec = InputSpec("image", (1, 9, 14, 3), resize=resize)
    picture = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)
    made, _ = prepare(picture, how(spec))
    assert (made.shape, made.dtype, made.flags.c_contiguous) == ((1, 3, 9, 14), np.float32, True)
    assert 0 <= made.min() <= made.max() <= 255


def test_a_frame_of_nothing_is_refused() -> None:
    """A frame without an even area has no input."""
    with pytest.raises(ValueError, match="1 x 9 pixels has no even area"):
        prepare(np.zeros((9, 1, 3), np.uint8), how(InputSpec("image", (1, 8, 8, 3))))
