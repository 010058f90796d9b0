"""Records of version 1, which runs wrote until records named their artifacts' cache keys, as version 2."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.contract.measurement import Latency, Scope, TimingProtocol
from shared.contract.record import RECORD_VERSION

VERSION = 1
SCHEMA = Path(__file__).with_name("record_v1.schema.json")

CALIBRATION_IMAGES = "calibration_images"

NEVER_SHOWN = ("conversion", "log")
"""What the conversion noted, and the lines that a tool logged."""

SHORT_TABLE = 10
"""A table of notes with more rows is folded."""

Document = Mapping[str, Any]


def to_version_2(document: Document) -> dict[str, Any]:
    """Return a document of version 1, which its schema has accepted, as one of version 2."""
    changed = {key: value for key, value in document.items() if key not in ("rounds_ns", "conversion")}
    scope = Scope(document.get("scope", Scope.NETWORK.value))
    changed["version"] = RECORD_VERSION
    changed["stage"] = document.get("stage") or None
    changed["differences"] = document.get("conversion", [])
    changed["rounds"] = [_latency(samples, scope) for samples in document.get("rounds_ns", [])]
    changed["artifacts"] = _artifacts(document.get("artifacts", {}))
    changed["notes"] = {network: _notes(noted) for network, noted in document.get("notes", {}).items()}
    return changed


def _latency(samples: Mapping[str, Sequence[int]], scope: Scope) -> dict[str, Any]:
    """Return a round: a network was timed on one input many times, a pipeline once on each sample."""
    protocol = TimingProtocol.REPEAT if scope == Scope.NETWORK else TimingProtocol.DATASET
    kept = dict(samples)
    return {"kind": Latency.kind, "scope": scope.value, "protocol": protocol.value, "samples_ns": kept}


def _artifacts(artifacts: Mapping[str, Sequence[Document]]) -> dict[str, Any]:
    """Return each network's files; the keys that they were kept under are not known any more."""
    return {
        network: {"artifact": {"files": files}, "cache_key": None} for network, files in artifacts.items()
    }


def _notes(noted: Document) -> dict[str, Any]:
    """Return what a toolchain noted, whatever its words: tables, a remark, and the rest as details.

    A list of objects becomes a table; numbers, objects of plain values and empty lists go into a remark.
    Texts and lists of other things stay details, as do the log and what the conversion noted.
    """
    tables, remarks, details = [], [], {}
    for key, value in noted.items():
        if key in NEVER_SHOWN:
            details[key] = value
        elif _is_list_of_objects(value):
            tables.append(_table(key, value))
        elif spoken := _spoken(key, value):
            remarks.append(spoken)
        else:
            details[key] = value
    return {
        "remarks": ["; ".join(remarks)] if remarks else [],
        "tables": tables,
        CALIBRATION_IMAGES: noted.get(CALIBRATION_IMAGES),
        "details": details,
    }


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _spoken(key: str, value: Any) -> str:
    """Return a number, an object of plain values or an empty list in words; empty for anything else."""
    if value == []:
        return f"{_words(key)} none"
    if _is_number(value):
        return f"{_words(key)} {_cell(value)}"
    if isinstance(value, dict) and value and all(_is_plain(item) for item in value.values()):
        inner = ", ".join(f"{_words(name)} {_cell(item)}" for name, item in value.items())
        return f"{_words(key)}: {inner}"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_plain(value: Any) -> bool:
    return _is_number(value) or isinstance(value, str)


def _table(title: str, items: Sequence[Document]) -> dict[str, Any]:
    columns = list(dict.fromkeys(key for item in items for key in item))
    return {
        "title": _words(title),
        "columns": [_words(column) for column in columns],
        "rows": list(_rows(items, columns)),
        "folded": len(items) > SHORT_TABLE,
    }


def _rows(items: Sequence[Document], columns: Sequence[str]) -> Iterator[list[str]]:
    for item in items:
        yield [_cell(item.get(column)) for column in columns]


def _words(key: str) -> str:
    return key.replace("_", " ")


def _cell(value: Any) -> str:
    """Return a value as a table shows it, numbers to four digits."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    return json.dumps(value)
