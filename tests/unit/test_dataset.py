"""A data set is read as its annotation files say, and what cannot be trusted in it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dockyard.plan.plan import Plan
from dockyard.run import datasets
from dockyard.run.annotations import check_annotations, check_readings
from dockyard.run.unanswerable import unanswerable
from shared.contract.coco import TrueObject
from shared.contract.dataset import SPLITS, Polygons, Sample, read_labelme, read_split, refuse_overlap
from shared.contract.errors import InputProblem
from shared.contract.model import DataLocation, InputSpec, Network
from shared.contract.outputs import (
    BoxOutput,
    ClassificationOutputs,
    DetectionOutputs,
    MaskOutput,
    NamedClasses,
    SegmentationOutputs,
    SymbolsOutput,
    Task,
    TextOutputs,
)
from tests.fakes import attempt

WriteImage = Callable[..., Path]


def coco(*boxes: list[float], names: list[str] | None = None) -> dict[str, Any]:
    """A COCO document with one image for each box."""
    given_names = names or [f"{i}.png" for i in range(len(boxes))]
    images = [{"id": i, "file_name": name} for i, name in enumerate(given_names)]
    annotations = [{"image_id": i, "bbox": box} for i, box in enumerate(boxes)]
    return {"images": images, "annotations": annotations}


@pytest.fixture
def split(tmp_path: Path, write_image: WriteImage) -> Path:
    """A split folder with two images and no annotations."""
    for i in range(2):
        write_image(tmp_path / "test" / "images" / f"{i}.png", i)
    return tmp_path / "test"


def refused(split: Path, task: Task) -> InputProblem:
    with pytest.raises(InputProblem) as caught:
        read_split(split, task)
    assert len(str(caught.value).splitlines()) <= 2
    return caught.value


def test_boxes(split: Path) -> None:
    """Boxes come as corners from COCO's corner and size, in the order of the names; no box is None."""
    (split / "annotations.json").write_text(json.dumps(coco([1, 2, 10, 20], names=["1.png", "0.png"])))
    samples = read_split(split, Task.DETECTION)
    assert [(s.id, s.box) for s in samples] == [("images/0.png", None), ("images/1.png", (1, 2, 11, 22))]


def test_box_names_with_folder(split: Path) -> None:
    """File names may be given with or without `images/`."""
    (split / "annotations.json").write_text(json.dumps(coco([0, 0, 1, 1], names=["images/0.png"])))
    assert read_split(split, Task.DETECTION)[0].path == split / "images" / "0.png"


def test_readings_and_labels(split: Path) -> None:
    """Readings, countries and labels come from the CSV files as text."""
    (split / "readings.csv").write_text("file,reading,country\nimages/1.png,AB123,D\nimages/0.png,007,GB\n")
    (split / "labels.csv").write_text("file,label\nimages/0.png,7\n")
    assert [(s.reading, s.country) for s in read_split(split, Task.TEXT_RECOGNITION)] == [
        ("007", "GB"),
        ("AB123", "D"),
    ]
    assert [s.label for s in read_split(split, Task.CLASSIFICATION)] == ["7"]


def test_readings_without_country(split: Path) -> None:
    """The country's column may be left out."""
    (split / "readings.csv").write_text("file,reading\nimages/0.png,AB123\n")
    assert read_split(split, Task.TEXT_RECOGNITION)[0].country is None


def test_masks(split: Path, write_image: WriteImage) -> None:
    """Each image of a segmentation has the mask of its name."""
    for i in range(2):
        write_image(split / "masks" / f"{i}.png")
    assert [s.mask and s.mask.name for s in read_split(split, Task.SEGMENTATION)] == ["0.png", "1.png"]


def labelme(*shapes: Any, **fields: Any) -> dict[str, Any]:
    """A labelme document of an image of 32 x 24 pixels."""
    return {
        "version": "5.4.1",
        "imageData": None,
        "imageWidth": 32,
        "imageHeight": 24,
        "shapes": list(shapes),
        **fields,
    }


def shape(points: Any, kind: Any = "polygon", label: str = "dent") -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, "flags": {}}


TRIANGLE = [[0, 0], [4.5, 0], [0, 4]]


