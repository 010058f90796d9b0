"""Boxes are read as annotation tools write COCO, and what cannot be meant is refused with its image."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.contract.coco import TrueObject, read_coco
from shared.contract.dataset import read_split, refuse_overlap
from shared.contract.errors import InputProblem
from shared.contract.outputs import BoxOutput, DetectionOutputs, ObjectsOutput, Task

WriteImage = Callable[..., Path]

MANY = DetectionOutputs(BoxOutput("b"), objects=ObjectsOutput(None))
CATEGORIES = [{"id": 1, "name": "car"}, {"id": 2, "name": "plate"}]


def document(*annotations: dict[str, Any], names: tuple[str, ...] = ("0.png", "1.png")) -> dict[str, Any]:
    """A COCO document of images of 32 x 24 pixels; every annotation is of the first unless it says other."""
    sizes = {"width": 32, "height": 24}
    images = [{"id": number, "file_name": name, **sizes} for number, name in enumerate(names)]
    usual = {"image_id": 0, "category_id": 2, "bbox": [1, 2, 10, 20]}
    return {
        "images": images,
        "annotations": [{**usual, **one} for one in annotations],
        "categories": CATEGORIES,
    }


@pytest.fixture
def split(tmp_path: Path, write_image: WriteImage) -> Path:
    """A split folder with two images and no annotations."""
    for i in range(2):
        write_image(tmp_path / "test" / "images" / f"{i}.png", i)
    return tmp_path / "test"


def written(split: Path, content: dict[str, Any], encoding: str = "utf-8") -> Path:
    path = split / "annotations.json"
    path.write_text(json.dumps(content), encoding=encoding)
    return path


def test_many_objects(split: Path) -> None:
    """A detector of many objects has all of an image, with what tools say of each."""
    attributes = {"attributes": {"reading": "AB 1", "country": "D", "occluded": False}}
    first = {"category_id": 1, "segmentation": {"counts": [3, 5], "size": [24, 32]}, "iscrowd": 1}
    written(split, document(first, attributes, {"reading": "X", "country": ""}))
    one, other = read_split(split, Task.DETECTION, MANY)
    box = (1, 2, 11, 22)
    assert one.objects == (
        TrueObject(box, "car", is_crowd=True),
        TrueObject(box, "plate", "AB 1", "D"),
        TrueObject(box, "plate", "X"),
    )
    assert (one.box, one.size, other.objects) == (None, (32, 24), ())


def test_one_category_counts(split: Path) -> None:
    """Where model.json names a category, objects of others are none, for one box and for many."""
    written(split, document({}, {"category_id": 1, "bbox": [0, 0, 5, 5]}))
    single = DetectionOutputs(BoxOutput("b"), category="car")
    assert read_split(split, Task.DETECTION, single)[0].box == (0, 0, 5, 5)
    many = DetectionOutputs(BoxOutput("b"), objects=ObjectsOutput(None), category="plate")
    assert read_split(split, Task.DETECTION, many)[0].objects == (TrueObject((1, 2, 11, 22), "plate"),)


def test_a_crowd_is_no_box_to_find(split: Path) -> None:
    """The box of a detector for one is none of a crowd's."""
    written(split, document({"iscrowd": 1}, {"bbox": [0, 0, 5, 5]}))
    assert read_split(split, Task.DETECTION)[0].box == (0, 0, 5, 5)


NAMES = ("0.png", "images/0.png", "./images/0.png", "images\\0.png", "train\\a\\0.png")


@pytest.mark.parametrize("name", NAMES)
def test_names_as_tools_write_them(split: Path, name: str) -> None:
    """An image is found by its name from the split, from images/, or from where it was annotated."""
    written(split, document({}, names=(name,)), "utf-8-sig")
    (sample,) = read_split(split, Task.DETECTION)
    assert (sample.id, sample.box) == ("images/0.png", (1, 2, 11, 22))


def test_ids_that_are_floats(split: Path) -> None:
    """Ids written as 1.0 in one place and 1 in another are the same."""
    content = document({"image_id": 1.0, "category_id": 2.0})
    written(split, content)
    assert [sample.box for sample in read_split(split, Task.DETECTION)] == [None, (1, 2, 11, 22)]


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"bbox": [1, 2, 0, 20]}, "0.png: a bbox without an area: [1, 2, 0, 20]"),
        ({"bbox": [1, 2, 10, -3.5]}, "0.png: a bbox without an area"),
        ({"bbox": [1, float("nan"), 10, 3]}, "0.png: a bbox that is not four finite numbers"),
        ({"bbox": [1, 2, True, 3]}, "0.png: a bbox that is not four finite numbers"),
        ({"bbox": None}, "0.png: a bbox that is not four finite numbers: None"),
        ({"image_id": 7}, "the image id 7, which is not under 'images'"),
        ({"category_id": 9}, "0.png: an object of the category id 9"),
        ({"reading": 12345}, "0.png: a reading that is no text (12345)"),
    ],
)
def test_annotations_that_cannot_be_meant(split: Path, annotation: dict[str, Any], reason: str) -> None:
    """What is no box of an image is refused; the file, the image and the reason are named."""
    path = written(split, document(annotation))
    with pytest.raises(InputProblem) as caught:
        read_coco(path)
    assert reason in caught.value.what
    assert caught.value.where == str(path)


def test_two_images_with_one_id(split: Path) -> None:
    """Two images with one id are refused, both named: the annotations of one would be the other's."""
    content = document({})
    content["images"][1]["id"] = 0
    with pytest.raises(InputProblem, match=r"two images with the id 0: 0\.png and 1\.png"):
        read_coco(written(split, content))


@pytest.mark.parametrize("names", [("0.png", "0.png"), ("a/0.png", "b/0.png")])
def test_one_image_twice(split: Path, names: tuple[str, ...]) -> None:
    """One image under two entries is refused: each would have half of the truth."""
    written(split, document({}, names=names))
    with pytest.raises(InputProblem, match=r"0\.png"):
        read_split(split, Task.DETECTION)


def test_objects_are_part_of_the_digest(split: Path) -> None:
    """Another category or reading of an object is another data set."""
    digests = set()
    for annotation in ({}, {"category_id": 1}, {"reading": "A"}, {"iscrowd": 1}):
        written(split, document(annotation))
        digests.add(refuse_overlap({"test": read_split(split, Task.DETECTION, MANY)})["test"])
    assert len(digests) == 4
