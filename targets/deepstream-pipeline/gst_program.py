"""A described pipeline in GStreamer: built, started, listened to, and stopped whatever happens."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Dict, Optional, Sequence, Type

from gstreamer import Gst
from pipeline_description import GstElement, PipelineDescription

from shared.contract.errors import JobFailed, nearest
from shared.inference.addresses import without_password
from shared.inference.session import Unsupported

PATIENCE_S = 30.0
"""Seconds within which a pipeline has to be ready: a device may load its engines meanwhile."""


def release() -> str:
    """Return GStreamer's release."""
    Gst.init(None)
    return str(Gst.version_string()).replace("GStreamer ", "")


class GstProgram:
    """A pipeline of GStreamer; leaving its context stops it and gives back what it holds.

    Attributes:
        forgives: tells by an element's name whether its error is no end of the pipeline.

    Raises:
        Unsupported: this machine has no such element.
    """

    def __init__(self, description: PipelineDescription) -> None:
        Gst.init(None)
        self.pipeline = Gst.Pipeline.new(None)
        self._made: Dict[str, Any] = {}
        for element in description.elements:
            self._made[element.name] = _make(element)
            self.pipeline.add(self._made[element.name])
        for link in description.links:
            origin, target = self._made[link.origin], self._made[link.target]
            if link.is_late:
                origin.connect("pad-added", _link_late, target)
            elif not origin.link_pads(None, target, link.pad):
                raise JobFailed(f"{link.origin} cannot be linked with {link.target}", "", "is it H.264?")
        self._bus = self.pipeline.get_bus()
        self.forgives: Callable[[str], bool] = lambda name: False

    def __enter__(self) -> GstProgram:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.pipeline.set_state(Gst.State.NULL)

    def element(self, name: str) -> Any:
        """Return an element, `Gst.Element`."""
        return self._made[name]

    def prepare(self, begin: float = 0.0) -> None:
        """Bring it to where its first frame is ready.

        Args:
            begin: the share of a file that is left out before, 0 to 1.

        Raises:
            JobFailed: it is not ready in PATIENCE_S, or an element has an error.
        """
        change = self.pipeline.set_state(Gst.State.PAUSED)
        if change == Gst.StateChangeReturn.NO_PREROLL:  # a live source, which is ready when it plays
            return
        self._wait_until_ready()
        known, duration = self.pipeline.query_duration(Gst.Format.TIME)
        if begin and known:
            flags = Gst.SeekFlags.FLUSH
            flags |= Gst.SeekFlags.ACCURATE
            self.pipeline.seek_simple(Gst.Format.TIME, flags, int(begin * duration))
            self._wait_until_ready()

    def play(self) -> None:
        self.pipeline.set_state(Gst.State.PLAYING)

    def _wait_until_ready(self) -> None:
        wanted = Gst.MessageType.ERROR
        wanted |= Gst.MessageType.ASYNC_DONE
        message = self._bus.timed_pop_filtered(int(PATIENCE_S * Gst.SECOND), wanted)
        if message is None:
            raise JobFailed(f"the pipeline was not ready in {PATIENCE_S:g} s", "", "look at the source")
        if message.type == Gst.MessageType.ERROR:
            raise _failure(message)

    def raise_error(self) -> None:
        """Raise JobFailed where an element has told of an error that is not forgiven."""
        while True:
            message = self._bus.pop_filtered(Gst.MessageType.ERROR)
            if message is None:
                return
            self._refuse(message)

    def wait(self, seconds: float) -> bool:
        """Wait for the end of all sources; tell whether it has come.

        Raises:
            JobFailed: an element has told of an error that is not forgiven.
        """
        wanted = Gst.MessageType.ERROR
        wanted |= Gst.MessageType.EOS
        while True:
            message = self._bus.timed_pop_filtered(int(seconds * Gst.SECOND), wanted)
            if message is None or message.type == Gst.MessageType.EOS:
                return message is not None
            self._refuse(message)

    def restart(self, names: Sequence[str]) -> None:
        """Stop elements that are linked in this order, and start them again while all others go on."""
        own = [self._made[name] for name in names]
        for element in own:
            element.set_state(Gst.State.NULL)
        for element in reversed(own):
            element.sync_state_with_parent()

    def _refuse(self, message: Any) -> None:
        """Raise an element's error as JobFailed, unless it is forgiven."""
        place = message.src
        # What an element like rtspsrc has made within itself speaks by its own name.
        while place is not None and place.get_name() not in self._made:
            place = place.get_parent()
        if place is None or not self.forgives(place.get_name()):
            raise _failure(message)


def _make(element: GstElement) -> Any:
    made = Gst.ElementFactory.make(element.factory, element.name)
    if made is None:
        raise Unsupported(f"GStreamer has no element '{element.factory}' here: see `doctor` for its packages")
    for name, value in element.properties.items():
        if made.find_property(name) is None:
            known = [one.name for one in made.list_properties()]
            raise Unsupported(f"{element.factory} has no property '{name}' here: {nearest(name, known)}")
        if name == "caps":
            made.set_property(name, Gst.Caps.from_string(str(value)))
        elif isinstance(value, str):
            # As gst-launch does: an enumeration is told by its nick.
            Gst.util_set_object_arg(made, name, value)
        else:
            made.set_property(name, value)
    return made


def _link_late(origin: Any, pad: Any, target: Any) -> None:
    """Link a pad that appears while a file is opened, if it is the video's and the first."""
    sink = target.get_static_pad("sink")
    if not sink.is_linked() and pad.can_link(sink):
        pad.link(sink)


def _failure(message: Any) -> JobFailed:
    """Return what an element says went wrong."""
    error, details = message.parse_error()
    where = message.src.get_name() if message.src is not None else ""
    return JobFailed(f"{_short(error.message)} ({_short(details or '')})", where, "look at the source")


def _short(text: str) -> str:
    """Return a message without line ends or passwords, and not too long."""
    words = (without_password(word) for word in text.split())
    return " ".join(words)[:300]
