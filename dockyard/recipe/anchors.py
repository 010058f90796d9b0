"""The anchors of a detector, read from the file that its model.json names."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shared.contract.errors import InputProblem
from shared.contract.model import Network
from shared.contract.outputs import Anchors, DetectionOutputs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MOST_BYTES = 64 << 20
"""Of a file: detectors have some thousand anchors."""

NUMPY = ".npy"


def with_anchors(network: Network, folder: Path, where: str) -> Network:
    """Return a network with what its file of anchors holds; one without a file as it is.

    Args:
        folder: the model's folder.
        where: model.json's path in messages.

    Raises:
        InputProblem: no such file, or none of four finite numbers for each anchor.
    """
    outputs = network.outputs
    if not isinstance(outputs, DetectionOutputs) or outputs.box.anchors is None:
        return network
    anchors = outputs.box.anchors
    values = _read(folder, anchors, f"{where}: $.outputs.box.anchors.file")
    packed = base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")
    box = replace(outputs.box, anchors=replace(anchors, values=packed))
    return replace(network, outputs=replace(outputs, box=box))


def _read(folder: Path, anchors: Anchors, where: str) -> npt.NDArray[np.float64]:
    import numpy as np  # a plan without anchors does without it

    path = folder / anchors.file
    if "\0" in anchors.file or folder.resolve() not in path.resolve().parents:
        raise InputProblem(f"the path '{anchors.file}' leaves the model's folder", where)
    if not path.is_file():
        raise InputProblem(f"there is no file '{anchors.file}'", where, "put it beside model.json")
    if not 0 < path.stat().st_size <= MOST_BYTES:
        raise InputProblem(f"'{anchors.file}' is empty, or larger than {MOST_BYTES >> 20} MiB", where)
    try:
        is_numpy = path.suffix == NUMPY
        values = np.load(path, allow_pickle=False) if is_numpy else np.loadtxt(path, delimiter=",", ndmin=2)
        values = np.asarray(values, np.float64)
    except (ValueError, TypeError, OSError, EOFError, MemoryError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputProblem(f"'{anchors.file}' cannot be read: {first[:120]}", where, ADVICE) from None
    if values.ndim != 2 or values.shape[1] != 4 or not len(values) or not np.isfinite(values).all():
        raise InputProblem(f"'{anchors.file}' holds an array {list(values.shape)}", where, ADVICE)
    return values


ADVICE = (
    f"give four finite numbers for each anchor, a line with commas between them, or [boxes, 4] as {NUMPY}"
)
