"""The files that a configuration of nvinfer names: where they are, and whether they fit.

nvinfer takes a relative path from the folder of the configuration, wherever it was started.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Iterator, List, Optional

from nvinfer_config import PRECISIONS, engine_name
from nvinfer_entries import Config
from nvinfer_keys import table
from nvinfer_problems import Problem

ENGINE = re.compile(
    r"(?P<onnx>.+)_b(?P<batch>[0-9]{1,6})_(?:gpu|dla)[0-9]{1,3}_(?P<precision>[a-z0-9]+)\.engine\Z"
)
"""An engine as nvinfer names it."""

MOST_LABEL_BYTES = 1 << 20
"""Of a label file that is read."""

CLASSIFIER = 1


def file_problems(config: Config, name: str, folder: Optional[Path]) -> Iterator[Problem]:
    """Yield what is wrong with the files that are named.

    Args:
        folder: of the configuration; None: only the names are looked at.
    """
    yield from _engine_problems(config, name)
    for entry in config.entries:
        key = table().keys.get(entry.key)
        if key is None or key.type != "path":
            continue
        where = f"{name}, {entry.key}"
        if leaves(entry.value):
            advice = "keep every file in the folder of the configuration, and name it from there"
            yield Problem(where, f"{entry.value} leads out of the configuration's folder", advice)
        elif folder is not None and not _is_file(folder / entry.value):
            # The engine is built on the device, of the ONNX, where it is not there.
            if entry.key != "model-engine-file" or config.value("onnx-file") is None:
                advice = "paths are relative to the configuration's folder: correct it, or put the file there"
                yield Problem(where, f"there is no file {entry.value}", advice)
        elif folder is not None and entry.key == "labelfile-path":
            yield from _label_problems(config, where, folder / entry.value)


def leaves(path: str) -> bool:
    """Tell whether a path, as it is written, leads out of the folder that it starts from."""
    return path.startswith(("/", "~")) or posixpath.normpath(path).split("/")[0] == ".."


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds what none may
        return False


def _label_problems(config: Config, where: str, path: Path) -> Iterator[Problem]:
    """Yield how a label file does not fit the network."""
    lines = _lines(path)
    if lines is None:
        yield Problem(where, f"{path.name} is no text of labels", "write one as nvinfer reads it, in UTF-8")
        return
    classes = config.number("num-detected-classes")
    if config.number("network-type") == CLASSIFIER or config.value("is-classifier") == "1":
        if len(lines) > 1 and not any(";" in line for line in lines):
            what = f"{path.name} has {len(lines)} lines without a semicolon: each would be an attribute"
            yield Problem(where, what, "write a classifier's labels in one line, with semicolons between")
    elif classes is not None and len(lines) != classes:
        what = f"{path.name} has {len(lines)} labels, and num-detected-classes is {classes:g}"
        yield Problem(where, what, "write one line for each class")


def _lines(path: Path) -> Optional[List[str]]:
    """Return the lines of a label file; None where it is no text, or too long to be one."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_LABEL_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    lines = text.split("\n")
    return None if len(content) > MOST_LABEL_BYTES else lines[: -1 if lines[-1] == "" else None]


def _engine_problems(config: Config, name: str) -> Iterator[Problem]:
    """Yield how an engine's name does not tell what the other keys do."""
    engine, onnx = config.value("model-engine-file"), config.value("onnx-file")
    if engine is None and onnx is None:
        advice = "name the ONNX, and the engine that nvinfer makes of it"
        yield Problem(name, "neither onnx-file nor model-engine-file is there", advice)
    named = None if engine is None else ENGINE.match(engine)
    if named is None:
        return
    where = f"{name}, model-engine-file"
    batch, mode = config.number("batch-size"), config.number("network-mode")
    wanted = {code: precision for precision, code in PRECISIONS.items()}.get(int(mode or 0))
    advice = "say in both what the engine is built for"
    if batch is not None and int(named["batch"]) != batch:
        yield Problem(
            where, f"the engine is for a batch of {named['batch']}, batch-size is {batch:g}", advice
        )
    if mode is not None and named["precision"] != wanted:
        what = f"the engine is {named['precision']}, network-mode {mode:g} is {wanted}"
        yield Problem(where, what, advice)
    if onnx is not None and named["onnx"] != onnx and batch is not None and wanted is not None:
        what = f"nvinfer would keep the engine of {onnx} as {engine_name(onnx, int(batch), wanted)}"
        yield Problem(where, what, "name it so, or it is built at every start")
