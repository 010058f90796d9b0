"""What is listened to inside a pipeline of DeepStream: its lines, and the time its elements take."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Callable, Dict, Optional, Sequence

from gate import Gate
from metadata import BatchMetadata, FoundFrame, Meaning, TrackNumbers, read_objects
from passage import Passages
from pipeline_description import is_live

from shared.contract.errors import DockyardError, JobFailed
from shared.contract.model import PipelineNode
from shared.contract.streaming import WAIT, FrameReading


@dataclass(frozen=True)
class Line:
    """A frame's reading, and when it was made.

    Attributes:
        latency_ns: from the frame's arrival.
    """

    reading: FrameReading
    latency_ns: int


class ReadingProbes:
    """Makes the lines of a pipeline's frames.

    Args:
        gst: the module `Gst`.
        metadata: reads that of this pipeline's buffers.
        program: with the pipeline.
        nodes: in the order of their elements, which have their names.
        names: of the sources, as lines have them.
        gates: of the sources.
    """

    def __init__(
        self,
        gst: Any,
        metadata: BatchMetadata,
        program: Any,
        nodes: Sequence[PipelineNode],
        names: Sequence[str],
        gates: Sequence[Gate],
        meaning: Meaning,
    ) -> None:
        self._gst, self._metadata, self._meaning = gst, metadata, meaning
        self._names, self._gates = names, gates
        self._tracks = [TrackNumbers() for _ in names]
        self._lines: "queue.SimpleQueue[Line]" = queue.SimpleQueue()
        self._problem: Optional[Exception] = None
        self._passages, self._waited_ns = Passages([node.name for node in nodes]), 0
        for place, node in enumerate(nodes):
            element = program.element(node.name)
            margin = node.crop_margin if place else 0.0
            self._listen(element, "sink", self._entering(place, margin))
            self._listen(element, "src", self._leaving(place, margin, place == len(nodes) - 1))

    @property
    def steps_ns(self) -> Dict[str, int]:
        """Nanoseconds of batches in each element, by its node's own step, and of frames in between."""
        return {**self._passages.spent_ns, WAIT: self._waited_ns}

    def forget(self) -> None:
        """Begin anew: what was read so far was to warm up."""
        self._passages.forget()
        self._waited_ns = 0
        while self.next_line(0.0) is not None:
            continue

    def next_line(self, seconds: float) -> Optional[Line]:
        """Return the next line, waiting so long for it; None where none comes.

        Raises:
            JobFailed: what a network said of an object cannot be read.
        """
        try:
            return self._lines.get(timeout=seconds) if seconds else self._lines.get_nowait()
        except queue.Empty:
            if self._problem is not None:
                raise self._problem from None
            return None

    def _listen(self, element: Any, pad: str, heard: Callable[[Any], None]) -> None:
        """Have a function told of each buffer; a problem that it has is kept for who waits for lines."""

        def probe(_: Any, info: Any) -> Any:
            try:
                heard(info.get_buffer())
            except DockyardError as problem:
                self._problem = self._problem or problem
            except Exception as error:  # what leaves a probe is printed by GStreamer, and lost
                self._problem = self._problem or JobFailed(f"{type(error).__name__}: {error}", "", "")
            return self._gst.PadProbeReturn.OK

        element.get_static_pad(pad).add_probe(self._gst.PadProbeType.BUFFER, probe)

    def _entering(self, place: int, margin: float) -> Callable[[Any], None]:
        def heard(buffer: Any) -> None:
            self._passages.enter(place, perf_counter_ns())
            if margin:
                self._metadata.enlarge(buffer, margin, self._meaning.mux)

        return heard

    def _leaving(self, place: int, margin: float, is_last: bool) -> Callable[[Any], None]:
        def heard(buffer: Any) -> None:
            batch = self._passages.leave(place, perf_counter_ns())
            if margin:
                self._metadata.restore(buffer)
            if is_last:
                for frame in self._metadata.frames(buffer):
                    self._tell(frame, batch.inside_ns)

        return heard

    def _tell(self, frame: FoundFrame, inside_ns: int) -> None:
        arrivals = self._gates[frame.source].arrivals
        arrival = arrivals.take(frame.pts)
        objects = read_objects(frame, self._meaning, self._tracks[frame.source])
        latency = perf_counter_ns() - arrival.arrived_ns
        self._waited_ns += max(0, latency - inside_ns)
        name = self._names[frame.source]
        time_s = arrivals.time_s(arrival, is_live(name))
        reading = FrameReading(name, arrival.number, time_s, objects, "", latency / 1e6)
        self._lines.put(Line(reading, latency))
