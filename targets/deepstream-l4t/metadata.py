"""What DeepStream attaches to frames, as plain values: the objects that were found, and the labels they have.

The wrappers of DeepStream's metadata are valid only while a buffer is held: what is wanted is copied out.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, List, Mapping, Optional, Protocol, Tuple

from label_text import LabelError, read_label

from shared.contract.errors import JobFailed
from shared.contract.streaming import Answer, ReadObject
from shared.inference.boxes import Box, clipped, grown, scaled

NO_TIME = (1 << 64) - 1
"""The time of a buffer that has none."""

UNTRACKED = (1 << 64) - 1
"""The number of an object that no tracker has numbered."""

MOST_TRACKS = 10_000
"""Of one source whose numbers are kept: a camera is read for weeks."""

Size = Tuple[float, float]
"""Width and height in pixels."""


@dataclass(frozen=True)
class FoundObject:
    """One object in a frame.

    Attributes:
        box: x_min, y_min, x_max, y_max in pixels of the mux's output, as the detector has it, or the tracker
            where the detector did not look.
        confidence: the detector's; below 0 where it has none.
        number: the tracker's, UNTRACKED without one.
        labels: what the networks say of it, by their number in the pipeline (`gie-unique-id`).
    """

    box: Box
    confidence: float
    number: int
    labels: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundFrame:
    """One frame of a batch.

    Attributes:
        source: its number among the pipeline's sources, from 0.
        pts: its time in nanoseconds; None where it has none.
        size: of the source's own frames.
        is_inferred: the detector has looked at it.
    """

    source: int
    pts: Optional[int]
    size: Size
    is_inferred: bool
    objects: Tuple[FoundObject, ...] = ()


class BatchMetadata(Protocol):
    """Reads what DeepStream attaches to the buffers of one pipeline, by whatever module its release has."""

    def frames(self, buffer: Any) -> List[FoundFrame]:
        """Return the frames of a batch, each object with its own box.

        Raises:
            JobFailed: an object that has no box.
        """

    def enlarge(self, buffer: Any, margin: float, size: Size) -> None:
        """Enlarge the objects of a batch by a share of their sides: what nvinfer crops for the next network.

        Args:
            size: of the mux's output.

        Raises:
            JobFailed: an object that has no box.
        """

    def restore(self, buffer: Any) -> None:
        """Give the objects of a batch that was enlarged their own boxes back, where those lie nowhere else.

        Raises:
            JobFailed: it was not enlarged.
        """


def crop_of(box: Box, margin: float, size: Size) -> Box:
    """Return a box enlarged by a share of its sides on each side, as far as the frame goes."""
    return clipped(grown(box, margin), *size)


class TrackNumbers:
    """The numbers of one source's tracks, from 1 in the order in which they came; the tracker has its own."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, int] = OrderedDict()
        self._last = 0

    def of(self, number: int) -> Optional[int]:
        """Return the number of a track by the tracker's; None where there is none."""
        if number == UNTRACKED:
            return None
        if number not in self._known:
            self._last += 1
            self._known[number] = self._last
            if len(self._known) > MOST_TRACKS:
                self._known.popitem(last=False)
        self._known.move_to_end(number)
        return self._known[number]


@dataclass(frozen=True)
class Meaning:
    """What the numbers in a pipeline's metadata mean.

    Attributes:
        readers: the nodes that read objects, by their number in the pipeline.
        has_scores: the detector gives each object a score; else nvinfer was told that it is sure.
        mux: the size that objects' boxes are in.
    """

    readers: Mapping[int, str]
    has_scores: bool
    mux: Size


def read_objects(frame: FoundFrame, meaning: Meaning, tracks: TrackNumbers) -> Tuple[ReadObject, ...]:
    """Return the objects of a frame as every stream tells them, the surest first, in pixels of the source.

    Raises:
        JobFailed: a label that cannot be read: cut off, or written by another parser.
    """
    x, y = (own / of for own, of in zip(frame.size, meaning.mux))
    found = []
    for one in frame.objects:
        has_score = meaning.has_scores and one.confidence >= 0
        score = one.confidence if has_score else None
        answers = _answers(one, meaning.readers)
        track, is_tracked = tracks.of(one.number), not frame.is_inferred
        box = scaled(one.box, x, y)
        found.append(ReadObject(box, score, answers, track, is_tracked=is_tracked))
    return tuple(sorted(found, key=lambda one: 0.0 if one.score is None else -one.score))


def _answers(one: FoundObject, readers: Mapping[int, str]) -> Mapping[str, Answer]:
    answers = {}
    for number, name in readers.items():
        if number in one.labels:
            try:
                answers[name] = read_label(one.labels[number])
            except LabelError as error:
                raise JobFailed(str(error), name, "build the image's parsers anew") from None
    return answers
