"""The masks that records keep as pictures, decoded and put side by side, apart from how they are drawn."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.report.content import Remark
from shared.contract.measurement import MaskPicture
from shared.contract.record import RecordStatus

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

MAX_SIDE = 1024
"""Largest side of a kept picture, in pixels."""


class BadPicture(Exception):
    """A kept picture that cannot be decoded."""


@dataclass(frozen=True)
class Row:
    """One sample.

    Attributes:
        image: uint8 RGB [height, width, 3].
        truth: the true mask, bool [height, width].
        found: the mask of each variant whose picture could be decoded, like `truth`.
    """

    sample: str
    image: Pixels
    truth: Mask
    found: Mapping[str, Mask]


@dataclass(frozen=True)
class Overlay:
    """The masks of one model of a recipe.

    Attributes:
        file: the picture's name.
        columns: the reference, then the variants.
        rows: may be empty, where no sample can be shown.
        remarks: what cannot be shown.
    """

    file: str
    title: str
    columns: Sequence[Assessment]
    rows: Sequence[Row]
    remarks: Sequence[Remark]


def overlays_of(assessments: Sequence[Assessment]) -> Iterator[Overlay]:
    """Yield the masks of each recipe and model whose records keep pictures, the reference's among them."""
    for recipe, model in dict.fromkeys((one.recipe_name, one.record.model) for one in assessments):
        own = [one for one in assessments if (one.recipe_name, one.record.model) == (recipe, model)]
        columns = [one for one in own if _keeps_pictures(one)]
        if not columns or columns[0].verdict != Verdict.REFERENCE:
            continue
        remarks: list[Remark] = []
        rows = list(_rows(columns, remarks))
        yield Overlay(f"{recipe}-{model}-overlays.png", f"{recipe}: {model}", columns, rows, remarks)


def _keeps_pictures(one: Assessment) -> bool:
    quality = one.record.quality
    return one.record.status == RecordStatus.MEASURED and quality is not None and bool(quality.pictures)


def _rows(columns: Sequence[Assessment], remarks: list[Remark]) -> Iterator[Row]:
    """Yield the samples that the reference keeps; what cannot be shown is added to the remarks."""
    kept = {one.record.variant: _by_sample(one) for one in columns}
    for sample, picture in kept[columns[0].record.variant].items():
        try:
            image = decode(picture.image, "JPEG")
            truth = _fitted(decode(picture.truth, "PNG"), image)
        except BadPicture as problem:
            remarks.append(Remark(sample, f"cannot be shown: {problem}"))
            continue
        found = {}
        for variant, pictures in kept.items():
            own = pictures.get(sample)
            try:
                found[variant] = _fitted(decode(own.mask if own else None, "PNG"), image)
            except BadPicture as problem:
                remarks.append(Remark(variant, f"{sample} cannot be shown: {problem}"))
        yield Row(sample, image, truth, found)


def _by_sample(one: Assessment) -> dict[str, MaskPicture]:
    assert one.record.quality is not None
    return {picture.id: picture for picture in one.record.quality.pictures}


def decode(text: str | None, encoding: str) -> Pixels:
    """Decode a kept picture: JPEG to uint8 RGB [height, width, 3], PNG to uint8 gray [height, width].

    Args:
        text: the picture in base64.
        encoding: `JPEG` or `PNG`.

    Raises:
        BadPicture: none, no base64, no such picture, one too large.
    """
    try:
        with Image.open(BytesIO(base64.b64decode(text or "", validate=True)), formats=[encoding]) as picture:
            if max(picture.size) > MAX_SIDE:
                raise BadPicture(f"a picture of {picture.width} x {picture.height} pixels")
            return np.asarray(picture.convert("RGB" if encoding == "JPEG" else "L"))
    except (ValueError, OSError, SyntaxError, EOFError, IndexError, OverflowError) as error:
        raise BadPicture(f"no {encoding} picture ({type(error).__name__})") from None
    except Image.DecompressionBombError:
        raise BadPicture("a picture far too large") from None


def _fitted(mask: Pixels, image: Pixels) -> Mask:
    """Return a mask at the size of the image, nearest."""
    rows, columns = (np.arange(side) * own // side for side, own in zip(image.shape, mask.shape))
    return np.asarray(mask[rows][:, columns] >= 128)
