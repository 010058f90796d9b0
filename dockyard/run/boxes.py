"""Annotated boxes, held against the pictures that they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dockyard.run.image_files import Header
from shared.contract.dataset import Sample, boxes_of
from shared.contract.errors import InputProblem

BEYOND = 2.0
"""Pixels that a box may leave its picture by: x and width are rounded each, and some tools count from 1."""


def check_boxes(samples: Sequence[Sample], headers: Mapping[str, Header], where: str) -> None:
    """Refuse boxes that are of another picture, or of another form than COCO's.

    Args:
        headers: of the images, by sample.
        where: the split's folder, for messages.

    Raises:
        InputProblem: the first image whose size is annotated as another one, or whose box leaves it.
    """
    for sample in samples:
        boxes, header = boxes_of(sample), headers[sample.id]
        if boxes and sample.size is not None and sample.size != header.size:
            what = _other_size(sample.size, header)
            raise InputProblem(what, f"{where}: {sample.id}", _advice(sample, header))
        width, height = header.size
        for x0, y0, x1, y1 in boxes:
            if min(x0, y0) < -BEYOND or x1 > width + BEYOND or y1 > height + BEYOND:
                box = [round(side, 2) for side in (x0, y0, x1 - x0, y1 - y0)]
                raise InputProblem(
                    f"the bbox {box} leaves the image of {width} x {height} pixels",
                    f"{where}: {sample.id}",
                    "COCO's are x, y, width, height: are the last two a corner? cut boxes at the edge",
                )


def _other_size(size: tuple[float, float], header: Header) -> str:
    said, is_so = (f"{width:g} x {height:g}" for width, height in (size, header.size))
    return f"annotated as {said} pixels, and the image has {is_so}"


def _advice(sample: Sample, header: Header) -> str:
    if header.is_turned and sample.size == header.stored_size:
        return "its EXIF data turns it, and the boxes are of what is stored: annotate what is shown"
    return "annotate the image as it is, or correct width and height where the boxes are right"
