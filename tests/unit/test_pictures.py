"""The pictures of masks show what the records keep, and say what they cannot show."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dockyard.report.drawing.masks import contour_of
from dockyard.report.drawing.sheet import FOUND, TRUE
from dockyard.report.mask_pictures import MAX_SIDE, BadPicture, decode
from shared.contract.measurement import MaskPicture
from shared.contract.record import Record
from tests.builders import quality, record
from tests.fakes import attempt
from tests.unit.test_report import report


def encoded(pixels: Any, form: str = "PNG") -> str:
    stream = BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, form)
    return base64.b64encode(stream.getvalue()).decode()


GRAY = np.full((60, 80, 3), 128)
LEFT, RIGHT = np.zeros((30, 40)), np.zeros((30, 40))
LEFT[:, :20] = RIGHT[:, 20:] = 255


def pictured(variant: str, mask: str, truth: str | None = None, image: str | None = None) -> Record:
    """A record that keeps pictures of one sample."""
    picture = MaskPicture("images/0.png", mask, truth, image)
    return record(variant, quality=replace(quality([0.5, 1.0], "iou"), pictures=(picture,)))


REFERENCE = pictured("reference", encoded(LEFT), encoded(LEFT), encoded(GRAY, "JPEG"))
OVERLAYS = "digits-digits-overlays.svg"
SVG = "{http://www.w3.org/2000/svg}"


def plots(folder: Path) -> Path:
    return folder / "results" / "plots"


def test_overlays(tmp_path: Path) -> None:
    """The picture has image, truth and each variant's mask side by side, in their colours, and is linked."""
    text = report(tmp_path, REFERENCE, pictured("int8", encoded(RIGHT)))
    assert f"(plots/{OVERLAYS})" in text
    drawn = ElementTree.parse(plots(tmp_path) / OVERLAYS)
    cells = drawn.findall(f"{SVG}svg")
    laid = []
    for cell in cells:
        laid.append([rect.get("fill") for rect in cell.findall(f"{SVG}rect")])
    assert laid == [[], [TRUE], [FOUND], [FOUND]]
    masks = [image.get("href", "") for image in drawn.iterfind(f".//{SVG}mask/{SVG}image")]
    prefix = "data:image/png;base64,"
    assert masks == [prefix + encoded(LEFT), prefix + encoded(LEFT), prefix + encoded(RIGHT)]
    (image,) = drawn.findall(f"{SVG}defs/{SVG}image")
    assert image.get("href") == f"data:image/jpeg;base64,{encoded(GRAY, 'JPEG')}"
    notes = ["".join(words.itertext()) for words in drawn.findall(f"{SVG}text")]
    assert notes[-3:] == ["0", "iou 0.50", "iou 0.50"]


masks = st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=4)


@given(masks)
def test_contour(rows: list[list[bool]]) -> None:
    """A contour runs along each edge between a mask and the rest, once."""
    mask = np.asarray(rows, bool)
    padded = np.pad(mask, 1).astype(int)
    edges = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    lengths = [int(length) for length in re.findall(r"[hv](\d+)", contour_of(mask))]
    assert sum(lengths) == edges


BAD_MASKS = [
    "",
    "AAAA",
    "no base64!",
    encoded(LEFT)[:60],
    encoded(GRAY, "JPEG"),
    encoded(np.zeros((1, MAX_SIDE + 1))),
]


@pytest.mark.parametrize("mask", BAD_MASKS)
def test_picture_that_cannot_be_shown(tmp_path: Path, mask: str) -> None:
    """A mask that cannot be decoded, or is too large, is left out with a remark; the rest is drawn."""
    text = report(tmp_path, REFERENCE, pictured("int8", mask))
    assert "- `int8`: images/0.png cannot be shown: " in text
    assert (plots(tmp_path) / OVERLAYS).is_file()


def test_image_that_cannot_be_shown(tmp_path: Path) -> None:
    """Without its image a sample is left out with a remark; the report is written all the same."""
    reference = pictured("reference", encoded(LEFT), encoded(LEFT))
    text = report(tmp_path, reference, pictured("int8", encoded(LEFT)))
    assert "- `images/0.png`: cannot be shown: no JPEG picture" in text
    assert OVERLAYS not in text
    assert not (plots(tmp_path) / OVERLAYS).exists()


@given(st.integers(0, 200), st.binary(max_size=3), st.sampled_from(["PNG", "JPEG"]))
def test_damaged_pictures(cut: int, other: bytes, form: str) -> None:
    """However a picture is damaged, it is decoded or refused in one way."""
    whole = bytearray(base64.b64decode(encoded(GRAY if form == "JPEG" else LEFT, form)))
    whole[cut : cut + len(other)] = other
    found, problem = attempt(BadPicture, decode, base64.b64encode(whole).decode(), form)
    assert (found is None) == (problem is not None)
    assert found is None or (found.dtype == np.uint8 and max(found.shape[:2]) <= MAX_SIDE)
