"""Samples of a detector's or a reader's test split, with what each variant said of them.

A record has the answers and not the images: a sheet is drawn where the data set is at hand.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain

from PIL import Image, ImageOps

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.report.drawing import svg
from dockyard.report.drawing.sheet import FOUND, TRUE, Cell, Row, outlined, sheet
from dockyard.report.drawing.svg import Drawing
from shared.contract.dataset import Sample, boxes_of
from shared.contract.measurement import SampleScore

MAX_BOXES, MAX_READINGS = 6, 12
"""Samples on a sheet."""

MAX_COLUMNS = 10

MORE = 3
"""Boxes, the surest, that are drawn of a sample beyond as many as are true: those after them say little."""

BOX_WIDTH, READING_WIDTH = 150, 112
"""Of a column, in pixels."""

BOX_PIXELS = 240
"""Of a shown image's width; it is seen smaller."""

ROOM = 1.1
"""Of a box's larger side that is seen beside it, on both sides together."""

RATIO = 3 / 4
"""Of a shown image's height to its width."""

Box = tuple[float, float, float, float]


def answered(rows: Sequence[Assessment]) -> list[Assessment]:
    """Return the reference and the variants that answered, the recommended and the lossiest among them."""
    found = [one for one in rows if one.quality is not None and not one.was_left]
    if not found or not found[0].is_reference:
        return []
    variants = sorted(found[1:], key=_place)
    kept = {id(one) for one in (found[0], *variants[: MAX_COLUMNS - 1])}
    return [one for one in found if id(one) in kept]


def _place(one: Assessment) -> tuple[bool, float]:
    return one.verdict != Verdict.RECOMMENDED, -one.drop.estimate if one.drop else 0.0


def finds_boxes(rows: Sequence[Assessment]) -> bool:
    """Tell whether a model's answers are boxes."""
    quality = rows[0].record.quality if rows else None
    return quality is not None and any(isinstance(one.prediction, tuple) for one in quality.samples)


def _finds_many(rows: Sequence[Assessment]) -> bool:
    """Tell whether a model finds every object of an image."""
    quality = rows[0].record.quality
    return quality is not None and quality.truth is not None


def flipped(rows: Sequence[Assessment]) -> list[str]:
    """Return the samples that are right on one side only for any variant, those of most variants first."""
    counts: dict[str, int] = {}
    for one in rows:
        for sample in one.flipped:
            counts[sample] = counts.get(sample, 0) + 1
    return sorted(counts, key=lambda sample: (-counts[sample], sample))


def caption_of(rows: Sequence[Assessment]) -> str:
    """Return what to see in the sheet of a model, by its records alone."""
    count = len(flipped(rows))
    few = f"the {count} that flipped first" if count else "none flipped, so the hardest ones"
    if finds_boxes(rows) and _finds_many(rows):
        return (
            "Dashed blue are the true objects, red the surest that were found, with the image's average "
            f"precision; samples of the test split, {few}. A cross marks where that is below 0.5: look for "
            "rows where one variant has it and the reference has not."
        )
    if finds_boxes(rows):
        return (
            "Dashed blue is the true box, red the one that was found, with its score; samples of the test "
            f"split, {few}. A cross marks what counts as wrong (a score below 0.5): look for rows where one "
            "variant has it and the reference has not."
        )
    shown = f"{count}" if count <= MAX_READINGS else f"{MAX_READINGS} of the {count}"
    return (
        f"The {shown} samples of the test split that only the reference or only a variant read right: what "
        "is true, then what each read. A cross marks what is wrong: where the reference has none and a "
        "variant has one, it lost."
    )


def samples_sheet(
    rows: Sequence[Assessment], samples: Mapping[str, Sample], file: str, title: str
) -> Drawing | None:
    """Return the sheet of a model; None where there is nothing to show.

    Args:
        rows: as `answered` has them.
        samples: of the test split, by id; their images are read.

    Raises:
        OSError: an image that cannot be read.
    """
    if not rows:
        return None
    said = {one.record.variant: _answers(one) for one in rows}
    heads = [(one.record.variant, f"{one.metric} {one.quality:.4f}") for one in rows]
    if finds_boxes(rows):
        chosen = [name for name in _hardest(rows, said) if name in samples and boxes_of(samples[name])]
        drawn = [_box_row(samples[name], rows, said) for name in chosen[:MAX_BOXES]]
        width = BOX_WIDTH
    else:
        chosen = [name for name in flipped(rows) if name in samples]
        drawn = [_reading_row(samples[name], rows, said) for name in chosen[:MAX_READINGS]]
        heads, width = [("true", ""), *heads], READING_WIDTH
    return sheet(file, title, caption_of(rows), heads, drawn, width) if drawn else None


