"""The label in which nvinfer carries what a network read of an object: `dy1|TEXT|COUNTRY|CONFIDENCE`.

In TEXT and COUNTRY a bar, % and control characters are %XX for each byte. COUNTRY is `-` where the network
has none; one that is called - is %2D, one without a name is empty. CONFIDENCE is 0 to 1 with six decimals.
What nvinfer would cut off, more than 127 bytes, is `dy1!too long`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from shared.contract.streaming import Answer

LABEL_VERSION = "dy1"

TOO_LONG = f"{LABEL_VERSION}!too long"
"""In the place of a label that nvinfer would have cut off."""

MOST_LABEL_BYTES = 127

_FIELD = r"((?:[^|%\x00-\x1f\x7f]|%[0-9A-F]{2})*)"
_LABEL = re.compile(rf"{LABEL_VERSION}\|{_FIELD}\|{_FIELD}\|(0\.[0-9]{{6}}|1\.000000)")


class LabelError(Exception):
    """A label that cannot be read; the message says why."""


def read_label(text: str) -> Answer:
    """Return what a label says.

    Args:
        text: the label of the attribute, or the description: they are the same.

    Raises:
        LabelError: it is of another version or none of Dockyard's, was too long for nvinfer, or malformed.
    """
    if text == TOO_LONG:
        raise LabelError("what was read is longer than the 127 bytes that nvinfer carries")
    if not text.startswith(f"{LABEL_VERSION}|"):
        raise LabelError(
            f"{text[:40]!r} is no label of version {LABEL_VERSION}: another parser has written it"
        )
    found = _LABEL.fullmatch(text)
    if found is None or len(text.encode("utf-8", "replace")) > MOST_LABEL_BYTES:
        raise LabelError(f"{text!r} is not {LABEL_VERSION}|TEXT|COUNTRY|CONFIDENCE")
    words, country, confidence = found.groups()
    try:
        named = None if country == "-" else unquote(country, errors="strict")
        return Answer(unquote(words, errors="strict"), named, float(confidence))
    except UnicodeDecodeError:
        raise LabelError(f"{text!r} holds bytes that are no UTF-8") from None