def draw(split: Path, document: Any, number: int = 0) -> Path:
    path = split / "labelme" / f"{number}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document) if isinstance(document, dict) else str(document))
    return path


def test_labelme_stands_for_a_mask(split: Path, write_image: WriteImage) -> None:
    """Where there is no mask its labelme file is taken; a mask wins where both are there."""
    drawn = draw(split, labelme(shape(TRIANGLE)))
    write_image(split / "masks" / "1.png")
    draw(split, "no labelme file, and nobody reads it", 1)
    first, second = read_split(split, Task.SEGMENTATION)
    assert (first.mask, first.labelme) == (None, drawn)
    assert (second.mask, second.labelme) == (split / "masks" / "1.png", None)


def test_labelme_is_read(split: Path) -> None:
    """Polygons come with their labels and corners, a rectangle as its four; no shapes are no damage."""
    path = draw(split, labelme(shape(TRIANGLE), shape([[10, 5], [2, 1]], "rectangle", "scratch")))
    assert read_labelme(path) == Polygons(
        32, 24, (("dent", ((0, 0), (4.5, 0), (0, 4))), ("scratch", ((10, 5), (2, 5), (2, 1), (10, 1))))
    )
    assert read_labelme(draw(split, labelme())).polygons == ()


def test_neither_mask_nor_polygons(split: Path) -> None:
    """An image that nobody annotated is refused with both ways to annotate it."""
    draw(split, labelme())
    problem = refused(split, Task.SEGMENTATION)
    assert "neither a mask nor polygons for images/1.png" in problem.what
    assert "labelme/1.json" in problem.advice


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "zero bytes"),
        ("{", "not a labelme file"),
        ("[" * 100_000, "not a labelme file"),
        ("[]", "not a labelme file"),
        (labelme(imageWidth=None), "None x 24 pixels"),
        (labelme(imageWidth=True), "True x 24 pixels"),
        (labelme(imageHeight=10**9), "32 x 1000000000 pixels"),
        (labelme(imageHeight=0), "32 x 0 pixels"),
        ({"imageWidth": 3, "imageHeight": 3}, "not a labelme file (KeyError: 'shapes')"),
        (labelme(shape(TRIANGLE, "circle")), "a shape of type 'circle'"),
        (labelme(shape(TRIANGLE, "linestrip")), "a shape of type 'linestrip'"),
        (labelme(shape(TRIANGLE, ["polygon"])), "a shape of type"),
        (labelme(shape(TRIANGLE[:2])), "a polygon with 2 corners"),
        (labelme(shape(TRIANGLE, "rectangle")), "a rectangle with 3 corners"),
        (labelme(shape([[0, 0], [1, float("nan")], [2, 2]])), "no finite number"),
        (labelme(shape([[0, 0], [1, float("inf")], [2, 2]])), "no finite number"),
        (labelme(shape([[0, 0], [1, 1e9], [2, 2]])), "far outside"),
        (labelme(shape([[0, 0], [1, 10**400], [2, 2]])), "not a labelme file"),
        (labelme(shape([[0, 0], [1, "2"], [2, 2]])), "no finite number"),
        (labelme(shape([[0, 0], [1, 2, 3], [2, 2]])), "not a labelme file"),
        (labelme(shape(None)), "not a labelme file"),
        (labelme({"points": TRIANGLE, "shape_type": "polygon"}), "not a labelme file (KeyError: 'label')"),
    ],
)
def test_no_labelme(split: Path, write_image: WriteImage, document: Any, message: str) -> None:
    """A file that is no labelme file, or a shape that cannot be used, is refused with the file's name."""
    draw(split, document)
    write_image(split / "masks" / "1.png")
    problem = refused(split, Task.SEGMENTATION)
    assert message in problem.what
    assert problem.where.endswith("labelme/0.json")


def test_labelme_that_is_no_text(split: Path) -> None:
    """Bytes that are no text are refused like any other wrong file."""
    path = draw(split, labelme())
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputProblem, match="not a labelme file"):
        read_labelme(path)


coordinates = (
    st.floats(-1e5, 1e5)
    | st.integers(-(10**5), 10**5)
    | st.floats()
    | st.text(max_size=2)
    | st.none()
    | st.booleans()
)
shapes = st.fixed_dictionaries(
    {
        "label": st.text(max_size=4),
        "shape_type": st.sampled_from(["polygon", "rectangle", "circle", "", None]),
        "points": st.lists(st.lists(coordinates, min_size=2, max_size=2), max_size=5),
    }
)