Answers = Mapping[str, Mapping[str, SampleScore]]
"""By variant and sample."""


def _answers(one: Assessment) -> Mapping[str, SampleScore]:
    return {sample.id: sample for sample in one.record.quality.samples} if one.record.quality else {}


def _hardest(rows: Sequence[Assessment], said: Answers) -> Iterator[str]:
    """Yield the samples that flipped, then those in which any variant did worst."""
    first = flipped(rows)
    yield from first
    worst: dict[str, float] = {}
    for one in rows:
        for name, sample in said[one.record.variant].items():
            worst[name] = min(worst.get(name, 1.0), sample.scores.get(_metric(one), 1.0))
    yield from sorted(worst.keys() - set(first), key=lambda name: (worst[name], name))


def _box_row(sample: Sample, rows: Sequence[Assessment], said: Answers) -> Row:
    true = boxes_of(sample)
    answers = {one.record.variant: said[one.record.variant].get(sample.id) for one in rows}
    found = [_boxes(answer)[: len(true) + MORE] for answer in answers.values()]
    image = _upright(sample)
    seen = _seen([*true, *chain.from_iterable(found)], image.size)
    cut = image.crop(seen)
    size = cut.width, cut.height
    cut.thumbnail((BOX_PIXELS, BOX_PIXELS))
    cells = []
    for one, boxes in zip(rows, found):
        marks = "".join(outlined(_outline(box, seen), TRUE, is_dashed=True) for box in true)
        marks += "".join(outlined(_outline(box, seen), FOUND) for box in boxes)
        answer, metric = answers[one.record.variant], _metric(one)
        score = answer.scores.get(metric, 0.0) if answer else 0.0
        cells.append(Cell(marks, f"{metric} {score:.2f}" if boxes else "nothing found", score < 0.5))
    return Row(_as_jpeg(cut), size, cells)


def _metric(one: Assessment) -> str:
    """Return the metric that single samples are scored by."""
    return one.record.quality.sample_metric if one.record.quality else one.metric


def _boxes(answer: SampleScore | None) -> list[Box]:
    """Return what was found, one box or the objects of a detector of many, the surest first."""
    return [(x0, y0, x1, y1) for x0, y0, x1, y1, *_ in answer.boxes] if answer else []


def _seen(boxes: Sequence[Box], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the part of an image around boxes, of one shape where the image has room for it."""
    lefts, tops, rights, bottoms = zip(*boxes)
    left, top, right, bottom = min(lefts), min(tops), max(rights), max(bottoms)
    width = max(right - left, (bottom - top) / RATIO) * (1 + ROOM)
    width = min(max(width, 40.0), size[0], size[1] / RATIO)
    height = width * RATIO
    x = min(max((left + right - width) / 2, 0.0), size[0] - width)
    y = min(max((top + bottom - height) / 2, 0.0), size[1] - height)
    return round(x), round(y), round(x + width), round(y + height)


def _outline(box: Box, seen: tuple[int, int, int, int]) -> str:
    left, right = (svg.number(x - seen[0]) for x in box[::2])
    top, bottom = (svg.number(y - seen[1]) for y in box[1::2])
    return f"M{left} {top}H{right}V{bottom}H{left}z"


def _reading_row(sample: Sample, rows: Sequence[Assessment], said: Answers) -> Row:
    image = _upright(sample)
    if sample.box:
        image = image.crop(_seen([sample.box], image.size))
    size = image.size
    image.thumbnail((2 * READING_WIDTH, 2 * READING_WIDTH))
    truth = " ".join(part for part in (sample.reading, sample.country) if part)
    cells = [Cell(note=truth)]
    for one in rows:
        answer = said[one.record.variant].get(sample.id)
        read = answer.prediction if answer else None
        score = answer.scores.get(one.metric, 0.0) if answer else 0.0
        cells.append(Cell(note=read if isinstance(read, str) else "nothing read", is_wrong=score < 0.5))
    return Row(_as_jpeg(image), size, cells)


def _upright(sample: Sample) -> Image.Image:
    """Read an image, turned as its EXIF data says: so did what its boxes are of."""
    with Image.open(sample.path) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def _as_jpeg(image: Image.Image) -> str:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=72)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
