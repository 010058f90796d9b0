"""The built-in tasks: what a network's outputs mean, and how one sample is scored.

Each task is two functions of plain data: `decode` (outputs -> prediction) and `score` (prediction, sample ->
scores by metric name, 0 to 1). The first metric named in METRICS is the main one. A metric of a set is the mean
of its samples' scores, but for `iou_set`, which is over the pixels of all; a prediction is JSON.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from shared.contract.dataset import Sample
from shared.contract.model import Network
from shared.runtime.arrays import Array
from shared.runtime.masks import both_masks, count_pixels, share
from shared.runtime.preprocess import Placement

Box = Tuple[float, float, float, float]

METRICS: Dict[str, Tuple[str, ...]] = {
    "detection": ("iou",),
    "reading": ("exact", "country"),
    "classification": ("accuracy",),
    "segmentation": ("iou", "iou_set"),
}


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x_min, y_min, x_max, y_max); 0 where the union is empty."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(0.0, width) * max(0.0, height)
    areas = sum(max(0.0, c[2] - c[0]) * max(0.0, c[3] - c[1]) for c in (a, b))
    return inter / (areas - inter) if areas > inter else 0.0


def decode_box(network: Network, outputs: Mapping[str, Array], placement: Placement) -> Optional[Box]:
    """Return the best box in pixels of the image, or None when its score is below the minimum.

    `outputs[tensor]` holds rows whose four numbers from column `first` are the box; a single row or many.
    """
    spec, score = network.outputs["box"], network.outputs.get("score", {})
    rows = np.asarray(outputs[spec["tensor"]], np.float64)
    rows = rows.reshape(-1, rows.shape[-1])
    scores: Optional[Array] = None
    if "tensor" in score:
        scores = np.asarray(outputs[score["tensor"]], np.float64).reshape(-1)
    elif "column" in score:
        scores = rows[:, score["column"]]
    if not len(rows):
        return None
    best = int(np.argmax(scores)) if scores is not None else 0
    if scores is not None and scores[best] < score.get("minimum", 0.0):
        return None
    first = spec.get("first", 0)
    a, b, c, d = (float(v) for v in rows[best, first : first + 4])
    form = spec.get("form", "xyxy")
    if form == "yxyx":
        a, b, c, d = b, a, d, c
    elif form == "xywh":
        c, d = a + c, b + d
    elif form == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    if spec.get("unit", "relative") == "relative":
        height, width = network.input.size
        a, b, c, d = a * width, b * height, c * width, d * height
    return (
        (a - placement.left) / placement.scale_x,
        (b - placement.top) / placement.scale_y,
        (c - placement.left) / placement.scale_x,
        (d - placement.top) / placement.scale_y,
    )


def decode_reading(network: Network, outputs: Mapping[str, Array]) -> Tuple[str, Optional[str]]:
    """Return the reading without blanks and the country (None where the network has no country head).

    `heads`: the best class of each position. `ctc`: repeats merged, then blanks dropped.
    """
    spec = network.outputs["symbols"]
    alphabet: str = spec["alphabet"]
    blank: int = spec.get("blank", len(alphabet))
    tensors = [np.asarray(outputs[name]) for name in spec["tensors"]]
    rows = np.concatenate([t.reshape(-1, t.shape[-1]) for t in tensors])
    classes: List[int] = [int(c) for c in rows.argmax(-1)]
    if spec.get("decoder", "heads") == "ctc":
        classes = [c for i, c in enumerate(classes) if i == 0 or c != classes[i - 1]]
    symbols = alphabet[:blank] + "\0" + alphabet[blank:]
    reading = "".join(symbols[c] for c in classes if c != blank)
    country = network.outputs.get("country")
    if country is None:
        return reading, None
    return reading, str(country["names"][int(np.asarray(outputs[country["tensor"]]).argmax())])


def reading_scores(prediction: Tuple[str, Optional[str]], sample: Sample) -> Dict[str, float]:
    """Score a reading: exact only when every symbol is right; the country beside it where both sides have one."""
    scores = {"exact": float(prediction[0] == sample.reading)}
    if prediction[1] is not None and sample.country:
        scores["country"] = float(prediction[1] == sample.country)
    return scores


def predict_and_score(network: Network, outputs: Mapping[str, Array], placement: Placement, sample: Sample) -> Dict[str, Any]:
    """Decode one sample's outputs and score them.

    Returns:
        `prediction` as JSON (box in pixels, `reading country`, class name or foreground share), `scores` and, of a
        mask, `pixels`: those of its intersection with the true one, and of their union.
    """
    if network.task == "detection":
        box, truth = decode_box(network, outputs, placement), sample.box
        score = float(box is None) if truth is None else iou(box, truth) if box else 0.0
        return {"prediction": [round(v, 2) for v in box] if box else None, "scores": {"iou": score}}
    if network.task == "reading":
        reading, country = decode_reading(network, outputs)
        return {"prediction": f"{reading} {country or ''}".strip(), "scores": reading_scores((reading, country), sample)}
    if network.task == "classification":
        spec = network.outputs["classes"]
        name = str(spec["names"][int(np.asarray(outputs[spec["tensor"]]).argmax())])
        return {"prediction": name, "scores": {"accuracy": float(name == sample.label)}}
    mask, true = both_masks(network, outputs, placement, sample)
    pixels = count_pixels(mask, true)
    return {"prediction": f"{mask.mean():.4f}", "scores": {"iou": share(*pixels)}, "pixels": list(pixels)}


def set_metrics(rows: Sequence[Mapping[str, Any]]) -> Dict[str, float]:
    """Return the metrics of a set whose samples scored as `predict_and_score` tells."""
    found = means([row["scores"] for row in rows])
    pixels = [row["pixels"] for row in rows if "pixels" in row]
    if pixels:
        found["iou_set"] = share(*(sum(counts) for counts in zip(*pixels)))
    return found


def means(scores: List[Dict[str, float]]) -> Dict[str, float]:
    """Return the mean of each metric over the samples that have it."""
    names = dict.fromkeys(name for s in scores for name in s)
    return {name: float(np.mean([s[name] for s in scores if name in s])) for name in names}