@given(
    st.lists(shapes | st.none(), max_size=3) | st.none(),
    st.integers(-5, 20000) | st.floats() | st.text(max_size=2),
)
def test_any_labelme_is_read_or_refused(tmp_path: Path, drawn: Any, width: Any) -> None:
    """Whatever a labelme file holds, it is refused, or read as polygons of at least three finite corners."""
    path = tmp_path / "any.json"
    path.write_text(json.dumps({"imageWidth": width, "imageHeight": 8, "shapes": drawn}))
    polygons, problem = attempt(InputProblem, read_labelme, path)
    if polygons is None:
        assert problem is not None
        assert problem.where == str(path)
        return
    assert (polygons.width, polygons.height) == (width, 8)
    assert len(polygons.polygons) == len(drawn)
    for (label, corners), given_shape in zip(polygons.polygons, drawn, strict=True):
        assert label == given_shape["label"]
        assert len(corners) >= 3
        assert all(abs(v) < 1e5 for corner in corners for v in corner)


def test_digest_follows_polygons(split: Path, write_image: WriteImage) -> None:
    """A segmentation's digest changes when a labelme file does, by a single byte too."""
    write_image(split / "masks" / "1.png")
    found = set()
    for document in (labelme(), labelme(shape(TRIANGLE)), json.dumps(labelme()) + " "):
        draw(split, document)
        found.add(refuse_overlap({"test": read_split(split, Task.SEGMENTATION)})["test"])
    assert len(found) == 3


@pytest.mark.parametrize("task", [Task.DETECTION, Task.TEXT_RECOGNITION, Task.CLASSIFICATION])
def test_no_annotations(split: Path, task: Task) -> None:
    """A split without its annotation file is refused, the file named."""
    assert "no annotations" in refused(split, task).what


@pytest.mark.parametrize("task", list(Task))
def test_no_split(tmp_path: Path, task: Task) -> None:
    """A split that is not there is refused."""
    assert "no such split" in refused(tmp_path / "nowhere", task).what


def test_no_images(split: Path) -> None:
    """A split that names no image is refused, for each task."""
    (split / "annotations.json").write_text('{"images": [], "annotations": []}')
    (split / "labels.csv").write_text("file,label\n")
    (split / "readings.csv").write_text("file,reading\n")
    for file in (split / "images").iterdir():
        file.unlink()
    for task in Task:
        assert "no images" in refused(split, task).what


def test_zero_byte_image(split: Path) -> None:
    """An empty image file is refused and named."""
    (split / "images" / "1.png").write_bytes(b"")
    (split / "labels.csv").write_text("file,label\nimages/0.png,7\nimages/1.png,7\n")
    problem = refused(split, Task.CLASSIFICATION)
    assert "zero bytes" in problem.what
    assert problem.where.endswith("1.png")


def test_annotation_for_missing_image(split: Path, write_image: WriteImage) -> None:
    """An annotation for an image that is not there is refused and the image named, for each task."""
    (split / "annotations.json").write_text(json.dumps(coco([0, 0, 1, 1], names=["9.png"])))
    (split / "labels.csv").write_text("file,label\nimages/9.png,7\n")
    (split / "readings.csv").write_text("file,reading\nimages/9.png,A\n")
    for task in (Task.DETECTION, Task.TEXT_RECOGNITION, Task.CLASSIFICATION):
        problem = refused(split, task)
        assert "image that is not there" in problem.what
        assert problem.where.endswith("9.png")
    write_image(split / "masks" / "0.png")
    assert refused(split, Task.SEGMENTATION).where.endswith("masks/1.png")


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd", "images/../../test2/x.png", "."])
def test_path_escape(split: Path, name: str) -> None:
    """A file name that leaves the data set's folder is refused, for each task that names files."""
    (split.parent / "secret.png").write_bytes(b"x")
    (split / "labels.csv").write_text(f"file,label\n{name},7\n")
    assert "leaves the data set's folder" in refused(split, Task.CLASSIFICATION).what


