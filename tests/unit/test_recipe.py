"""A recipe that is wrong is refused in one or two lines that name the place and the nearest valid name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.plan.plan import make_plan
from dockyard.recipe.catalog import data_folder, find_recipe, load_recipe, recipe_names
from shared.contract.errors import InputProblem
from tests.fakes import attempt

GOOD: dict[str, Any] = {"model": "digits", "target": "intel-openvino", "optimizations": ["baseline"]}

Write = Callable[[Any], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a recipe (a document, text or bytes) and return its path."""

    def put(content: Any) -> str:
        path = tmp_path / "own.json"
        data = content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content)).encode()
        path.write_bytes(data)
        return str(path)

    return put


def refused(recipe: str) -> InputProblem:
    """Return the error that reading or planning a recipe gives."""
    with pytest.raises(InputProblem) as caught:
        make_plan(load_recipe(recipe))
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) <= 2
    return caught.value


def test_missing_recipe_offers_the_nearest() -> None:
    """A recipe that is not there is refused with the nearest name in recipes/."""
    problem = refused("digit.json")
    assert "there is no recipe 'digit.json'" in str(problem)
    assert "did you mean 'digits'?" in problem.advice


@pytest.mark.parametrize("name", ["nowhere/own.json", "/nowhere/own.json", "../nowhere/own.json", "recipes", "", "x" * 300])
def test_path_without_a_recipe(name: str) -> None:
    """A path that leads to no file, whatever its form, is wrong input."""
    assert refused(name)


def test_names_and_paths_find_a_recipe(write: Write) -> None:
    """A recipe is found by its path, by its name in recipes/ and by that name without its ending."""
    assert find_recipe("digits.json") == find_recipe("digits")
    assert find_recipe(write(GOOD)).name == "own.json"
    assert "digits.json" in recipe_names()
    assert "recipe.schema.json" not in recipe_names()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b'{"model": "digits",', "not valid JSON"),
        (b"model: digits\n", "not valid JSON"),
        (b"\xff\xfe{}", "UTF-8"),
        (b"\x00" * 10, "not valid JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b" " * (5 << 20), "larger than"),
    ],
)
def test_no_json(write: Write, content: bytes, told: str) -> None:
    """A file that is empty, cut off, no JSON, no text or far too large is refused for just that."""
    problem = refused(write(content))
    assert told in problem.what
    assert "own.json" in problem.where


def test_syntax_error_has_line_and_column(write: Write) -> None:
    """A syntax error is told with its line and column."""
    assert refused(write('{\n  "model": digits\n}')).where.endswith("own.json:2:12")


@pytest.mark.parametrize("value", ["NaN", "1" * 5000], ids=["NaN", "5000 digits"])
def test_numbers_that_json_does_not_have(write: Write, value: str) -> None:
    """NaN and integers that Python will not read are errors of the recipe, not of the program."""
    assert refused(write(json.dumps(GOOD)[:-1] + ', "measure": {"time_limit_s": ' + value + "}}"))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_requirement_is_a_number(write: Write, value: str) -> None:
    """A requirement that nothing can exceed (NaN, infinity) is refused: it would make every variant meet it."""
    assert refused(write(json.dumps(GOOD)[:-1] + ', "requirements": {"max_latency_ms": ' + value + "}}"))


def test_nan_drop_is_refused(write: Write) -> None:
    """An allowed drop of NaN is refused: no drop is larger than it."""
    assert refused(write(json.dumps(GOOD)[:-1] + ', "requirements": {"max_drop": NaN}}'))


def test_whole_floats_are_integers(write: Write) -> None:
    """A count written as 3.0, an integer to JSON Schema, is taken as 3."""
    path = write({**GOOD, "measure": {"rounds": 3.0}})
    plan = make_plan(load_recipe(path))
    assert [p.round for p in plan.jobs][-1] == 3


