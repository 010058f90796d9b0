"""The masks that records keep as pictures, checked and put side by side, apart from how they are drawn."""

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
class Sample:
    """One sample.

    Attributes:
        size: width and height of the image, in pixels.
        image_jpeg, truth_png: the kept pictures in base64, both known to be what they should be.
        truth: the true mask at the image's size, bool [height, width].
        found: the mask of each variant, like `truth_png`, where it is one.
    """

    name: str
    size: tuple[int, int]
    image_jpeg: str
    truth_png: str
    truth: Mask
    found: Mapping[str, str]


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
    rows: Sequence[Sample]
    remarks: Sequence[Remark]


def overlay_of(rows: Sequence[Assessment], file: str, title: str) -> Overlay | None:
    """Return the masks of a model whose records keep pictures, the reference's among them; None of others."""
    columns = [one for one in rows if _keeps_pictures(one)]
    if not columns or columns[0].verdict != Verdict.REFERENCE:
        return None
    remarks: list[Remark] = []
    return Overlay(file, title, columns, list(_samples(columns, remarks)), remarks)


def _keeps_pictures(one: Assessment) -> bool:
    quality = one.record.quality
    return one.record.status == RecordStatus.MEASURED and quality is not None and bool(quality.pictures)


def _samples(columns: Sequence[Assessment], remarks: list[Remark]) -> Iterator[Sample]:
    """Yield the samples that the reference keeps; what cannot be shown is added to the remarks."""
    kept = {one.record.variant: _by_sample(one) for one in columns}
    for name, picture in kept[columns[0].record.variant].items():
        try:
            image = decode(picture.image, "JPEG")
            truth = _fitted(decode(picture.truth, "PNG"), image)
        except BadPicture as problem:
            remarks.append(Remark(name, f"cannot be shown: {problem}"))
            continue
        found = {}
        for variant, pictures in kept.items():
            own = pictures.get(name)
            try:
                decode(own.mask if own else None, "PNG")
            except BadPicture as problem:
                remarks.append(Remark(variant, f"{name} cannot be shown: {problem}"))
                continue
            assert own is not None
            found[variant] = own.mask
        size = image.shape[1], image.shape[0]
        yield Sample(name, size, str(picture.image), str(picture.truth), truth, found)


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
