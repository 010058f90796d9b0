"""Records as files: written, read and checked, published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from dockyard.judge import record_v1, record_v2
from dockyard.recipe import documents
from dockyard.recipe.workspace import SHARED
from shared.contract.codec import DecodeError, decode, encode
from shared.contract.errors import InputProblem
from shared.contract.record import Record

SCHEMA = SHARED / "contract" / "record.schema.json"


def write_records(records: Iterable[Record], folder: Path) -> None:
    """Write each record to `<folder>/<model>/<variant>.json`."""
    for record in records:
        path = folder / record.model / f"{record.variant}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(encode(record), separators=(",", ":")) + "\n")


def read_records(folder: Path, display_path: Callable[[Path], str] = str) -> list[Record]:
    """Read the records below a folder, those of earlier versions too, checked against their schemas.

    Args:
        display_path: a path as messages name it.

    Raises:
        InputProblem: a file that is no record.
    """
    return [_read(path, display_path(path)) for path in sorted(folder.rglob("*.json"))]


def _read(path: Path, where: str) -> Record:
    document = documents.read_json(path, where)
    if isinstance(document, dict) and document.get("version") == record_v1.VERSION:
        documents.check(document, record_v1.SCHEMA, where)
        document = record_v1.to_version_2(document)
    if isinstance(document, dict) and document.get("version") == record_v2.VERSION:
        document = record_v2.to_version_3(document)
    documents.check(document, SCHEMA, where)
    try:
        return decode(Record, document)
    except DecodeError as error:
        raise InputProblem(str(error), where, "restore the file, or measure again") from None


def publish(run_folder: Path, recipe_name: str, results: Path) -> None:
    """Put a whole run's records in the place of the recipe's earlier ones, at once."""
    destination = results / "records" / recipe_name
    fresh = results / f".{recipe_name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        shutil.copytree(run_folder, fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    destination.parent.mkdir(exist_ok=True)
    shutil.rmtree(destination, ignore_errors=True)
    fresh.rename(destination)
