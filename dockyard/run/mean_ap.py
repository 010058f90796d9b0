"""The mean average precision of a detector of many objects, by COCO's own program (pycocotools).

Source: Lin et al., Microsoft COCO: Common Objects in Context, 2014, and https://cocodataset.org/#detection-eval.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.contract.measurement import MEAN_AP, MEAN_AP_50, Quality, SampleScore

MOST_BOXES = 100
"""Of an image, the surest ones: as COCO counts."""

ALL_SIZES = (0.0, 1e10)

Numbers = tuple[float, ...]
Rows = tuple[Numbers, ...]

Annotation = dict[str, Any]
"""As COCO's program has them."""

Scored = tuple[tuple[str, Rows], ...]
"""What was found in each image, by its name: boxes with score and class, as `SampleScore.prediction` has."""


@dataclass(frozen=True)
class ClassMatches:
    """The boxes of one class in all images, the surest first, and which of them are right.

    Attributes:
        images: the number of each box's image, [boxes].
        is_right: at each of the ten IoUs it is that of an object which no surer one is, [10, boxes].
        counts: at each IoU, it does not lie in what counts neither for nor against, [10, boxes].
        true: how many objects each image has, [images].
    """

    images: npt.NDArray[np.int64]
    is_right: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.bool_]
    true: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What COCO's program says of a split; one is another's equal where it is the very same.

    Attributes:
        metrics: mAP and mAP50, 0 to 1.
        classes: those of which there is an object.
    """

    metrics: Mapping[str, float]
    classes: tuple[ClassMatches, ...]


def evaluated(quality: Quality) -> Evaluated:
    """Return what the objects of a quality are worth; the same is computed once.

    Args:
        quality: with truth, in which there is an object.
    """
    assert quality.truth is not None
    return _evaluated(scored(quality.samples), tuple(quality.truth.objects.items()))


def scored(samples: Sequence[SampleScore]) -> Scored:
    """Return what was found in each image."""
    return tuple((sample.id, sample.boxes) for sample in samples)


@lru_cache(maxsize=64)
def _evaluated(found: Scored, true: tuple[tuple[str, Rows], ...]) -> Evaluated:
    truth = dict(true)
    boxes = [list(map(_as_found, rows)) for _, rows in found]
    objects = [list(map(_as_true, truth[name])) for name, _ in found]
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # it prints all that it does
        run = _coco_eval(_coco(objects), _coco(boxes))
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][..., 0, 0]  # [IoU, recall, class], -1 where there is no object
    metrics = {MEAN_AP: _mean(precision), MEAN_AP_50: _mean(precision[:1])}
    return Evaluated(metrics, tuple(_classes(run, len(found))))


def _mean(precision: npt.NDArray[np.float64]) -> float:
    return float(precision[precision > -1].mean())


def _as_found(row: Numbers) -> Annotation:
    x0, y0, x1, y1, score, number = row
    return {"bbox": _corner_and_size(x0, y0, x1, y1), "score": score, "category_id": int(number)}


def _as_true(row: Numbers) -> Annotation:
    x0, y0, x1, y1, number, is_crowd = row
    box = _corner_and_size(x0, y0, x1, y1)
    return {"bbox": box, "category_id": int(number), "iscrowd": int(is_crowd)}


def _corner_and_size(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    return [x0, y0, max(0.0, x1 - x0), max(0.0, y1 - y0)]


def _coco(images: Sequence[Sequence[Annotation]]) -> Any:
    """Return the annotations of images, numbered in their order, as COCO's program takes them."""
    from pycocotools.coco import COCO

    annotations: list[Annotation] = []
    for number, rows in enumerate(images):
        for row in rows:
            width, height = row["bbox"][2:]
            # Number 0 would be taken for no match.
            annotations.append(
                {**row, "id": len(annotations) + 1, "image_id": number, "area": width * height}
            )
    coco: Any = COCO()
    coco.dataset = {
        "images": list(map(_numbered, range(len(images)))),
        "annotations": annotations,
        "categories": list(map(_numbered, sorted({row["category_id"] for row in annotations}))),
    }
    coco.createIndex()
    return coco


def _numbered(number: int) -> Annotation:
    return {"id": number}


def _coco_eval(true: Any, found: Any) -> Any:
    from pycocotools.cocoeval import COCOeval

    run = COCOeval(true, found, "bbox")
    run.params.areaRng, run.params.areaRngLbl = [list(ALL_SIZES)], ["all"]
    run.params.maxDets = [MOST_BOXES]
    return run


def _classes(run: Any, images: int) -> Iterator[ClassMatches]:
    """Yield the matches of each class of which there is an object, from what was evaluated image by image."""
    by_class: dict[int, list[Annotation]] = {}
    for one in run.evalImgs:
        if one is not None:
            by_class.setdefault(one["category_id"], []).append(one)
    for own in by_class.values():
        true = np.zeros(images, np.int64)
        for one in own:
            true[one["image_id"]] = np.count_nonzero(one["gtIgnore"] == 0)
        if true.any():
            yield _matches(own, true)


def _matches(own: Sequence[Annotation], true: npt.NDArray[np.int64]) -> ClassMatches:
    """Return the matches of a class from those of its images."""
    order = np.argsort(-np.concatenate([one["dtScores"] for one in own]), kind="mergesort")
    found = np.asarray([(one["image_id"], len(one["dtScores"])) for one in own])
    numbers = np.repeat(found[:, 0], found[:, 1])
    is_matched = np.concatenate([one["dtMatches"] for one in own], axis=1)[:, order] > 0
    is_ignored = np.concatenate([one["dtIgnore"] for one in own], axis=1)[:, order].astype(bool)
    return ClassMatches(numbers[order], is_matched & ~is_ignored, ~is_ignored, true)
