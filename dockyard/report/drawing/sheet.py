"""A sheet of samples: a row for each image, a column for each who looked at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dockyard.report.drawing import svg
from dockyard.report.drawing.svg import Drawing

HEAD, NOTE, GAP, MARGIN = 64, 16, 6, 12
"""Pixels of the heads, of the line below a cell, between cells and around all."""

FOUND, TRUE = "#ff2d55", "#00e5ff"
"""Of what was found and of what is true, on photographs; the true one is dashed or a contour, too."""


@dataclass(frozen=True)
class Cell:
    """What one says of a sample.

    Attributes:
        marks: SVG elements in pixels of the image.
        note: a line below it.
        is_wrong: the note is marked.
    """

    marks: str = ""
    note: str = ""
    is_wrong: bool = False


@dataclass(frozen=True)
class Row:
    """One sample.

    Attributes:
        image: the picture as a data URI.
        size: width and height, in the pixels that the marks are in.
        cells: one for each column.
        defined: SVG elements with ids that the marks use.
    """

    image: str
    size: tuple[float, float]
    cells: Sequence[Cell]
    defined: str = ""


def sheet(
    file: str, title: str, caption: str, heads: Sequence[Sequence[str]], rows: Sequence[Row], width: float
) -> Drawing:
    """Return the rows as one picture.

    Args:
        heads: the lines above each column.
        width: of a column, in pixels.
    """
    whole = 2 * MARGIN + len(heads) * (width + GAP) - GAP
    body = [svg.text(MARGIN, 20, svg.shortened(title, whole - 2 * MARGIN), "bold")]
    for place, lines in enumerate(heads):
        for number, words in enumerate(lines):
            x, y = MARGIN + place * (width + GAP), HEAD - 6 - 14 * (len(lines) - 1 - number)
            body.append(svg.text(x, y, svg.shortened(words, width, 10.5), "small"))
    top = float(HEAD)
    for number, row in enumerate(rows):
        height = width * row.size[1] / row.size[0]
        body += _row(row, f"{file.removesuffix('.svg')}-{number}", top, width, height)
        top += height + NOTE + GAP
    return Drawing(file, title, caption, whole, top + MARGIN, "".join(body))


def _row(row: Row, name: str, top: float, width: float, height: float) -> Iterator[str]:
    across, down = row.size
    image = svg.element(
        "image", href=row.image, width=across, height=down, preserveAspectRatio="none", id=name
    )
    yield svg.element("defs", image + row.defined)
    for place, cell in enumerate(row.cells):
        x = MARGIN + place * (width + GAP)
        view = f"0 0 {svg.number(across)} {svg.number(down)}"
        content = svg.element("use", href=f"#{name}") + cell.marks
        size = {"x": x, "y": top, "width": width, "height": height}
        yield svg.element("svg", content, viewBox=view, preserveAspectRatio="none", **size)
        if cell.note:
            words = svg.shortened(f"{'✗ ' if cell.is_wrong else ''}{cell.note}", width, 10.5)
            class_ = "small bold" if cell.is_wrong else "small soft"
            yield svg.text(x, top + height + 12, words, class_)


def outlined(shape: str, colour: str, is_dashed: bool = False) -> str:
    """Return a path over a dark edge that sets it off from any photograph."""
    style = {"fill": "none", "vector_effect": "non-scaling-stroke"}
    dash = {"stroke_dasharray": "5 3"} if is_dashed else {}
    under = svg.element("path", d=shape, stroke="#000", stroke_opacity="0.7", stroke_width="3", **style)
    return under + svg.element("path", d=shape, stroke=colour, stroke_width="1.5", **style, **dash)
