"""DeepStream's metadata as pyds and pyservicemaker give it, and a GStreamer that has only what probes need.

The wrappers are as strict as the real ones: a chain of pyds ends with StopIteration, and its items have to be
cast; what pyservicemaker calls `..._items` can be gone through once and has no length, and a wrapper has what
its release has and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace, TracebackType
from typing import Any

NO_NUMBER = (1 << 64) - 1


@dataclass
class Rect:
    left: float = 0.0
    top: float = 0.0
    width: float = 0.0
    height: float = 0.0


class Raw:
    """An item of a chain before it is cast."""

    def __init__(self, kind: str, item: Any) -> None:
        self.kind, self.item = kind, item


class Chain:
    """A GList of pyds."""

    def __init__(self, items: Sequence[Raw]) -> None:
        self._items = items

    @property
    def data(self) -> Raw:
        return self._items[0]

    @property
    def next(self) -> Chain:
        if len(self._items) == 1:
            raise StopIteration
        return Chain(self._items[1:])


def chain(kind: str, items: Sequence[Any]) -> Chain | None:
    """Return items as pyds lists them; none are None."""
    return Chain([Raw(kind, item) for item in items]) if items else None


def casting(kind: str) -> Any:
    def cast(raw: Raw) -> Any:
        assert raw.kind == kind, f"{raw.kind} is no {kind}"
        return raw.item

    return SimpleNamespace(cast=cast)


class Pyds:
    """The module pyds; the metadata of a buffer is found by the buffer's hash."""

    NvDsFrameMeta = casting("frame")
    NvDsObjectMeta = casting("object")
    NvDsClassifierMeta = casting("classifier")
    NvDsLabelInfo = casting("label")

    def __init__(self) -> None:
        self.batches: dict[int, Any] = {}

    def gst_buffer_get_nvds_batch_meta(self, number: int) -> Any:
        return self.batches[number]


def classified(number: int, *labels: str) -> SimpleNamespace:
    """What one nvinfer says of an object; `result_prob` is what must not be believed."""
    told = [SimpleNamespace(result_label=label, result_prob=0.123) for label in labels]
    return SimpleNamespace(unique_component_id=number, label_info_list=chain("label", told))


def found_object(
    box: tuple[float, float, float, float],
    *said: SimpleNamespace,
    confidence: float = 0.9,
    number: int = NO_NUMBER,
    by_tracker: bool = False,
) -> SimpleNamespace:
    """An object: its box is left, top, width and height, the detector's or the tracker's alone."""
    own, none = SimpleNamespace(org_bbox_coords=Rect(*box)), SimpleNamespace(org_bbox_coords=Rect())
    return SimpleNamespace(
        rect_params=Rect(*box),
        detector_bbox_info=none if by_tracker else own,
        tracker_bbox_info=own if by_tracker else none,
        confidence=confidence,
        object_id=number,
        classifier_meta_list=chain("classifier", said),
    )


def found_frame(
    *objects: SimpleNamespace,
    pts: int = 0,
    pad: int = 0,
    size: tuple[int, int] = (640, 480),
    inferred: bool = True,
) -> SimpleNamespace:
    """A frame of a batch."""
    return SimpleNamespace(
        pad_index=pad,
        buf_pts=pts,
        source_frame_width=size[0],
        source_frame_height=size[1],
        bInferDone=int(inferred),
        obj_meta_list=chain("object", objects),
    )


