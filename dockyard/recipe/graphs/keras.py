"""Models in Keras's own format: a zip archive whose config.json lists the layers."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from dockyard.recipe.graphs import GraphOutline, Shape

CONFIG = "config.json"
CONFIG_BYTES = 64 << 20
ARCHIVE_BYTES = 16 << 30
"""Of an archive unpacked; one that claims more is there to fill a disk."""


def read_keras(path: Path) -> GraphOutline:
    """Read a Functional or Sequential model. Raises ValueError where it is none, or not safe to unpack."""
    config = _read_config(path)
    kind = config.get("class_name") if isinstance(config, dict) else None
    if kind not in ("Functional", "Sequential"):
        raise ValueError(f"a Keras model of the class {kind}, which only its own Python code can make")
    try:
        return _outline(config["config"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError):
        raise ValueError(f"a Keras file whose {CONFIG} does not list its layers") from None


def _read_config(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive.infolist())
            if archive.getinfo(CONFIG).file_size > CONFIG_BYTES:
                raise ValueError(f"an archive whose {CONFIG} is larger than {CONFIG_BYTES >> 20} MiB")
            return json.loads(archive.read(CONFIG))
    except KeyError:
        raise ValueError(f"an archive without {CONFIG}") from None
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError) as error:
        raise ValueError(f"no zip archive that can be read ({error})") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError(f"an archive whose {CONFIG} is no JSON") from None


def _check_members(members: Iterable[zipfile.ZipInfo]) -> None:
    """Refuse an archive that would leave its folder or fill a disk. Raises ValueError."""
    unpacked = 0
    for member in members:
        name = PurePosixPath(member.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
            raise ValueError(f"an archive with the path '{member.filename}'")
        unpacked += member.file_size
    if unpacked > ARCHIVE_BYTES:
        raise ValueError(f"an archive of more than {ARCHIVE_BYTES >> 30} GiB unpacked")


def _outline(config: Any) -> GraphOutline:
    """Return the outline that a model's config gives; what it raises where it is none is caught above."""
    layers = {str(layer["config"]["name"]): layer for layer in config["layers"]}
    inputs: dict[str, Shape] = {}
    types: dict[str, str] = {}
    for name, layer in layers.items():
        if layer["class_name"] == "InputLayer":
            # Keras 3 says batch_shape, Keras 2 batch_input_shape.
            shape = layer["config"].get("batch_shape") or layer["config"]["batch_input_shape"]
            inputs[name] = tuple(-1 if size is None else int(size) for size in shape)
            types |= _type(name, layer["config"].get("dtype"))
    outputs = _layer_names(config["output_layers"]) if "output_layers" in config else [list(layers)[-1]]
    return GraphOutline(inputs, dict.fromkeys(outputs), frozenset(layers), types)


def _type(name: str, dtype: Any) -> dict[str, str]:
    """Return an input's type by its name, which a config has as such or as a policy's name.

    A policy of mixed types (`mixed_float16`) does not tell.
    """
    if isinstance(dtype, dict):
        dtype = dtype["config"]["name"]
    return {} if dtype is None or str(dtype).startswith("mixed_") else {name: str(dtype)}


def _layer_names(entries: Any) -> list[str]:
    """Return the layers of `output_layers`: [layer, node, tensor], or lists or an object of those."""
    if isinstance(entries, list) and isinstance(entries[0], str):
        return [entries[0]]
    names = []
    for entry in entries.values() if isinstance(entries, dict) else entries:
        names += _layer_names(entry)
    return names
