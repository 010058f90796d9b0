"""Frozen dataclasses to JSON and back, by the types of their fields.

A dataclass that is one of several a field may hold names itself in a class attribute `kind`, which is written
beside its fields.
"""

from __future__ import annotations

import dataclasses
from enum import Enum
from functools import lru_cache
from typing import Any, Dict, Mapping, Type, TypeVar, Union, cast, get_type_hints

T = TypeVar("T")

KIND = "kind"


class DecodeError(ValueError):
    """A document that is not of the type it should be; the message names the JSON path."""


def encode(value: Any) -> Any:
    """Return a value as JSON: dataclasses as objects with all fields, enums as values, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = list(_fields(type(value)))
        fields = {name: encode(getattr(value, name)) for name in names}
        return {KIND: getattr(value, KIND), **fields} if hasattr(value, KIND) else fields
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def decode(kind: Type[T], document: Any, where: str = "$") -> T:
    """Build a value of a type from JSON; a field that is left out takes its default.

    Args:
        kind: a dataclass, an enum, or what the fields of one may be: str, int, float, bool, Any, and
            Optional, Union, Tuple and Mapping of those.
        document: parsed JSON.
        where: JSON path of the document, for messages.

    Raises:
        DecodeError: another type, an unknown key, a missing key, a value that an enum does not have.
    """
    return cast(T, _decode(kind, document, where))


def _decode(kind: Any, document: Any, where: str) -> Any:
    origin: Any = getattr(kind, "__origin__", None)
    arguments: Any = getattr(kind, "__args__", ())
    if kind is Any:
        return document
    if origin is Union:
        return _decode_union(arguments, document, where)
    if origin is tuple:
        return _decode_tuple(arguments, document, where)
    if origin is not None and issubclass(origin, Mapping):
        items = _checked(document, dict, where).items()
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in items}
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, _checked(document, dict, where), where)
    if issubclass(kind, Enum):
        return _decode_enum(kind, document, where)
    if kind is float and type(document) is int:
        return float(document)
    return _checked(document, kind, where)


def _checked(document: Any, kind: type, where: str) -> Any:
    if not isinstance(document, kind) or (kind is int and isinstance(document, bool)):
        raise DecodeError(f"{where}: expected {kind.__name__}, found {type(document).__name__}")
    return document


def _decode_union(arguments: Any, document: Any, where: str) -> Any:
    if document is None and type(None) in arguments:
        return None
    choices = [choice for choice in arguments if choice is not type(None)]
    if len(choices) == 1:
        return _decode(choices[0], document, where)
    if not isinstance(document, dict):
        return _decode_plain(choices, document, where)
    by_kind = {choice.kind: choice for choice in choices if hasattr(choice, KIND)}
    if document.get(KIND) not in by_kind:
        valid = ", ".join(sorted(by_kind))
        raise DecodeError(f"{where}.{KIND}: expected one of {valid}, found {document.get(KIND)!r}")
    rest = {key: item for key, item in document.items() if key != KIND}
    return _decode(by_kind[document[KIND]], rest, where)


def _decode_plain(choices: Any, document: Any, where: str) -> Any:
    for choice in choices:
        try:
            return _decode(choice, document, where)
        except DecodeError:
            continue
    raise DecodeError(f"{where}: found {type(document).__name__}, which is none of the types expected")


def _decode_tuple(arguments: Any, document: Any, where: str) -> Any:
    items = document if isinstance(document, tuple) else _checked(document, list, where)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_decode(arguments[0], item, f"{where}[{number}]") for number, item in enumerate(items))
    if len(items) != len(arguments):
        raise DecodeError(f"{where}: expected {len(arguments)} items, found {len(items)}")
    numbered = enumerate(zip(arguments, items))
    return tuple(_decode(argument, item, f"{where}[{number}]") for number, (argument, item) in numbered)


def _decode_enum(kind: Any, document: Any, where: str) -> Any:
    try:
        return kind(document)
    except ValueError:
        valid = ", ".join(str(member.value) for member in kind)
        raise DecodeError(f"{where}: expected one of {valid}, found {document!r}") from None


def _decode_dataclass(kind: Any, document: Mapping[str, Any], where: str) -> Any:
    hints = _fields(kind)
    unknown = sorted(document.keys() - hints.keys())
    if unknown:
        raise DecodeError(f"{where}: unknown key '{unknown[0]}'")
    given = {key: _decode(hints[key], item, f"{where}.{key}") for key, item in document.items()}
    try:
        return kind(**given)
    except TypeError:
        missing = sorted(name for name in hints if name not in document and _is_required(kind, name))
        raise DecodeError(f"{where}: the key '{missing[0]}' is missing") from None


def _is_required(kind: Any, name: str) -> bool:
    field = next(field for field in dataclasses.fields(kind) if field.name == name)
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@lru_cache(maxsize=None)
def _fields(kind: Any) -> Dict[str, Any]:
    """Return the type of each field; annotations are texts until they are looked up."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
