"""Generate streets with up to four plates a frame: `python generate.py --output DIR`.

DIR/streets/SPLIT holds images/NNNNNN.jpg and annotations.json: COCO's form, with the reading and the country
of each plate in its attributes. The same bytes come out whatever the number of workers. No plate of one split
is in another.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "license_plate"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from coco import coco_box, write_coco
from formats import Plate, random_plate
from generator import Progress, Task, command_line, fill
from scenes import jpeg_bytes, sample_rng
from streets import render_street

SIZES = {"calibration": 300, "validation": 150, "test": 200}
SEED = 20261129
Record = tuple[str, int, list[dict[str, Any]]]
"""Split, index, and what COCO says of each plate."""


def plate_of(split: str, rng: np.random.Generator) -> Plate:
    """Draw a plate of a split: every reading belongs to one of them."""
    while True:
        plate = random_plate(rng)
        if zlib.crc32(plate.reading.encode()) % len(SIZES) == list(SIZES).index(split):
            return plate


def _make(task: Task) -> Record:
    """Write one frame; return what is true of it."""
    folder, split, index = task
    street = render_street(sample_rng(SEED, split, index), partial(plate_of, split))
    path = Path(folder, "streets", split, "images", f"{index:06d}.jpg")
    path.write_bytes(jpeg_bytes(street.pixels, street.quality))
    plates: list[dict[str, Any]] = []
    for one in street.plates:
        attributes = {"reading": one.plate.reading, "country": one.plate.country}
        plates.append({"bbox": coco_box(one.box), "attributes": attributes})
    return split, index, plates


def _finish(folder: Path, records: Sequence[Record]) -> None:
    for split in sorted({split for split, _, _ in records}):
        frames = sorted((index, plates) for own, index, plates in records if own == split)
        write_coco(folder / "streets" / split / "annotations.json", frames)


def generate(
    output: Path,
    workers: int | None = None,
    progress: Progress | None = None,
    frames: dict[str, int] | None = None,
) -> None:
    """Write the set under `output` (`generator.fill`).

    Args:
        frames: of each split; the first of a larger set are those of a smaller one.
    """
    fill(output, ("streets/SPLIT/images",), frames or SIZES, _make, _finish, workers, progress)


if __name__ == "__main__":
    command_line(__doc__, generate)
