"""An image becomes the input that model.json describes; a box finds its way back to the image's pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.model import InputSpec
from shared.contract.outputs import BoxOutput, DetectionOutputs, ScoreOutput
from shared.inference.decoding import decode_box
from shared.inference.image_files import UnreadableImage, decode, read_image
from shared.inference.preprocess import Box, Placement, area_of, crop, to_input

sides = st.integers(1, 60)


def noise(height: int, width: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


images = st.builds(noise, sides, sides, st.integers(0, 99))


def spec(height: int = 8, width: int = 12, **more: Any) -> InputSpec:
    """An input of this size, in the layout and with the channels asked for."""
    channels = 1 if more.get("channels") == "GRAY" else 3
    nchw = more.get("layout") == "NCHW"
    return InputSpec("image", (1, channels, height, width) if nchw else (1, height, width, channels), **more)


@given(
    images,
    sides,
    sides,
    st.sampled_from(["stretch", "letterbox"]),
    st.sampled_from(["RGB", "BGR", "GRAY"]),
    st.sampled_from(["NHWC", "NCHW"]),
)
def test_input_has_the_shape_asked_for(
    image: Any, height: int, width: int, resize: str, channels: str, layout: str
) -> None:
    """Whatever the image, the input is float32, contiguous, finite and of the shape of model.json."""
    wanted = spec(height, width, resize=resize, channels=channels, layout=layout)
    made, _ = to_input(image, wanted)
    assert (made.shape, made.dtype, made.flags.c_contiguous) == (wanted.shape, np.float32, True)
    assert 0 <= made.min() <= made.max() <= 255


def test_channel_order() -> None:
    """RGB turns the decoder's blue-green-red round, BGR leaves it, GRAY weighs it."""
    image = np.full((8, 12, 3), (10, 20, 200), np.uint8)
    assert to_input(image, spec(channels="BGR"))[0][0, 0, 0].tolist() == [10, 20, 200]
    assert to_input(image, spec(channels="RGB"))[0][0, 0, 0].tolist() == [200, 20, 10]
    assert to_input(image, spec(channels="GRAY"))[0][0, 0, 0, 0] == pytest.approx(
        0.114 * 10 + 0.587 * 20 + 0.299 * 200, abs=0.6
    )


@given(images, st.sampled_from(["RGB", "BGR", "GRAY"]))
def test_layouts_hold_the_same(image: Any, channels: str) -> None:
    """NCHW is NHWC with its axes moved."""
    nhwc, nchw = (to_input(image, spec(channels=channels, layout=layout))[0] for layout in ("NHWC", "NCHW"))
    assert np.array_equal(nhwc.transpose(0, 3, 1, 2), nchw)


values = st.floats(-300, 300)


@given(
    images,
    st.lists(values, min_size=3, max_size=3),
    st.lists(st.floats(0.1, 300), min_size=3, max_size=3),
    st.sampled_from(["RGB", "BGR"]),
)
def test_mean_and_scale(image: Any, mean: list[float], scale: list[float], channels: str) -> None:
    """Each channel is (pixel - mean) / scale with its own mean and scale."""
    plain, _ = to_input(image, spec(channels=channels))
    made, _ = to_input(image, spec(channels=channels, mean=tuple(mean), scale=tuple(scale)))
    assert np.allclose(made, (plain.astype(np.float64) - mean) / scale, rtol=1e-5, atol=1e-4)


def test_one_mean_for_all() -> None:
    """A single mean and scale hold for every channel."""
    image = np.full((8, 12, 3), (0, 127, 255), np.uint8)
    made, _ = to_input(image, spec(channels="BGR", mean=(127.5,), scale=(127.5,)))
    assert made[0, 0, 0].tolist() == pytest.approx([-1, -0.5 / 127.5, 1])


def test_letterbox_keeps_the_aspect() -> None:
    """A letterbox keeps the image's proportions and fills the rest with the pad."""
    image = np.full((10, 40, 3), 255, np.uint8)
    made, placement = to_input(image, spec(20, 20, resize="letterbox", pad=7))
    column = made[0, :, 10, 0].tolist()
    assert column == [7] * 7 + [255] * 5 + [7] * 8
    assert (placement.scale_x, placement.scale_y, placement.left, placement.top) == (0.5, 0.5, 0, 7)


SIZE = (96, 128)
FORMS = ["xyxy", "yxyx", "xywh", "cxcywh"]


def detector(form: str, unit: str, score: ScoreOutput | None, first: int = 0) -> DetectionOutputs:
    """The outputs of a detector that have this form."""
    return DetectionOutputs(BoxOutput("box", form, unit, first), score)


def placement_of(size: tuple[int, int], wanted: InputSpec) -> Placement:
    """Where an image of this height and width lies in an input."""
    return to_input(np.zeros((*size, 3), np.uint8), wanted)[1]


