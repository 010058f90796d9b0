"""What is known of nvinfer's keys and of DeepStream's releases: the table in nvinfer_keys.json, typed.

The defaults are those of the parser of release 9.1, read beside those of 5.0 to 6.3 and 8.0; where the table
says nothing of a release, nothing is known.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Dict, Mapping, Optional, Tuple

from shared.contract.codec import decode
from shared.contract.errors import InputProblem, nearest

PROPERTY, CLASS_ATTRS = "property", "class-attrs"
"""The groups of a file: the first is there once, the second as `class-attrs-all` and `class-attrs-<id>`."""

INI, YAML = "ini", "yaml"

WHOLE = re.compile(r"[+-]?[0-9]{1,10}\Z")
DECIMAL = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?\Z")
LARGEST_INT = 2**31 - 1


@dataclass(frozen=True)
class Key:
    """One key of a file.

    Attributes:
        group: `property` or `class-attrs`.
        type: `int`, `float`, `bool` (0 or 1), `string`, `path`, or a list with semicolons: `ints`, `floats`,
            `names`.
        meaning: a sentence.
        values: the integers that are allowed; empty where a range is, or nothing is known.
        minimum, maximum: both allowed; of each number of a list.
        default: as a file would have it; None where there is none.
        first: the first release that has it; None where all known ones do, as far as is known.
        left: the first release that no longer has it.
        forms: of files, `ini` and `yaml`.
    """

    group: str
    type: str
    meaning: str
    values: Tuple[int, ...] = ()
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    default: Optional[str] = None
    first: Optional[str] = None
    left: Optional[str] = None
    forms: Tuple[str, ...] = (INI, YAML)


@dataclass(frozen=True)
class Release:
    """A release of DeepStream on Jetsons.

    Attributes:
        l4t: beginnings of the releases of Linux for Tegra that it runs on.
        tensorrt, python: of that JetPack.
        pyds: its metadata can be read in Python with pyds.
        object_bytes: size of a parser's `NvDsInferObjectDetectionInfo`; 9.0 appended an angle, so that a
            parser's library is built for the releases before it or from it on.
        floor_on_gpu: objects below 16 x 16 pixels are skipped even where the GPU scales; None: not known.
    """

    l4t: Tuple[str, ...]
    tensorrt: str
    python: str
    pyds: bool
    object_bytes: int
    floor_on_gpu: Optional[bool] = None


@dataclass(frozen=True)
class Table:
    """Releases and keys by name."""

    releases: Mapping[str, Release]
    keys: Mapping[str, Key]


@lru_cache(maxsize=1)
def table() -> Table:
    """Return what nvinfer_keys.json says."""
    path = Path(__file__).with_suffix(".json")
    document = json.loads(path.read_text(encoding="utf-8"))
    releases: Dict[str, Release] = {}
    for name, facts in document["releases"].items():
        releases[name] = decode(Release, facts, f"$.releases['{name}']")
    keys: Dict[str, Key] = {}
    for name, facts in document["keys"].items():
        keys[name] = decode(Key, facts, f"$.keys['{name}']")
    return Table(releases, keys)


def release_facts(release: str) -> Release:
    """Return what is known of a release, as `7.1`. Raises InputProblem: it is none of them."""
    known = table().releases
    if release not in known:
        raise InputProblem(f"DeepStream {release} is not known", "", nearest(release, known))
    return known[release]


def is_before(release: str, other: str) -> bool:
    """Tell whether a release came before another one."""
    return _numbers(release) < _numbers(other)


def absence(key: Key, release: str) -> str:
    """Return why a release does not have a key; empty where it has it, as far as is known."""
    if key.first is not None and is_before(release, key.first):
        return f"is there from release {key.first} on, not in {release}"
    if key.left is not None and not is_before(release, key.left):
        return f"left with release {key.left} and is not in {release}"
    return ""


def items(text: str) -> Tuple[str, ...]:
    """Return the items of a list with semicolons; one at the end is allowed, as GLib does."""
    parts = text[:-1].split(";") if text.endswith(";") else text.split(";")
    return tuple(part.strip() for part in parts)


def value_problem(key: Key, text: str) -> str:
    """Return why a text is no value of a key, as `is 'x', not a whole number`; empty where it is one."""
    if key.type in ("string", "path"):
        return "" if text.strip() else "is empty"
    if key.type == "bool":
        return "" if text in ("0", "1") else f"is '{text}', not 0 or 1"
    if key.type == "names":
        return "" if all(items(text)) else f"is '{text}', which has an empty name between its semicolons"
    for item in items(text) if key.type in ("ints", "floats") else (text,):
        problem = _number_problem(key, item)
        if problem:
            return problem
    return ""


def _number_problem(key: Key, text: str) -> str:
    """Return why a text is no number that a key takes; empty where it is one."""
    if key.type in ("int", "ints"):
        if not WHOLE.match(text) or abs(int(text)) > LARGEST_INT:
            return f"is '{text}', not a whole number"
    elif not DECIMAL.match(text) or not math.isfinite(float(text)):
        return f"is '{text}', not a number"
    number = float(text)
    if key.values and number not in key.values:
        return f"is {text}, not one of {', '.join(map(str, key.values))}"
    if key.minimum is not None and number < key.minimum:
        return f"is {text}, below {key.minimum:g}"
    if key.maximum is not None and number > key.maximum:
        return f"is {text}, above {key.maximum:g}"
    return ""


def _numbers(release: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))
