"""Every conversion parameter, on both toolchains: the converted network agrees with TensorFlow on real
images.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dockyard.recipe.workspace import Workspace
from dockyard.workflow import build
from shared.contract.record import Record, RecordStatus

RecipeFile = Callable[[dict[str, Any]], Path]
QUICK = {"threads": 2, "cycles": 3, "burst_s": 0.02, "warmup": 1, "max_rounds": 3}
BOTH = ["baseline", {"method": "baseline", "toolchain": "2023.3"}]


def records(recipe_file: RecipeFile, workspace: Workspace, **recipe: Any) -> dict[str, Record]:
    """Build a recipe in virtual environments and return its records by variant."""
    path = recipe_file({"target": "intel-openvino", "optimizations": BOTH, "measure": QUICK, **recipe})
    built = build(workspace, str(path), Console(quiet=True), engine="venv")
    return {one.record.variant: one.record for one in built.assessments}


def assert_agree(found: dict[str, Record]) -> None:
    """Check that every variant agrees with the reference, and has its quality."""
    reference = found.pop("reference")
    assert reference.quality
    for record in found.values():
        assert record.status == RecordStatus.MEASURED, record.reason
        assert record.differences
        assert all(row.agrees for row in record.differences)
        assert record.quality
        assert record.quality.metrics == pytest.approx(reference.quality.metrics, abs=1e-6)


def test_folded_preprocessing_is_not_done_twice(
    venv_executor: object, recipe_file: RecipeFile, workspace: Workspace
) -> None:
    """With the pre-processing folded in, the network takes 8-bit pixels as they are decoded, and its outputs
    are the same to 1e-3.
    """
    found = records(recipe_file, workspace, model="lp_reader", conversion={"fold_preprocessing": True})
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
    venv_executor: object,
    recipe_file: RecipeFile,
    workspace: Workspace,
    conversion: dict[str, Any],
    changed: dict[str, Any],
) -> None:
    """Layout, channel order, mean and scale that a conversion folds in are left out of the pre-processing, on
    both toolchains.
    """
    found = records(recipe_file, workspace, model="lp_reader", conversion=conversion)
    for variant in ("baseline", "baseline@2023.3"):
        spec = found[variant].settings["input"]
        assert {key: spec[key] for key in changed} == changed
    assert_agree(found)


def test_float16_weights_halve_the_file(
    venv_executor: object, recipe_file: RecipeFile, workspace: Workspace
) -> None:
    """The data type float16 halves the weights that every method starts from."""
    found = records(recipe_file, workspace, model="lp_reader", conversion={"data_type": "float16"})
    sizes = {variant: record.artifacts["lp_reader"].artifact.megabytes for variant, record in found.items()}
    assert all(sizes[v] < 0.6 * sizes["reference"] for v in ("baseline", "baseline@2023.3"))


INNER, LOGITS = "functional_1/re_lu_1/Relu", "functional_1/dense_1/BiasAdd"


def test_cut_at_an_output(venv_executor: object, recipe_file: RecipeFile, workspace: Workspace) -> None:
    """Cut before the softmax, the network gives the reference's logits and classifies as before."""
    found = records(recipe_file, workspace, model="digits", conversion={"outputs": {"digit": LOGITS}})
    assert {row.output for row in found["baseline"].differences} == {LOGITS}
    assert_agree(found)