def test_box_path_escape(split: Path) -> None:
    """A COCO file name that leaves the data set's folder is refused."""
    (split / "annotations.json").write_text(json.dumps(coco([0, 0, 1, 1], names=["../../x.png"])))
    assert "leaves the data set's folder" in refused(split, Task.DETECTION).what


def test_links_are_followed(split: Path, write_image: WriteImage) -> None:
    """Images, annotations and folders that are links are read as what they lead to."""
    farm = split.parent / "farm" / "test"
    (farm / "masks").mkdir(parents=True)
    write_image(split.parent / "elsewhere" / "images" / "a.png")
    (farm / "images").symlink_to(split.parent / "elsewhere" / "images")
    (farm / "masks" / "a.png").symlink_to(split / "images" / "0.png")
    (farm / "labels.csv").symlink_to(split.parent / "labels.csv")
    (split.parent / "labels.csv").write_text("file,label\nimages/a.png,7\n")
    assert [sample.id for sample in read_split(farm, Task.CLASSIFICATION)] == ["images/a.png"]
    assert [sample.id for sample in read_split(farm, Task.SEGMENTATION)] == ["images/a.png"]


def test_link_to_nowhere(split: Path) -> None:
    """A link that leads to nothing, or round in a circle, is an image that is not there."""
    (split / "images" / "2.png").symlink_to(split / "images" / "gone.png")
    (split / "images" / "3.png").symlink_to(split / "images" / "3.png")
    for number in (2, 3):
        (split / "labels.csv").write_text(f"file,label\nimages/{number}.png,7\n")
        assert "not there" in refused(split, Task.CLASSIFICATION).what


@pytest.mark.parametrize("name", [".DS_Store", "._0.png", "Thumbs.db", "desktop.ini", "@eaDir"])
def test_hidden_things_are_passed_over(split: Path, write_image: WriteImage, name: str) -> None:
    """What file managers and servers leave among images is no image without a mask."""
    for number in range(2):
        write_image(split / "masks" / f"{number}.png")
    if name == "@eaDir":
        (split / "images" / name).mkdir()
    else:
        (split / "images" / name).write_bytes(b"x")
    assert [s.id for s in read_split(split, Task.SEGMENTATION)] == ["images/0.png", "images/1.png"]


def test_back_slashes_are_separators(split: Path) -> None:
    """File names that a program on Windows wrote lead to the same files, and leave the folder as little."""
    (split / "labels.csv").write_text("file,label\nimages\\0.png,7\n.\\images\\1.png,8\n")
    samples = read_split(split, Task.CLASSIFICATION)
    assert [sample.id for sample in samples] == ["images/0.png", "images/1.png"]
    (split / "labels.csv").write_text("file,label\n..\\secret.png,7\n")
    assert "leaves the data set's folder" in refused(split, Task.CLASSIFICATION).what


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("images/0.png,8", "is there twice with different truths: labels.csv:2 and labels.csv:3"),
        ("images\\0.png,8", "is there twice with different truths: labels.csv:2 and labels.csv:3"),
        ("./images//0.png,7", "is there twice with one truth: labels.csv:2 and labels.csv:3"),
    ],
)
def test_an_image_twice(split: Path, second: str, message: str) -> None:
    """An image that is annotated twice is refused with both lines, however it is written."""
    (split / "labels.csv").write_text(f"file,label\nimages/0.png,7\n{second}\n")
    assert refused(split, Task.CLASSIFICATION).what.endswith(message)


def test_two_images_of_one_mask(split: Path, write_image: WriteImage) -> None:
    """Two images that would take the same mask are refused."""
    write_image(split / "images" / "0.jpg")
    for number in range(2):
        write_image(split / "masks" / f"{number}.png")
    assert "images/0.jpg and images/0.png would have one mask" in refused(split, Task.SEGMENTATION).what


