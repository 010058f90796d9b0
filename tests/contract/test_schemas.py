"""Every schema is valid, every committed document fits its own, and what a schema accepts can be read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dockyard.recipe import documents
from dockyard.recipe.models import CHANNELS, load_model
from dockyard.recipe.targets import load_target, with_defaults
from dockyard.recipe.workspace import PRODUCT, SHARED, Workspace
from shared.contract.codec import decode
from shared.contract.errors import InputProblem
from shared.contract.model import FORMATS, DataLocation, InputSpec, Network, Pipeline, PipelineNode
from shared.contract.outputs import OUTPUTS, Task
from shared.contract.recipe import Measure, Recipe, Requirements, Search
from shared.contract.record import Record
from shared.contract.result import Result
from shared.contract.streaming import Answer, FrameReading, ReadObject, Vote
from tests.contract.schema_documents import Schema, documents_of

OURS = Workspace(PRODUCT)
KINDS = ("recipes", "models", "targets")
FOLDERS = (SHARED / "contract", PRODUCT / "dockyard" / "recipe", *map(PRODUCT.joinpath, KINDS))
SCHEMAS = sorted(path for folder in FOLDERS for path in folder.glob("*.schema.json"))
TARGETS = OURS.names("targets", "target.json")
MODELS = OURS.names("models", "model.json")


def methods() -> list[tuple[str, str, str]]:
    """Every method of every toolchain of every target."""
    found = []
    for name in TARGETS:
        target = load_target(OURS, name, "test")
        for toolchain in target.toolchains:
            found += [(name, method, toolchain) for method in target.methods_of(toolchain)]
    return found


def schema_of(name: str) -> Any:
    (path,) = [path for path in SCHEMAS if path.name == f"{name}.schema.json"]
    return json.loads(path.read_text())


@pytest.mark.parametrize("path", SCHEMAS, ids=OURS.display_path)
def test_schemas_are_valid(path: Path) -> None:
    """Each schema is a valid JSON Schema of draft 2020-12 and says so."""
    schema = json.loads(path.read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_all_schemas_are_there() -> None:
    """Recipe, model, target, fleet, result, record and a stream's line have a schema."""
    wanted = {"recipe", "model", "target", "fleet", "result", "record", "reading"}
    assert wanted <= {path.name.split(".")[0] for path in SCHEMAS}


@pytest.mark.parametrize("name", TARGETS)
def test_targets_fit(name: str) -> None:
    """Each target.json fits its schema, and its folder holds the entry script."""
    assert load_target(OURS, name, "test").name == name
    assert (OURS.target(name) / "entry.py").is_file()


@pytest.mark.parametrize("name", MODELS)
def test_models_fit(name: str) -> None:
    """Each model.json fits its schema, and its graph."""
    assert load_model(OURS, name, "test").name == name


@pytest.mark.parametrize(("name", "method", "toolchain"), methods())
def test_option_schemas(name: str, method: str, toolchain: str) -> None:
    """Each method has a valid schema of its options: it takes none, its own defaults and what a search
    tries, and refuses an unknown one.
    """
    target = load_target(OURS, name, "test")
    schema = target.option_schema(method, toolchain)
    properties = schema.get("properties", {})
    Draft202012Validator.check_schema(schema)
    assert not {"method", "target", "toolchain"} & properties.keys(), "an optimization has these keys itself"
    for options in [{}, with_defaults({}, schema), *target.methods[method].search.get(toolchain, ())]:
        documents.check(options, schema, "test")
    with pytest.raises(InputProblem, match="unknown key 'no_such_option'") as caught:
        documents.check({"no_such_option": 1}, schema, "test")
    for option in properties:
        assert option in caught.value.advice


def test_defaults_of_nested_options() -> None:
    """The defaults of a schema fill what is left out, in nested options too, and nothing that is given."""
    schema = load_target(OURS, "tvm-llvm", "test").option_schema("tuned", "0.27")
    filled = with_defaults({"trials": 7, "runner": {"number": 9}}, schema)
    assert (filled["trials"], filled["runner"]["number"]) == (7, 9)
    assert filled["runner"].keys() == schema["properties"]["runner"]["properties"].keys()


@pytest.mark.parametrize("name", TARGETS)
def test_references_resolve(name: str) -> None:
    """What an option schema refers to is in it."""
    target = load_target(OURS, name, "test")
    text = json.dumps([dict(method.options) for method in target.methods.values()])
    for part in text.split("#/$defs/")[1:]:
        assert part.split('"')[0] in target.definitions


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"ignored_scope": {"nmaes": []}}, "$.ignored_scope"),
        ({"ignored_scope": {"names": "x"}}, "$.ignored_scope.names"),
        ({"preset": 3}, "$.preset"),
    ],
)
def test_wrong_options_have_their_place(options: dict[str, Any], place: str) -> None:
    """What is wrong inside an option is refused with its JSON path."""
    schema = load_target(OURS, "intel-openvino", "test").option_schema("int8", "2026.4")
    with pytest.raises(InputProblem) as caught:
        documents.check(options, schema, "own.json")
    assert caught.value.where == f"own.json: {place}"


