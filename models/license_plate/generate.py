"""Generate the calibration, validation and test data of both networks: `python generate.py --output DIR`.

DIR/scenes/SPLIT holds whole frames (images/NNNNNN.jpg, annotations.json in COCO's form, readings.csv), DIR/plates/SPLIT
the plates cut out of the same frames (images/NNNNNN.png, readings.csv). The same pixels come out whatever the number of
workers.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cv2
from scenes import FRAME_HEIGHT, FRAME_WIDTH, decode_jpeg, enlarged, jpeg_bytes, render_scene, sample_rng

SIZES = {"calibration": 300, "validation": 300, "test": 298}
SEED = 20240501
MARGIN = 0.1
Record = tuple[str, int, list[float], str, str]


def _make(task: tuple[str, str, int]) -> Record:
    """Write one frame and its plate; return the split, index, box (x, y, w, h in pixels), reading and country."""
    folder, split, index = task
    scene = render_scene(sample_rng(SEED, split, index))
    data = jpeg_bytes(scene)
    Path(folder, "scenes", split, "images", f"{index:06d}.jpg").write_bytes(data)
    x0, y0, x1, y1 = enlarged(scene.box, MARGIN, FRAME_WIDTH, FRAME_HEIGHT)
    crop = decode_jpeg(data)[y0:y1, x0:x1, ::-1]
    path = Path(folder, "plates", split, "images", f"{index:06d}.png")
    if not cv2.imwrite(str(path), crop):
        raise OSError(f"OpenCV could not write {path}")
    left, top, right, bottom = (float(v) for v in scene.box)
    box = [round(v, 2) for v in (left, top, right - left, bottom - top)]
    return split, index, box, scene.reading, scene.country


def _start_worker() -> None:
    """Leave an interrupt to the main process, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _write_readings(path: Path, records: list[Record], suffix: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "reading", "country"))
        writer.writerows((f"images/{index:06d}{suffix}", reading, country) for _, index, _, reading, country in records)


def _write_annotations(path: Path, records: list[Record]) -> None:
    images, annotations = [], []
    for _, index, box, _, _ in records:
        name = f"images/{index:06d}.jpg"
        images.append({"id": index + 1, "file_name": name, "width": FRAME_WIDTH, "height": FRAME_HEIGHT})
        area = round(box[2] * box[3], 2)
        annotations.append({"id": index + 1, "image_id": index + 1, "category_id": 1, "bbox": box, "area": area, "iscrowd": 0})
    categories = [{"id": 1, "name": "license_plate"}]
    text = json.dumps({"images": images, "annotations": annotations, "categories": categories}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def _write_tables(folder: Path, split: str, records: list[Record]) -> None:
    _write_annotations(folder / "scenes" / split / "annotations.json", records)
    _write_readings(folder / "scenes" / split / "readings.csv", records, ".jpg")
    _write_readings(folder / "plates" / split / "readings.csv", records, ".png")


def generate(output: Path, workers: int | None = None, progress: Callable[[int, int], None] | None = None) -> None:
    """Write all data under `output`, which appears only when complete; a folder already there is refused.

    progress: called with the number of images done and their total.
    """
    output = Path(output)
    if output.exists():
        raise FileExistsError(f"{output} exists already")
    output.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        part.chmod(0o755)
        for split in SIZES:
            for kind in ("scenes", "plates"):
                (part / kind / split / "images").mkdir(parents=True)
        tasks = [(str(part), split, index) for split, size in SIZES.items() for index in range(size)]
        records: list[Record] = []
        with multiprocessing.get_context("spawn").Pool(workers or os.cpu_count() or 1, _start_worker) as pool:
            for record in pool.imap_unordered(_make, tasks, chunksize=8):
                records.append(record)
                if progress is not None:
                    progress(len(records), len(tasks))
        for split in SIZES:
            _write_tables(part, split, sorted(r for r in records if r[0] == split))
        part.rename(output)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


class _Printer:
    """Prints progress as JSON lines, at most one in half a second and always the last."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._last < 0.5:
            return
        self._last = now
        message = {"what": "generate images", "done": done, "total": total}
        print(json.dumps({"dockyard_progress": message}), flush=True)


def main() -> None:
    """Read the command line and generate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: one for each processor)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        generate(options.output, options.workers, _Printer())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
