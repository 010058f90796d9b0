"""DeepStream's metadata by pyservicemaker, which took pyds's place with release 9.

It tells a classifier's labels as text and nothing beside, and of an object's boxes the one that nvinfer
crops. Its `Buffer` is made of GStreamer's, as NVIDIA's own element in Python does (deepstream-vllm-plugin of
NVIDIA/DeepStream 9.1). What ends in `_items` can be gone through once.
"""

from __future__ import annotations

from typing import Any, Dict, List

from metadata import NO_TIME, FoundFrame, FoundObject, Size, crop_of

from shared.contract.errors import JobFailed
from shared.inference.boxes import Box


class ServiceMakerMetadata:
    """Reads metadata by pyservicemaker (`metadata.BatchMetadata`).

    With a tracker, an object's box is the tracker's. Whether the detector has looked at a frame is told by
    its objects: those that a tracker alone has seen have a confidence below 0.

    While a batch is in an element its objects are enlarged, and their own boxes kept here, by the buffer:
    nvinfer hands on the one that it got, and neither adds nor takes objects when it reads them.

    Args:
        service_maker: the module.
    """

    def __init__(self, service_maker: Any) -> None:
        self._service_maker = service_maker
        self._taken: Dict[int, List[Box]] = {}

    def frames(self, buffer: Any) -> List[FoundFrame]:
        found = []
        for frame in self._batch(buffer).frame_items:
            objects = tuple(_found(one) for one in frame.object_items)
            pts = int(frame.buffer_pts)
            size = (float(frame.source_width), float(frame.source_height))
            is_inferred = not objects or any(one.confidence >= 0 for one in objects)
            told = None if pts == NO_TIME else pts
            found.append(FoundFrame(int(frame.pad_index), told, size, is_inferred, objects))
        return found

    def enlarge(self, buffer: Any, margin: float, size: Size) -> None:
        taken = []
        for frame in self._batch(buffer).frame_items:
            for one in frame.object_items:
                box = _box(one.rect_params)
                taken.append(box)
                _place(one.rect_params, crop_of(box, margin, size))
        self._taken[hash(buffer)] = taken

    def restore(self, buffer: Any) -> None:
        own = self._taken.pop(hash(buffer), None)
        if own is None:
            raise JobFailed("a batch left an element in another buffer than it came in", "", "")
        taken = iter(own)
        for frame in self._batch(buffer).frame_items:
            for one in frame.object_items:
                _place(one.rect_params, next(taken))

    def _batch(self, buffer: Any) -> Any:
        return self._service_maker.Buffer(buffer).batch_meta


def _found(one: Any) -> FoundObject:
    labels: Dict[int, str] = {}
    for said in one.classifier_items:
        for number in range(said.n_labels):
            labels[int(said.unique_component_id)] = str(said.get_n_label(number))
    return FoundObject(_box(one.rect_params), float(one.confidence), int(one.object_id), labels)


def _box(place: Any) -> Box:
    """Return the box of an object. Raises JobFailed where it has none."""
    if not (place.width > 0 and place.height > 0):
        raise JobFailed(
            "an object has neither the detector's box nor a tracker's", "", "look at the detector"
        )
    left, top = float(place.left), float(place.top)
    return left, top, left + float(place.width), top + float(place.height)


def _place(place: Any, box: Box) -> None:
    x0, y0, x1, y1 = box
    place.left, place.top, place.width, place.height = x0, y0, x1 - x0, y1 - y0