def test_one_image_with_two_truths(tmp_path: Path, write_image: WriteImage) -> None:
    """The same image under two names is refused where its truths differ."""
    folder = labelled(tmp_path / "test", write_image, [1, 1])
    assert refuse_overlap({"test": read_split(folder, Task.CLASSIFICATION)})
    (folder / "labels.csv").write_text("file,label\nimages/0.png,7\nimages/1.png,8\n")
    with pytest.raises(InputProblem, match=r"images/0\.png and images/1\.png are the same image"):
        refuse_overlap({"test": read_split(folder, Task.CLASSIFICATION)})


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 300 + ".png"], ids=["NUL", "300 characters"])
def test_impossible_names(split: Path, name: str) -> None:
    """A file name that no file can have is wrong input like any other."""
    (split / "annotations.json").write_text(json.dumps(coco([0, 0, 1, 1], names=[name])))
    assert refused(split, Task.DETECTION)


@pytest.mark.parametrize(
    ("task", "header", "message"),
    [
        (Task.CLASSIFICATION, "file,lable", "no column 'label'"),
        (Task.CLASSIFICATION, "name,label", "no column 'file'"),
        (Task.TEXT_RECOGNITION, "file,country", "no column 'reading'"),
        (Task.TEXT_RECOGNITION, "", "no column"),
    ],
)
def test_missing_column(split: Path, task: Task, header: str, message: str) -> None:
    """A CSV file without a column that its task needs is refused, the column named."""
    for name in ("labels.csv", "readings.csv"):
        (split / name).write_text(f"{header}\nimages/0.png,7\n" if header else "")
    problem = refused(split, task)
    assert message in problem.what
    assert problem.where.endswith(".csv:1")


@pytest.mark.parametrize(
    "content", ["label,file\n7\n", "file,label\nimages/0.png\n"], ids=["no file", "no label"]
)
def test_short_row(split: Path, content: str) -> None:
    """A row that lacks its file or its label is refused, instead of counting as a wrong answer."""
    (split / "labels.csv").write_text(content)
    assert refused(split, Task.CLASSIFICATION)


def test_no_text(split: Path) -> None:
    """Annotations that are no text are refused."""
    (split / "labels.csv").write_bytes(b"file,label\n\xff\xfe,7\n")
    (split / "annotations.json").write_bytes(b"\xff\xfe")
    assert "no text in UTF-8: the byte 0xff in line 2" in refused(split, Task.CLASSIFICATION).what
    assert "not a COCO JSON file" in refused(split, Task.DETECTION).what


def test_two_boxes(split: Path) -> None:
    """An image with two boxes is refused and named."""
    document = coco([0, 0, 1, 1])
    document["annotations"] *= 2
    (split / "annotations.json").write_text(json.dumps(document))
    assert "two boxes for image images/0.png" in refused(split, Task.DETECTION).what


def test_box_of_no_image(split: Path) -> None:
    """A box for an image id that is not listed is refused with the id."""
    document = coco([0, 0, 1, 1])
    document["annotations"][0]["image_id"] = 7
    (split / "annotations.json").write_text(json.dumps(document))
    assert "image id 7" in refused(split, Task.DETECTION).what


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"images": []}',
        '{"images": [{"id": 1}], "annotations": []}',
        json.dumps(coco([0, 0, 1])),
        json.dumps(
            {
                "images": [],
                "annotations": [
                    {"image_id": 1, "bbox": [0, 0, 1, 1]},
                    {"image_id": "a", "bbox": [0, 0, 1, 1]},
                ],
            }
        ),
        "[" * 100_000,
    ],
    ids=[
        "empty",
        "list",
        "cut off",
        "no annotations",
        "no file name",
        "three numbers",
        "ids of two types",
        "deep",
    ],
)
def test_no_coco(split: Path, content: str) -> None:
    """An annotations.json that is not COCO is refused with its name."""
    (split / "annotations.json").write_text(content)
    assert refused(split, Task.DETECTION).where.endswith("annotations.json")


@given(st.text(max_size=80) | st.text(",\"\n\r'ab.", max_size=80).map(lambda body: "file,label\n" + body))
def test_any_csv_is_read_or_refused(tmp_path: Path, content: str) -> None:
    """Whatever text a CSV file holds, it is read or refused as wrong input."""
    folder = tmp_path / "any"
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text(content, encoding="utf-8", errors="replace", newline="")
    with pytest.raises(InputProblem):
        read_split(folder, Task.CLASSIFICATION)


