"""A pipeline's description run in software: GStreamer decodes, stand-ins for nvinfer read, lines come out."""

from __future__ import annotations

import tempfile
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from time import monotonic, perf_counter_ns, process_time_ns
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
from arrivals import Arrivals
from gst_program import GstProgram, release
from gstreamer import Gst
from live_sources import LiveSources
from pipeline_description import Inference, Wish, decoder_of, describe, is_live
from software_inference import SoftwareInference, read_objects
from software_pipeline import in_software, sink_name
from sources import outline_of_h264

from shared.contract.errors import JobFailed
from shared.contract.streaming import COLOUR, NEWEST, WAIT, FrameReading, ReadObject, StreamTotals
from shared.inference.addresses import without_password
from shared.inference.arrays import Array
from shared.inference.boxes import scaled
from shared.inference.pipeline import Clock
from shared.inference.video import PATIENCE, Patience

OnReading = Callable[[FrameReading], None]

PLAIN, CONVERTED = "I420", "BGR"
"""What is taken of a source: its frames as they were decoded, whose colours are converted as those of every
other stream of ours; or converted by GStreamer, which knows the other colours.
"""

PATIENCE_S = 0.05
"""Seconds that the frames of one source are waited for before another is looked at."""


@dataclass
class _Line:
    """One source on its way.

    Attributes:
        size: width and height of its frames in pixels; they come in the mux's.
        form: PLAIN or CONVERTED.
        is_live: frames that are not taken in time give way to newer ones.
        arrivals: the frames that have left its decoder.
    """

    name: str
    sink: Any
    size: Tuple[int, int]
    form: str
    is_live: bool
    frames: int = 0
    arrivals: Arrivals = field(default_factory=Arrivals)
    has_ended: bool = False


@dataclass
class _Sums:
    """What has come of the frames so far (`StreamTotals`)."""

    frames: int = 0
    corrupt: int = 0
    latency_ns: Deque[int] = field(default_factory=lambda: deque(maxlen=NEWEST))
    steps_ns: Dict[str, int] = field(default_factory=dict)

    def add(self, latency: int, steps: Mapping[str, int]) -> None:
        """Add a frame that was read."""
        self.frames += 1
        self.latency_ns.append(latency)
        for step, spent in steps.items():
            self.steps_ns[step] = self.steps_ns.get(step, 0) + spent


