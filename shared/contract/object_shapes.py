"""Whether a detector's outputs have the shapes that its model.json reads: columns, boxes, classes."""

from __future__ import annotations

import base64
from functools import reduce
from operator import mul
from typing import Iterator, Mapping, Optional, Sequence, Tuple

from .class_counts import Mismatch
from .outputs import BoxClasses, BoxOutput, DetectionOutputs, ScoreOutput

Shape = Sequence[int]
"""Sizes, -1 where one is open."""

BOX_NUMBERS = 4


def unreadable_objects(
    outputs: DetectionOutputs, input_size: Tuple[int, int], shapes: Mapping[str, Shape]
) -> Optional[Mismatch]:
    """Return the first output that cannot be read, or could only be read as what it is not; or None.

    Args:
        input_size: height and width of the network's input in pixels.
        shapes: by tensor; tensors that are not there, and sizes that are open, are not checked.
    """
    shape = shapes.get(outputs.box.tensor)
    if shape is not None and len(shape) < (2 if outputs.box.columns_first else 1):
        what = f"the output '{outputs.box.tensor}' has the shape {list(shape)}, which is no list of boxes"
        return Mismatch(what, "box.tensor", "name the tensor that has four numbers for each box")
    return next(_wrong(outputs, input_size, shapes), None)


def _wrong(
    outputs: DetectionOutputs, input_size: Tuple[int, int], shapes: Mapping[str, Shape]
) -> Iterator[Mismatch]:
    box, score = outputs.box, outputs.score
    classes = outputs.objects.classes if outputs.objects else None
    columns, boxes = _columns_and_boxes(box, shapes.get(box.tensor))
    if columns is not None:
        yield from _wrong_columns(box, score, classes, columns)
    if boxes is not None:
        yield from _wrong_boxes(box, input_size, boxes)
        if score is not None and score.tensor is not None:
            yield from _wrong_size(score.tensor, "score.tensor", shapes, boxes)
        if classes is not None and classes.tensor is not None:
            yield from _wrong_size(classes.tensor, "objects.classes.names", shapes, boxes * classes.width)


def _columns_and_boxes(box: BoxOutput, shape: Optional[Shape]) -> Tuple[Optional[int], Optional[int]]:
    """Return how many numbers a box has and how many boxes there are; None for what is open."""
    if shape is None:
        return None, None
    axis = len(shape) - (2 if box.columns_first else 1)
    others = [*shape[:axis], *shape[axis + 1 :]]
    boxes = _product(others if len(others) == 1 else _inner(others))
    return shape[axis] if shape[axis] > 0 else None, boxes


def _inner(shape: Shape) -> Shape:
    """Return the sizes without the batch, which is 1, open or not."""
    return shape[1:] if shape and shape[0] in (-1, 1) else shape


def _product(sizes: Shape) -> Optional[int]:
    """Return how many numbers there are; None where a size is open."""
    return reduce(mul, sizes, 1) if all(size > 0 for size in sizes) else None


def _wrong_columns(
    box: BoxOutput, score: Optional[ScoreOutput], classes: Optional[BoxClasses], columns: int
) -> Iterator[Mismatch]:
    needed = {"box.first": box.first + BOX_NUMBERS}
    if score is not None and score.column is not None:
        needed["score.column"] = score.column + 1
    of_classes = None
    if classes is not None and classes.tensor is None:
        of_classes = needed["objects.classes"] = (classes.column or 0) + classes.width
    key, most = max(needed.items(), key=lambda item: item[1])
    axis = "the last axis but one holds" if box.columns_first else "the last axis holds"
    if columns < most:
        what = f"the output '{box.tensor}' has {columns} column(s), and outputs.{key} reads column {most}"
        advice = f"{axis} a box's numbers: correct the column, or outputs.box.columns_first"
        yield Mismatch(what, key, advice)
    elif classes is not None and of_classes is not None and classes.kind == "scores" and columns > of_classes:
        what = (
            f"the output '{box.tensor}' has {columns - (classes.column or 0)} column(s) from column "
            f"{classes.column} on, and outputs.objects.classes is for {classes.width}"
        )
        yield Mismatch(
            what, "objects.classes.names", "give every class its name, in the order of the classes"
        )


def _wrong_boxes(box: BoxOutput, input_size: Tuple[int, int], boxes: int) -> Iterator[Mismatch]:
    """Yield that there are not as many boxes as cells or anchors."""
    if box.strides is not None:
        cells = sum((input_size[0] // stride) * (input_size[1] // stride) for stride in box.strides)
        if cells != boxes:
            what = (
                f"the output '{box.tensor}' has {boxes} box(es), and outputs.box.strides gives {cells} cells"
            )
            yield Mismatch(what, "box.strides", "give the stride of every grid, the finest first")
    if box.anchors is not None and box.anchors.values:
        anchors = len(base64.b64decode(box.anchors.values)) // 16
        if anchors != boxes:
            what = f"the output '{box.tensor}' has {boxes} box(es), and {box.anchors.file} {anchors} anchors"
            yield Mismatch(what, "box.anchors.file", "an anchor for each box, in the order of the boxes")


def _wrong_size(tensor: str, key: str, shapes: Mapping[str, Shape], wanted: int) -> Iterator[Mismatch]:
    """Yield that a tensor beside the boxes has not the numbers that are read from it."""
    numbers = _product(_inner(shapes[tensor])) if tensor in shapes else None
    if numbers is not None and numbers != wanted:
        what = f"the output '{tensor}' has {numbers} number(s), and outputs.{key} is for {wanted}"
        yield Mismatch(what, key, "it takes as many for each box as there are classes, a background included")
