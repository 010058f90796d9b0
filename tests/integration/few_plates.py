"""The first licence plates of each split, where all of them would only take longer."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from dockyard.recipe.workspace import Workspace
from dockyard.run.datasets import generated
from tests.integration.conftest import DOCKYARD

FOLDER = "few_plates"
"""In a workspace, for a recipe's `data`."""

SPLITS = ("calibration", "validation", "test")


def add_few_plates(workspace: Workspace, count: int) -> str:
    """Copy the first scenes and plates of each split into a workspace; return the folder's name."""
    whole = generated(DOCKYARD, "license_plate", lambda *_: None)
    for kind in ("scenes", "plates"):
        for split in SPLITS:
            _copy_first(whole / kind / split, workspace.root / FOLDER / kind / split, count)
    return FOLDER


def _copy_first(origin: Path, folder: Path, count: int) -> None:
    with (origin / "readings.csv").open(newline="") as file:
        rows = list(csv.reader(file))[: 1 + count]
    (folder / "images").mkdir(parents=True)
    with (folder / "readings.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    kept = {row[0] for row in rows[1:]}
    for name in kept:
        shutil.copyfile(origin / name, folder / name)
    if (origin / "annotations.json").is_file():
        document = json.loads((origin / "annotations.json").read_text())
        document["images"] = [image for image in document["images"] if image["file_name"] in kept]
        ids = {image["id"] for image in document["images"]}
        document["annotations"] = [one for one in document["annotations"] if one["image_id"] in ids]
        (folder / "annotations.json").write_text(json.dumps(document))
