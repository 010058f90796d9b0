"""Golden images: what the delivered networks gave for them when the delivery was made.

<golden>/<number>.<png, jpg, ...>   images
<golden>/expected.json              what came of them
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from shared.contract.codec import decode, encode
from shared.contract.errors import InputProblem
from shared.contract.model import IMAGE
from shared.inference.arrays import Array
from shared.inference.cpu import cpu_name, low_precision_flags
from shared.inference.image_files import images_of
from shared.inference.pipeline import LoadedNode
from shared.inference.session import Session, Tensors
from shared.serving.image_reading import ImageReading, read_image

GOLDEN_VERSION = 1

EXPECTED_FILE = "expected.json"


@dataclass(frozen=True)
class GoldenTensor:
    """An output: numpy's name of its type, its shape, and its little-endian bytes in base64."""

    dtype: str
    shape: Tuple[int, ...]
    data: str

    def array(self) -> Array:
        values = np.frombuffer(base64.b64decode(self.data), np.dtype(self.dtype).newbyteorder("<"))
        return values.reshape(self.shape)


@dataclass(frozen=True)
class GoldenImage:
    """An image and what came of it.

    Attributes:
        file: beside expected.json.
        found: as `read` says it.
        outputs: by node and tensor, of the nodes that are given the whole image. Those that are given crops
            are left out: a box that is a hair's breadth elsewhere may give another crop.
    """

    file: str
    found: Tuple[Any, ...]
    outputs: Mapping[str, Mapping[str, GoldenTensor]]


@dataclass(frozen=True)
class Golden:
    """What `expected.json` says; `cpu` and `flags` are those of the machine that it was made on."""

    cpu: str
    flags: Tuple[str, ...]
    images: Tuple[GoldenImage, ...]
    version: int = GOLDEN_VERSION


class _Kept:
    """A session that keeps what its last call gave."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.settings, self.input = session.settings, session.input
        self.outputs: Optional[Tensors] = None

    def run(self, image: Array) -> Tensors:
        self.outputs = self._session.run(image)
        return self.outputs


def read_keeping(
    nodes: Sequence[LoadedNode], encoded: bytes, name: str
) -> Tuple[ImageReading, Dict[str, Tensors]]:
    """Read an image, and return also the outputs of the nodes that are given the whole of it.

    Raises:
        UnreadableImage: the file cannot be decoded.
    """
    kept = {loaded.node.name: _Kept(loaded.session) for loaded in nodes}
    own = [replace(loaded, session=kept[loaded.node.name]) for loaded in nodes]
    reading = read_image(own, encoded, name)
    outputs: Dict[str, Tensors] = {}
    for loaded in nodes:
        last = kept[loaded.node.name].outputs
        if loaded.node.input == IMAGE and last is not None:
            outputs[loaded.node.name] = last
    return reading, outputs


def write_golden(nodes: Sequence[LoadedNode], images: Path, golden: Path, least: float = 0.0) -> int:
    """Copy images into a delivery's folder and write what the networks give for them; return their number.

    Args:
        images: a folder.
        golden: the folder that is written, another one.
        least: how sure each answer is at least, 0 to 1; an image with another one is left out.

    Raises:
        InputProblem: there are none, or nothing is found in any of them: a test by those would tell nothing.
        UnreadableImage: one cannot be decoded.
    """
    if not images.is_dir():
        raise InputProblem("there is no such folder", str(images))
    golden.mkdir(parents=True, exist_ok=True)
    made: List[GoldenImage] = []
    for number, path in enumerate(images_of(images), 1):
        encoded, file = path.read_bytes(), f"{number}{path.suffix.lower()}"
        reading, outputs = read_keeping(nodes, encoded, path.name)
        if least and not all(_sureness(one) >= least for one in reading.found):
            continue
        (golden / file).write_bytes(encoded)
        made.append(GoldenImage(file, reading.found, {name: _golden(each) for name, each in outputs.items()}))
    if not any(one.found for one in made):
        what = "there is no image" if not made else "nothing is found in any of the images"
        raise InputProblem(what, str(images), "give some of the test split, in which something is found")
    expected = encode(Golden(cpu_name(), low_precision_flags(), tuple(made)))
    (golden / EXPECTED_FILE).write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
    return len(made)


def _sureness(found: Any) -> float:
    """Return how sure what was found is; 1 where nobody says so."""
    return min((found[key] for key in ("confidence", "score") if found.get(key) is not None), default=1.0)


def _golden(outputs: Tensors) -> Dict[str, GoldenTensor]:
    return {name: _tensor(array) for name, array in outputs.items()}


def _tensor(array: Array) -> GoldenTensor:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return GoldenTensor(array.dtype.name, array.shape, base64.b64encode(little.tobytes()).decode("ascii"))


def read_golden(folder: Path) -> Golden:
    """Read a delivery's golden folder. Raises InputProblem."""
    path = folder / EXPECTED_FILE
    try:
        return decode(Golden, json.loads(path.read_text(encoding="utf-8")), EXPECTED_FILE)
    except (OSError, ValueError) as error:
        raise InputProblem(str(error), str(path), "make it with `golden --images DIR`") from None
