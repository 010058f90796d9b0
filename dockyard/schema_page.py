"""A JSON Schema as a page to read: a table of the keys of each object in it.

It shows kinds, bounds, choices, defaults and which keys are needed. Patterns it leaves to the error message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "array": "list",
    "object": "object",
}
"""What JSON's types are called."""


@dataclass(frozen=True)
class _Object:
    """An object of the schema, and the heading that its table stands below; empty for the file's own."""

    title: str
    schema: Schema


def schema_page(schema: Schema, introduction: str) -> str:
    """Return the Markdown of a schema's page: the introduction, then a table for each object.

    Args:
        introduction: begins with the page's heading.
    """
    lines, above = [introduction.strip(), ""], ""
    for found in _objects(schema, schema, "", set()):
        if found.title != above:
            lines += [f"## {found.title}", ""]
        above = found.title
        lines += [*_table(found, schema), ""]
    return "\n".join(lines).rstrip() + "\n"


def _objects(
    part: Schema, root: Schema, title: str, seen: set[str], is_own: bool = True
) -> Iterator[_Object]:
    """Yield the objects of a part of a schema from the outside in; one that several refer to comes once.

    Args:
        is_own: false where the part only says more of an object that was there before.
    """
    reference = part.get("$ref")
    if reference is not None:
        if reference not in seen:
            seen.add(reference)
            yield from _objects(_resolved(part, root), root, _name_of(reference), seen)
        return
    if "properties" in part and is_own:
        yield _Object(title, part)
    for key, value in part.get("properties", {}).items():
        yield from _objects(value, root, f"{title}: {key}" if title else key, seen)
    for branch in part.get("allOf", ()):
        yield from _objects(branch, root, title, seen, is_own=False)
    for branch in _alternatives(part):
        yield from _objects(branch, root, title, seen, is_own)
    if isinstance(part.get("items"), Mapping):
        yield from _objects(part["items"], root, title, seen)


def _alternatives(part: Schema) -> Iterator[Schema]:
    """Yield the forms that a value may have, where there are several."""
    for name in ("oneOf", "anyOf"):
        yield from part.get(name, ())
    for name in ("then", "else"):
        if name in part:
            yield part[name]


def _name_of(reference: str) -> str:
    return reference.rpartition("/")[2]


def _resolved(part: Schema, root: Schema) -> Schema:
    """Return what a reference inside the file stands for."""
    found: Any = root
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def _table(found: _Object, root: Schema) -> Iterator[str]:
    """Yield a row for each key."""
    schema = found.schema
    if found.title and schema.get("description"):
        yield from (_text(schema["description"]), "")
    choices = _groups_of_keys(schema)
    if choices:
        yield from (f"Either {', or '.join(choices)}.", "")
    yield from ("| key | value | default | |", "| --- | --- | --- | --- |")
    for key, value in schema["properties"].items():
        needed = " (needed)" if key in schema.get("required", ()) else ""
        inner = f"{found.title}: {key}" if found.title else key
        kind = _kind(value, root, inner) + _by_condition(schema, key, root, inner)
        default = f"`{json.dumps(value['default'])}`" if "default" in value else ""
        description = value.get("description") or _description_of_reference(value, root)
        yield f"| `{key}`{needed} | {kind} | {default} | {_text(description)} |"


def _description_of_reference(value: Schema, root: Schema) -> str:
    """Return what is said of what a key refers to, unless that has a table, which says it."""
    found = _resolved(value, root) if "$ref" in value else {}
    return "" if "properties" in found else str(found.get("description", ""))


def _groups_of_keys(schema: Schema) -> list[str]:
    """Return the keys that go together, where an object must have those of one group."""
    groups = []
    for one in schema.get("oneOf", ()):
        if set(one) == {"required"}:
            groups.append(" and ".join(f"`{key}`" for key in one["required"]))
    return groups


def _by_condition(schema: Schema, key: str, root: Schema, title: str) -> str:
    """Return the kinds that a key has by what another key says."""
    kinds = []
    for branch in schema.get("allOf", ()):
        value = branch.get("then", {}).get("properties", {}).get(key)
        if value is not None:
            kinds.append(_kind(value, root, title))
    return f": {', '.join(kinds)}" if kinds else ""


def _kind(value: Schema, root: Schema, title: str) -> str:
    """Return what a value may be, in words; an object with a table of its own is a link to it."""
    if "$ref" in value:
        return _kind(_resolved(value, root), root, _name_of(value["$ref"]))
    if "const" in value or "enum" in value:
        return ", ".join(f"`{one}`" for one in value.get("enum", [value.get("const")]))
    if "properties" in value:
        return f"[{title}](#{title.replace(': ', '-')})"
    forms = [one for one in _alternatives(value) if set(one) != {"required"}]
    if forms:
        return " or ".join(dict.fromkeys(_kind(one, root, title) for one in forms))
    if "items" in value:
        return f"list of {_kind(value['items'], root, title)}{_length(value)}"
    types = value.get("type", "object")
    names = [KINDS[name] for name in ([types] if isinstance(types, str) else types)]
    return " or ".join(names) + _bounds(value)


def _length(value: Schema) -> str:
    """Return how many a list holds, where that is bounded; that one is needed goes without saying."""
    least, most = value.get("minItems", 0), value.get("maxItems")
    if most is None:
        return f" (at least {least})" if least > 1 else ""
    return f" ({most} of them)" if least == most else f" ({least} to {most} of them)"


def _bounds(value: Schema) -> str:
    """Return between which bounds a number is."""
    words = []
    for key, word in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to")):
        if key in value:
            words.append(f"{word} {value[key]}")
    return f", {' '.join(words)}" if words else ""


def _text(description: str) -> str:
    """Return a description as it may stand in a cell."""
    return description.replace("<", "&lt;").replace("|", "&#124;")
