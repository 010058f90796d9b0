"""Boxes as COCO JSON has them: `annotations.json` of a split, as annotation tools write it.

The form: https://cocodataset.org/#format-data. Of a segmentation, polygons or run lengths, nothing is read.
"""

from __future__ import annotations

import json
import math
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .errors import InputProblem
from .text_files import read_text

Corners = Tuple[float, float, float, float]


@dataclass(frozen=True)
class TrueObject:
    """One object of an image.

    Attributes:
        box: x_min, y_min, x_max, y_max in pixels of the image.
        category: the name of its category; None where the file names none.
        reading: its symbols, of a thing that is read; None where nobody could, or nobody said.
        country: or None.
        is_crowd: the box holds many objects, and what is found in it counts neither for nor against.
    """

    box: Corners
    category: Optional[str] = None
    reading: Optional[str] = None
    country: Optional[str] = None
    is_crowd: bool = False


@dataclass(frozen=True)
class CocoImage:
    """An image and its objects, in the order of the file.

    Attributes:
        file: as the file names it, with `/` between folders.
        size: width and height in pixels, as the file has them; None where it does not say.
    """

    file: str
    size: Optional[Tuple[float, float]]
    objects: Tuple[TrueObject, ...]


def read_coco(path: Path) -> List[CocoImage]:
    """Read a COCO JSON file; its images in the order of their names, those without objects too.

    Raises:
        InputProblem: no such JSON, two images with one id or one name, an annotation of no image or of no
            category, a box that is none, a reading that is no text.
    """
    try:
        document = json.loads(read_text(path))
        names = {category["id"]: str(category["name"]) for category in document.get("categories") or ()}
        images = _images(document["images"], path)
        objects: Dict[Any, List[TrueObject]] = {number: [] for number in images}
        for annotation in document["annotations"]:
            number = annotation["image_id"]
            if number not in images:
                what = f"an annotation names the image id {number}, which is not under 'images'"
                raise InputProblem(what, str(path))
            try:
                objects[number].append(_object(annotation, names))
            except _Wrong as wrong:
                raise InputProblem(f"{images[number].file}: {wrong}", str(path)) from None
    except FileNotFoundError:
        raise InputProblem("no annotations", str(path), "boxes are read from a COCO JSON file") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        what = f"not a COCO JSON file ({type(error).__name__}: {error})"[:200]
        raise InputProblem(what, str(path)) from None
    found = [CocoImage(one.file, one.size, tuple(objects[key])) for key, one in images.items()]
    return sorted(found, key=lambda image: image.file)


def _images(entries: List[Mapping[str, Any]], path: Path) -> Dict[Any, CocoImage]:
    """Return the images by id, without objects. Raises InputProblem: two with one id, or with one name."""
    images: Dict[Any, CocoImage] = {}
    names: Dict[str, Any] = {}
    for entry in entries:
        number, name = entry["id"], _file(entry)
        if number in images:
            what = f"two images with the id {number}: {images[number].file} and {name}"
            raise InputProblem(what, str(path), "give every image an id of its own")
        if name in names:
            what = f"{name} is there twice, with the ids {names[name]} and {number}"
            raise InputProblem(what, str(path), "leave one, with the annotations of both")
        images[number] = CocoImage(name, _size(entry), ())
        names[name] = number
    return images


def _file(image: Mapping[str, Any]) -> str:
    """Return the name of an image's file; tools on Windows write back slashes."""
    return posixpath.normpath(str(image["file_name"]).replace("\\", "/"))


def _size(image: Mapping[str, Any]) -> Optional[Tuple[float, float]]:
    """Return width and height; None where they are left out, or 0 as some tools write them."""
    width, height = _side(image.get("width")), _side(image.get("height"))
    return (width, height) if width > 0 and height > 0 else None


def _side(value: Any) -> float:
    return float(value) if type(value) in (int, float) else 0.0


class _Wrong(Exception):
    """What is wrong with an annotation."""


def _object(annotation: Mapping[str, Any], names: Mapping[Any, str]) -> TrueObject:
    """Return the object of an annotation. Raises _Wrong."""
    category = annotation.get("category_id")
    if names and category not in names:
        raise _Wrong(f"an object of the category id {category}, which is not under 'categories'")
    said = annotation.get("attributes") or {}
    return TrueObject(
        _box(annotation.get("bbox")),
        names.get(category),
        _text(said.get("reading", annotation.get("reading")), "reading"),
        _text(said.get("country", annotation.get("country")), "country"),
        bool(annotation.get("iscrowd")),
    )


def _box(bbox: Any) -> Corners:
    """Return the corners of x, y, width and height. Raises _Wrong."""
    sides = bbox if isinstance(bbox, list) else []
    if len(sides) != 4 or not all(map(_is_finite, sides)):
        raise _Wrong(f"a bbox that is not four finite numbers: {str(bbox)[:80]}")
    x, y, width, height = (float(side) for side in sides)
    if width <= 0 or height <= 0:
        raise _Wrong(f"a bbox without an area: {bbox} (x, y, width, height)")
    return x, y, x + width, y + height


def _is_finite(side: Any) -> bool:
    return type(side) in (int, float) and math.isfinite(side)


def _text(text: Any, key: str) -> Optional[str]:
    """Return a text that is annotated; None where it is not there or empty. Raises _Wrong."""
    if text is not None and not isinstance(text, str):
        raise _Wrong(f"a {key} that is no text ({str(text)[:80]}): write it between quotation marks")
    return text or None
