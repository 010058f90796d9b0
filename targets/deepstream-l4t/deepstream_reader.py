"""Videos read by a pipeline of DeepStream, from its file to its lines."""

from __future__ import annotations

import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter_ns, process_time_ns
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Sequence, Tuple

from gate import Gate
from live_sources import LiveSources
from metadata import BatchMetadata, Meaning
from pipeline_description import Inference, PipelineDescription, Wish, decoder_of, describe, is_live
from reading_probes import Line, ReadingProbes

from shared.contract.errors import JobFailed
from shared.contract.model import PipelineNode
from shared.contract.streaming import NEWEST, FrameReading, StreamTotals
from shared.inference.addresses import without_password
from shared.inference.video import PATIENCE, Patience

OnReading = Callable[[FrameReading], None]

PATIENCE_S = 60.0
"""Seconds within which a file's frame has to come out of the pipeline: a decoder that does not find the
device's hardware waits for ever, and has hung boards.
"""

DRAIN_S = 10.0
"""Seconds in which frames that were taken have to be read, once no more are."""

TICK_S = 0.05
"""Seconds that a line is waited for before anything else is looked at."""


@dataclass(frozen=True)
class Vendor:
    """What a pipeline is run with.

    Attributes:
        gst: GStreamer's module `Gst`.
        metadata: makes what reads the metadata of one pipeline's buffers.
        program: makes a pipeline of its description (gst_program.GstProgram).
        size_of: returns width and height of a source's frames in pixels.
    """

    gst: Any
    metadata: Callable[[], BatchMetadata]
    program: Callable[[PipelineDescription], Any]
    size_of: Callable[[str], Tuple[int, int]]


@dataclass(frozen=True)
class Elements:
    """What the pipeline's elements are given.

    Attributes:
        nodes: the detector, then what reads its objects.
        configs: of nvinfer, in the same order.
        has_scores: the detector gives each object a score.
        tracker, tracker_config: paths of the tracker's library and its configuration; None without one.
    """

    nodes: Tuple[PipelineNode, ...]
    configs: Tuple[Inference, ...]
    has_scores: bool
    tracker: Optional[str] = None
    tracker_config: Optional[str] = None


class DeepStreamReader:
    """Reads videos by DeepStream (`toolchain.PipelineReader`).

    A file's first frame has gone through before the clock starts; where the reading begins later it is left
    out, else it is read like the others. A camera or an address that breaks off is waited for, while the
    other sources are read.

    Args:
        folder: with the configurations; given back at the end.
        elements, settings: what it runs with; the settings as JSON.
        patience: with a camera or an address that is away.
    """

    def __init__(
        self,
        elements: Elements,
        vendor: Vendor,
        folder: "tempfile.TemporaryDirectory[str]",
        settings: Mapping[str, Any],
        patience: Patience = PATIENCE,
    ) -> None:
        self.settings, self._patience = settings, patience
        self.elements, self._vendor, self._folder = elements, vendor, folder
        self._is_ended = threading.Event()
        self._sizes: Dict[str, Tuple[int, int]] = {}

    def read(
        self,
        sources: Sequence[str],
        on_reading: OnReading,
        *,
        begin: float = 0.0,
        seconds: Optional[float] = None,
        frames: Optional[int] = None,
    ) -> StreamTotals:
        self._is_ended.clear()
        sizes, own = [self._size_of(source) for source in sources], self.elements
        mux = sizes[0]
        description = describe(Wish(tuple(sources), mux, own.configs, own.tracker, own.tracker_config))
        with self._vendor.program(description) as program:
            gates = [self._gate(program, description, number, frames) for number in range(len(sources))]
            readers = {number: node.name for number, node in enumerate(own.nodes, 1) if number > 1}
            meaning = Meaning(readers, own.has_scores, mux)
            names = [without_password(source) for source in sources]
            metadata = self._vendor.metadata()
            live = LiveSources(self._vendor.gst, program, description, sources, self._patience)
            probes = ReadingProbes(self._vendor.gst, metadata, program, own.nodes, names, gates, meaning)
            run = Run(self._vendor.gst, program, gates, probes, live if any(map(is_live, sources)) else None)
            try:
                run.prepare(description, begin)
                return run.follow(on_reading, seconds, self._is_ended)
            finally:
                for gate in gates:  # a frame that is held would keep the pipeline from stopping
                    gate.end()

    def _size_of(self, source: str) -> Tuple[int, int]:
        """Return a source's size in pixels; a file is looked at once, however many bursts read it."""
        if is_live(source):
            return self._vendor.size_of(source)
        if source not in self._sizes:
            self._sizes[source] = self._vendor.size_of(source)
        return self._sizes[source]

    def _gate(
        self, program: Any, description: PipelineDescription, number: int, frames: Optional[int]
    ) -> Gate:
        pad = program.element(decoder_of(description, number)).get_static_pad("src")
        return Gate(self._vendor.gst, pad, frames)

    def end(self) -> None:
        self._is_ended.set()

    def close(self) -> None:
        self._folder.cleanup()


