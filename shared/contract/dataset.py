"""A data set folder: one folder a split, images and annotation files in them.

<set>/{calibration,validation,test}/images/*          the images
<set>/{...}/annotations.json                          objects, COCO JSON (detection)
<set>/{...}/readings.csv                              file,reading,country (text recognition)
<set>/{...}/labels.csv                                file,label (classification)
<set>/{...}/masks/<name of the image>.png             0 and 255 (segmentation)
<set>/{...}/labelme/<name of the image>.json          polygons, labelme 5 (segmentation, for want of a mask)
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import posixpath
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

from .coco import CocoImage, Corners, TrueObject, read_coco
from .errors import InputProblem
from .outputs import DetectionOutputs, Outputs, Task
from .rows import Row, read_rows
from .text_files import read_text

SPLITS = ("calibration", "validation", "test")

ROWS: Mapping[Task, Tuple[str, Tuple[str, ...]]] = {
    Task.TEXT_RECOGNITION: ("readings.csv", ("file", "reading")),
    Task.CLASSIFICATION: ("labels.csv", ("file", "label")),
}
"""The CSV file that a task is annotated in, and the columns that it needs."""

HIDDEN = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle", "lost+found")
"""What file managers and servers leave in folders, in small letters, beside what begins with a dot."""

MAX_SIDE = 16384
"""Largest width and height of an annotated image, in pixels."""

Point = Tuple[float, float]


@dataclass(frozen=True)
class Sample:
    """One image and what is true of it.

    Attributes:
        id: the image's path within its split.
        path: the image file.
        box: of the one object that a detector for one box has to find (x_min, y_min, x_max, y_max in pixels);
            None where there is none, and for all others.
        reading: the plate's symbols without blanks, or None.
        country: or None.
        label: or None.
        mask: the mask file, or None.
        labelme: the file of polygons that stands for a mask, or None.
        where: file and line of the annotation, where it has a line of its own.
        objects: all that is to be found, for a detector of many objects; None for all others.
        size: width and height in pixels as boxes are annotated for, or None.
    """

    id: str
    path: Path
    box: Optional[Corners] = None
    reading: Optional[str] = None
    country: Optional[str] = None
    label: Optional[str] = None
    mask: Optional[Path] = None
    labelme: Optional[Path] = None
    where: Optional[str] = None
    objects: Optional[Tuple[TrueObject, ...]] = None
    size: Optional[Tuple[float, float]] = None


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


def read_split(folder: Path, task: Task, outputs: Optional[Outputs] = None) -> List[Sample]:
    """Read the samples of one split, in the order of their names.

    Args:
        outputs: of the network that is to answer: they say which objects count, and whether an image may have
            several. None is a detector of one box, of any category.

    Raises:
        InputProblem: no annotation, no image, an annotation for an image that is not there, an empty image,
            a path that leaves the folder.
    """
    if not folder.is_dir():
        raise InputProblem(
            "there is no such split", str(folder), f"a data set has the folders {', '.join(SPLITS)}"
        )
    if task == Task.DETECTION:
        detection = outputs if isinstance(outputs, DetectionOutputs) else None
        samples = read_objects(folder, detection.category if detection else None)
        if detection is None or not detection.finds_many:
            samples = [_with_one_box(folder, sample) for sample in samples]
    elif task == Task.SEGMENTATION:
        samples = _read_masks(folder)
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


def _read_masks(folder: Path) -> List[Sample]:
    """Return the images of a split with their masks. Raises InputProblem, for two images of one mask too."""
    samples: Dict[str, Sample] = {}
    for image in listed(folder / "images"):
        other = samples.get(image.stem)
        if other is not None:
            what = f"{other.id} and images/{image.name} would have one mask, {image.stem}.png"
            raise InputProblem(what, str(folder), "give every image a name of its own")
        samples[image.stem] = _segmented(folder, image)
    return list(samples.values())


def listed(folder: Path) -> List[Path]:
    """Return what is in a folder of images, by name, without what file managers and servers leave there.

    Raises:
        InputProblem: it cannot be read.
    """
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputProblem(f"cannot be read ({error.strerror or error})", str(folder)) from None
    return [path for path in found if not is_hidden(path.name)]


def is_hidden(name: str) -> bool:
    """Tell whether a file or a folder is a file manager's or a server's own: `.DS_Store`, `@eaDir`."""
    return name.startswith(".") or name.lower() in HIDDEN


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
        document = json.loads(read_text(path))
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


def read_objects(folder: Path, category: Optional[str] = None) -> List[Sample]:
    """Read the objects of each image of a split, in the order of the images' names.

    Args:
        category: those of others are left out; None takes all.

    Raises:
        InputProblem: as `read_coco`; two names for one image.
    """
    path, there = folder / "annotations.json", _names_in_images(folder)
    samples: Dict[str, Sample] = {}
    for image in read_coco(path):
        name = _image_name(folder, image, there)
        if name in samples:
            raise InputProblem(f"two images are the file {name}", str(path), "give every image its own name")
        objects = tuple(one for one in image.objects if category in (None, one.category))
        samples[name] = Sample(name, folder / name, objects=objects, size=image.size)
    return sorted(samples.values(), key=lambda sample: sample.id)


def _names_in_images(folder: Path) -> FrozenSet[str]:
    """Return what `images/` has: to ask for each image takes a tenth of the time of a clean set's check."""
    try:
        return frozenset(f"images/{name}" for name in os.listdir(folder / "images"))
    except OSError:
        return frozenset()  # which is told where the images are checked