@given(
    st.fixed_dictionaries(
        {
            "images": st.lists(
                st.fixed_dictionaries(
                    {"id": st.integers(0, 3), "file_name": st.text(max_size=5) | st.none()}
                ),
                max_size=3,
            ),
            "annotations": st.lists(
                st.fixed_dictionaries(
                    {
                        "image_id": st.integers(0, 3)
                        | st.text(max_size=2)
                        | st.lists(st.integers(), max_size=1),
                        "bbox": st.lists(st.floats() | st.text(max_size=2), max_size=5),
                    }
                ),
                max_size=3,
            ),
        }
    )
)
def test_any_coco_is_read_or_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    """Whatever a COCO file holds, it is read or refused as wrong input (here no image is there)."""
    folder = tmp_path / "any"
    folder.mkdir(exist_ok=True)
    (folder / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(InputProblem):
        read_split(folder, Task.DETECTION)


def labelled(folder: Path, write_image: WriteImage, seeds: list[int]) -> Path:
    """Write a classification split whose images follow from the seeds."""
    for i, seed in enumerate(seeds):
        write_image(folder / "images" / f"{i}.png", seed)
    (folder / "labels.csv").write_text(
        "file,label\n" + "".join(f"images/{i}.png,7\n" for i in range(len(seeds)))
    )
    return folder


def test_splits_must_not_overlap(tmp_path: Path, write_image: WriteImage) -> None:
    """The same image in two splits, under whatever name, is refused and both files are named."""
    a = labelled(tmp_path / "validation", write_image, [1, 2, 3])
    b = labelled(tmp_path / "test", write_image, [4, 3])
    splits = {"validation": read_split(a, Task.CLASSIFICATION), "test": read_split(b, Task.CLASSIFICATION)}
    with pytest.raises(InputProblem) as caught:
        refuse_overlap(splits)
    assert "test/images/1.png" in caught.value.what
    assert "validation/images/2.png" in caught.value.what


def test_digest_follows_content(tmp_path: Path, write_image: WriteImage) -> None:
    """A split's digest is that of its images and annotations: it changes when either does, and only then."""
    folder = labelled(tmp_path / "test", write_image, [1, 2])

    def digest() -> str:
        return refuse_overlap({"test": read_split(folder, Task.CLASSIFICATION)})["test"]

    before = digest()
    assert digest() == before
    (folder / "labels.csv").write_text((folder / "labels.csv").read_text().replace("0.png,7", "0.png,8"))
    relabelled = digest()
    write_image(folder / "images" / "0.png", 9)
    assert len({before, relabelled, digest()}) == 3


def test_digest_follows_masks(split: Path, write_image: WriteImage) -> None:
    """A segmentation's digest changes when a mask does."""
    for i in range(2):
        write_image(split / "masks" / f"{i}.png", i)
    before = refuse_overlap({"test": read_split(split, Task.SEGMENTATION)})
    write_image(split / "masks" / "0.png", 5)
    assert refuse_overlap({"test": read_split(split, Task.SEGMENTATION)}) != before


@pytest.fixture
def own_plan(digits_plan: Plan, write_image: WriteImage) -> Plan:
    """The example's plan on a user's own data folder, `own` in the workspace."""
    for number, split in enumerate(SPLITS):
        folder = digits_plan.workspace.root / "own" / split
        labelled(folder, write_image, [10 * number, 10 * number + 1])
    return replace(digits_plan, recipe=replace(digits_plan.recipe, data="own"))


def test_prepare_takes_the_users_folder(own_plan: Plan) -> None:
    """A user's own folder is checked and taken in the place of the model's data."""
    prepared = datasets.prepare(own_plan, lambda *_: None)["digits"]
    assert prepared.folder == own_plan.workspace.root / "own"
    assert dict(prepared.sizes) == dict.fromkeys(SPLITS, 2)
    assert len(set(prepared.digests.values())) == 3


def test_prepare_takes_the_models_data(digits_plan: Plan) -> None:
    """Without a folder of the user's the model's own data is taken."""
    steps: list[str] = []
    prepared = datasets.prepare(digits_plan, lambda what, *_: steps.append(what))["digits"]
    assert prepared.folder.parts[-3:] == ("models", "digits", "data")
    assert set(prepared.sizes) == set(SPLITS)
    assert steps


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "content",
    [b"not an image", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0", b"BM", b"II*\0\x08\0\0\0"],
)
def test_unreadable_image(own_plan: Plan, content: bytes) -> None:
    """A file that is no image, or only an image's beginning, is refused before any job sees it."""
    bad = own_plan.workspace.root / "own" / "validation" / "images" / "1.png"
    bad.write_bytes(content)
    with pytest.raises(InputProblem, match="no readable image") as caught:
        datasets.prepare(own_plan, lambda *_: None)
    assert caught.value.where.endswith("validation/images/1.png")


@given(st.integers(0, 2000), st.binary(max_size=4))
def test_damaged_image_is_taken_or_refused(own_plan: Plan, cut: int, tail: bytes) -> None:
    """However an image file is damaged, the data set is taken or refused as wrong input."""
    path = own_plan.workspace.root / "own" / "test" / "images" / "1.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:cut] + tail or b"x")
    prepared, problem = attempt(InputProblem, datasets.prepare, own_plan, lambda *_: None)
    path.write_bytes(whole)
    assert (prepared is not None and prepared["digits"].sizes["test"] == 2) or (
        problem is not None and problem.where.endswith("1.png")
    )


def test_missing_split_of_the_user(own_plan: Plan) -> None:
    """A user's folder without one of the splits is refused, the split named."""
    (own_plan.workspace.root / "own" / "calibration").rename(own_plan.workspace.root / "own" / "calib")
    with pytest.raises(InputProblem, match="no such split") as caught:
        datasets.prepare(own_plan, lambda *_: None)
    assert caught.value.where.endswith("own/calibration")


def relabel(plan: Plan, labels: list[str], split: str = "test") -> None:
    rows = "".join(f"images/{i}.png,{label}\n" for i, label in enumerate(labels))
    (plan.workspace.root / "own" / split / "labels.csv").write_text("file,label\n" + rows)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("PCX", "an image of the format PCX, which is not decoded"),
        ("ICO", "an image of the format ICO, which is not decoded"),
        ("TIFF", "a TIFF image with the compression zstd, which is not decoded"),
    ],
)
def test_images_that_jobs_cannot_decode(own_plan: Plan, form: str, message: str) -> None:
    """What only the host could read is refused before any job, with the reason."""
    path = own_plan.workspace.root / "own" / "test" / "images" / "1.png"
    options = {"compression": "zstd"} if form == "TIFF" else {}
    Image.new("RGB", (32, 32)).save(path, form, **options)
    with pytest.raises(InputProblem) as caught:
        datasets.prepare(own_plan, lambda *_: None)
    assert (caught.value.what, caught.value.where) == (message, "own/test/images/1.png")