class SoftwareReader:
    """Reads videos through stand-ins (`toolchain.PipelineReader`).

    Args:
        inferences: the detector, then what reads its objects.
        folder: with their configurations; given back at the end.
        settings: what they run with, as JSON.
        patience: with a camera or an address that is away.
    """

    def __init__(
        self,
        inferences: Sequence[SoftwareInference],
        configs: Sequence[Inference],
        folder: "tempfile.TemporaryDirectory[str]",
        settings: Mapping[str, Any],
        patience: Patience = PATIENCE,
    ) -> None:
        self._patience = patience
        self._inferences, self._configs, self._folder = inferences, tuple(configs), folder
        self.settings: Mapping[str, Any] = {**settings, "gstreamer": release()}
        self._is_ended = threading.Event()

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
        seen = [outline_of_h264(source) for source in sources]
        mux = seen[0].size
        described = describe(Wish(tuple(sources), mux, self._configs))
        form = {one: PLAIN if one.is_bt601 and _is_unpadded(mux) else CONVERTED for one in seen}
        run, _ = in_software(described, [form[one] for one in seen])
        with GstProgram(run) as program:
            lines = []
            for number, source in enumerate(sources):
                sink = program.element(sink_name(number))
                name, own = without_password(source), seen[number]
                lines.append(_Line(name, sink, own.size, form[own], is_live(source)))
                _note_arrivals(program.element(decoder_of(described, number)), lines[-1].arrivals)
            live = LiveSources(Gst, program, described, sources, self._patience)
            program.prepare(begin)
            return self._read(program, lines, mux, live, on_reading, seconds, frames)

    def end(self) -> None:
        self._is_ended.set()

    def close(self) -> None:
        self._folder.cleanup()

    def _read(
        self,
        program: GstProgram,
        lines: List[_Line],
        mux: Tuple[int, int],
        live: LiveSources,
        on_reading: OnReading,
        seconds: Optional[float],
        frames: Optional[int],
    ) -> StreamTotals:
        """Take frames of the sources in turn, read each, and tell it."""
        sums = _Sums()
        started, cpu, end = perf_counter_ns(), process_time_ns(), _end_of(seconds)
        program.play()
        while not self._is_ended.is_set() and monotonic() < end and not all(line.has_ended for line in lines):
            for line in lines:
                if line.has_ended:
                    continue
                sample = line.sink.emit("try-pull-sample", int(PATIENCE_S * Gst.SECOND))
                program.raise_error()
                live.look()
                if sample is None:
                    line.has_ended = bool(line.sink.get_property("eos"))
                    continue
                reading = self._reading(line, sample.get_buffer(), mux, sums)
                if reading is not None:
                    on_reading(reading)
                line.has_ended = line.frames == frames
        return StreamTotals(
            frames=sums.frames,
            corrupt=sums.corrupt,
            # Of a file those before the place that was gone to are lost, too, and are none that were dropped.
            dropped=sum(line.arrivals.dropped for line in lines if line.is_live),
            reconnects=live.reconnects,
            seconds=(perf_counter_ns() - started) / 1e9,
            latency_ns=tuple(sums.latency_ns),
            steps_ns=sums.steps_ns,
            cpu_s=(process_time_ns() - cpu) / 1e9,
        )

    def _reading(self, line: _Line, buffer: Any, mux: Tuple[int, int], sums: _Sums) -> Optional[FrameReading]:
        """Return what is read in a frame; None of one that could not be decoded."""
        clock, number, taken = Clock(), line.frames, perf_counter_ns()
        line.frames += 1
        if buffer.has_flags(Gst.BufferFlags.CORRUPTED):
            sums.corrupt += 1
            return None
        arrival = line.arrivals.take(buffer.pts)
        arrived = arrival.arrived_ns
        image = _pixels(buffer, mux, line.form)
        clock.lap(COLOUR)
        objects = read_objects(self._inferences, image, clock)
        told = tuple(_in_source(one, mux, line.size) for one in objects)
        latency = perf_counter_ns() - arrived
        sums.add(latency, {**clock.steps, WAIT: taken - arrived})
        time_s = line.arrivals.time_s(arrival, line.is_live)
        return FrameReading(line.name, number, time_s, told, "", latency / 1e6)


def _end_of(seconds: Optional[float]) -> float:
    return float("inf") if seconds is None else monotonic() + seconds


def _note_arrivals(decoder: Any, arrivals: Arrivals) -> None:
    """Have it noted when each frame leaves a decoder."""

    def note(pad: Any, info: Any) -> Any:
        arrivals.arrive(info.get_buffer().pts, perf_counter_ns())
        return Gst.PadProbeReturn.OK

    decoder.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, note)


def _is_unpadded(size: Tuple[int, int]) -> bool:
    """Tell whether the planes of a frame lie one after the other: GStreamer pads each row to four bytes."""
    width, height = size
    return width % 8 == 0 and height % 2 == 0


def _pixels(buffer: Any, size: Tuple[int, int], form: str) -> Array:
    """Return a buffer's pixels, uint8 BGR [height, width, 3]."""
    width, height = size
    is_there, mapped = buffer.map(Gst.MapFlags.READ)
    if not is_there:
        raise JobFailed("the pixels of a frame cannot be read", "", "look at the source")
    try:
        if form == PLAIN:
            planes = np.frombuffer(mapped.data, np.uint8, width * height * 3 // 2)
            return np.asarray(cv2.cvtColor(planes.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420))
        row = (3 * width + 3) // 4 * 4
        rows = np.frombuffer(mapped.data, np.uint8, row * height).reshape(height, row)
        return rows[:, : 3 * width].reshape(height, width, 3).copy()
    finally:
        buffer.unmap(mapped)


def _in_source(found: ReadObject, mux: Tuple[int, int], size: Tuple[int, int]) -> ReadObject:
    """Return an object with its box in pixels of its source, which the mux has scaled."""
    if mux == size:
        return found
    return replace(found, box=scaled(found.box, size[0] / mux[0], size[1] / mux[1]))