class Run:
    """One reading of sources.

    Args:
        live: those of the sources that send frames in their own time; None where none does.
    """

    def __init__(
        self,
        gst: Any,
        program: Any,
        gates: Sequence[Gate],
        probes: ReadingProbes,
        live: Optional[LiveSources],
    ) -> None:
        self._gst, self._program, self._gates, self._probes = gst, program, gates, probes
        self._live, self._is_live = live, live is not None
        self._warm: List[Line] = []

    def prepare(self, description: PipelineDescription, begin: float) -> None:
        """Load the engines, warm up with the first frame of each file, and go to where the reading begins.

        Raises:
            JobFailed: an element has an error, or no frame comes out.
        """
        if self._program.pipeline.set_state(self._gst.State.PAUSED) == self._gst.StateChangeReturn.FAILURE:
            self._program.wait(1.0)
            raise JobFailed("the pipeline cannot be started, and no element says why", "", "see its log")
        if self._is_live:
            return
        end = monotonic() + PATIENCE_S
        while len(self._warm) < len(self._gates):
            line = self._probes.next_line(TICK_S)
            self._warm += [line] if line is not None else []
            self._program.wait(0.0)
            if monotonic() > end:
                raise _stuck(PATIENCE_S)
        if begin:
            for number, gate in enumerate(self._gates):
                decoder = self._program.element(decoder_of(description, number))
                gate.seek(partial(self._move, decoder, begin), PATIENCE_S)
            self._warm = []
        self._probes.forget()

    def _move(self, decoder: Any, begin: float) -> None:
        """Go to a share of a file: from its decoder, since the mux hands nothing on to its sources."""
        time = self._gst.Format.TIME
        is_known, duration = decoder.query_duration(time)
        if not is_known:
            raise JobFailed("how long the video is cannot be told", "", "give it in .mp4 or .mkv")
        flags = self._gst.SeekFlags.FLUSH
        flags |= self._gst.SeekFlags.ACCURATE
        none = self._gst.SeekType.NONE
        start = int(begin * duration)
        event = self._gst.Event.new_seek(1.0, time, flags, self._gst.SeekType.SET, start, none, -1)
        decoder.send_event(event)

    def follow(
        self, on_reading: OnReading, seconds: Optional[float], is_ended: threading.Event
    ) -> StreamTotals:
        """Tell each line as it comes, until the sources have ended or no more is wanted.

        Raises:
            JobFailed: an element has an error, a label cannot be read, or no frame comes out.
        """
        latencies: Deque[int] = deque(maxlen=NEWEST)
        told = 0
        for warm in self._warm:
            on_reading(warm.reading)
            told += 1
        started, cpu = perf_counter_ns(), process_time_ns()
        end, last, heard = monotonic() + (seconds or 0.0), started, monotonic()
        for gate in self._gates:
            if not gate.has_ended:
                gate.open()
        self._program.play()
        has_ended = False
        while True:
            line = self._probes.next_line(TICK_S)
            if line is not None:
                heard, last = monotonic(), perf_counter_ns()
                latencies.append(line.latency_ns)
                on_reading(line.reading)
                told += 1
            elif has_ended:
                break
            if is_ended.is_set() or (seconds is not None and monotonic() > end):
                self._end_gates()
            if self._live is not None:
                self._live.look()
            has_ended = has_ended or self._program.wait(0.0) or self._is_drained(monotonic() - heard)
        return self._totals(told, (last - started) / 1e9, tuple(latencies), (process_time_ns() - cpu) / 1e9)

    def _end_gates(self) -> None:
        for gate in self._gates:
            gate.end()

    def _is_drained(self, silence_s: float) -> bool:
        """Tell whether all that was taken has been read, and no more is. Raises JobFailed."""
        is_closed = all(gate.has_ended for gate in self._gates)
        if is_closed and not any(gate.arrivals.waiting for gate in self._gates):
            return True
        if is_closed and self._is_live and silence_s > DRAIN_S:
            return True
        patience_s = DRAIN_S if is_closed else PATIENCE_S
        if not self._is_live and silence_s > patience_s:
            raise _stuck(patience_s)
        return False

    def _totals(self, frames: int, seconds: float, latencies: Tuple[int, ...], cpu_s: float) -> StreamTotals:
        lost = sum(gate.arrivals.dropped + gate.arrivals.waiting for gate in self._gates)
        corrupt = sum(gate.corrupt for gate in self._gates)
        reconnects = 0 if self._live is None else self._live.reconnects
        return StreamTotals(
            frames, lost, corrupt, reconnects, seconds, latencies, steps_ns=self._probes.steps_ns, cpu_s=cpu_s
        )


def _stuck(seconds: float) -> JobFailed:
    advice = "see what the pipeline says: hardware decoding needs kmod, AARCH64_IGPU=1 and the runtime nvidia"
    return JobFailed(f"no frame came out of the pipeline in {seconds:g} s", "", advice)
