"""Documents that a JSON Schema accepts, made from the schema itself; of its keywords those that ours use."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]

texts = st.text(string.ascii_letters + " äß_", max_size=6)
scalars = st.none() | st.booleans() | st.integers(-9, 9) | texts
anything = scalars | st.dictionaries(texts, scalars, max_size=2)


def documents_of(schema: Schema | bool, root: Schema) -> st.SearchStrategy[Any]:
    """Return a strategy of documents.

    Args:
        schema: or True, for anything.
        root: where the definitions of its references are.
    """
    if isinstance(schema, bool):
        return anything
    if "$ref" in schema:
        return st.deferred(lambda: documents_of(root["$defs"][schema["$ref"].rpartition("/")[2]], root))
    if "oneOf" in schema and schema.get("type") != "object":
        return st.one_of([documents_of(choice, root) for choice in schema["oneOf"]])
    if "if" in schema:
        return _either(schema, root)
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    kinds = schema.get("type", "any")
    return st.one_of(
        [_of_type(kind, schema, root) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    )


def _either(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    """Of `if`, `then` and `else`: the condition is a type, or one value of one property."""
    condition = schema["if"]
    then, otherwise = _resolved(schema["then"], root), _resolved(schema["else"], root)
    if "type" in condition:
        then = {**then, "type": condition["type"]}
    else:
        ((name, wanted),) = condition["properties"].items()
        others = [value for value in schema["properties"][name]["enum"] if value != wanted["const"]]
        then = {**then, "properties": {**then["properties"], name: wanted}}
        otherwise = {**otherwise, "properties": {**otherwise["properties"], name: {"enum": others}}}
    return documents_of(then, root) | documents_of(otherwise, root)


def _resolved(schema: Schema, root: Schema) -> Schema:
    found: Schema = root["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def _of_type(kind: str, schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    if kind == "object":
        return _objects(schema, root)
    if kind == "array":
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", 99), least + 2)
        return st.lists(documents_of(schema.get("items", True), root), min_size=least, max_size=most)
    if kind == "string":
        if "pattern" in schema:
            return st.from_regex(schema["pattern"].replace("$", r"\Z"))
        return st.text(string.ascii_letters, min_size=schema.get("minLength", 0), max_size=8)
    if kind in ("integer", "number"):
        return _numbers(kind, schema)
    return {"boolean": st.booleans(), "null": st.none(), "any": anything}[kind]


def _numbers(kind: str, schema: Schema) -> st.SearchStrategy[Any]:
    above = schema.get("exclusiveMinimum")
    least = schema.get("minimum", -1000 if above is None else above + 1)
    most = schema.get("maximum", least + 1000)
    if kind == "integer":
        return st.integers(least, most)
    return st.integers(int(least), int(most)) | st.floats(least, most)


def _objects(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    properties = schema.get("properties", {})
    choices = [set(choice["required"]) for choice in schema.get("oneOf", [])]
    if choices:
        alone = [{**schema, "oneOf": [], "required": sorted(choice)} for choice in choices]
        for own, choice in zip(alone, choices, strict=True):
            own["properties"] = {name: properties[name] for name in choice}
        return st.one_of([_objects(own, root) for own in alone])
    required = {name: documents_of(properties[name], root) for name in schema.get("required", ())}
    optional = {name: documents_of(inner, root) for name, inner in properties.items() if name not in required}
    known = st.fixed_dictionaries(required, optional=optional)
    more = schema.get("additionalProperties", True)
    if more is False:
        return known
    others = st.dictionaries(
        texts.filter(lambda name: name not in properties), documents_of(more, root), max_size=2
    )
    return st.builds(lambda first, second: {**second, **first}, known, others)
