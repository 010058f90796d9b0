"""Pictures of masks: what the reference and each variant found on some images of the test split."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from dockyard.judge.verdicts import Judged
from dockyard.report.tables import quoted

Pixels = NDArray[np.uint8]

MAX_SIDE = 1024
"""Largest side of a kept picture, in pixels."""

WIDTH, HEAD = 2.1, 0.7
"""Inches of a column's width and of the heads."""

FOUND, TRUE = (255, 45, 85), (0, 229, 255)
"""Colours of a mask and of the truth."""


class BadPicture(Exception):
    """A kept picture that cannot be decoded."""


@dataclass(frozen=True)
class Shown:
    """One row: the image, uint8 RGB [height, width, 3], the true mask, bool [height, width], and the mask of each variant."""

    sample: str
    image: Pixels
    truth: NDArray[np.bool_]
    found: Mapping[str, NDArray[np.bool_]]


def write_overlays(judged: Sequence[Judged], folder: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Write a picture for each recipe and model whose records keep pictures, `<recipe>-<model>-overlays.png`.

    Returns:
        The names of the pictures, and what could not be shown, by the name of the picture that it belongs to (also
        where that has nothing to show).
    """
    names: list[str] = []
    told: dict[str, list[str]] = {}
    for recipe, model in dict.fromkeys((str(j.record.recipe["name"]), j.record.model) for j in judged):
        columns = [
            j
            for j in judged
            if (j.record.recipe["name"], j.record.model, j.record.status) == (recipe, model, "measured")
            and (j.record.quality or {}).get("pictures")
        ]
        if not columns or columns[0].verdict != "reference":
            continue
        name = f"{recipe}-{model}-overlays.png"
        rows = list(_rows(columns, told.setdefault(name, [])))
        if rows:
            names.append(name)
            _draw(columns, rows, f"{recipe}: {model}", folder / name)
    return names, told


def _rows(columns: Sequence[Judged], remarks: list[str]) -> Iterator[Shown]:
    kept = [{str(p["id"]): p for p in j.record.quality["pictures"]} for j in columns if j.record.quality]
    for sample, pictures in kept[0].items():
        try:
            image = decode(pictures.get("image", ""), "JPEG")
            truth = _fitted(decode(pictures.get("truth", ""), "PNG"), image)
        except BadPicture as problem:
            remarks.append(f"{quoted(sample)} cannot be shown: {problem}")
            continue
        found = {}
        for one, own in zip(columns, kept):
            try:
                found[one.record.variant] = _fitted(decode(own.get(sample, {}).get("mask", ""), "PNG"), image)
            except BadPicture as problem:
                remarks.append(f"`{one.record.variant}` on {quoted(sample)} cannot be shown: {problem}")
        yield Shown(sample, image, truth, found)


def decode(text: str, form: str) -> Pixels:
    """Decode a kept picture: JPEG to uint8 RGB [height, width, 3], PNG to uint8 gray [height, width].

    Raises:
        BadPicture: no base64, no such picture, one too large.
    """
    try:
        with Image.open(BytesIO(base64.b64decode(text, validate=True)), formats=[form]) as picture:
            if max(picture.size) > MAX_SIDE:
                raise BadPicture(f"a picture of {picture.width} x {picture.height} pixels")
            return np.asarray(picture.convert("RGB" if form == "JPEG" else "L"))
    except (ValueError, OSError, SyntaxError, EOFError, IndexError, OverflowError, Image.DecompressionBombError) as error:
        raise BadPicture(f"no {form} picture ({type(error).__name__})") from None


def _fitted(mask: Pixels, image: Pixels) -> NDArray[np.bool_]:
    """Return a mask at the size of the image, nearest."""
    rows, columns = (np.arange(side) * own // side for side, own in zip(image.shape, mask.shape))
    return np.asarray(mask[rows][:, columns] >= 128)


def _draw(columns: Sequence[Judged], rows: Sequence[Shown], title: str, path: Path) -> None:
    heights = [WIDTH * row.image.shape[0] / row.image.shape[1] for row in rows]
    size = (WIDTH * (len(columns) + 2), sum(heights) + HEAD)
    figure = Figure(figsize=size)
    grid = figure.subplots(len(rows), len(columns) + 2, height_ratios=heights, squeeze=False)
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1 - HEAD / size[1], wspace=0.02, hspace=0.02)
    for axes in grid.flat:
        axes.set_axis_off()
    heads = ["image", "ground truth", *(_head(one) for one in columns)]
    for axes, head in zip(grid[0], heads):
        axes.set_title(head, fontsize=9, pad=4)
    scores = [one.record.scores(one.metric) for one in columns]
    for row, line in zip(rows, grid):
        line[0].imshow(row.image)
        _corner(line[0], Path(row.sample).stem)
        line[1].imshow(_blended(row.image, row.truth, TRUE))
        for one, score, axes in zip(columns, scores, line[2:]):
            mask = row.found.get(one.record.variant)
            axes.imshow(row.image if mask is None else _blended(row.image, mask, FOUND))
            _contour(axes, row.truth)
            _corner(axes, f"{one.metric} {score[row.sample]:.2f}" if mask is not None and row.sample in score else "cannot be shown")
    head = f"{title} (red: found; blue line: contour of the ground truth)"
    figure.text(0.5, 1 - 0.06 / size[1], head, fontsize=9, color="dimgray", ha="center", va="top")
    _save(figure, path)


def _head(one: Judged) -> str:
    return f"{one.record.variant}\nmean {one.metric} {one.quality:.4f}"


def _blended(image: Pixels, mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> Pixels:
    """Return the image with a mask laid over it, half transparent."""
    mixed = 0.5 * image + 0.5 * np.asarray(colour)
    return np.where(mask[..., None], mixed, image).astype(np.uint8)


def _contour(axes: Any, truth: NDArray[np.bool_]) -> None:
    if truth.any() and not truth.all():
        for colour, width in (("black", 1.8), (np.asarray(TRUE) / 255, 0.9)):
            axes.contour(truth.astype(float), levels=[0.5], colors=[colour], linewidths=width)


def _corner(axes: Any, text: str) -> None:
    box = {"facecolor": "black", "alpha": 0.6, "pad": 1.5, "linewidth": 0}
    axes.text(0.02, 0.03, text, transform=axes.transAxes, fontsize=7, color="white", va="bottom", bbox=box)


def _save(figure: Any, path: Path) -> None:
    """Save a figure as PNG of 256 colours, dithered: half of the size."""
    raw = BytesIO()
    figure.savefig(raw, dpi=100, metadata={"Software": None})
    raw.seek(0)
    with Image.open(raw) as picture:
        colours = picture.convert("RGB")
        colours.quantize(palette=colours.quantize(256), dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