@pytest.mark.parametrize(
    ("change", "place", "told"),
    [
        ({"modle": "digits"}, "$", "did you mean 'model'?"),
        ({"requirements": {"maxdrop": 0.1}}, "$.requirements", "did you mean 'max_drop'?"),
        ({"measure": {"round": 3}}, "$.measure", "did you mean 'rounds'?"),
        ({"model": 3}, "$.model", "not of type 'string'"),
        ({"optimizations": "baseline"}, "$.optimizations", "valid: search"),
        ({"optimizations": {"serach": {}}}, "$.optimizations", "'search'"),
        ({"optimizations": {"search": {"time_budget_s": 0}}}, "$.optimizations.search.time_budget_s", "minimum"),
        ({"conversion": []}, "$.conversion", "not of type 'object'"),
        ({"optimizations": []}, "$.optimizations", ""),
        ({"optimizations": [3]}, "$.optimizations[0]", ""),
        ({"optimizations": [{"max_drop": 0.1}]}, "$.optimizations[0]", "'method' is missing"),
        ({"requirements": {"max_drop": "0.1"}}, "$.requirements.max_drop", "not of type 'number'"),
        ({"requirements": {"max_drop": -0.1}}, "$.requirements.max_drop", "less than the minimum"),
        ({"measure": {"rounds": 2}}, "$.measure.rounds", "less than the minimum"),
        ({"measure": {"rounds": 3.5}}, "$.measure.rounds", "not of type 'integer'"),
        ({"measure": {"threads": True}}, "$.measure.threads", "not of type 'integer'"),
        ({"measure": {"rounds": 5, "max_rounds": 4}}, "$.measure.max_rounds", "max_rounds (4) is below rounds (5)"),
    ],
)
def test_wrong_form(write: Write, change: dict[str, Any], place: str, told: str) -> None:
    """An unknown key, a wrong type or a number out of its range is told with file, JSON path and nearest key."""
    problem = refused(write({**GOOD, **change}))
    assert problem.where.startswith(write(GOOD))
    assert problem.where.endswith(f": {place}")
    assert told in str(problem)


@pytest.mark.parametrize("key", ["model", "target", "optimizations"])
def test_missing_key(write: Write, key: str) -> None:
    """A required key that is missing is named."""
    problem = refused(write({k: v for k, v in GOOD.items() if k != key}))
    assert f"'{key}' is missing" in problem.what


@pytest.mark.parametrize("document", [[], "digits", 3, None, True])
def test_no_object(write: Write, document: Any) -> None:
    """JSON that is no object is refused at its root."""
    assert refused(write(json.dumps(document))).where.endswith(": $")


@pytest.mark.parametrize(
    ("change", "place", "told"),
    [
        ({"model": "digit"}, "$.model", "did you mean 'digits'?"),
        ({"model": "../models/digits"}, "$.model", "there is no model"),
        ({"target": "intel-openvin"}, "$.target", "did you mean 'intel-openvino'?"),
        ({"target": "tensorflow"}, "$.target", "is the reference"),
        ({"toolchain": "2026.3"}, "$.toolchain", "did you mean '2026.4'?"),
        ({"optimizations": ["fp61"]}, "$.optimizations[0]", "did you mean 'fp16'?"),
        ({"optimizations": ["baseline", "tuned"]}, "$.optimizations[1]", "intel-openvino has no method 'tuned'"),
        ({"optimizations": ["reference"]}, "$.optimizations[0]", "has no method 'reference'"),
        ({"optimizations": [{"method": "int8", "preste": "mixed"}]}, "$.optimizations[0]", "did you mean 'preset'?"),
        ({"optimizations": [{"method": "int8", "preset": "mixd"}]}, "$.optimizations[0]", "did you mean 'mixed'?"),
        ({"optimizations": [{"method": "baseline", "preset": "mixed"}]}, "$.optimizations[0]", "unknown key 'preset'"),
        ({"optimizations": [{"method": "int8", "subset_size": 0}]}, "$.optimizations[0]", "less than the minimum"),
        ({"data": "../data"}, "$.data", "leaves the repository"),
        ({"data": "/etc"}, "$.data", "leaves the repository"),
        ({"data": "models/../.."}, "$.data", "leaves the repository"),
        ({"data": ""}, "$.data", "leaves the repository"),
        ({"data": "models/nowhere"}, "$.data", "there is no folder"),
        ({"data": "tasks.py"}, "$.data", "there is no folder"),
        ({"data": "a\0b"}, "$.data", ""),
    ],
)
def test_wrong_name(write: Write, change: dict[str, Any], place: str, told: str) -> None:
    """An unknown model, target, toolchain, method or option, or a path outside, is told with its JSON path."""
    problem = refused(write({**GOOD, **change}))
    assert place in problem.where
    assert told in str(problem)


