"""What the options of an OpenVINO conversion mean: for the input that is left, and for mo."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from dockyard.recipe.workspace import PRODUCT
from shared.contract.model import InputSpec
from shared.inference.preprocess import to_array

sys.path.insert(0, str(PRODUCT / "targets" / "openvino-ir"))
from conversion_options import converted_input, for_channels, mo_parameters

SPEC = InputSpec("image", (1, 4, 6, 3), mean=(10.0, 20.0, 30.0), scale=(2.0, 4.0, 5.0))
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)

FOLDED = {"mean": [10.0, 20.0, 30.0], "scale": [2.0, 4.0, 5.0]}


def in_the_network(image: np.ndarray, spec: InputSpec, options: dict[str, object]) -> np.ndarray:
    """What the folded operations make of the converted input: the model's own, float32 NHWC."""
    image = image.astype(np.float64)
    if spec.layout == "NCHW":
        image = image.transpose(0, 2, 3, 1)
    if options.get("reverse_channels"):
        image = image[..., ::-1]
    if "mean" in options:
        image = (image - np.asarray(options["mean"])) / np.asarray(options["scale"])
    return image


@pytest.mark.parametrize("folded", [{}, FOLDED])
@pytest.mark.parametrize("reversed_channels", [False, True])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_what_is_left_outside_and_what_is_folded_make_the_models_own_input(
    folded: dict[str, object], reversed_channels: bool, layout: str
) -> None:
    """What is left to be done outside, and what is folded in, together make the model's own input."""
    options = {**folded, "layout": layout, **({"reverse_channels": True} if reversed_channels else {})}
    left = converted_input(SPEC, options)
    image = to_array(PIXELS, left)
    assert image.shape == left.shape
    np.testing.assert_allclose(in_the_network(image, left, options), to_array(PIXELS, SPEC), rtol=1e-5)


def test_folded_preprocessing_leaves_the_decoded_pixels() -> None:
    """With all folded in, the input is the pixels as they are decoded."""
    left = converted_input(SPEC, {**FOLDED, "reverse_channels": True, "input_dtype": "uint8"})
    assert (left.channels, left.dtype, left.mean, left.scale) == ("BGR", "uint8", (0.0,), (1.0,))
    np.testing.assert_array_equal(to_array(PIXELS, left)[0], PIXELS)


def test_without_options_nothing_changes() -> None:
    """A conversion without options takes the model's own input."""
    assert converted_input(SPEC, {}) == SPEC


def test_one_value_stands_for_every_channel() -> None:
    """A single value is repeated, several are taken as they are."""
    assert for_channels([127.5], 3) == [127.5, 127.5, 127.5]
    assert for_channels([1, 2, 3], 3) == [1.0, 2.0, 3.0]


def test_mo_gets_its_documented_parameters() -> None:
    """Each option reaches mo under the name that its documentation gives."""
    options = {**FOLDED, "reverse_channels": True, "layout": "NCHW", "data_type": "float16"}
    assert mo_parameters(Path("net.pb"), SPEC, ["box"], options) == {
        "input_model": "net.pb",
        "input": "image",
        "input_shape": [1, 4, 6, 3],
        "output": ["box"],
        "layout": {"image": "nhwc->nchw"},
        "compress_to_fp16": True,
        "mean_values": [10.0, 20.0, 30.0],
        "scale_values": [2.0, 4.0, 5.0],
        "reverse_input_channels": True,
    }


def test_mo_does_not_compress_weights_unasked() -> None:
    """Without options mo is asked for neither float16 nor anything folded."""
    parameters = mo_parameters(Path("net.pb"), SPEC, ["box"], {})
    assert parameters["compress_to_fp16"] is False
    assert parameters["layout"] == {"image": "nhwc"}
    assert "mean_values" not in parameters
    assert "reverse_input_channels" not in parameters


def test_inputs_beside_the_image_and_an_open_batch() -> None:
    """mo is told of every input, or it computes with zeros; mean and scale are then of the image by name."""
    options = {"mean": [1], "scale": [2], "open_batch": True}
    parameters = mo_parameters(Path("net.pb"), SPEC, ["digit"], options, ["keep_prob:0"])
    count = SPEC.channel_count
    assert parameters["input"] == [(SPEC.name, [-1, *SPEC.shape[1:]]), "keep_prob:0"]
    assert "input_shape" not in parameters
    assert parameters["mean_values"] == {SPEC.name: [1.0] * count}
    assert parameters["scale_values"] == {SPEC.name: [2.0] * count}
