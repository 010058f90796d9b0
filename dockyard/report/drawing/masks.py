"""What each variant of a segmenter found: masks over the images that the records keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dockyard.judge.assessment import Assessment
from dockyard.report.drawing import svg
from dockyard.report.drawing.sheet import FOUND, TRUE, Cell, Row, outlined, sheet
from dockyard.report.drawing.svg import Drawing
from dockyard.report.mask_pictures import Mask, Overlay, Sample

WIDTH = 150
"""Of a column, in pixels."""

CAPTION = (
    "Red is what was found, the blue contour what is true: red outside of it is what is not there, bare "
    "image inside of it what was missed. Columns that look alike are variants that find the same."
)


def overlay(masks: Overlay) -> Drawing:
    """Return the masks of one model of a recipe, at least one sample."""
    heads = [("image",), ("ground truth",), *(_head(one) for one in masks.columns)]
    name = masks.file.removesuffix(".svg")
    rows = [_row(sample, masks, f"{name}-mask-{number}") for number, sample in enumerate(masks.rows)]
    return sheet(masks.file, masks.title, CAPTION, heads, rows, WIDTH)


def _head(one: Assessment) -> tuple[str, str]:
    return one.record.variant, f"mean {one.metric} {one.quality:.4f}"


def _row(sample: Sample, masks: Overlay, name: str) -> Row:
    size = sample.size
    defined = svg.element("g", outlined(contour_of(sample.truth), TRUE), id=f"{name}-contour")
    contour = svg.element("use", href=f"#{name}-contour")
    cells = [
        Cell(note=Path(sample.name).stem),
        Cell(_laid_over(sample.truth_png, TRUE, size, f"{name}-truth")),
    ]
    for place, one in enumerate(masks.columns):
        mask = sample.found.get(one.record.variant)
        if mask is None:
            cells.append(Cell(contour, "cannot be shown"))
        else:
            cells.append(
                Cell(_laid_over(mask, FOUND, size, f"{name}-{place}") + contour, _score(one, sample))
            )
    return Row(f"data:image/jpeg;base64,{sample.image_jpeg}", size, cells, defined)


def _score(one: Assessment, sample: Sample) -> str:
    scores = one.record.quality.scores(one.metric) if one.record.quality else {}
    return f"{one.metric} {scores[sample.name]:.2f}" if sample.name in scores else "not scored"


def _laid_over(mask_png: str, colour: str, size: tuple[int, int], name: str) -> str:
    """Return a colour, half transparent, where a mask is white."""
    whole = {"width": size[0], "height": size[1]}
    href = f"data:image/png;base64,{mask_png}"
    image = svg.element("image", href=href, preserveAspectRatio="none", **whole)
    shown = svg.element("mask", image, id=name)
    return shown + svg.element("rect", fill=colour, fill_opacity="0.5", mask=f"url(#{name})", **whole)


def contour_of(mask: Mask) -> str:
    """Return the edges between a mask and the rest as the data of an SVG path, in pixels of the mask."""
    padded = np.pad(mask, 1)
    across = padded[1:, 1:-1] != padded[:-1, 1:-1]
    upright = padded[1:-1, 1:] != padded[1:-1, :-1]
    lines = [f"M{start} {y}h{end - start}" for y, start, end in _runs(across)]
    lines += [f"M{x} {start}v{end - start}" for x, start, end in _runs(upright.T)]
    return "".join(lines)


def _runs(edges: Mask) -> Iterator[tuple[int, int, int]]:
    """Yield where edges stand in a row: the row, the first and the one behind the last."""
    for row, line in enumerate(edges):
        steps = np.flatnonzero(np.diff(np.pad(line.astype(np.int8), 1)))
        for start, end in zip(steps[::2], steps[1::2]):
            yield row, int(start), int(end)
