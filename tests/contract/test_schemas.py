"""Every schema is valid, and every committed document fits its own."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dockyard.recipe import documents
from dockyard.recipe.catalog import Target, load_target, names
from dockyard.recipe.places import MODELS, RECIPES, SHARED, TARGETS
from shared.contract.errors import InputProblem
from tests.conftest import ROOT

SCHEMAS = sorted(p for folder in (SHARED / "contract", RECIPES, MODELS, TARGETS) for p in folder.glob("*.schema.json"))
LOADED = [load_target(name, "test") for name in names(TARGETS, "target.json")]
METHODS = [(t.name, m, c) for t in LOADED for c in t.toolchains for m in t.methods_of(c)]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SCHEMAS, ids=shown)
def test_schemas_are_valid(path: Path) -> None:
    """Each schema is a valid JSON Schema of draft 2020-12 and says so."""
    schema = json.loads(path.read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_all_schemas_are_there() -> None:
    """Recipe, model, target, result, record and tuning database have a schema."""
    assert {p.name.split(".")[0] for p in SCHEMAS} == {"recipe", "model", "target", "result", "record", "tuning"}


@pytest.mark.parametrize("path", sorted(TARGETS.glob("*/target.json")), ids=shown)
def test_targets_fit(path: Path) -> None:
    """Each target.json fits its schema, and its folder holds the entry script."""
    schema = json.loads((TARGETS / "target.schema.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(json.loads(path.read_text()))) == []
    assert path.with_name("entry.py").is_file()


@pytest.mark.parametrize("path", sorted(MODELS.glob("*/model.json")), ids=shown)
def test_models_fit(path: Path) -> None:
    """Each model.json fits its schema."""
    schema = json.loads((MODELS / "model.schema.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(json.loads(path.read_text()))) == []


@pytest.mark.parametrize(("target", "method", "toolchain"), METHODS)
def test_option_schemas(target: str, method: str, toolchain: str) -> None:
    """Each method has a valid schema of its options, which takes none, takes what a search tries, and refuses an unknown one."""
    loaded = load_target(target, "test")
    schema = loaded.option_schema(method, toolchain)
    Draft202012Validator.check_schema(schema)
    assert not {"method", "target", "toolchain"} & schema.get("properties", {}).keys(), "a recipe's optimization has these keys itself"
    for options in [{}, *loaded.methods[method].get("search", {}).get(toolchain, [])]:
        documents.check(options, schema, "test")
    with pytest.raises(InputProblem, match="unknown key 'no_such_option'") as caught:
        documents.check({"no_such_option": 1}, schema, "test")
    for option in schema.get("properties", {}):
        assert option in caught.value.advice


def test_tvms_defaults_are_the_told_ones() -> None:
    """What `tvm-llvm` takes for an option that a recipe leaves out is the default that its schema tells."""
    own = {}
    for node in ast.parse((TARGETS / "tvm-llvm" / "entry.py").read_text()).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id.endswith("_DEFAULTS"):
            assert node.value is not None
            own[node.target.id] = ast.literal_eval(node.value)
    told = load_target("tvm-llvm", "test").option_schema("tuned", "0.27")["properties"]
    runner = told["runner"]["properties"]
    assert own == {
        "TUNING_DEFAULTS": {name: option["default"] for name, option in told.items() if "default" in option},
        "RUNNER_DEFAULTS": {name: option["default"] for name, option in runner.items()},
    }
    assert [name for name, option in told.items() if "default" not in option] == ["llvm", "runner"]


@pytest.mark.parametrize("target", names(TARGETS, "target.json"))
def test_references_resolve(target: str) -> None:
    """What an option schema refers to is in it."""
    loaded: Target = load_target(target, "test")
    for method in loaded.methods:
        text = json.dumps(loaded.methods[method])
        for name in [part.split('"')[0] for part in text.split("#/$defs/")[1:]]:
            assert name in loaded.definitions


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"ignored_scope": {"nmaes": []}}, "$.ignored_scope"),
        ({"ignored_scope": {"names": "x"}}, "$.ignored_scope.names"),
        ({"preset": 3}, "$.preset"),
    ],
)
def test_wrong_options_have_their_place(options: dict[str, Any], place: str) -> None:
    """What is wrong inside an option is told with its JSON path."""
    with pytest.raises(InputProblem) as caught:
        documents.check(options, load_target("intel-openvino", "test").option_schema("int8", "2026.4"), "own.json")
    assert caught.value.where == f"own.json: {place}"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(values, st.sampled_from(SCHEMAS))
def test_any_document_is_refused_in_one_way(document: Any, path: Path) -> None:
    """A document that fits no schema of ours is refused as wrong input with its file, never with another error."""
    with pytest.raises(InputProblem) as caught:
        documents.check(document, documents.load_schema(path), "own.json")
    assert caught.value.where.startswith("own.json: $")


@given(values)
def test_json_is_read_as_it_is(tmp_path: Path, document: Any) -> None:
    """What is valid JSON is read as its values."""
    path = tmp_path / "any.json"
    path.write_text(json.dumps(document))
    if not json.dumps(document).strip():
        return
    assert documents.read_json(path) == document
