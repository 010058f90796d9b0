"""A data set folder: one folder a split, images and annotation files in them.

<set>/{calibration,validation,test}/images/*          the images
<set>/{...}/annotations.json                          boxes, COCO JSON (detection)
<set>/{...}/readings.csv                              file,reading,country (reading, pipeline)
<set>/{...}/labels.csv                                file,label (classification)
<set>/{...}/masks/<name of the image>.png             0 and 255 (segmentation)
"""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from .errors import InputProblem

SPLITS = ("calibration", "validation", "test")


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
    """

    id: str
    path: Path
    box: Optional[Tuple[float, float, float, float]] = None
    reading: Optional[str] = None
    country: Optional[str] = None
    label: Optional[str] = None
    mask: Optional[Path] = None


def read_split(folder: Path, task: str) -> List[Sample]:
    """Read the samples of one split, in the order of their names.

    Raises:
        InputProblem: no annotation, no image, an annotation for an image that is not there, an empty image,
            a path that leaves the folder.
    """
    if not folder.is_dir():
        raise InputProblem("there is no such split", str(folder), f"a data set has the folders {', '.join(SPLITS)}")
    if task == "detection":
        samples = _read_boxes(folder)
    elif task == "segmentation":
        samples = [Sample(f"images/{p.name}", p, mask=folder / "masks" / f"{p.stem}.png") for p in sorted((folder / "images").glob("*"))]
    else:
        samples = _read_rows(folder, task)
    if not samples:
        raise InputProblem("no images", str(folder), "put the images in images/ and name them in the annotation file")
    for sample in samples:
        _check_image(folder, sample)
    return samples


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
                raise InputProblem(f"an annotation names the image id {image}, which is not under 'images'", str(path))
            if image in boxes:
                raise InputProblem(f"two boxes for image {files[image]}", str(path), "give the one box to be found")
            boxes[image] = (x, y, x + w, y + h)
    except FileNotFoundError:
        raise InputProblem("no annotations", str(path), "boxes are read from a COCO JSON file") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputProblem(f"not a COCO JSON file ({type(error).__name__}: {error})", str(path)) from None
    prefix = "" if all(name.startswith("images/") for name in files.values()) else "images/"
    return [
        Sample(prefix + name, folder / (prefix + name), box=boxes.get(key)) for key, name in sorted(files.items(), key=lambda item: item[1])
    ]


def _read_rows(folder: Path, task: str) -> List[Sample]:
    name, columns = ("labels.csv", {"file", "label"}) if task == "classification" else ("readings.csv", {"file", "reading"})
    path = folder / name
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            missing = columns - set(rows.fieldnames or ())
            if missing:
                raise InputProblem(f"no column '{sorted(missing)[0]}'", str(path), f"columns: {', '.join(sorted(columns))}")
            samples = []
            for row in rows:
                if not all(row[column] for column in columns):
                    raise InputProblem(f"a row without {' or '.join(sorted(columns))}", f"{path}:{rows.line_num}")
                samples.append(
                    Sample(
                        row["file"], folder / row["file"], reading=row.get("reading"), country=row.get("country"), label=row.get("label")
                    )
                )
            return sorted(samples, key=lambda sample: sample.id)
    except FileNotFoundError:
        raise InputProblem("no annotations", str(path), f"{task} is read from {name}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputProblem(f"not a CSV file ({error})", str(path)) from None


def _check_image(folder: Path, sample: Sample) -> None:
    for path in (sample.path, sample.mask):
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
            raise InputProblem("an annotation names an image that is not there", str(path), "restore it or take its row out")
        if path.stat().st_size == 0:
            raise InputProblem("the image is empty (zero bytes)", str(path), "restore it or take its row out")


def content_hashes(samples: List[Sample]) -> Dict[str, str]:
    """Return SHA-256 of each image's bytes -> sample id."""
    return {hashlib.sha256(s.path.read_bytes()).hexdigest(): s.id for s in samples}


def refuse_overlap(splits: Mapping[str, List[Sample]]) -> Dict[str, str]:
    """Refuse an image that two splits share, by the hash of its bytes; return a digest of each split.

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
        masks = [hashlib.sha256(s.mask.read_bytes()).hexdigest() for s in samples if s.mask is not None]
        truth = [masks, *((s.id, s.box, s.reading, s.country, s.label) for s in samples)]
        digests[split] = hashlib.sha256(json.dumps([sorted(hashes), truth]).encode()).hexdigest()
    return digests