def encoded(box: tuple[float, ...], form: str, unit: str) -> list[float]:
    """A box in pixels of the input as a network would put it out."""
    x0, y0, x1, y1 = box
    if unit == "relative":
        height, width = SIZE
        x0, y0, x1, y1 = x0 / width, y0 / height, x1 / width, y1 / height
    forms: dict[str, list[float]] = {
        "xyxy": [x0, y0, x1, y1],
        "yxyx": [y0, x0, y1, x1],
        "xywh": [x0, y0, x1 - x0, y1 - y0],
        "cxcywh": [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0],
    }
    return forms[form]


@given(
    st.tuples(st.integers(20, 400), st.integers(20, 400)),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.sampled_from(FORMS),
    st.sampled_from(["relative", "pixels"]),
    st.sampled_from(["stretch", "letterbox"]),
    st.sampled_from(["none", "tensor", "column"]),
    st.integers(0, 3),
    st.sampled_from(["NHWC", "NCHW"]),
)
def test_box_comes_back(
    size: tuple[int, int],
    fractions: tuple[float, ...],
    form: str,
    unit: str,
    resize: str,
    score: str,
    first: int,
    layout: str,
) -> None:
    """A box of the image, put into the input and out again by a network of any form, is the same."""
    height, width = size
    x0, x1 = sorted([fractions[0] * width, fractions[1] * width])
    y0, y1 = sorted([fractions[2] * height, fractions[3] * height])
    scores = {"none": None, "tensor": ScoreOutput("score"), "column": ScoreOutput(column=first + 4)}
    network = detector(form, unit, scores[score], first)
    placed = placement_of((height, width), spec(*SIZE, resize=resize, layout=layout))
    inside = (
        x0 * placed.scale_x + placed.left,
        y0 * placed.scale_y + placed.top,
        x1 * placed.scale_x + placed.left,
        y1 * placed.scale_y + placed.top,
    )
    assert min(inside) >= -1e-6
    assert max(inside[2] - SIZE[1], inside[3] - SIZE[0]) <= 1e-6
    good = [0.5] * first + encoded(inside, form, unit) + [0.9]
    worse = [0.0] * len(good)
    rows = [good] if score == "none" else [worse, good, worse]
    outputs = {"box": np.array([rows], np.float32), "score": np.array([[0.1, 0.9, 0.2]], np.float32)}
    box = decode_box(network, SIZE, outputs, placed)
    assert box == pytest.approx((x0, y0, x1, y1), abs=1.0)


@pytest.mark.parametrize("score", [ScoreOutput("score", minimum=0.5), ScoreOutput(column=4, minimum=0.5)])
def test_best_score_below_the_minimum_is_no_box(score: ScoreOutput) -> None:
    """When the best score is below the minimum nothing was found; at the minimum it was."""
    placed = placement_of(SIZE, spec(*SIZE))
    for best, found in ((0.49, None), (0.5, (1.0, 2.0, 3.0, 4.0))):
        outputs = {"box": np.array([[1, 2, 3, 4, best]]), "score": np.array([best])}
        assert decode_box(detector("xyxy", "pixels", score), SIZE, outputs, placed) == found


def test_no_rows_is_no_box() -> None:
    """A network that puts out no box at all found nothing."""
    network = detector("xyxy", "pixels", None)
    placed = placement_of(SIZE, spec(*SIZE))
    assert decode_box(network, SIZE, {"box": np.zeros((1, 0, 4))}, placed) is None


def cropped(image: Any, box: Box, margin: float) -> Any:
    """The crop of a box."""
    return crop(image, area_of(box, margin, image.shape[1], image.shape[0]))


@given(images, st.tuples(*[st.floats(-500, 500)] * 4), st.floats(0, 1))
def test_crop_is_inside_and_never_empty(image: Any, box: Box, margin: float) -> None:
    """Whatever the box, the crop is a part of the image of at least one pixel."""
    cut = cropped(image, box, margin)
    assert cut.shape[0] >= 1
    assert cut.shape[1] >= 1
    assert cut.base is image or np.shares_memory(cut, image)
    assert cut.shape[0] <= image.shape[0]
    assert cut.shape[1] <= image.shape[1]


def test_crop_has_its_margin() -> None:
    """A crop holds its box and the margin on each side, where the image has it."""
    image = np.arange(100 * 100, dtype=np.uint16).reshape(100, 100)
    assert np.array_equal(cropped(image, (40, 50, 60, 60), 0.1), image[49:61, 38:62])
    assert np.array_equal(cropped(image, (90, 50, 110, 60), 0.0), image[50:60, 90:])


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_undecodable_image_is_named(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be decoded is named, with its size."""
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableImage, match=rf"a\.png \({len(content)} bytes\)"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 4), (5, 7, 3)])
def test_any_kind_of_image_is_decoded_to_three_channels(shape: tuple[int, ...]) -> None:
    """Grey images and images with transparency are decoded to three channels of 8 bits."""
    for dtype in (np.uint8, np.uint16):
        ok, data = cv2.imencode(".png", np.full(shape, np.iinfo(dtype).max, dtype))
        image = decode(data.tobytes(), "a.png")
        assert (ok, image.shape, image.dtype) == (True, (5, 7, 3), np.uint8)
