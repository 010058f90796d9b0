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
            # The device builds an engine that is not there yet, and keeps it under nvinfer's own name.
            is_engine = entry.key == "model-engine-file" and config.value("onnx-file") is not None
            if not is_engine or not ENGINE.match(entry.value):
                advice = "correct the path, which starts at the configuration's folder, or put the file there"
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
    if len(content) > MOST_LABEL_BYTES:
        return None
    # The last line may or may not be ended; split() would make a line of nothing.
    return (text if text.endswith("\n") or not text else f"{text}\n").split("\n")[:-1]


def _engine_problems(config: Config, name: str) -> Iterator[Problem]:
    """Yield how an engine's name does not tell what the other keys do."""
    engine, onnx = config.value("model-engine-file"), config.value("onnx-file")
    if engine is None and onnx is None:
        advice = "name the ONNX, and the engine that nvinfer makes of it"
        yield Problem(name, "neither onnx-file nor model-engine-file is there", advice)
    named = None if engine is None else ENGINE.match(engine)
    batch, mode = config.number("batch-size"), config.number("network-mode")
    if named is None or batch is None or mode is None:
        return
    where, advice = f"{name}, model-engine-file", "say in both what the engine is built for"
    wanted = next(precision for precision, code in PRECISIONS.items() if code == mode)
    kept = None if onnx is None else engine_name(onnx, int(batch), wanted, _device(config))
    if int(named["batch"]) != batch:
        yield Problem(
            where, f"the engine is for a batch of {named['batch']}, batch-size is {batch:g}", advice
        )
    elif named["precision"] != wanted:
        yield Problem(where, f"the engine is {named['precision']}, network-mode {mode:g} is {wanted}", advice)
    elif kept is not None and engine != kept:
        what = f"nvinfer keeps what it builds of {onnx} as {kept}, not as {engine}"
        yield Problem(where, what, "name it so, or it is built at every start")


def _device(config: Config) -> str:
    """Return what an engine runs on, as its name has it."""
    if config.value("enable-dla") == "1":
        return f"dla{config.value('use-dla-core') or 0}"
    return f"gpu{config.number('gpu-id') or 0:g}"