def batch_of(*frames: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(frame_meta_list=chain("frame", frames))


class ServiceMaker:
    """The module pyservicemaker, over the metadata that pyds would give.

    Names are those of DeepStream 9.1 (skills/deepstream-dev/references/service_maker_api.md in
    NVIDIA/DeepStream).
    """

    def __init__(self, pyds: Pyds) -> None:
        self._pyds = pyds

    def Buffer(self, buffer: Any) -> SimpleNamespace:
        """A wrapper of GStreamer's buffer."""
        return SimpleNamespace(batch_meta=_Batch(self._pyds.batches[hash(buffer)]))


def once(items: Iterator[Any]) -> Iterator[Any]:
    """What can be gone through once: no list."""
    return iter(items)


def items_of(chained: Chain | None) -> Iterator[Any]:
    """Yield what a chain of pyds holds."""
    node = chained
    while node is not None:
        yield node.data.item
        try:
            node = node.next
        except StopIteration:
            return


class _Wrapper:
    """Has the names that a subclass lists, and no others."""

    __slots__ = ("_one",)

    def __init__(self, one: SimpleNamespace) -> None:
        self._one = one


class _Batch(_Wrapper):
    __slots__ = ()

    @property
    def frame_items(self) -> Iterator[_Frame]:
        return once(_Frame(one) for one in items_of(self._one.frame_meta_list))


class _Frame(_Wrapper):
    __slots__ = ()

    @property
    def pad_index(self) -> int:
        return int(self._one.pad_index)

    @property
    def buffer_pts(self) -> int:
        return int(self._one.buf_pts)

    @property
    def source_width(self) -> int:
        return int(self._one.source_frame_width)

    @property
    def source_height(self) -> int:
        return int(self._one.source_frame_height)

    @property
    def object_items(self) -> Iterator[_Object]:
        return once(_Object(one) for one in items_of(self._one.obj_meta_list))


class _Object(_Wrapper):
    __slots__ = ()

    @property
    def confidence(self) -> float:
        return float(self._one.confidence)

    @property
    def object_id(self) -> int:
        return int(self._one.object_id)

    @property
    def rect_params(self) -> Rect:
        place: Rect = self._one.rect_params
        return place

    @property
    def classifier_items(self) -> Iterator[_Classifier]:
        return once(_Classifier(one) for one in items_of(self._one.classifier_meta_list))


class _Classifier(_Wrapper):
    __slots__ = ()

    @property
    def unique_component_id(self) -> int:
        return int(self._one.unique_component_id)

    @property
    def n_labels(self) -> int:
        return len(list(items_of(self._one.label_info_list)))

    def get_n_label(self, number: int) -> str:
        return str(list(items_of(self._one.label_info_list))[number].result_label)


class Flag(int):
    """A flag of GStreamer's."""

    def __or__(self, other: int) -> Flag:
        return Flag(int(self) | int(other))


class Gst:
    """The module Gst, as far as the probes use it."""

    PadProbeType = SimpleNamespace(BUFFER=Flag(1), EVENT_DOWNSTREAM=Flag(2), EVENT_FLUSH=Flag(4))
    PadProbeReturn = SimpleNamespace(OK="ok", DROP="drop")
    BufferFlags = SimpleNamespace(CORRUPTED="corrupted")
    EventType = SimpleNamespace(
        FLUSH_START="flush-start", FLUSH_STOP="flush-stop", SEGMENT="segment", EOS="eos"
    )
    State = SimpleNamespace(PAUSED="paused", PLAYING="playing", NULL="null")
    StateChangeReturn = SimpleNamespace(FAILURE="failure", SUCCESS="success")
    Format = SimpleNamespace(TIME="time")
    SeekFlags = SimpleNamespace(FLUSH=Flag(1), ACCURATE=Flag(2))
    SeekType = SimpleNamespace(SET="set", NONE="none")

    class Event:
        @staticmethod
        def new_seek(*told: Any) -> SimpleNamespace:
            return SimpleNamespace(type="seek", start=told[4])


@dataclass(eq=False)
class Buffer:
    """A buffer: its flags, and the metadata that nvinfer would attach."""

    pts: int
    frames: tuple[SimpleNamespace, ...] = ()
    flags: tuple[str, ...] = ()

    def has_flags(self, flag: str) -> bool:
        return flag in self.flags


class Info:
    def __init__(self, buffer: Buffer | None = None, event: str | None = None) -> None:
        self._buffer, self._event = buffer, event

    def get_buffer(self) -> Buffer | None:
        return self._buffer

    def get_event(self) -> SimpleNamespace:
        return SimpleNamespace(type=self._event)


class Pad:
    """A pad whose probes are called, in the order in which they came."""

    def __init__(self) -> None:
        self.probes: list[tuple[int, Callable[[Any, Any], Any]]] = []

    def add_probe(self, kind: int, probe: Callable[[Any, Any], Any]) -> None:
        self.probes.append((kind, probe))

    def passes(self, buffer: Buffer) -> bool:
        """Tell whether a buffer goes on."""
        found = [probe for kind, probe in self.probes if kind & Gst.PadProbeType.BUFFER]
        return all(probe(self, Info(buffer)) == "ok" for probe in found)

    def hands_on(self, event: str) -> bool:
        """Tell whether an event goes on."""
        is_flush = event.startswith("flush")
        wanted = Gst.PadProbeType.EVENT_FLUSH if is_flush else Gst.PadProbeType.EVENT_DOWNSTREAM
        return all(probe(self, Info(event=event)) == "ok" for kind, probe in self.probes if kind & wanted)


@dataclass
class Element:
    pads: dict[str, Pad] = field(default_factory=lambda: {"sink": Pad(), "src": Pad()})

    def get_static_pad(self, name: str) -> Pad:
        return self.pads[name]


class Decoder(Element):
    """A file's decoder: a thread that sends frames, from elsewhere when it is told to."""

    def __init__(self, frames: Sequence[Buffer], program: Program) -> None:
        super().__init__()
        self.frames, self._program, self.seeks = frames, program, 0
        self._start = 0
        self._moved = False

    def query_duration(self, form: str) -> tuple[bool, int]:
        return bool(self.frames), len(self.frames) * 1000

    def send_event(self, event: SimpleNamespace) -> None:
        self.seeks += 1
        self._start = event.start // 1000
        self._moved = True

    def stream(self) -> None:
        """Send the frames, then tell the end; what is dropped at the end of a seek is where it began."""
        pad = self.pads["src"]
        at = 0
        while not self._program.is_stopped:
            if self._moved:
                self._moved = False
                for event in ("flush-start", "flush-stop", "segment"):
                    assert not pad.hands_on(event), f"{event} reached the mux"
                at = self._start
            if at < len(self.frames):
                if pad.passes(self.frames[at]):
                    self._program.goes_in(self.frames[at])
                at += 1
            elif pad.hands_on("eos"):
                self._program.has_ended.set()
                return


class Program:
    """A pipeline with elements of these names, in which frames go from the decoders through those that infer.

    Args:
        sources: the frames of each source.
        names: of the elements that infer.
        problem: what the pipeline says instead of running.
    """

    def __init__(
        self,
        sources: Sequence[Sequence[Buffer]],
        names: Sequence[str],
        pyds: Pyds,
        problem: Exception | None = None,
    ) -> None:
        self.pipeline = SimpleNamespace(set_state=self._set_state)
        self.elements: dict[str, Element] = {name: Element() for name in names}
        self.decoders = [Decoder(frames, self) for frames in sources]
        self.elements.update({f"nvv4l2decoder{at}": one for at, one in enumerate(self.decoders)})
        self.has_ended, self.is_stopped, self.is_playing = threading.Event(), False, False
        self.crops: list[Rect] = []
        self._names, self._pyds, self._problem = names, pyds, problem
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def element(self, name: str) -> Element:
        return self.elements[name]

    def goes_in(self, buffer: Buffer) -> None:
        """Take a frame through the elements that infer; what each crops is kept."""
        with self._lock:
            self._pyds.batches[hash(buffer)] = batch_of(*buffer.frames)
            for name in self._names:
                self.elements[name].pads["sink"].passes(buffer)
                self.crops += [place for frame in buffer.frames for place in rects(frame)]
                self.elements[name].pads["src"].passes(buffer)

    def _set_state(self, state: str) -> str:
        if self._problem is not None:
            return "failure"
        self._threads = [threading.Thread(target=one.stream, daemon=True) for one in self.decoders]
        for thread in self._threads:
            thread.start()
        return "success"

    def restart(self, names: Sequence[str]) -> None:
        raise AssertionError("files are not started again")

    def play(self) -> None:
        self.is_playing = True

    def wait(self, seconds: float) -> bool:
        if self._problem is not None:
            raise self._problem
        return self.is_playing and self.has_ended.is_set()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_stopped = True
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive(), "a frame that is held keeps the pipeline from stopping"


def rects(frame: SimpleNamespace) -> Iterator[Rect]:
    """Yield what nvinfer would crop of a frame."""
    for one in items_of(frame.obj_meta_list):
        place = one.rect_params
        yield Rect(place.left, place.top, place.width, place.height)
