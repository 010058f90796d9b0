"""DeepStream's metadata by pyds, its module up to release 8.

Each list is a chain whose `.data` is cast and whose `.next` raises StopIteration at its end.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List

from metadata import NO_TIME, FoundFrame, FoundObject, Size, crop_of

from shared.contract.errors import JobFailed
from shared.inference.boxes import Box


class PydsMetadata:
    """Reads metadata by pyds (`metadata.BatchMetadata`).

    Each object has the detector's own box and the tracker's beside the one that is enlarged.

    Args:
        pyds: the module.
    """

    def __init__(self, pyds: Any) -> None:
        self._pyds = pyds

    def frames(self, buffer: Any) -> List[FoundFrame]:
        found = []
        for frame in self._frames(buffer):
            objects = tuple(self._found(one) for one in self._objects(frame))
            pts = int(frame.buf_pts)
            size = (float(frame.source_frame_width), float(frame.source_frame_height))
            told = None if pts == NO_TIME else pts
            found.append(FoundFrame(int(frame.pad_index), told, size, bool(frame.bInferDone), objects))
        return found

    def enlarge(self, buffer: Any, margin: float, size: Size) -> None:
        for frame in self._frames(buffer):
            for one in self._objects(frame):
                # From its own box, however often: each network has its own margin.
                x0, y0, x1, y1 = crop_of(own_box(one), margin, size)
                place = one.rect_params
                place.left, place.top, place.width, place.height = x0, y0, x1 - x0, y1 - y0

    def restore(self, buffer: Any) -> None:
        """Do nothing: the own boxes are still there."""

    def _frames(self, buffer: Any) -> Iterator[Any]:
        batch = self._pyds.gst_buffer_get_nvds_batch_meta(hash(buffer))
        return _chained(batch.frame_meta_list, self._pyds.NvDsFrameMeta.cast)

    def _objects(self, frame: Any) -> Iterator[Any]:
        return _chained(frame.obj_meta_list, self._pyds.NvDsObjectMeta.cast)

    def _found(self, one: Any) -> FoundObject:
        labels: Dict[int, str] = {}
        for said in _chained(one.classifier_meta_list, self._pyds.NvDsClassifierMeta.cast):
            for label in _chained(said.label_info_list, self._pyds.NvDsLabelInfo.cast):
                labels[int(said.unique_component_id)] = str(label.result_label)
        return FoundObject(own_box(one), float(one.confidence), int(one.object_id), labels)


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
