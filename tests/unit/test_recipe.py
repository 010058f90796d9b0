"""A recipe that is wrong is refused in one or two lines that name the place and the nearest valid name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.plan.make import make_plan
from dockyard.recipe.recipes import data_folder, find_recipe, load_recipe
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem
from shared.contract.recipe import Recipe, Stream
from tests.fakes import attempt

GOOD: dict[str, Any] = {"model": "digits", "target": "intel-openvino", "optimizations": ["baseline"]}

Write = Callable[[Any], str]
Refused = Callable[[str], InputProblem]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a recipe (a document, text or bytes) and return its path."""

    def put(content: Any) -> str:
        path = tmp_path / "own.json"
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return put


@pytest.fixture
def refused(workspace: Workspace) -> Refused:
    """Return the error that reading or planning a recipe gives."""

    def refuse(recipe: str) -> InputProblem:
        with pytest.raises(InputProblem) as caught:
            make_plan(workspace, load_recipe(workspace, recipe))
        assert caught.value.exit_code == 2
        assert len(str(caught.value).splitlines()) <= 2
        return caught.value

    return refuse


def test_missing_recipe_offers_the_nearest(refused: Refused) -> None:
    """A recipe that is not there is refused with the nearest name in recipes/."""
    problem = refused("digit.json")
    assert "there is no recipe 'digit.json'" in str(problem)
    assert "did you mean 'digits'?" in problem.advice


@pytest.mark.parametrize(
    "name", ["nowhere/own.json", "/nowhere/own.json", "../nowhere/own.json", "recipes", "", "x" * 300]
)
def test_path_without_a_recipe(refused: Refused, name: str) -> None:
    """A path that leads to no file, whatever its form, is wrong input."""
    assert refused(name)


def test_a_file_from_elsewhere_replaces_no_results(
    workspace: Workspace, tmp_path: Path, refused: Refused
) -> None:
    """A recipe outside of recipes/ with the name of one inside is refused; by another name it is planned."""
    elsewhere = tmp_path / "mail" / "digits.json"
    elsewhere.parent.mkdir()
    elsewhere.write_text(json.dumps(GOOD))
    problem = refused(str(elsewhere))
    assert "recipes/digits.json is another recipe of the name 'digits'" in str(problem)
    assert "give the file another name" in problem.advice
    link = workspace.root / "recipes" / "mine.json"
    link.symlink_to(elsewhere.rename(elsewhere.with_name("other.json")))
    assert load_recipe(workspace, "mine.json").name == "mine"


def test_names_and_paths_find_a_recipe(workspace: Workspace, write: Write) -> None:
    """A recipe is found by its path, by its name in recipes/ and by that name without its ending."""
    assert find_recipe(workspace, "digits.json") == find_recipe(workspace, "digits")
    assert find_recipe(workspace, write(GOOD)).name == "own.json"
    assert "digits.json" in workspace.recipe_names()
    assert "recipe.schema.json" not in workspace.recipe_names()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b'{"model": "digits",', "not valid JSON"),
        (b"model: digits\n", "not valid JSON"),
        (b"\xff{}", "UTF-8"),
        ("{".encode("utf-16"), "not valid JSON"),
        (b"\x00" * 10, "not valid JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b" " * (5 << 20), "larger than"),
    ],
)
def test_no_json(refused: Refused, write: Write, content: bytes, message: str) -> None:
    """A file that is empty, cut off, no JSON, no text or far too large is refused for just that."""
    problem = refused(write(content))
    assert message in problem.what
    assert "own.json" in problem.where


def test_syntax_error_has_line_and_column(refused: Refused, write: Write) -> None:
    """A syntax error is refused with its line and column."""
    assert refused(write('{\n  "model": digits\n}')).where.endswith("own.json:2:12")


@pytest.mark.parametrize("value", ["NaN", "1" * 5000], ids=["NaN", "5000 digits"])
def test_numbers_that_json_does_not_have(refused: Refused, write: Write, value: str) -> None:
    """NaN and integers that Python will not read are errors of the recipe, not of the program."""
    assert refused(write(json.dumps(GOOD)[:-1] + ', "measure": {"time_limit_s": ' + value + "}}"))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_requirement_is_a_number(refused: Refused, write: Write, value: str) -> None:
    """A requirement that nothing can exceed (NaN, infinity) is refused: every variant would meet it."""
    assert refused(write(json.dumps(GOOD)[:-1] + ', "requirements": {"max_latency_ms": ' + value + "}}"))


