"""Pictures of masks, drawn: what the reference and each variant found on some images of the test split."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from dockyard.judge.assessment import Assessment
from dockyard.report.content import Remark
from dockyard.report.mask_pictures import Mask, Overlay, Pixels, overlays_of

WIDTH, HEAD = 2.1, 0.7
"""Inches of a column's width and of the heads."""

FOUND, TRUE = (255, 45, 85), (0, 229, 255)
"""Colours of a mask and of the truth."""


def write_overlays(
    assessments: Sequence[Assessment], folder: Path
) -> tuple[list[str], dict[str, Sequence[Remark]]]:
    """Write a picture for each recipe and model whose records keep pictures, `<recipe>-<model>-overlays.png`.

    Returns:
        The names of the pictures, and what could not be shown, by the name of the picture that it belongs to
        (also where that has nothing to show).
    """
    names: list[str] = []
    remarks: dict[str, Sequence[Remark]] = {}
    for overlay in overlays_of(assessments):
        remarks[overlay.file] = overlay.remarks
        if overlay.rows:
            names.append(overlay.file)
            _draw(overlay, folder / overlay.file)
    return names, remarks


def _draw(overlay: Overlay, path: Path) -> None:
    columns = len(overlay.columns) + 2
    heights = [WIDTH * row.image.shape[0] / row.image.shape[1] for row in overlay.rows]
    size = (WIDTH * columns, sum(heights) + HEAD)
    figure = Figure(figsize=size)
    grid = figure.subplots(len(heights), columns, height_ratios=heights, squeeze=False)
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1 - HEAD / size[1], wspace=0.02, hspace=0.02)
    for axes in grid.flat:
        axes.set_axis_off()
    heads = ["image", "ground truth", *(_head(one) for one in overlay.columns)]
    for axes, head in zip(grid[0], heads):
        axes.set_title(head, fontsize=9, pad=4)
    for row, line in zip(overlay.rows, grid):
        line[0].imshow(row.image)
        _write_in_corner(line[0], Path(row.sample).stem)
        line[1].imshow(_blended(row.image, row.truth, TRUE))
        for one, axes in zip(overlay.columns, line[2:]):
            mask = row.found.get(one.record.variant)
            axes.imshow(row.image if mask is None else _blended(row.image, mask, FOUND))
            _draw_contour(axes, row.truth)
            _write_in_corner(axes, "cannot be shown" if mask is None else _score(one, row.sample))
    head = f"{overlay.title} (red: found; blue line: contour of the ground truth)"
    figure.text(0.5, 1 - 0.06 / size[1], head, fontsize=9, color="dimgray", ha="center", va="top")
    _save(figure, path)


def _head(one: Assessment) -> str:
    return f"{one.record.variant}\nmean {one.metric} {one.quality:.4f}"


def _score(one: Assessment, sample: str) -> str:
    scores = one.record.quality.scores(one.metric) if one.record.quality else {}
    return f"{one.metric} {scores[sample]:.2f}" if sample in scores else "not scored"


def _blended(image: Pixels, mask: Mask, colour: tuple[int, int, int]) -> Pixels:
    """Return the image with a mask laid over it, half transparent."""
    mixed = 0.5 * image + 0.5 * np.asarray(colour)
    return np.where(mask[..., None], mixed, image).astype(np.uint8)


def _draw_contour(axes: Axes, truth: Mask) -> None:
    if truth.any() and not truth.all():
        for colour, width in (("black", 1.8), (np.asarray(TRUE) / 255, 0.9)):
            axes.contour(truth.astype(float), levels=[0.5], colors=[colour], linewidths=width)


def _write_in_corner(axes: Axes, text: str) -> None:
    box = {"facecolor": "black", "alpha": 0.6, "pad": 1.5, "linewidth": 0}
    axes.text(0.02, 0.03, text, transform=axes.transAxes, fontsize=7, color="white", va="bottom", bbox=box)


def _save(figure: Figure, path: Path) -> None:
    """Save a figure as PNG of 256 colours, dithered: half of the size."""
    raw = BytesIO()
    figure.savefig(raw, dpi=100, metadata={"Software": None})
    raw.seek(0)
    with Image.open(raw) as picture:
        colours = picture.convert("RGB")
        palette = colours.quantize(256)
        colours.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
