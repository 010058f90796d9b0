"""Live sources of a running pipeline: one that breaks off is started again, by itself, until it comes back.

Its elements up to the mux are stopped, and started again, after the waits of `shared.inference.video.Live`;
the others go on. That a camera's pictures end is no other thing: its end goes no further than its decoder.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Callable, Dict, Iterator, Optional, Sequence

from pipeline_description import PipelineDescription, branch_of, decoder_of, is_live

from shared.inference.video import PATIENCE, Patience

Clock = Callable[[], float]


class LiveSource:
    """One live source.

    Args:
        names: of its elements, from the source on.
        now: the clock, in seconds.

    Attributes:
        reconnects: how often it has come back.
    """

    def __init__(self, names: Sequence[str], patience: Patience, now: Clock = monotonic) -> None:
        self.names, self.reconnects = tuple(names), 0
        self._patience, self._now = patience, now
        self._waits_s: Iterator[float] = patience.waits_s()
        self._again_at: Optional[float] = None
        self._is_opening = True
        self._heard = now()

    def hears(self) -> None:
        """Note a frame."""
        self._heard = self._now()
        if self._is_opening:
            self._is_opening = False
            self._waits_s = self._patience.waits_s()

    def breaks_off(self) -> None:
        """Note that it has ended, or has an error; what it says while it is waited for counts no more."""
        if self._again_at is None:
            wait_s = next(self._waits_s, self._patience.longest_wait_s)
            self._again_at = self._now() + wait_s

    def is_due(self) -> bool:
        """Tell whether it is to be started again; one that sends nothing for too long has broken off."""
        patience_s = self._patience.open_s if self._is_opening else self._patience.read_s
        if self._again_at is None and self._now() - self._heard > patience_s:
            self.breaks_off()
        return self._again_at is not None and self._now() >= self._again_at

    def starts_again(self) -> None:
        """Note that its elements have been started again."""
        self._again_at, self._is_opening = None, True
        self._heard = self._now()
        self.reconnects += 1


class LiveSources:
    """The live sources of a pipeline.

    Args:
        gst: the module `Gst`.
        program: with the pipeline; it asks here whether an error is a live source's.
        sources: in their order.
    """

    def __init__(
        self,
        gst: Any,
        program: Any,
        description: PipelineDescription,
        sources: Sequence[str],
        patience: Patience = PATIENCE,
    ) -> None:
        self._gst, self._program, self._description = gst, program, description
        self._by_number: Dict[int, LiveSource] = {}
        for number, source in enumerate(sources):
            if is_live(source):
                own = LiveSource(branch_of(description, number), patience)
                self._by_number[number] = own
                self._listen(program.element(decoder_of(description, number)), own)
        program.forgives = self._forgives

    @property
    def reconnects(self) -> int:
        return sum(one.reconnects for one in self._by_number.values())

    def look(self) -> None:
        """Start those again whose time has come; to be called again and again while the pipeline runs."""
        for own in self._by_number.values():
            if own.is_due():
                self._program.restart(own.names)
                own.starts_again()

    def _forgives(self, name: str) -> bool:
        """Tell whether an error is that a live source has broken off; its decoder's is another one."""
        for number, own in self._by_number.items():
            if name in own.names and name != decoder_of(self._description, number):
                own.breaks_off()
                return True
        return False

    def _listen(self, decoder: Any, own: LiveSource) -> None:
        """Have frames and the end of a source noted where they leave its decoder; the end goes no further."""

        def frame(_: Any, info: Any) -> Any:
            own.hears()
            return self._gst.PadProbeReturn.OK

        def event(_: Any, info: Any) -> Any:
            if info.get_event().type != self._gst.EventType.EOS:
                return self._gst.PadProbeReturn.OK
            own.breaks_off()
            return self._gst.PadProbeReturn.DROP

        pad = decoder.get_static_pad("src")
        pad.add_probe(self._gst.PadProbeType.BUFFER, frame)
        pad.add_probe(self._gst.PadProbeType.EVENT_DOWNSTREAM, event)