def test_nan_drop_is_refused(refused: Refused, write: Write) -> None:
    """An allowed drop of NaN is refused: no drop is larger than it."""
    assert refused(write(json.dumps(GOOD)[:-1] + ', "requirements": {"max_drop": NaN}}'))


def test_whole_floats_are_integers(workspace: Workspace, write: Write) -> None:
    """A count written as 3.0, an integer to JSON Schema, is taken as 3."""
    path = write({**GOOD, "measure": {"rounds": 3.0}})
    plan = make_plan(workspace, load_recipe(workspace, path))
    assert [p.round for p in plan.jobs][-1] == 3


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"modle": "digits"}, "$", "did you mean 'model'?"),
        ({"requirements": {"maxdrop": 0.1}}, "$.requirements", "did you mean 'max_drop'?"),
        ({"measure": {"round": 3}}, "$.measure", "did you mean 'rounds'?"),
        ({"model": 3}, "$.model", "not of type 'string'"),
        ({"optimizations": "baseline"}, "$.optimizations", "valid: search"),
        ({"optimizations": {"serach": {}}}, "$.optimizations", "'search'"),
        (
            {"optimizations": {"search": {"time_budget_s": 0}}},
            "$.optimizations.search.time_budget_s",
            "minimum",
        ),
        ({"conversion": []}, "$.conversion", "not of type 'object'"),
        ({"optimizations": []}, "$.optimizations", ""),
        ({"optimizations": [3]}, "$.optimizations[0]", ""),
        ({"optimizations": [{"max_drop": 0.1}]}, "$.optimizations[0]", "'method' is missing"),
        ({"requirements": {"max_drop": "0.1"}}, "$.requirements.max_drop", "not of type 'number'"),
        ({"requirements": {"max_drop": -0.1}}, "$.requirements.max_drop", "less than the minimum"),
        ({"measure": {"rounds": 2}}, "$.measure.rounds", "less than the minimum"),
        ({"measure": {"rounds": 3.5}}, "$.measure.rounds", "not of type 'integer'"),
        ({"measure": {"threads": True}}, "$.measure.threads", "not of type 'integer'"),
        (
            {"measure": {"rounds": 5, "max_rounds": 4}},
            "$.measure.max_rounds",
            "max_rounds (4) is below rounds (5)",
        ),
    ],
)
def test_wrong_form(refused: Refused, write: Write, change: dict[str, Any], place: str, message: str) -> None:
    """An unknown key, a wrong type or a number out of its range has its file, JSON path and nearest key."""
    problem = refused(write({**GOOD, **change}))
    assert problem.where.startswith(write(GOOD))
    assert problem.where.endswith(f": {place}")
    assert message in str(problem)


@pytest.mark.parametrize("key", ["model", "target", "optimizations"])
def test_missing_key(refused: Refused, write: Write, key: str) -> None:
    """A required key that is missing is named."""
    problem = refused(write({k: v for k, v in GOOD.items() if k != key}))
    assert f"'{key}' is missing" in problem.what


def test_misspelt_key_that_is_required(refused: Refused, write: Write) -> None:
    """A misspelt key is called unknown, with the nearest: that the right one is missing says less."""
    problem = refused(write({**{k: v for k, v in GOOD.items() if k != "optimizations"}, "optimisations": []}))
    assert problem.what == "unknown key 'optimisations'"
    assert "did you mean 'optimizations'?" in problem.advice


