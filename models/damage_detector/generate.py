"""Generate the damage segmenter's calibration, validation and test data: `python generate.py --output DIR`.

DIR/surfaces/SPLIT holds pictures (images/NNNNNN.jpg), their masks of 0 and 255 (masks/NNNNNN.png) and the
same annotations as polygons in labelme's form (labelme/NNNNNN.json). The same pixels come out whatever the
number of workers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "license_plate"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import cv2
from generator import Progress, Task, command_line, fill
from surfaces import HEIGHT, WIDTH, Surface, jpeg_bytes, polygons, render_surface, sample_rng

SIZES = {"calibration": 300, "validation": 100, "test": 200}
SEED = 20240901


def labelme(surface: Surface, name: str) -> dict[str, Any]:
    """Return the annotations of the picture `name` as labelme 5 writes them.

    The parts of one damage are of one group.
    """
    shapes = []
    for group, (kind, mask) in enumerate(surface.damages):
        outlines = polygons(mask)
        group_id = group if len(outlines) > 1 else None
        for outline in outlines:
            shape = {"label": kind, "points": outline.tolist(), "group_id": group_id}
            shapes.append({**shape, "shape_type": "polygon", "flags": {}})
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": f"../images/{name}",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }


def _make(task: Task) -> None:
    """Write one picture with its mask and its polygons."""
    folder, split, index = task
    surface = render_surface(sample_rng(SEED, split, index))
    part = Path(folder, "surfaces", split)
    (part / "images" / f"{index:06d}.jpg").write_bytes(jpeg_bytes(surface))
    path = part / "masks" / f"{index:06d}.png"
    if not cv2.imwrite(str(path), surface.mask):
        raise OSError(f"OpenCV could not write {path}")
    text = json.dumps(labelme(surface, f"{index:06d}.jpg"), indent=1)
    (part / "labelme" / f"{index:06d}.json").write_text(text + "\n", encoding="utf-8")


def generate(output: Path, workers: int | None = None, progress: Progress | None = None) -> None:
    """Write all data under `output` (`generator.fill`)."""
    folders = tuple(f"surfaces/SPLIT/{kind}" for kind in ("images", "masks", "labelme"))
    fill(output, folders, SIZES, _make, lambda folder, results: None, workers, progress)


if __name__ == "__main__":
    command_line(__doc__, generate)
