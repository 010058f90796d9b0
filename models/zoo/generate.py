"""Generate the data of the zoo's networks: `python generate.py --output DIR`.

DIR/NETWORK/SPLIT holds pictures (images/NNNNNN.jpg, the same for all networks) and labels.csv: the classes
that this network itself names, in ONNX Runtime and float32 (`labels.py`). The same pixels come out whatever
the number of workers.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "license_plate"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from generator import Progress, Task, command_line, fill
from labels import LABELS, PICTURES
from pictures import draw, jpeg_bytes

SIZES = {split: len(numbers) for split, numbers in PICTURES.items()}


def _make(task: Task) -> None:
    """Write one picture into the set of every network."""
    folder, split, index = task
    content = jpeg_bytes(draw(PICTURES[split][index]))
    for network in LABELS:
        Path(folder, network, split, "images", f"{index:06d}.jpg").write_bytes(content)


def _finish(folder: Path, _: Sequence[Any]) -> None:
    for network, splits in LABELS.items():
        for split, labels in splits.items():
            with (folder / network / split / "labels.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(("file", "label"))
                writer.writerows((f"images/{index:06d}.jpg", label) for index, label in enumerate(labels))


def generate(output: Path, workers: int | None = None, progress: Progress | None = None) -> None:
    """Write all data under `output` (`generator.fill`)."""
    fill(output, [f"{network}/SPLIT/images" for network in LABELS], SIZES, _make, _finish, workers, progress)


if __name__ == "__main__":
    command_line(__doc__, generate)