def test_alpha_is_a_warning(own_plan: Plan) -> None:
    """Images with an alpha channel are counted in a warning that says what they are laid over, and why."""
    path = own_plan.workspace.root / "own" / "test" / "images" / "1.png"
    Image.new("RGBA", (32, 24)).save(path)
    (warning,) = datasets.prepare(own_plan, lambda *_: None)["digits"].warnings
    assert warning == (
        "own/test: 1 of 2 images have an alpha channel, first images/1.png; what is transparent is laid over "
        "black ($.input.background of digits/model.json)"
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["7", "seven"], "1 of 2 labels are none of the network's names: 'seven' (labels.csv:3)"),
        (
            ["seven", "eight"],
            "2 of 2 labels are none of the network's names: 'seven' (labels.csv:2), 'eight' (labels.csv:3)",
        ),
    ],
)
def test_labels_that_are_no_names(own_plan: Plan, labels: list[str], message: str) -> None:
    """Labels that are no names of the network are refused with their lines before any job runs."""
    relabel(own_plan, labels)
    with pytest.raises(InputProblem) as caught:
        datasets.prepare(own_plan, lambda *_: None)
    assert (caught.value.what, caught.value.where) == (message, "own/test")
    assert caught.value.advice.startswith("valid: '0',")


def test_labels_of_a_calibration_are_not_used(own_plan: Plan) -> None:
    """What is annotated of calibration images is not looked at: nothing is scored on them."""
    relabel(own_plan, ["x", "y"], "calibration")
    assert datasets.prepare(own_plan, lambda *_: None)["digits"].warnings == ()


READER = TextOutputs(SymbolsOutput(("s",), "ABC"), NamedClasses("country", ("D", "GB")))