@pytest.mark.parametrize("document", [[], "digits", 3, None, True])
def test_no_object(refused: Refused, write: Write, document: Any) -> None:
    """JSON that is no object is refused at its root."""
    assert refused(write(json.dumps(document))).where.endswith(": $")


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"model": "digit"}, "$.model", "did you mean 'digits'?"),
        ({"model": "../models/digits"}, "$.model", "there is no model"),
        ({"target": "intel-openvin"}, "$.target", "did you mean 'intel-openvino'?"),
        ({"target": "tensorflow"}, "$.target", "is the reference"),
        ({"toolchain": "2026.3"}, "$.toolchain", "did you mean '2026.4'?"),
        ({"optimizations": ["fp61"]}, "$.optimizations[0]", "did you mean 'fp16'?"),
        (
            {"optimizations": ["baseline", "tuned"]},
            "$.optimizations[1]",
            "intel-openvino has no method 'tuned'",
        ),
        ({"optimizations": ["reference"]}, "$.optimizations[0]", "has no method 'reference'"),
        (
            {"optimizations": [{"method": "int8", "preste": "mixed"}]},
            "$.optimizations[0]",
            "did you mean 'preset'?",
        ),
        (
            {"optimizations": [{"method": "int8", "preset": "mixd"}]},
            "$.optimizations[0]",
            "did you mean 'mixed'?",
        ),
        (
            {"optimizations": [{"method": "baseline", "preset": "mixed"}]},
            "$.optimizations[0]",
            "unknown key 'preset'",
        ),
        (
            {"optimizations": [{"method": "int8", "subset_size": 0}]},
            "$.optimizations[0]",
            "less than the minimum",
        ),
        ({"data": "../data"}, "$.data", "leaves the workspace"),
        ({"data": "/etc"}, "$.data", "leaves the workspace"),
        ({"data": "models/../.."}, "$.data", "leaves the workspace"),
        ({"data": ""}, "$.data", "leaves the workspace"),
        ({"data": "models/nowhere"}, "$.data", "there is no folder"),
        ({"data": "tasks.py"}, "$.data", "there is no folder"),
        ({"data": "a\0b"}, "$.data", ""),
    ],
)
def test_wrong_name(refused: Refused, write: Write, change: dict[str, Any], place: str, message: str) -> None:
    """An unknown model, target, toolchain, method or option, or a path outside, has its JSON path."""
    problem = refused(write({**GOOD, **change}))
    assert place in problem.where
    assert message in str(problem)


@pytest.mark.parametrize(
    ("item", "place", "message"),
    [
        (
            {"method": "baseline", "target": "shelf-cup"},
            "$.optimizations[1].target",
            "did you mean 'shelf-cpu'?",
        ),
        ({"method": "reference", "target": "tensorflow"}, "$.optimizations[1].target", "is the reference"),
        ({"method": "int8", "target": "shelf-cpu"}, "$.optimizations[1]", "shelf-cpu has no method 'int8'"),
        (
            {"method": "baseline", "target": "shelf-cpu", "toolchain": "2026.4"},
            "$.optimizations[1].toolchain",
            "valid: 1, 2",
        ),
        (
            {"method": "tuned", "target": "shelf-cpu", "toolchain": "1"},
            "$.optimizations[1]",
            "shelf-cpu 1 has no method 'tuned'",
        ),
        (
            {"method": "tuned", "target": "shelf-cpu", "trails": 3},
            "$.optimizations[1]",
            "did you mean 'trials'?",
        ),
        ({"method": "tuned"}, "$.optimizations[1]", "intel-openvino has no method 'tuned'"),
        ({"method": "baseline", "target": 3}, "$.optimizations[1].target", "not of type 'string'"),
    ],
)
def test_wrong_name_of_another_target(
    refused: Refused, write: Write, second_target: str, item: dict[str, Any], place: str, message: str
) -> None:
    """What an optimization says of another target is held against that target, with its JSON path."""
    problem = refused(write({**GOOD, "optimizations": ["baseline", item]}))
    assert problem.where.endswith(f": {place}")
    assert message in str(problem)


def test_own_data_inside_is_taken(workspace: Workspace, write: Write) -> None:
    """A data folder inside the workspace, or Dockyard's own, is taken as the recipe names it."""
    recipe = load_recipe(workspace, write({**GOOD, "data": "models/digits/data"}))
    assert (data_folder(workspace, recipe) / "test" / "labels.csv").is_file()
    own = workspace.root / "models" / "digits" / "data"
    own.mkdir(parents=True)
    assert data_folder(workspace, recipe) == own


def test_no_own_data(workspace: Workspace, digits: Recipe) -> None:
    """A recipe that names no data has no folder of the user's."""
    with pytest.raises(InputProblem, match="names no data"):
        data_folder(workspace, digits)


@pytest.mark.parametrize(
    ("content", "place", "key"),
    [
        ('{"model": "digits", "model": "digits"}', "$.model", "model"),
        (
            '{"model": "digits", "measure": {"threads": 1, "rounds": 3, "threads": 1}}',
            "$.measure.threads",
            "threads",
        ),
        (
            '{"optimizations": ["fp16", {"method": "int8", "method": "fp16"}]}',
            "$.optimizations[1].method",
            "method",
        ),
        ('{"a": {"b": [[], [{"c": 1, "c": {"d": 2, "d": 3}}]]}}', "$.a.b[1][0].c", "c"),
        ('{"a": {"x": 1, "x": 2}, "a": {"y": 1}, "b": {"z": 1, "z": 2}}', "$.a", "a"),
        ('{"max drop": {"": 1, "": 2}}', "$['max drop']['']", ""),
        ('{"it\'s": {"\\u0061": 1, "a": 2}}', "$['it\\'s'].a", "a"),
    ],
)
def test_key_that_stands_twice(write: Write, refused: Refused, content: str, place: str, key: str) -> None:
    """A key twice in one object is refused with its JSON path, instead of the last one silently counting."""
    problem = refused(write(content))
    assert problem.what == f"the key '{key}' stands twice"
    assert problem.where.endswith(f"own.json: {place}")
    assert problem.advice == "keep one of them"


