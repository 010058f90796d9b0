"""The gate behind a source's decoder: it notes when frames arrive, and lets those through that are asked for.

Before the clock starts the first frame goes through the whole pipeline, which warms it up, and the next is
held. What seeks in a file must not reach nvstreammux: a flush is dropped behind the decoder, as NVIDIA's own
application does to loop a file.
"""

from __future__ import annotations

import threading
from enum import Enum
from time import monotonic, perf_counter_ns
from typing import Any, Callable, Optional

from arrivals import Arrivals
from metadata import NO_TIME

from shared.contract.errors import JobFailed


class State(Enum):
    """What a gate does with a frame."""

    WARMING = "the first one goes through, the next is held"
    SEEKING = "none goes through until the source has been flushed"
    HOLDING = "it is held"
    READING = "it goes through"
    ENDED = "none goes through"


class Gate:
    """The gate of one source.

    Args:
        gst: the module `Gst`.
        pad: the decoder's, that its frames leave by.
        count: of frames that are let through; None for all.

    Attributes:
        arrivals: the frames that were let through.
        corrupt: frames that the decoder says it could not decode.
    """

    def __init__(self, gst: Any, pad: Any, count: Optional[int]) -> None:
        self.arrivals, self.corrupt = Arrivals(), 0
        self._gst, self._count = gst, count
        self._state, self._is_held, self._has_passed = State.WARMING, False, False
        self._changed = threading.Condition()
        pad.add_probe(gst.PadProbeType.BUFFER, self._on_frame)
        events = gst.PadProbeType.EVENT_DOWNSTREAM
        events |= gst.PadProbeType.EVENT_FLUSH
        pad.add_probe(events, self._on_event)

    @property
    def has_ended(self) -> bool:
        """No more frames are let through."""
        return self._state == State.ENDED

    def open(self) -> None:
        """Let frames through, the one that is held first."""
        self._become(State.READING)

    def end(self) -> None:
        """Let no more through."""
        self._become(State.ENDED)

    def seek(self, move: Callable[[], None], patience_s: float) -> None:
        """Go elsewhere in the source, and hold the frame that is there; those so far are forgotten.

        Args:
            move: flushes the source, and goes on elsewhere.

        Raises:
            JobFailed: no frame came from there in time.
        """
        self._become(State.SEEKING)
        move()
        end = monotonic() + patience_s
        with self._changed:
            while not (self._state == State.HOLDING and self._is_held):
                if monotonic() > end:
                    raise JobFailed("no frame came from where it is to begin", "", "is its index whole?")
                self._changed.wait(0.1)

    def _become(self, state: State) -> None:
        with self._changed:
            self._state, self._is_held = state, False
            self._changed.notify_all()

    def _on_frame(self, pad: Any, info: Any) -> Any:
        now, buffer = perf_counter_ns(), info.get_buffer()
        with self._changed:
            while self._is_in_the_way():
                self._is_held = True
                self._changed.notify_all()
                self._changed.wait()
                now = perf_counter_ns()
            if self._state in (State.SEEKING, State.ENDED):
                return self._gst.PadProbeReturn.DROP
            if buffer.has_flags(self._gst.BufferFlags.CORRUPTED):
                self.corrupt += 1
                self.arrivals.leave_out()
                return self._gst.PadProbeReturn.DROP
            self._has_passed = True
            self.arrivals.arrive(None if buffer.pts == NO_TIME else int(buffer.pts), now)
            if self.arrivals.arrived == self._count:
                self._state = State.ENDED
        return self._gst.PadProbeReturn.OK

    def _is_in_the_way(self) -> bool:
        """Tell whether a frame is held."""
        return self._state == State.HOLDING or (self._state == State.WARMING and self._has_passed)

    def _on_event(self, pad: Any, info: Any) -> Any:
        kind, types = info.get_event().type, self._gst.EventType
        with self._changed:
            if kind == types.FLUSH_STOP and self._state == State.SEEKING:
                self.arrivals = Arrivals()
                self._state = State.HOLDING
            is_moved = self._state in (State.SEEKING, State.HOLDING)
        is_flush = kind in (types.FLUSH_START, types.FLUSH_STOP)
        if is_flush or (is_moved and kind in (types.SEGMENT, types.EOS)):
            return self._gst.PadProbeReturn.DROP
        return self._gst.PadProbeReturn.OK