def properties(schema: Schema, *place: str) -> Schema:
    """The properties of an object within a schema, by the names of the properties that lead to it."""
    for name in place:
        schema = schema["properties"][name]
    found: Schema = schema["properties"]
    return found


MODEL, RECIPE = schema_of("model"), schema_of("recipe")
SEARCH = RECIPE["properties"]["optimizations"]["else"]["then"]
READ_OBJECT = schema_of("reading")["properties"]["objects"]["items"]["properties"]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (PipelineNode, MODEL["$defs"]["node"]["properties"]),
        (DataLocation, MODEL["$defs"]["data"]["properties"]),
        (InputSpec, properties(MODEL["$defs"]["network"], "input")),
        *((OUTPUTS[task], MODEL["$defs"][task.value]["properties"]) for task in Task),
        (Requirements, properties(RECIPE, "requirements")),
        (Measure, properties(RECIPE, "measure")),
        (Search, properties(SEARCH, "search")),
        (Result, schema_of("result")["properties"]),
        (Record, schema_of("record")["properties"]),
        (FrameReading, schema_of("reading")["properties"]),
        (ReadObject, READ_OBJECT),
        (Answer, READ_OBJECT["answers"]["additionalProperties"]["properties"]),
        (Vote, READ_OBJECT["vote"]["additionalProperties"]["properties"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_schemas_have_the_fields_of_the_types(kind: type, keys: Schema) -> None:
    """A schema offers what its type has, no more and no less, down to what the fields hold."""
    fields = [field.name for field in dataclasses.fields(kind)]
    assert sorted(keys) == sorted(fields)
    for name, inner in get_type_hints(kind).items():
        if dataclasses.is_dataclass(inner) and "properties" in keys.get(name, {}):
            assert sorted(keys[name]["properties"]) == sorted(f.name for f in dataclasses.fields(inner))


def test_names_in_schemas_are_those_of_the_code() -> None:
    """Tasks, formats of graphs and orders of channels are the same in the schemas and in the code."""
    network = MODEL["$defs"]["network"]["properties"]
    assert network["task"]["enum"] == [task.value for task in Task]
    assert network["input"]["properties"]["channels"]["enum"] == list(CHANNELS)
    sources = schema_of("target")["properties"]["sources"]["items"]["enum"]
    assert sorted(sources) == sorted([*FORMATS.values(), "SavedModel"])


def network_documents() -> st.SearchStrategy[Any]:
    """What the schema accepts of a network, each task with its own outputs."""
    schema = MODEL["$defs"]["network"]
    choices = []
    for task in Task:
        changes = {"task": {"const": task.value}, "outputs": {"$ref": f"#/$defs/{task.value}"}}
        choices.append(documents_of({**schema, "properties": {**schema["properties"], **changes}}, MODEL))
    return st.one_of(choices)


READ: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any]]] = {
    "recipe": (documents_of(RECIPE, RECIPE), lambda document: Recipe.from_json("own", document)),
    "network": (network_documents(), lambda document: Network.from_model_json("own", document)),
    "pipeline": (
        documents_of(MODEL["$defs"]["pipeline"], MODEL),
        lambda document: Pipeline.from_model_json("own", document),
    ),
    "result": (
        documents_of(schema_of("result"), schema_of("result")),
        lambda document: decode(Result, document),
    ),
    "reading": (
        documents_of(schema_of("reading"), schema_of("reading")),
        lambda document: decode(FrameReading, document),
    ),
    "record": (
        documents_of(schema_of("record"), schema_of("record")),
        lambda document: decode(Record, document),
    ),
}


@pytest.mark.parametrize("name", READ)
@given(st.data())
def test_what_a_schema_accepts_can_be_read(name: str, data: st.DataObject) -> None:
    """A document that its schema accepts becomes a value of its type."""
    made, read = READ[name]
    document = data.draw(made)
    schema = MODEL if name in ("network", "pipeline") else schema_of(name)
    documents.check(document, schema, "made.json")
    assert read(document) is not None


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(values, st.sampled_from(SCHEMAS))
def test_any_document_is_refused_in_one_way(document: Any, path: Path) -> None:
    """A document that fits no schema of ours is refused with its file, never with another error."""
    with pytest.raises(InputProblem) as caught:
        documents.check(document, path, "own.json")
    assert caught.value.where.startswith("own.json: $")


@given(values)
def test_json_is_read_as_it_is(tmp_path: Path, document: Any) -> None:
    """What is valid JSON is read as its values."""
    path = tmp_path / "any.json"
    path.write_text(json.dumps(document))
    assert documents.read_json(path, "any.json") == document
