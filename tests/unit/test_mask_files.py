"""Mask files are taken for what they are, by the host that checks them and by the job that scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dockyard.recipe.workspace import Workspace
from dockyard.run import image_files
from dockyard.run.image_files import read_header
from dockyard.run.masks import check_masks
from shared.contract.dataset import read_split
from shared.contract.errors import InputProblem
from shared.contract.outputs import MaskOutput, Task
from shared.harness.mask_files import mask_numbers, read_mask
from shared.inference.image_files import UnreadableImage
from tests.fakes import attempt

MARKED = np.array([[False, True, True], [False, False, True]])
NUMBERS = MARKED.astype(np.uint8)
RED, WHITE = (200, 0, 0), (255, 255, 255)


def with_palette(numbers: Any, *colours: tuple[int, int, int]) -> Image.Image:
    image = Image.fromarray(np.asarray(numbers, np.uint8), "P")
    image.putpalette([part for colour in colours for part in colour])
    return image


def painted(colour: tuple[int, ...]) -> Image.Image:
    return Image.fromarray((MARKED[..., None] * np.array(colour)).astype(np.uint8))


OBVIOUS = {
    "0 and 255": Image.fromarray(NUMBERS * 255),
    "0 and 1": Image.fromarray(NUMBERS),
    "1 bit": Image.fromarray(MARKED),
    "16 bits": Image.fromarray(NUMBERS.astype(np.uint16) * 65535),
    "16 bits, 0 and 1": Image.fromarray(NUMBERS.astype(np.uint16)),
    "16 bits, 0 and 255": Image.fromarray(NUMBERS.astype(np.uint16) * 255),
    "palette": with_palette(NUMBERS, (0, 0, 0), RED),
    "palette on white": with_palette(NUMBERS, WHITE, RED),
    "palette, white first": with_palette(1 - NUMBERS, WHITE, (0, 0, 0)),
    "RGB": painted(WHITE),
    "RGB, 0 and 1": painted((1, 1, 1)),
    "RGB in a colour": painted(RED),
    "RGBA": painted(WHITE).convert("RGBA"),
    "painted on nothing": painted((*WHITE, 255)),
    "grey with alpha": Image.fromarray(NUMBERS * 255).convert("LA"),
}


@pytest.mark.parametrize("kind", OBVIOUS)
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_masks_are_what_they_are(tmp_path: Path, kind: str, bits: int) -> None:
    """Two values, in whatever kind of file, are nothing and what counts; host and job agree on them."""
    path = tmp_path / "m.png"
    options = {"bits": bits} if OBVIOUS[kind].mode == "P" else {}
    OBVIOUS[kind].save(path, **options)
    assert np.array_equal(read_mask(path), MARKED)
    values = image_files.read_mask(path, "m.png", prefers_indices=False).values
    assert values == set(mask_numbers(path, prefers_indices=False).ravel().tolist())


@pytest.mark.parametrize("turn", range(1, 9))
def test_masks_are_turned_as_images_are(tmp_path: Path, turn: int) -> None:
    """A mask with EXIF data is taken as it is shown, as its image is."""
    exif = Image.Exif()
    exif[274] = turn
    OBVIOUS["palette"].save(tmp_path / "a.png", exif=exif)
    painted(WHITE).save(tmp_path / "b.png", exif=exif)
    image = cv2.imread(str(tmp_path / "b.png"))
    assert np.array_equal(read_mask(tmp_path / "a.png"), image[..., 0] > 0)


CLASSES = np.array([[0, 1, 15], [2, 15, 255]], np.uint8)


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(CLASSES),
        Image.fromarray(CLASSES.astype(np.uint16)),
        with_palette(CLASSES, *((7 * index % 256, index, 9) for index in range(256))),
        with_palette(CLASSES, *[(0, 0, 0)] * 256),
    ],
    ids=["grey", "16 bits", "palette", "palette of one colour"],
)
def test_numbers_of_classes(tmp_path: Path, image: Image.Image) -> None:
    """Of masks with the numbers of several classes those count that model.json lists; without it, none."""
    path = tmp_path / "m.png"
    image.save(path)
    assert np.array_equal(read_mask(path, (2, 15)), np.isin(CLASSES, (2, 15)))
    assert not read_mask(path, (77,)).any()
    if image.getextrema() != (0, 0) and image.mode != "P":
        with pytest.raises(InputProblem, match="a mask with the values 1, 2, 15, 255") as caught:
            read_mask(path)
        assert "outputs.mask.values" in caught.value.advice


def test_several_colours(tmp_path: Path) -> None:
    """A mask in several colours is refused by host and job: nobody says which counts."""
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0], pixels[1, 1] = RED, (0, 200, 0)
    Image.fromarray(pixels).save(tmp_path / "m.png")
    with pytest.raises(InputProblem, match="2 colours beside black"):
        read_mask(tmp_path / "m.png")
    with pytest.raises(InputProblem, match="2 colours beside black"):
        image_files.read_mask(tmp_path / "m.png", "m.png", prefers_indices=False)


@given(
    st.lists(st.integers(0, 255), min_size=6, max_size=6),
    st.sampled_from(["L", "P", "1", "I;16"]),
    st.booleans(),
    st.integers(0, 40),
)
def test_host_and_job_agree(tmp_path: Path, values: list[int], mode: str, prefers: bool, cut: int) -> None:
    """Whatever a mask holds, and however it is cut, host and job find the same values or refuse it both."""
    pixels = np.array(values, np.uint8).reshape(2, 3)
    image = with_palette(pixels, *((index, 0, 9) for index in range(256))) if mode == "P" else None
    wide = pixels.astype(np.uint16) * 256 if mode == "I;16" else pixels > 99 if mode == "1" else pixels
    path = tmp_path / "m.png"
    (image or Image.fromarray(wide)).save(path)
    if cut > 30:
        path.write_bytes(path.read_bytes()[:-cut])
    seen, problem = attempt(InputProblem, image_files.read_mask, path, "m.png", prefers)
    found, error = attempt(UnreadableImage, mask_numbers, path, prefers)
    if problem is None and error is None:
        assert seen is not None
        assert found is not None
        assert seen.values == set(found.ravel().tolist())
        assert seen.size == found.shape[::-1]
    assert cut > 30 or problem is error is None


PLAIN = MaskOutput("m")


def split(folder: Path, *masks: Image.Image, **options: Any) -> Path:
    """A split with a mask for each image; the options are those that the images are saved with."""
    for kind in ("images", "masks"):
        (folder / "test" / kind).mkdir(parents=True, exist_ok=True)
    for number, mask in enumerate(masks):
        image = Image.fromarray(np.full((2, 3, 3), number, np.uint8))
        image.save(folder / "test" / "images" / f"{number}.png", **options)
        mask.save(folder / "test" / "masks" / f"{number}.png")
    return folder / "test"


def checked(folder: Path, spec: MaskOutput = PLAIN) -> list[str]:
    samples = read_split(folder, Task.SEGMENTATION)
    headers = {sample.id: read_header(sample.path, str(sample.path)) for sample in samples}
    return check_masks(spec, samples, headers, Workspace(folder), "own/test")


GREY = OBVIOUS["0 and 255"]
NOTHING, ALL = Image.new("L", (3, 2)), Image.new("L", (3, 2), 255)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ((GREY, NOTHING, ALL), ""),
        ((NOTHING, NOTHING), "nothing is marked in any of 2 masks"),
        ((ALL, ALL), "every pixel is marked in all of 2 masks"),
    ],
)
def test_masks_that_tell_nothing(tmp_path: Path, masks: tuple[Image.Image, ...], message: str) -> None:
    """Masks that are all background or all foreground are a warning, where every one of the split is so."""
    warnings = checked(split(tmp_path, *masks))
    assert len(warnings) == bool(message)
    assert all(message in warning for warning in warnings)


def test_two_paints(tmp_path: Path) -> None:
    """Where some masks are painted with 1 and others with 255, one of them may be a class: it is asked."""
    folder = split(tmp_path, OBVIOUS["0 and 1"], GREY)
    with pytest.raises(InputProblem, match=r"0\.png is painted with 1, 1\.png with 255"):
        checked(folder)
    assert checked(folder, MaskOutput("m", values=(1, 255))) == []


def test_unreadable_masks(tmp_path: Path) -> None:
    """A mask that is no image, or of another format than jobs decode, is refused before any."""
    folder = split(tmp_path, GREY)
    (folder / "masks" / "0.png").write_bytes(b"text")
    with pytest.raises(InputProblem, match="no readable mask") as caught:
        checked(folder)
    assert caught.value.where == "masks/0.png"


@pytest.mark.parametrize("has_polygons", [False, True])
def test_drawn_on_the_stored_image(tmp_path: Path, has_polygons: bool) -> None:
    """What was drawn on an image as it is stored, and not as its EXIF data has it shown, is refused."""
    exif = Image.Exif()
    exif[274] = 6
    folder = split(tmp_path, GREY.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert checked(folder) == []
    GREY.save(folder / "masks" / "0.png")
    if has_polygons:
        (folder / "masks" / "0.png").unlink()
        (folder / "labelme").mkdir()
        drawn = {"imageWidth": 3, "imageHeight": 2, "shapes": []}
        (folder / "labelme" / "0.json").write_text(json.dumps(drawn))
    with pytest.raises(InputProblem, match=r"stored \(3 x 2\), which its EXIF data turns to 2 x 3"):
        checked(folder)
