"""What is true of frames, as COCO JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scenes import FRAME_HEIGHT, FRAME_WIDTH


def coco_box(corners: np.ndarray) -> list[float]:
    """Return x, y, width and height of a box of corners, in pixels."""
    left, top, right, bottom = (float(v) for v in corners)
    return [round(v, 2) for v in (left, top, right - left, bottom - top)]


def write_coco(path: Path, frames: Iterable[tuple[int, Sequence[dict[str, Any]]]]) -> None:
    """Write frames: the index of each, and what is said of each of its plates, its `bbox` at least."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, plates in frames:
        name = f"images/{index:06d}.jpg"
        images.append({"id": index + 1, "file_name": name, "width": FRAME_WIDTH, "height": FRAME_HEIGHT})
        for plate in plates:
            ids = {"id": len(annotations) + 1, "image_id": index + 1, "category_id": 1}
            area = round(plate["bbox"][2] * plate["bbox"][3], 2)
            annotations.append({**ids, **plate, "area": area, "iscrowd": 0})
    categories = [{"id": 1, "name": "license_plate"}]
    text = json.dumps({"images": images, "annotations": annotations, "categories": categories}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