@pytest.mark.parametrize(
    ("item", "place", "told"),
    [
        ({"method": "baseline", "target": "shelf-cup"}, "$.optimizations[1].target", "did you mean 'shelf-cpu'?"),
        ({"method": "reference", "target": "tensorflow"}, "$.optimizations[1].target", "is the reference"),
        ({"method": "int8", "target": "shelf-cpu"}, "$.optimizations[1]", "shelf-cpu has no method 'int8'"),
        ({"method": "baseline", "target": "shelf-cpu", "toolchain": "2026.4"}, "$.optimizations[1].toolchain", "valid: 1, 2"),
        ({"method": "tuned", "target": "shelf-cpu", "toolchain": "1"}, "$.optimizations[1]", "shelf-cpu 1 has no method 'tuned'"),
        ({"method": "tuned", "target": "shelf-cpu", "trails": 3}, "$.optimizations[1]", "did you mean 'trials'?"),
        ({"method": "tuned"}, "$.optimizations[1]", "intel-openvino has no method 'tuned'"),
        ({"method": "baseline", "target": 3}, "$.optimizations[1].target", "not of type 'string'"),
    ],
)
def test_wrong_name_of_another_target(write: Write, second_target: str, item: dict[str, Any], place: str, told: str) -> None:
    """What an optimization says of another target is held against that target, and told where it is written."""
    problem = refused(write({**GOOD, "optimizations": ["baseline", item]}))
    assert problem.where.endswith(f": {place}")
    assert told in str(problem)


def test_own_data_inside_is_taken(write: Write) -> None:
    """A data folder inside the repository is taken as the recipe names it."""
    recipe = load_recipe(write({**GOOD, "data": "models/digits/data"}))
    assert (data_folder(recipe) / "test" / "labels.csv").is_file()


def test_defaults(write: Write) -> None:
    """What a recipe leaves out gets its default, and its name is the file's."""
    recipe = load_recipe(write(GOOD))
    assert (recipe.name, recipe.requirements.max_drop, recipe.measure.rounds, recipe.toolchain) == ("own", 0.01, 3, "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*GOOD, "requirements", "measure", "data", "toolchain", "new"]), json_values)
def test_any_value_is_planned_or_refused(write: Write, key: str, value: Any) -> None:
    """Whatever JSON stands under whatever key, the recipe is planned or refused as wrong input."""
    path = write({**GOOD, key: value})
    plan, problem = attempt(InputProblem, lambda: make_plan(load_recipe(path)))
    assert (plan is not None and plan.jobs) or (problem is not None and problem.what)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(write: Write, content: bytes) -> None:
    """Bytes of any kind are refused as wrong input, never with another error."""
    with pytest.raises(InputProblem):
        load_recipe(write(content))


@given(st.integers(0, len(json.dumps(GOOD)) - 1))
def test_any_cut_is_refused(write: Write, length: int) -> None:
    """A recipe cut off anywhere is refused."""
    with pytest.raises(InputProblem):
        load_recipe(write(json.dumps(GOOD)[:length]))
