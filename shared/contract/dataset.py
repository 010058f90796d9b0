"""A data set folder: one folder a split, images and annotation files in them.

<set>/{calibration,validation,test}/images/*          the images
<set>/{...}/annotations.json                          boxes, COCO JSON (detection)
<set>/{...}/readings.csv                              file,reading,country (text recognition)
<set>/{...}/labels.csv                                file,label (classification)
<set>/{...}/masks/<name of the image>.png             0 and 255 (segmentation)
<set>/{...}/labelme/<name of the image>.json          polygons, labelme 5 (segmentation, for want of a mask)
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .errors import InputProblem
from .outputs import Task

SPLITS = ("calibration", "validation", "test")

MAX_SIDE = 16384
"""Largest width and height of an annotated image, in pixels."""

Point = Tuple[float, float]


@dataclass(frozen=True)
class Sample:
    """One image and what is true of it.

    Attributes:
        id: the image's path within its split.
        path: the image file.
        box: x_min, y_min, x_max, y_max in pixels, or None.
        reading: the plate's symbols without blanks, or None.
        country: or None.
        label: or None.
        mask: the mask file, or None.
        labelme: the file of polygons that stands for a mask, or None.
    """

    id: str
    path: Path
    box: Optional[Tuple[float, float, float, float]] = None
    reading: Optional[str] = None
    country: Optional[str] = None
    label: Optional[str] = None
    mask: Optional[Path] = None
    labelme: Optional[Path] = None


@dataclass(frozen=True)
class Polygons:
    """What a labelme file says.

    Attributes:
        width, height: of the image in pixels.
        polygons: label and corners (x, y) of each.
    """

    width: int
    height: int
    polygons: Tuple[Tuple[str, Tuple[Point, ...]], ...]


def read_split(folder: Path, task: Task) -> List[Sample]:
    """Read the samples of one split, in the order of their names.

    Raises:
        InputProblem: no annotation, no image, an annotation for an image that is not there, an empty image,
            a path that leaves the folder.
    """
    if not folder.is_dir():
        raise InputProblem(
            "there is no such split", str(folder), f"a data set has the folders {', '.join(SPLITS)}"
        )
    if task == Task.DETECTION:
        samples = _read_boxes(folder)
    elif task == Task.SEGMENTATION:
        samples = [_segmented(folder, path) for path in sorted((folder / "images").glob("*"))]
    else:
        samples = _read_rows(folder, task)
    if not samples:
        raise InputProblem(
            "no images", str(folder), "put the images in images/ and name them in the annotation file"
        )
    for sample in samples:
        _check_image(folder, sample)
        if sample.labelme is not None:
            read_labelme(sample.labelme)
    return samples


def _segmented(folder: Path, image: Path) -> Sample:
    mask, labelme = folder / "masks" / f"{image.stem}.png", folder / "labelme" / f"{image.stem}.json"
    if mask.is_file():
        return Sample(f"images/{image.name}", image, mask=mask)
    if labelme.is_file():
        return Sample(f"images/{image.name}", image, labelme=labelme)
    raise InputProblem(
        f"neither a mask nor polygons for images/{image.name}",
        str(mask),
        f"paint one, or put labelme/{labelme.name} in its place",
    )


def read_labelme(path: Path) -> Polygons:
    """Read a labelme 5 file; no shapes mean that nothing is damaged.

    Rectangles become polygons.

    Raises:
        InputProblem: no such JSON, a shape that is neither polygon nor rectangle, too few corners, a corner
            that is no pair of finite numbers or far outside the image, a size of the image that none can
            have.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        width, height = (document[key] for key in ("imageWidth", "imageHeight"))
        if not all(type(side) is int and 0 < side <= MAX_SIDE for side in (width, height)):
            what = f"an image of {width} x {height} pixels"
            raise InputProblem(what, str(path), f"whole numbers from 1 to {MAX_SIDE}")
        shapes = [(str(shape["label"]), _corners(shape, path)) for shape in document["shapes"]]
    except FileNotFoundError:
        raise InputProblem("no annotations", str(path), "polygons are read from a labelme file") from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise InputProblem(f"not a labelme file ({type(error).__name__}: {error})"[:200], str(path)) from None
    return Polygons(width, height, tuple(shapes))


def _corners(shape: Mapping[str, Any], path: Path) -> Tuple[Point, ...]:
    """Return the corners of a shape; a rectangle's two become four."""
    kind = str(shape["shape_type"])
    least = {"polygon": 3, "rectangle": 2}.get(kind)
    if least is None:
        advice = "polygon and rectangle can be read: draw it as one of them"
        raise InputProblem(f"a shape of type '{kind[:40]}'", str(path), advice)
    points = [(x, y) for x, y in shape["points"]]
    if not all(_is_coordinate(value) for point in points for value in point):
        raise InputProblem(
            f"a {kind} with a corner that is no finite number or far outside the image", str(path)
        )
    is_rectangle = kind == "rectangle"
    if len(points) < least or (is_rectangle and len(points) != least):
        advice = f"it takes {least}{'' if is_rectangle else ' or more'}"
        raise InputProblem(f"a {kind} with {len(points)} corners", str(path), advice)
    if is_rectangle:
        (left, top), (right, bottom) = points
        points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return tuple(points)


