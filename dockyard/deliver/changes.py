"""Two deliveries side by side: what changes for the client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockyard.deliver.bundle import EVIDENCE, RECEIPT, archive_size, read_layers
from dockyard.deliver.contents import BILL
from dockyard.deliver.verify import verify
from shared.contract.errors import InputProblem

NOTHING = "-"


@dataclass(frozen=True)
class ChangeRow:
    """Something of a delivery: in the first one, and in the second."""

    what: str
    first: str
    second: str


def is_delivery(folder: Path) -> bool:
    """Tell whether a folder is one of a delivery, whole or not."""
    return (folder / RECEIPT).is_file()


def changes(first: Path, second: Path) -> list[ChangeRow]:
    """Return what two deliveries are, line by line, and the packages in which they differ.

    Raises:
        InputProblem, JobFailed: one is no delivery, or not as it was made.
    """
    mine, theirs = verify(first, None).predicate, verify(second, None).predicate
    pairs = zip(_figures(mine), _figures(theirs), strict=True)
    rows = [ChangeRow(name, one, other) for (name, one), (_, other) in pairs]
    sizes = [f"{archive_size(folder) / 1e6:.1f}" for folder in (first, second)]
    rows.append(ChangeRow("packed, MB", *sizes))
    layers = [read_layers(folder) for folder in (first, second)]
    shared = len(set(layers[0]) & set(layers[1]))
    rows.append(ChangeRow("layers, of which in both", *(f"{len(each)}, {shared}" for each in layers)))
    return [*rows, *_packages(first, second)]


def _figures(predicate: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a receipt says, by its name, the same names of every receipt."""
    for name in ("recipe", "model", "variant", "run", "verdict", "cpu"):
        yield name, str(predicate.get(name) or NOTHING)
    quality = predicate.get("quality") or {}
    yield "quality", ", ".join(f"{name} {value:.4f}" for name, value in quality.items()) or NOTHING
    for name, digits in (("ms", 2), ("speedup", 2), ("drop", 4)):
        interval = predicate.get(name)
        yield name, f"{interval['estimate']:.{digits}f}" if interval else NOTHING
    yield "image", str(predicate.get("image") or NOTHING)[:19]


def _packages(first: Path, second: Path) -> Iterator[ChangeRow]:
    """Yield the packages that are in one alone, or in another release."""
    mine, theirs = _inside(first), _inside(second)
    for name in sorted(mine.keys() | theirs.keys()):
        one, other = mine.get(name, NOTHING), theirs.get(name, NOTHING)
        if one != other:
            yield ChangeRow(name, one, other)


def _inside(folder: Path) -> Mapping[str, str]:
    """Return the releases of what is in a delivery, by package."""
    file = folder / EVIDENCE / BILL
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
        return {str(one["purl"]).split("@")[0]: str(one["version"]) for one in document["components"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputProblem(f"its packages cannot be read ({type(error).__name__})", str(file)) from None
