"""What DeepStream attaches to frames, as plain values: the objects that were found, and the labels they have.

The wrappers of DeepStream's metadata are valid only while a buffer is held: what is wanted is copied out. By
pyds each list is a chain whose `.data` is cast and whose `.next` raises StopIteration at its end.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

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


def frames_of(batch: Any, pyds: Any) -> List[FoundFrame]:
    """Return the frames of a batch.

    Args:
        batch: `NvDsBatchMeta`.
        pyds: DeepStream's module, which casts.

    Raises:
        JobFailed: an object that has no box.
    """
    found = []
    for frame in _chained(batch.frame_meta_list, pyds.NvDsFrameMeta.cast):
        objects = tuple(_found_object(one, pyds) for one in _objects(frame, pyds))
        pts = int(frame.buf_pts)
        size = (float(frame.source_frame_width), float(frame.source_frame_height))
        told = None if pts == NO_TIME else pts
        found.append(FoundFrame(int(frame.pad_index), told, size, bool(frame.bInferDone), objects))
    return found


def enlarge(batch: Any, pyds: Any, margin: float, size: Size) -> None:
    """Enlarge the objects of a batch by a share of their sides: what nvinfer crops for the next network.

    It begins at the object's own box however often it is enlarged, so that each network has its own margin.

    Args:
        size: of the mux's output.

    Raises:
        JobFailed: an object that has no box.
    """
    for frame in _chained(batch.frame_meta_list, pyds.NvDsFrameMeta.cast):
        for one in _objects(frame, pyds):
            x0, y0, x1, y1 = crop_of(own_box(one), margin, size)
            place = one.rect_params
            place.left, place.top, place.width, place.height = x0, y0, x1 - x0, y1 - y0


def crop_of(box: Box, margin: float, size: Size) -> Box:
    """Return a box enlarged by a share of its sides on each side, as far as the frame goes."""
    return clipped(grown(box, margin), *size)


def own_box(one: Any) -> Box:
    """Return the box of an object, `NvDsObjectMeta`, as it was found, whatever was made of it since.

    Raises:
        JobFailed: neither the detector nor a tracker has given it one.
    """
    for info in (one.detector_bbox_info, one.tracker_bbox_info):
        place = info.org_bbox_coords
        if place.width > 0 and place.height > 0:
            left, top = float(place.left), float(place.top)
            return left, top, left + float(place.width), top + float(place.height)
    raise JobFailed("an object has neither the detector's box nor a tracker's", "", "look at the detector")


def _objects(frame: Any, pyds: Any) -> Iterator[Any]:
    return _chained(frame.obj_meta_list, pyds.NvDsObjectMeta.cast)


def _found_object(one: Any, pyds: Any) -> FoundObject:
    labels: Dict[int, str] = {}
    for said in _chained(one.classifier_meta_list, pyds.NvDsClassifierMeta.cast):
        for label in _chained(said.label_info_list, pyds.NvDsLabelInfo.cast):
            labels[int(said.unique_component_id)] = str(label.result_label)
    return FoundObject(own_box(one), float(one.confidence), int(one.object_id), labels)


def _chained(node: Any, cast: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield what a chain of pyds holds; None is an empty one."""
    while node is not None:
        try:
            item = cast(node.data)
        except StopIteration:
            return
        yield item
        try:
            node = node.next
        except StopIteration:
            return


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