@pytest.mark.parametrize(
    ("readings", "countries", "message"),
    [
        (["ABC", "CBA"], ["D", "GB"], ""),
        (
            ["ABC", "abc"],
            ["D", "GB"],
            "1 of 2 readings hold symbols that the network does not have: 'a' (r:1), 'b' (r:1), 'c' (r:1)",
        ),
        (
            ["ABC", "AB-"],
            ["D", None],
            "1 of 2 readings hold symbols that the network does not have: '-' (r:1)",
        ),
        (["ABC", "CBA"], ["D", "FR"], "1 of 2 countries are none of the network's names: 'FR' (r:1)"),
        (["ABC", "CBA"], [None, "DE"], "1 of 1 countries are none of the network's names: 'DE' (r:1)"),
    ],
)
def test_readings_that_no_answer_can_match(
    readings: list[str], countries: list[str | None], message: str
) -> None:
    """Symbols outside the alphabet and countries that are none of the names are told, counted by sample."""
    samples = [
        Sample("x", Path("x"), reading=text, country=country, where=f"r:{number}")
        for number, (text, country) in enumerate(zip(readings, countries))
    ]
    assert [one.what for one in unanswerable(READER, samples)] == ([message] if message else [])


@given(
    st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=9),
    st.lists(st.text(max_size=60), max_size=9),
)
def test_any_label_is_known_or_told(labels: list[str], known: list[str]) -> None:
    """Whatever labels there are, those that are no names are counted, in a line with its advice."""
    outputs = ClassificationOutputs(NamedClasses("c", tuple(known)))
    found = unanswerable(outputs, [Sample("x", Path("x"), label=label) for label in labels])
    strange = [label for label in labels if label not in known]
    assert [one.samples for one in found] == ([len(strange)] if strange else [])
    for one in found:
        assert len(f"{one.what}; {one.advice}".splitlines()) == 1


def plates(*readings: str | None) -> list[Sample]:
    """An image with an object for each reading."""
    objects = tuple(TrueObject((0.0, 0.0, 9.0, 9.0), None, reading, "D") for reading in readings)
    return [Sample("images/0.png", Path("0.png"), objects=objects)]


def test_readings_of_many_objects() -> None:
    """They are held against the network that reads them; what nobody could read neither counts nor costs."""
    reader = replace(NETWORK, task=Task.TEXT_RECOGNITION, outputs=READER)
    assert check_readings(reader, plates("ABC", "CAB"), "test") == []
    assert check_readings(reader, plates(), "test") == []
    (warning,) = check_readings(reader, plates("ABC", None), "test")
    assert warning == "test: 1 of 2 objects have no reading: they neither count nor cost"
    with pytest.raises(InputProblem, match="none of 2 objects has a reading") as caught:
        check_readings(reader, plates(None, None), "test")
    assert (caught.value.where, "attributes" in caught.value.advice) == ("test/annotations.json", True)
    with pytest.raises(
        InputProblem, match="1 of 2 readings hold symbols that the network does not have: 'X'"
    ):
        check_readings(reader, plates("ABC", "X"), "test")


def test_boxes_that_are_fractions(split: Path) -> None:
    """Boxes in fractions of the image's sides are refused: COCO's are pixels."""
    (split / "annotations.json").write_text(json.dumps(coco([0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.5, 0.5])))
    detector = replace(NETWORK, task=Task.DETECTION, outputs=DetectionOutputs(BoxOutput("b")))
    with pytest.raises(InputProblem, match="2 of 2 boxes lie within the image's first pixel"):
        check_annotations(detector, read_split(split, Task.DETECTION), "test")
    (split / "annotations.json").write_text(json.dumps(coco([0.1, 0.2, 0.3, 0.4], [5, 5, 9, 9])))
    (warning,) = check_annotations(detector, read_split(split, Task.DETECTION), "test")
    assert warning.startswith("test: 1 of 2 boxes")


NETWORK = Network(
    name="net",
    task=Task.SEGMENTATION,
    description="",
    graph="g.pb",
    sha256="0" * 64,
    input=InputSpec("image", (1, 8, 8, 3)),
    outputs=SegmentationOutputs(MaskOutput("m")),
    data=DataLocation(),
)
