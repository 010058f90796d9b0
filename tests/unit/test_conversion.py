"""What a recipe's `conversion` changes of the network, what it asks of the conversion, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.plan.conversion import conversion_options
from dockyard.plan.make import make_plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem
from shared.contract.model import DataLocation, InputSpec, Network
from shared.contract.outputs import NamedClasses, SymbolsOutput, Task, TextOutputs
from shared.contract.recipe import Recipe
from shared.contract.stages import Convert, artifacts_of

SPEC = InputSpec("image", (1, 8, 8, 3), mean=(1.0, 2.0, 3.0), scale=(4.0,))


def network(**changes: Any) -> Network:
    return Network(
        name="net",
        task=Task.TEXT_RECOGNITION,
        description="",
        graph="g.pb",
        sha256="0" * 64,
        input=replace(SPEC, **changes),
        outputs=TextOutputs(SymbolsOutput(("a", "b"), "AB"), NamedClasses("c", ("a", "b"))),
        data=DataLocation(folder="data"),
    )


def test_nothing_asked_nothing_changed() -> None:
    """Without a conversion the network is the model's, and its conversion has no options."""
    assert network().adapted({}) == network()
    assert conversion_options(network(), {}, "r") == {}


def test_cuts_and_shape_are_the_networks() -> None:
    """Another input shape and cuts at other tensors hold for the reference too; other names stay."""
    outputs = {"a": "logits", "c": "other"}
    adapted = network().adapted({"shape": [1, 4, 4, 3], "input": "inner", "outputs": outputs})
    assert (adapted.input.shape, adapted.input.name) == ((1, 4, 4, 3), "inner")
    assert adapted.tensors == ("logits", "b", "other")
    assert isinstance(adapted.outputs, TextOutputs)
    assert adapted.outputs.country == NamedClasses("other", ("a", "b"))


def test_folding_takes_the_models_values() -> None:
    """Folding the pre-processing takes the model's own mean, scale and channel order, and 8-bit pixels."""
    fold = {"fold_preprocessing": True}
    expected = {"mean": [1.0, 2.0, 3.0], "scale": [4.0], "reverse_channels": True, "input_dtype": "uint8"}
    assert conversion_options(network(), fold, "r") == expected
    assert "reverse_channels" not in conversion_options(network(channels="BGR"), fold, "r")


def test_pixels_as_they_are_leave_only_their_order_to_fold() -> None:
    """Of a network that takes 8-bit pixels as they are, folding exchanges the channels and nothing else."""
    bytes_of = network(dtype="uint8", mean=(0.0,), scale=(1.0,))
    assert conversion_options(bytes_of, {"fold_preprocessing": True}, "r") == {"reverse_channels": True}


def test_own_values_are_folded_and_hold_for_the_reference() -> None:
    """A mean or scale of the recipe's replaces the model's for reference and variants, and is folded."""
    adapted = network().adapted({"mean": [9.0]})
    assert adapted.input.mean == (9.0,)
    assert conversion_options(adapted, {"mean": [9.0]}, "r") == {"mean": [9.0], "scale": [4.0]}


def test_grey_has_no_channels_to_reverse() -> None:
    """Reversing the channels of a grey image is refused at its place."""
    with pytest.raises(InputProblem) as caught:
        conversion_options(network(channels="GRAY"), {"reverse_channels": True}, "r.json: $.conversion")
    assert caught.value.where == "r.json: $.conversion.reverse_channels"


conversions = st.fixed_dictionaries(
    {},
    optional={
        "layout": st.sampled_from(["NHWC", "NCHW"]),
        "mean": st.lists(st.floats(0, 255), min_size=1, max_size=1),
        "scale": st.lists(st.floats(0.1, 255), min_size=1, max_size=1),
        "data_type": st.sampled_from(["float32", "float16"]),
        "fold_preprocessing": st.booleans(),
    },
)


@given(conversions)
def test_any_conversion_reaches_its_jobs(
    workspace: Workspace, digits: Recipe, conversion: dict[str, Any]
) -> None:
    """What a recipe asks of a conversion is in its convert job; every job has the adapted network."""
    plan = make_plan(workspace, replace(digits, conversion=conversion))
    parameters = [planned.job.parameters for planned in plan.jobs]
    (convert,) = [each for each in parameters if isinstance(each, Convert)]
    assert convert.options == plan.conversions["digits"]
    folds = bool({"mean", "scale"} & conversion.keys() or conversion.get("fold_preprocessing"))
    assert ("mean" in convert.options, "scale" in convert.options) == (folds, folds)
    given = [files.network for each in parameters for files in artifacts_of(each)]
    assert given == [plan.networks["digits"]] * len(parameters)


@pytest.mark.parametrize(
    ("conversion", "place", "text"),
    [
        ({"maen": [1]}, "$.conversion", "did you mean 'mean'?"),
        ({"layout": "NHCW"}, "$.conversion.layout", "NHWC"),
        ({"scale": [0]}, "$.conversion.scale[0]", "0"),
        ({"mean": [1, 2]}, "$.conversion", "2 values for 1 channel"),
        ({"shape": [1, 9, 9, 1]}, "$.conversion", "[1, 9, 9, 1]"),
        ({"shape": [2, 28, 28, 1]}, "$.conversion", "not one image"),
        ({"input": "imgae"}, "$.conversion", "did you mean 'image'?"),
        ({"outputs": {"no": "image"}}, "$.conversion.outputs", "'no' is no output of digits"),
        ({"outputs": {"digit": "no_such"}}, "$.conversion", "no output 'no_such'"),
    ],
)
def test_wrong_conversion(
    workspace: Workspace, digits: Recipe, conversion: dict[str, Any], place: str, text: str
) -> None:
    """A conversion that cannot be is refused where it is written, before anything runs."""
    with pytest.raises(InputProblem) as caught:
        make_plan(workspace, replace(digits, conversion=conversion))
    assert caught.value.where == f"{digits.file}: {place}"
    assert text in str(caught.value)


def test_conversion_of_a_pipeline_is_given_by_network(workspace: Workspace) -> None:
    """A pipeline's conversion names its networks; another name is refused with the nearest."""
    recipe = load_recipe(workspace, "lp_intel.json")
    plan = make_plan(workspace, replace(recipe, conversion={"lp_reader": {"fold_preprocessing": True}}))
    assert [bool(plan.conversions[name]) for name in ("lp_detector", "lp_reader")] == [False, True]
    with pytest.raises(InputProblem, match="did you mean 'lp_reader'") as caught:
        make_plan(workspace, replace(recipe, conversion={"lp_raeder": {}}))
    assert caught.value.where.endswith("$.conversion.lp_raeder")
