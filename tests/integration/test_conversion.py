"""Every conversion parameter, on both toolchains: the converted network agrees with TensorFlow on real
images.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockyard.recipe.workspace import Workspace
from shared.contract.record import Record
from tests.integration.few_plates import add_few_plates
from tests.integration.unmeasured import unmeasured

BOTH = ["baseline", {"method": "baseline", "toolchain": "2023.3"}]

Convert = Callable[..., dict[str, Record]]


@pytest.fixture
def convert(venv_executor: object, workspace: Workspace, tmp_path: Path) -> Convert:
    """Convert a model with both toolchains; return the records by variant."""

    def run(model: str, conversion: dict[str, Any]) -> dict[str, Record]:
        recipe = {"model": model, "target": "intel-openvino", "optimizations": BOTH, "conversion": conversion}
        data = {"data": add_few_plates(workspace, 40)} if model == "lp_reader" else {}
        return unmeasured(workspace, recipe | data, tmp_path)

    return run


def assert_agree(found: dict[str, Record]) -> None:
    """Check that every variant agrees with the reference, and has its quality."""
    reference = found.pop("reference")
    assert reference.quality
    for record in found.values():
        assert record.differences, record.reason
        assert all(row.agrees for row in record.differences)
        assert record.quality
        assert record.quality.metrics == pytest.approx(reference.quality.metrics, abs=1e-6)


def test_folded_preprocessing_is_not_done_twice(convert: Convert) -> None:
    """With the pre-processing folded in, the network takes 8-bit pixels as they are decoded, and its outputs
    are the same to 1e-3.
    """
    found = convert("lp_reader", {"fold_preprocessing": True})
    for variant in ("baseline", "baseline@2023.3"):
        spec = found[variant].settings["input"]
        assert (spec["dtype"], spec["channels"], spec["mean"], spec["scale"]) == (
            "uint8",
            "BGR",
            [0.0],
            [1.0],
        )
    assert_agree(found)


@pytest.mark.parametrize(
    ("conversion", "changed"),
    [
        ({"mean": [127.5, 127.5, 127.5], "scale": [127.5]}, {"mean": [0.0], "scale": [1.0]}),
        (
            {"layout": "NCHW", "reverse_channels": True, "mean": [127.5]},
            {"layout": "NCHW", "shape": [1, 3, 64, 256], "channels": "BGR", "mean": [0.0]},
        ),
    ],
    ids=["mean and scale", "layout and channels too"],
)
def test_what_is_folded_is_left_out_before(
    convert: Convert, conversion: dict[str, Any], changed: dict[str, Any]
) -> None:
    """Layout, channel order, mean and scale that a conversion folds in are left out of the pre-processing, on
    both toolchains.
    """
    found = convert("lp_reader", conversion)
    for variant in ("baseline", "baseline@2023.3"):
        spec = found[variant].settings["input"]
        assert {key: spec[key] for key in changed} == changed
    assert_agree(found)


def test_float16_weights_halve_the_file(convert: Convert) -> None:
    """The data type float16 halves the weights that every method starts from."""
    found = convert("lp_reader", {"data_type": "float16"})
    sizes = {variant: record.artifacts["lp_reader"].artifact.megabytes for variant, record in found.items()}
    assert all(sizes[v] < 0.6 * sizes["reference"] for v in ("baseline", "baseline@2023.3"))


INNER, LOGITS = "functional_1/re_lu_1/Relu", "functional_1/dense_1/BiasAdd"


def test_cut_at_an_output(convert: Convert) -> None:
    """Cut before the softmax, the network gives the reference's logits and classifies as before."""
    found = convert("digits", {"outputs": {"digit": LOGITS}})
    assert {row.output for row in found["baseline"].differences} == {LOGITS}
    assert_agree(found)