def test_same_key_in_two_objects(workspace: Workspace, write: Write) -> None:
    """The same key in two objects is nothing to refuse."""
    options = [{"method": "int8", "preset": preset} for preset in ("mixed", "performance")]
    assert len(load_recipe(workspace, write({**GOOD, "optimizations": options})).optimizations) == 2


@pytest.mark.parametrize("key", ["min_fps", "max_latency_ms", "min_speedup"])
def test_requirements_are_read(workspace: Workspace, write: Write, refused: Refused, key: str) -> None:
    """A client may require frames a second, a latency or a speedup; none of them can be zero."""
    recipe = load_recipe(workspace, write({**GOOD, "requirements": {key: 25}}))
    assert getattr(recipe.requirements, key) == 25
    assert refused(write({**GOOD, "requirements": {key: 0}})).where.endswith(f"$.requirements.{key}")


def test_defaults(workspace: Workspace, write: Write) -> None:
    """What a recipe leaves out gets its default, and its name is the file's."""
    recipe = load_recipe(workspace, write(GOOD))
    assert (recipe.name, recipe.requirements.max_drop, recipe.measure.rounds, recipe.toolchain) == (
        "own",
        0.01,
        3,
        "",
    )


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*GOOD, "requirements", "measure", "data", "toolchain", "new"]), json_values)
def test_any_value_is_planned_or_refused(workspace: Workspace, write: Write, key: str, value: Any) -> None:
    """Whatever JSON stands under whatever key, the recipe is planned or refused as wrong input."""
    path = write({**GOOD, key: value})
    plan, problem = attempt(InputProblem, lambda: make_plan(workspace, load_recipe(workspace, path)))
    assert (plan is not None and plan.jobs) or (problem is not None and problem.what)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(workspace: Workspace, write: Write, content: bytes) -> None:
    """Bytes of any kind are refused as wrong input, never with another error."""
    with pytest.raises(InputProblem):
        load_recipe(workspace, write(content))


@given(st.integers(0, len(json.dumps(GOOD)) - 1))
def test_any_cut_is_refused(workspace: Workspace, write: Write, length: int) -> None:
    """A recipe cut off anywhere is refused."""
    with pytest.raises(InputProblem):
        load_recipe(workspace, write(json.dumps(GOOD)[:length]))


STREAM = {"model": "license_plate", "target": "intel-openvino", "optimizations": ["int8"]}


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"stream": {"interval": 0}}, "$.stream.interval", "0"),
        ({"stream": {"burst_s": 0}}, "$.stream.burst_s", "0"),
        ({"stream": {"search_s": 0}}, "$.stream.search_s", "0"),
        ({"stream": {"vote": 1}}, "$.stream.vote", "boolean"),
        ({"stream": {"intervall": 2}}, "$.stream", "intervall"),
        ({"stream": True}, "$.stream", "object"),
        ({"stream": {}, "model": "lp_detector"}, "$.stream", "one network, and a stream needs a pipeline"),
    ],
)
def test_wrong_stream(refused: Refused, write: Write, change: Any, place: str, message: str) -> None:
    """A stream that is not one, or of what cannot read one, is refused where it is written."""
    error = refused(write({**STREAM, **change}))
    assert place in str(error)
    assert message in str(error)


def test_a_stream_comes_back(workspace: Workspace, write: Write) -> None:
    """A recipe for a stream is written as it was read, defaults filled in; another says nothing of one."""
    recipe = load_recipe(workspace, write({**STREAM, "stream": {"interval": 3, "clip": "gate.mp4"}}))
    assert recipe.stream == Stream(clip="gate.mp4", interval=3)
    assert Recipe.from_json(recipe.name, recipe.to_json(), recipe.file) == recipe
    assert "stream" not in load_recipe(workspace, write(STREAM)).to_json()
