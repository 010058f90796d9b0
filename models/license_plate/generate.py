"""Generate the calibration, validation and test data of both networks: `python generate.py --output DIR`.

DIR/scenes/SPLIT holds whole frames (images/NNNNNN.jpg, annotations.json in COCO's form, readings.csv),
DIR/plates/SPLIT the plates cut out of the same frames (images/NNNNNN.png, readings.csv). The same pixels come
out whatever the number of workers.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cv2
from coco import coco_box, write_coco
from generator import Progress, Task, command_line, fill
from scenes import FRAME_HEIGHT, FRAME_WIDTH, decode_jpeg, enlarged, jpeg_bytes, render_scene, sample_rng

SIZES = {"calibration": 300, "validation": 300, "test": 298}
SEED = 20240501
MARGIN = 0.1
Record = tuple[str, int, list[float], str, str]


def _make(task: Task) -> Record:
    """Write one frame and its plate; return the split, index, box (x, y, w, h), reading and country."""
    folder, split, index = task
    scene = render_scene(sample_rng(SEED, split, index))
    data = jpeg_bytes(scene.pixels, scene.quality)
    Path(folder, "scenes", split, "images", f"{index:06d}.jpg").write_bytes(data)
    x0, y0, x1, y1 = enlarged(scene.box, MARGIN, FRAME_WIDTH, FRAME_HEIGHT)
    # Out of the JPEG file, not out of the drawing: as a pipeline cuts it out of the frame it is given.
    crop = decode_jpeg(data)[y0:y1, x0:x1, ::-1]
    path = Path(folder, "plates", split, "images", f"{index:06d}.png")
    if not cv2.imwrite(str(path), crop):
        raise OSError(f"OpenCV could not write {path}")
    return split, index, coco_box(scene.box), scene.reading, scene.country


def _write_readings(path: Path, records: list[Record], suffix: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "reading", "country"))
        for _, index, _, reading, country in records:
            writer.writerow((f"images/{index:06d}{suffix}", reading, country))


def _write_tables(folder: Path, split: str, records: list[Record]) -> None:
    frames = [(index, [{"bbox": box}]) for _, index, box, _, _ in records]
    write_coco(folder / "scenes" / split / "annotations.json", frames)
    _write_readings(folder / "scenes" / split / "readings.csv", records, ".jpg")
    _write_readings(folder / "plates" / split / "readings.csv", records, ".png")


def _finish(folder: Path, records: Sequence[Record]) -> None:
    for split in SIZES:
        _write_tables(folder, split, sorted(r for r in records if r[0] == split))


def generate(output: Path, workers: int | None = None, progress: Progress | None = None) -> None:
    """Write all data under `output` (`generator.fill`)."""
    fill(output, ("scenes/SPLIT/images", "plates/SPLIT/images"), SIZES, _make, _finish, workers, progress)


if __name__ == "__main__":
    command_line(__doc__, generate)
