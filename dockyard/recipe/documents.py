"""JSON documents from users: read, checked against a schema, every error with its place and the nearest valid name."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from dockyard.recipe.places import shown
from shared.contract.errors import InputProblem, nearest

MAX_BYTES = 4 << 20


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputProblem: missing, empty, too large, not UTF-8, not JSON (with line and column).
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputProblem(f"larger than {MAX_BYTES >> 20} MiB", shown(path), "a document of this kind is a few KB")
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise InputProblem("no such file", shown(path)) from None
    except (IsADirectoryError, PermissionError) as error:
        raise InputProblem(f"cannot be read ({error.strerror})", shown(path)) from None
    except UnicodeDecodeError:
        raise InputProblem("not a text file in UTF-8", shown(path)) from None
    if not text.strip():
        raise InputProblem("the file is empty", shown(path), "restore it, or start from a file beside it")
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        raise InputProblem(
            f"not valid JSON: {error.msg}", f"{shown(path)}:{error.lineno}:{error.colno}", "is the file cut off, or a comma missing?"
        ) from None
    except RecursionError:
        raise InputProblem("nested too deeply", shown(path)) from None
    except ValueError as error:
        raise InputProblem(f"not usable JSON: {error}", shown(path)) from None


def parse(text: str) -> Any:
    """Parse JSON as its standard has it: no NaN, no Infinity; a number without a fraction (3.0) is an integer.

    Raises:
        ValueError: no such JSON, or a number beyond what a float holds.
        RecursionError: nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_number)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _number(text: str) -> float | int:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return int(value) if value.is_integer() else value


@cache
def load_schema(path: Path) -> Any:
    """Read one of the repository's own schemas."""
    return json.loads(path.read_text(encoding="utf-8"))


def check(document: Any, schema: Any, where: str, root: str = "$") -> None:
    """Validate a document.

    Args:
        document: what was read.
        schema: a JSON Schema (draft 2020-12).
        where: the file's name, put before the JSON path.
        root: the JSON path of the document within that file.

    Raises:
        InputProblem: the first error that matters, with its JSON path and the nearest valid name.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema).iter_errors(document))
    if error is None:
        return
    place = f"{where}: {root}{error.json_path[1:]}"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        valid = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in valid)
        raise InputProblem(f"unknown key '{unknown}'", place, nearest(unknown, valid))
    if error.validator == "enum":
        raise InputProblem(f"'{error.instance}' is not valid here", place, nearest(str(error.instance), map(str, error.validator_value)))
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        raise InputProblem(f"the key '{missing}' is missing", place)
    raise InputProblem(error.message if len(error.message) < 200 else error.message[:200] + " ...", place)
