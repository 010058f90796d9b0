"""What a stream reads, as lines of JSON (`reading.schema.json`) or as rows of CSV."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Dict, Iterable, List, Optional, Union

from .codec import encode
from .streaming import Answer, FrameReading, ReadObject, Vote

BOX_DIGITS, SHARE_DIGITS, MS_DIGITS, SECOND_DIGITS = 2, 4, 2, 3

Cell = Union[str, int, float, None]

COLUMNS = (
    "source",
    "frame",
    "time_s",
    "name",
    "track",
    "is_tracked",
    "x_min",
    "y_min",
    "x_max",
    "y_max",
    "score",
    "category",
    "node",
    "text",
    "country",
    "confidence",
    "voted_text",
    "voted_country",
    "voted_confidence",
    "latency_ms",
)
"""Of a CSV file: a row for each object and node that reads it; a frame without objects has none."""


def json_line(reading: FrameReading) -> str:
    """Return a reading as one line of JSON, without its end; numbers are rounded to what they are worth."""
    document: Dict[str, Any] = encode(reading)
    document["time_s"] = round(reading.time_s, SECOND_DIGITS)
    document["latency_ms"] = round(reading.latency_ms, MS_DIGITS)
    for one in document["objects"]:
        one["box"] = rounded_box(one["box"])
        one["score"] = rounded_share(one["score"])
        for said in (*one["answers"].values(), *one["vote"].values()):
            said["confidence"] = rounded_share(said["confidence"])
    return json.dumps(document, ensure_ascii=False)


def csv_rows(reading: FrameReading) -> List[List[Cell]]:
    """Return the rows of a reading, as COLUMNS has them."""
    return [_row(reading, one, node) for one in reading.objects for node in one.answers or ("",)]


def _row(reading: FrameReading, one: ReadObject, node: str) -> List[Cell]:
    answer: Optional[Answer] = one.answers.get(node)
    vote: Optional[Vote] = one.vote.get(node)
    return [
        reading.source,
        reading.frame,
        round(reading.time_s, SECOND_DIGITS),
        reading.name,
        one.track,
        int(one.is_tracked),
        *rounded_box(one.box),
        rounded_share(one.score),
        one.category,
        node,
        *((answer.text, answer.country, rounded_share(answer.confidence)) if answer else (None, None, None)),
        *((vote.text, vote.country, rounded_share(vote.confidence)) if vote else (None, None, None)),
        round(reading.latency_ms, MS_DIGITS),
    ]


def rounded_box(box: Iterable[float]) -> List[float]:
    """Return the sides of a box, pixels, rounded."""
    return [round(side, BOX_DIGITS) for side in box]


def rounded_share(value: Optional[float]) -> Optional[float]:
    """Return it rounded; None also where a network's arithmetic failed: JSON has no NaN."""
    return None if value is None or not isfinite(value) else round(value, SHARE_DIGITS)