def _is_coordinate(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) <= 2 * MAX_SIDE


def _read_boxes(folder: Path) -> List[Sample]:
    path = folder / "annotations.json"
    try:
        coco = json.loads(path.read_text(encoding="utf-8"))
        files: Dict[int, str] = {i["id"]: str(i["file_name"]) for i in coco["images"]}
        boxes: Dict[int, Tuple[float, float, float, float]] = {}
        for annotation in coco["annotations"]:
            x, y, w, h = (float(v) for v in annotation["bbox"])
            image = annotation["image_id"]
            if image not in files:
                what = f"an annotation names the image id {image}, which is not under 'images'"
                raise InputProblem(what, str(path))
            if image in boxes:
                raise InputProblem(
                    f"two boxes for image {files[image]}", str(path), "give the one box to be found"
                )
            boxes[image] = (x, y, x + w, y + h)
    except FileNotFoundError:
        raise InputProblem("no annotations", str(path), "boxes are read from a COCO JSON file") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputProblem(f"not a COCO JSON file ({type(error).__name__}: {error})", str(path)) from None
    prefix = "" if all(name.startswith("images/") for name in files.values()) else "images/"
    named = sorted(files.items(), key=lambda item: item[1])
    return [Sample(prefix + name, folder / (prefix + name), box=boxes.get(key)) for key, name in named]


def _read_rows(folder: Path, task: Task) -> List[Sample]:
    """Read the annotations that are a row of a CSV file each."""
    name, columns = "readings.csv", {"file", "reading"}
    if task == Task.CLASSIFICATION:
        name, columns = "labels.csv", {"file", "label"}
    path = folder / name
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            missing = sorted(columns - set(rows.fieldnames or ()))
            if missing:
                raise InputProblem(
                    f"no column '{missing[0]}'", str(path), f"columns: {', '.join(sorted(columns))}"
                )
            samples = []
            for row in rows:
                if not all(row[column] for column in columns):
                    raise InputProblem(
                        f"a row without {' or '.join(sorted(columns))}", f"{path}:{rows.line_num}"
                    )
                samples.append(_row_sample(folder, row))
            return sorted(samples, key=lambda sample: sample.id)
    except FileNotFoundError:
        raise InputProblem("no annotations", str(path), f"{task.value} is read from {name}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputProblem(f"not a CSV file ({error})", str(path)) from None


def _row_sample(folder: Path, row: Mapping[str, str]) -> Sample:
    """Return the sample of a row; columns that are not there are None."""
    return Sample(
        row["file"],
        folder / row["file"],
        reading=row.get("reading"),
        country=row.get("country"),
        label=row.get("label"),
    )


def _check_image(folder: Path, sample: Sample) -> None:
    for path in (sample.path, sample.mask, sample.labelme):
        if path is None:
            continue
        try:
            inside = folder.resolve() in path.resolve().parents
            there = path.is_file()
        except (OSError, ValueError) as error:
            raise InputProblem(f"no file name ({error}): {sample.id[:80]!r}", str(folder)) from None
        if not inside:
            raise InputProblem(f"'{sample.id}' leaves the data set's folder", str(folder))
        if not there:
            what = "an annotation names an image that is not there"
            raise InputProblem(what, str(path), "restore it or take its row out")
        if path.stat().st_size == 0:
            raise InputProblem("the file is empty (zero bytes)", str(path), "restore it or take its row out")


def content_hashes(samples: List[Sample]) -> Dict[str, str]:
    """Return SHA-256 of each image's bytes -> sample id."""
    return {_file_hash(sample.path): sample.id for sample in samples}


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refuse_overlap(splits: Mapping[str, List[Sample]]) -> Dict[str, str]:
    """Refuse an image that two splits have, by the hash of its bytes; return a digest of each split.

    Raises:
        InputProblem: naming both files.
    """
    seen: Dict[str, Tuple[str, str]] = {}
    digests = {}
    for split, samples in splits.items():
        hashes = content_hashes(samples)
        for digest, sample_id in hashes.items():
            if digest in seen:
                other, other_id = seen[digest]
                raise InputProblem(
                    f"the splits overlap: {split}/{sample_id} and {other}/{other_id} are the same image",
                    advice="a quality measured on seen images says nothing; take one of them out",
                )
            seen[digest] = (split, sample_id)
        truth = json.dumps([sorted(hashes), _truth(samples)])
        digests[split] = hashlib.sha256(truth.encode()).hexdigest()
    return digests


def _truth(samples: List[Sample]) -> List[Any]:
    """Return, as JSON, what is annotated of the samples: the hashes of masks and polygons, then the rest."""
    files = [sample.mask or sample.labelme for sample in samples]
    drawn = [_file_hash(path) for path in files if path is not None]
    return [drawn, *((s.id, s.box, s.reading, s.country, s.label) for s in samples)]