def _image_name(folder: Path, image: CocoImage, there: FrozenSet[str]) -> str:
    """Return where an image is: tools name it from the split's folder, from `images/`, or as it was there.

    Args:
        there: what `images/` has.
    """
    below = f"images/{image.file}"
    usual = image.file if image.file.startswith("images/") else below
    if usual in there:
        return usual
    others = (image.file, below, f"images/{image.file.rpartition('/')[2]}")
    return next((name for name in others if os.path.isfile(f"{folder}/{name}")), usual)


def _with_one_box(folder: Path, sample: Sample) -> Sample:
    """Return a sample with the box of its one object. Raises InputProblem: it has several."""
    boxes = [one.box for one in sample.objects or () if not one.is_crowd]
    if len(boxes) > 1:
        advice = "give the one box to be found, say which with outputs.category, or outputs.objects for many"
        raise InputProblem(f"two boxes for image {sample.id}", str(folder / "annotations.json"), advice)
    return Sample(sample.id, sample.path, boxes[0] if boxes else None, size=sample.size)


def boxes_of(sample: Sample) -> List[Corners]:
    """Return the boxes of what is to be found in an image, one or many."""
    if sample.objects is not None:
        return [one.box for one in sample.objects]
    return [] if sample.box is None else [sample.box]


def _read_rows(folder: Path, task: Task) -> List[Sample]:
    """Read the annotations that are a row of a CSV file each. Raises InputProblem, for an image twice too."""
    name, needed = ROWS[task]
    path = folder / name
    samples: Dict[str, Sample] = {}
    try:
        rows = read_rows(path, needed)
    except FileNotFoundError:
        raise InputProblem("no annotations", str(path), f"{task.value} is read from {name}") from None
    for row in rows:
        sample = _row_sample(folder, row, f"{name}:{row.line}")
        other = samples.setdefault(sample.id, sample)
        if other is not sample:
            truths = "with different truths" if _said(sample) != _said(other) else "with one truth"
            what = f"{sample.id} is there twice {truths}: {other.where} and {sample.where}"
            raise InputProblem(what, str(path), "take one of the rows out: each image counts once")
    return sorted(samples.values(), key=lambda sample: sample.id)


def _row_sample(folder: Path, row: Row, where: str) -> Sample:
    """Return the sample of a row; columns that are not there are None."""
    values, name = row.values, image_name(row.values["file"])
    reading, country, label = (values.get(column) for column in ("reading", "country", "label"))
    return Sample(name, folder / name, reading=reading, country=country, label=label, where=where)


def image_name(text: str) -> str:
    """Return the path of an image as its annotation has it, in one form: programs on Windows write `\\`."""
    return posixpath.normpath(text.replace("\\", "/"))


def _check_image(folder: Path, sample: Sample) -> None:
    """Refuse what is no file below the folder by its name; links are followed: sets may be farms of them."""
    name = PurePosixPath(posixpath.normpath(sample.id))
    if name.is_absolute() or not name.parts or name.parts[0] == "..":
        raise InputProblem(f"'{sample.id}' leaves the data set's folder", str(folder))
    for path in (sample.path, sample.mask, sample.labelme):
        if path is None:
            continue
        try:
            size = path.stat().st_size if path.is_file() else None
        except (OSError, ValueError) as error:
            raise InputProblem(f"no file name ({error}): {sample.id[:80]!r}", str(folder)) from None
        if size is None:
            what = "an annotation names an image that is not there"
            raise InputProblem(what, str(path), "restore it or take its row out")
        if size == 0:
            raise InputProblem("the file is empty (zero bytes)", str(path), "restore it or take its row out")


def _file_hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputProblem(f"cannot be read ({error.strerror or error})", str(path)) from None


def _content_hashes(samples: List[Sample], truths: List[Any]) -> Dict[str, str]:
    """Return SHA-256 of each image's bytes -> sample id.

    Raises:
        InputProblem: one image has two names and two truths.
    """
    found: Dict[str, Tuple[str, Any]] = {}
    for sample, truth in zip(samples, truths):
        other, its_truth = found.setdefault(_file_hash(sample.path), (sample.id, truth))
        if truth != its_truth:
            what = f"{other} and {sample.id} are the same image, with different truths"
            raise InputProblem(what, str(sample.path), "take one of them out: one truth at most is right")
    return {digest: name for digest, (name, _) in found.items()}


def refuse_overlap(splits: Mapping[str, List[Sample]]) -> Dict[str, str]:
    """Refuse an image that two splits have, by the hash of its bytes; return a digest of each split.

    Refused is also one that a split has under two names, with different truths.

    Raises:
        InputProblem: naming both files; a file that cannot be read.
    """
    seen: Dict[str, Tuple[str, str]] = {}
    digests = {}
    for split, samples in splits.items():
        drawn = [_drawn_hash(sample) for sample in samples]
        said = [_said(sample) for sample in samples]
        hashes = _content_hashes(samples, [[one, *rest[1:]] for one, rest in zip(drawn, said)])
        for digest, sample_id in hashes.items():
            if digest in seen:
                other, other_id = seen[digest]
                raise InputProblem(
                    f"the splits overlap: {split}/{sample_id} and {other}/{other_id} are the same image",
                    advice="a quality measured on seen images says nothing; take one of them out",
                )
            seen[digest] = (split, sample_id)
        masks = [digest for digest in drawn if digest is not None]
        truth = json.dumps([sorted(hashes), [masks, *said]])
        digests[split] = hashlib.sha256(truth.encode()).hexdigest()
    return digests


def _drawn_hash(sample: Sample) -> Optional[str]:
    """Return the hash of a sample's mask or polygons, or None."""
    path = sample.mask or sample.labelme
    return None if path is None else _file_hash(path)


def _said(sample: Sample) -> Any:
    """Return, as JSON, what is written of a sample."""
    objects = (astuple(one) for one in sample.objects or ())
    return sample.id, sample.box, sample.reading, sample.country, sample.label, *objects
