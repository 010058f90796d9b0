"""JSON documents: read, checked against a schema, every error with its place and the nearest valid name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.contract.errors import InputProblem, nearest
from shared.contract.text_files import decoded

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

MAX_BYTES = 4 << 20
MAX_MESSAGE = 200
"""Characters of a message: it may quote the value, which may be long."""

PLAIN_KEY = re.compile("[A-Za-z][A-Za-z0-9_]*")
"""A key that a JSON path has after a dot; others stand in brackets and quotes."""


class RepeatedKey(ValueError):
    """An object has a key twice.

    Attributes:
        key: which one.
        place: its JSON path.
    """

    def __init__(self, key: str, place: str) -> None:
        self.key, self.place = key, place
        super().__init__(f"{place}: {self.what}")

    @property
    def what(self) -> str:
        return f"the key '{self.key}' stands twice"


def read_json(path: Path, where: str) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        where: the file's name in messages.

    Raises:
        InputProblem: missing, empty, too large, not UTF-8, not JSON (with line and column), a key twice in an
            object (with its JSON path).
    """
    text = _read_text(path, where)
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        place = f"{where}:{error.lineno}:{error.colno}"
        raise InputProblem(
            f"not valid JSON: {error.msg}", place, "is the file cut off, or a comma missing?"
        ) from None
    except RepeatedKey as error:
        raise InputProblem(error.what, f"{where}: {error.place}", "keep one of them") from None
    except RecursionError:
        raise InputProblem("nested too deeply", where) from None
    except ValueError as error:
        raise InputProblem(f"not usable JSON: {error}", where) from None


def _read_text(path: Path, where: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputProblem(
                f"larger than {MAX_BYTES >> 20} MiB", where, "a document of this kind is a few KB"
            )
        text = decoded(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise InputProblem("no such file", where) from None
    except (IsADirectoryError, PermissionError) as error:
        raise InputProblem(f"cannot be read ({error.strerror})", where) from None
    except UnicodeDecodeError:
        raise InputProblem("not a text file in UTF-8", where) from None
    if not text.strip():
        raise InputProblem("the file is empty", where, "restore it, or start from a file beside it")
    return text


def parse(text: str) -> Any:
    """Parse JSON as its standard has it: no NaN, no Infinity, no key twice in an object.

    A number without a fraction (3.0) becomes an integer.

    Raises:
        ValueError: no such JSON, or a number beyond what a float holds.
        RepeatedKey: an object has a key twice (a ValueError too).
        RecursionError: nested too deeply.
    """
    repeated: list[_Repeated] = []

    def read_object(pairs: Sequence[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        repeated.append(_Repeated(_first_repeated(pairs)))
        return repeated[-1]

    document = json.loads(text, parse_constant=_refuse, parse_float=_number, object_pairs_hook=read_object)
    if repeated:
        place = _place_of_repeated(document, ())
        raise RepeatedKey(str(place[-1]), json_path(place))
    return document


@dataclass(frozen=True)
class _Repeated:
    """Stands for an object that has a key twice, for the parser does not say where in the document it is."""

    key: str


def _first_repeated(pairs: Sequence[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise ValueError("no key stands twice")


def _place_of_repeated(document: Any, place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the place of the first repeated key, empty where there is none."""
    if isinstance(document, _Repeated):
        return (*place, document.key)
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    for key, item in items:
        found = _place_of_repeated(item, (*place, key))
        if found:
            return found
    return ()


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _number(text: str) -> float | int:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return int(value) if value.is_integer() else value


def json_path(place: Iterable[str | int]) -> str:
    """Return keys and positions as a JSON path, as `$.measure.threads` or `$.methods[0]['max drop']`."""
    return "$" + "".join(_step(part) for part in place)


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if PLAIN_KEY.fullmatch(part):
        return f".{part}"
    escaped = part.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def check(document: Any, schema: Path | Mapping[str, Any], where: str, root: str = "$") -> None:
    """Validate a document.

    Args:
        document: what was read.
        schema: a JSON Schema (draft 2020-12), or the path of one of Dockyard's own schema files.
        where: the file's name, put before the JSON path.
        root: the JSON path of the document within that file.

    Raises:
        InputProblem: the first error that matters, with its JSON path and the nearest valid name.
    """
    from jsonschema.exceptions import best_match

    validator = _validator_of_file(schema) if isinstance(schema, Path) else _validator(schema)
    errors = list(validator.iter_errors(document))
    error = best_match(errors)
    if error is None:
        return
    # Where a key is misspelt one is unknown and one missing in the same place: the unknown one says more.
    unknown = (one for one in errors if one.validator == "additionalProperties")
    beside = (one for one in unknown if one.absolute_path == error.absolute_path)
    raise _as_problem(next(beside, error), where, root)


# jsonschema is imported where it is needed: it takes longer to load than all of the host's own code.
def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema)


@cache
def _validator_of_file(path: Path) -> Draft202012Validator:
    return _validator(json.loads(path.read_text(encoding="utf-8")))


def _as_problem(error: ValidationError, where: str, root: str) -> InputProblem:
    place = f"{where}: {root}{json_path(error.absolute_path)[1:]}"
    wanted: Any = error.validator_value
    found: Any = error.instance
    if error.validator == "additionalProperties" and isinstance(error.schema, Mapping):
        valid = error.schema.get("properties", {})
        unknown = next(key for key in found if key not in valid)
        return InputProblem(f"unknown key '{unknown}'", place, nearest(unknown, valid))
    if error.validator == "enum":
        return InputProblem(f"'{found}' is not valid here", place, nearest(str(found), map(str, wanted)))
    if error.validator == "required":
        missing = next(key for key in wanted if key not in found)
        return InputProblem(f"the key '{missing}' is missing", place)
    message = error.message
    return InputProblem(message if len(message) < MAX_MESSAGE else message[:MAX_MESSAGE] + " ...", place)
