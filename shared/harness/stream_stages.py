"""The stages of a stream: its settings found, its quality, its clock, and a user's own sources read."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from shared.contract.clips import Clip, find_clip, read_truth, write_truth
from shared.contract.codec import encode
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.job import READING_KEY
from shared.contract.measurement import Quality, Throughput
from shared.contract.outputs import TextOutputs
from shared.contract.result import Notes, Result, Status, Table
from shared.contract.stages import (
    NetworkFiles,
    PipelineFiles,
    StreamBenchmark,
    StreamConfigure,
    StreamEvaluate,
    StreamFiles,
    StreamRead,
)
from shared.contract.streaming import (
    REFERENCE_READINGS,
    SETTINGS_FILE,
    FrameReading,
    StreamSettings,
    StreamSummary,
    StreamTotals,
    Tracking,
    TrueFrame,
)
from shared.harness.bursts import Words, at_each_word, notes_on_rest
from shared.harness.clip_scoring import count_different, quality_of_frames, score_frame, truth_of
from shared.harness.floors import MINIMUM
from shared.harness.loaded_nodes import settings_by_network
from shared.harness.progress import report
from shared.harness.stream_bounds import bounds_table
from shared.harness.stream_run import (
    Apart,
    LastWord,
    LoadedStream,
    OpenVideo,
    StreamRunner,
    Until,
    ended_at,
    last_word,
    load_one_by_one,
    load_side_by_side,
    read_once,
    read_settings,
)
from shared.harness.stream_settings import Found, described, find_settings
from shared.harness.toolchain import Capabilities
from shared.inference.frames import Frame, Source
from shared.inference.session import Session
from shared.inference.video import open_recording, open_source

NEWEST = 100_000
"""Frames whose latencies are summarized, of sources that may be read for weeks."""

TOLD_EVERY = 50
"""Frames after which is told how far a stream is."""

NO_INDEX = "the video has no index: each burst read its beginning (write it to .mp4 or .mkv)"

SHOWN = 3
"""Frames that are named of those that differ."""


@dataclass(frozen=True)
class StreamWork:
    """A job of a stream at work.

    Attributes:
        folder: the job's.
        output: for what it leaves.
        threads: the CPUs that it may use.
        load: loads a network with all threads, an artifact or a graph as it came.
    """

    capabilities: Capabilities
    folder: Path
    output: Path
    threads: int
    load: Callable[[NetworkFiles], Session]

    def stream(
        self, pipeline: PipelineFiles, tracking: Tracking, settings: Optional[StreamSettings]
    ) -> LoadedStream:
        """Load a pipeline; without settings to read one frame after the other."""
        if settings is None:
            cv2.setNumThreads(self.threads)
            return load_one_by_one(pipeline, tracking, self.load)
        cv2.setNumThreads(1)  # several frames are at work at once, each in a thread of its own
        return load_side_by_side(pipeline, tracking, settings, self.folder, self.capabilities)

    def settings(self, place: Optional[str]) -> Optional[StreamSettings]:
        """Return what `configure` left in a folder below the job's."""
        return None if place is None else read_settings(self.folder / place)

    def video(self, clip: str) -> OpenVideo:
        """Return what opens the video of a folder below the job's."""
        path = find_clip(self.folder / clip).video
        return lambda decoders: open_recording(path, decoders)


def configure(work: StreamWork, parameters: StreamConfigure) -> Result:
    """Find the settings that a stream is fastest with, and say what bounds it."""
    stream = parameters.stream
    open_video = work.video(stream.clip)

    def load(settings: StreamSettings) -> StreamRunner:
        return StreamRunner(work.stream(stream.pipeline, stream.tracking, settings), open_video)

    found = find_settings(load, work.threads, parameters.time_budget_s)
    (work.output / SETTINGS_FILE).write_text(json.dumps(encode(found.settings), indent=2) + "\n")
    loaded = work.stream(stream.pipeline, stream.tracking, found.settings)
    bounds = bounds_table(loaded, open_video, work.threads)
    remarks = (
        () if found.is_whole else ("the search for settings ended with its time, before it was through",)
    )
    return Result(Status.DONE, notes=Notes(remarks, (_trials_table(found), bounds)))


def _trials_table(found: Found) -> Table:
    rows: List[Tuple[str, ...]] = []
    for trial in found.trials:
        chosen = "chosen" if trial.settings == found.settings else ""
        fps = "-" if trial.fps is None else f"{trial.fps:.1f}"
        ratio = trial.reason if trial.ratio is None else f"{trial.ratio:.2f}"
        rows.append((described(trial.settings), fps, ratio, chosen))
    columns = ("settings", "frames a second", "over the best before", "")
    return Table(
        "Settings of the stream that were tried, in turn with the best so far", columns, tuple(rows), True
    )


def evaluate_stream(work: StreamWork, parameters: StreamEvaluate) -> Result:
    """Read the video once, score each frame, and hold it against one frame after the other."""
    stream, settings = parameters.stream, work.settings(parameters.settings)
    node = stream.pipeline.nodes[-1].name
    clip = find_clip(work.folder / stream.clip)
    report("read the video", 0, 0)
    loaded = work.stream(stream.pipeline, stream.tracking, settings)
    readings, totals = read_once(loaded, work.video(stream.clip), stream.frames, _progress(stream.frames))
    if not readings:
        raise JobFailed("the video has no frame that can be decoded", clip.video.name, "give another one")
    truth = _truth(work, parameters, clip, readings, node)
    has_country = _names_countries(stream.pipeline)
    scores = []
    for one in readings:
        true = truth.get(one.frame, TrueFrame(one.frame))
        scores.append(score_frame(one, true, node, has_country))
    quality = quality_of_frames(scores)
    wrong = _what_is_wrong(quality, parameters, truth) if parameters.is_reference else ""
    if wrong:
        return Result(Status.FAILED, wrong, settings=_described_run(loaded))
    remarks = _source_remarks(totals)
    if parameters.is_reference:
        _leave_readings(work.output / REFERENCE_READINGS, readings, node)
    if settings is not None:
        remarks.append(_parity(work, stream, readings))
    return Result(
        Status.DONE,
        settings=_described_run(loaded),
        notes=Notes(tuple(remarks)),
        quality=quality,
        measurement=throughput_of([totals]),
    )


def _names_countries(pipeline: PipelineFiles) -> bool:
    outputs = pipeline.artifacts[-1].network.outputs
    return isinstance(outputs, TextOutputs) and outputs.country is not None


def _progress(frames: Optional[int]) -> Callable[[FrameReading, Frame], None]:
    def told(reading: FrameReading, frame: Frame) -> None:
        if reading.frame % 100 == 0:
            report("frames of the video", reading.frame, frames or 0)

    return told


def _truth(
    work: StreamWork,
    parameters: StreamEvaluate,
    clip: Clip,
    readings: Sequence[FrameReading],
    node: str,
) -> Mapping[int, TrueFrame]:
    """Return what counts as true: the video's own truth, or what the reference read."""
    if clip.truth is not None:
        return read_truth(clip.truth)
    if parameters.truth is not None and not parameters.is_reference:
        return read_truth(work.folder / parameters.truth)
    return truth_of(readings, node)


def _what_is_wrong(quality: Quality, parameters: StreamEvaluate, truth: Mapping[int, TrueFrame]) -> str:
    """Return why nothing can be compared with a reference; empty where it can be."""
    network = parameters.stream.pipeline.artifacts[-1].network
    least = MINIMUM.get(network.task, 0.0)
    telling = [one for one in quality.samples if int(one.id) in truth]
    if not telling:
        return "the reference cannot be what variants are compared with: it found nothing in the whole video"
    value = sum(one.scores[quality.main] for one in telling) / len(telling)
    if value >= least:
        return ""
    worst = telling[:SHOWN]
    found = "; ".join(f"frame {int(one.id)}: found {one.prediction or 'nothing'}" for one in worst)
    return (
        f"the reference cannot be what variants are compared with: {quality.main} {value:.4f} on the "
        f"{len(telling)} frames with an object is below {least:g}\n  {found}"
    )


def _source_remarks(totals: StreamTotals) -> List[str]:
    if not totals.corrupt:
        return []
    return [f"{totals.corrupt} frames of the video could not be decoded, and were left out"]


def _parity(work: StreamWork, stream: StreamFiles, readings: Sequence[FrameReading]) -> str:
    """Return how the readings lie beside those of one frame after the other, in a sentence."""
    report("one frame after the other", 0, 0)
    alone = work.stream(stream.pipeline, stream.tracking, None)
    others, _ = read_once(alone, work.video(stream.clip), stream.frames, _progress(stream.frames))
    found = count_different(readings, others)
    if not found.different:
        return f"parity: in all {found.frames} frames it read what the sequential pipeline reads"
    shown = ", ".join(map(str, found.different[:SHOWN]))
    more = ", ..." if len(found.different) > SHOWN else ""
    return (
        f"parity: in {len(found.different)} of {found.frames} frames it read something else than the "
        f"sequential pipeline ({shown}{more})"
    )


def _leave_readings(path: Path, readings: Sequence[FrameReading], node: str) -> None:
    write_truth(path, [frame for frame in truth_of(readings, node).values() if frame.objects])


def benchmark_stream(work: StreamWork, parameters: StreamBenchmark, words: Words) -> Result:
    """Run a burst of the stream at each word."""
    stream = parameters.stream
    loaded = work.stream(stream.pipeline, stream.tracking, work.settings(parameters.settings))
    runner = StreamRunner(loaded, work.video(stream.clip))
    report("warm up", 0, 0)
    runner.burst(parameters.burst_s, 0, parameters.warmup)
    places = count()
    bursts, restless = at_each_word(lambda: runner.burst(parameters.burst_s, next(places)), words)
    runner.close()
    if not bursts:
        raise JobFailed("no burst was asked for", "")
    notes = notes_on_rest(len(bursts), restless)
    if not runner.has_index:
        notes = replace(notes, remarks=(*notes.remarks, NO_INDEX))
    return Result(
        Status.DONE,
        settings=_described_run(loaded),
        measurement=throughput_of(bursts),
        notes=notes,
    )


def throughput_of(bursts: Sequence[StreamTotals]) -> Throughput:
    """Return bursts, at least one, as a measurement."""
    steps: Dict[str, int] = {}
    for one in bursts:
        for step, spent in one.steps_ns.items():
            steps[step] = steps.get(step, 0) + spent
    latency: List[int] = []
    for one in bursts:
        latency += one.latency_ns
    rates = tuple(one.burst for one in bursts)
    dropped = sum(one.dropped for one in bursts)
    return Throughput(tuple(latency), rates, dropped, steps, sum(one.cpu_s for one in bursts))


def _described_run(loaded: LoadedStream) -> Dict[str, Any]:
    """Return what a stream runs with, as JSON: its own settings, and those of each network."""
    settings = loaded.settings
    own = {"one_by_one": True} if settings is None else encode(settings)
    return {**settings_by_network(loaded.workers[0]), "stream": own}


def read_sources(work: StreamWork, parameters: StreamRead, word: LastWord = last_word) -> Result:
    """Read a user's own sources; each line is printed as it comes.

    The host's last word ends the sources; what was taken of them is read and told.

    Raises:
        InputProblem: a source that cannot be opened, before any is read.
        JobFailed: one broke off; the others were read to their ends first.
    """
    settings = work.settings(parameters.settings)
    loaded = work.stream(parameters.pipeline, parameters.tracking, settings)
    with ExitStack() as stack:
        sources: List[Apart] = []
        for address in parameters.sources:
            source = _opened(address, work.folder, loaded.decoders)
            stack.callback(source.close)
            sources.append(Apart(source if parameters.seconds is None else Until(source, parameters.seconds)))
        _tell_apart(sources)
        stack.enter_context(ended_at(word, sources))
        drawn = None
        if parameters.is_annotated:
            from shared.inference.annotated_video import AnnotatedVideos

            drawn = stack.enter_context(AnnotatedVideos(work.output, [one.name for one in sources]))

        counted = count()

        def told(reading: FrameReading, frame: Frame) -> None:
            print(json.dumps({READING_KEY: encode(reading)}), flush=True)
            read = next(counted)
            if read % TOLD_EVERY == 0:
                report("frames read", read, 0)
            if drawn is not None:
                drawn.add(reading, frame)

        totals = loaded.read(sources, told, NEWEST)
    for one in sources:
        if one.problem is not None:
            raise one.problem
    return Result(
        Status.DONE,
        settings=_described_run(loaded),
        notes=Notes(details=encode(_summarized(totals))),
    )


def _opened(address: str, folder: Path, decoders: int) -> Source:
    """Open a source, which lines and errors name as the job does. Raises InputProblem."""
    place = folder / address
    if not place.exists():
        return open_source(address, decoders)
    try:
        source = open_source(str(place), decoders)
    except InputProblem as problem:
        raise InputProblem(problem.what, address, problem.advice) from None
    source.name = address
    return source


def _tell_apart(sources: Sequence[Apart]) -> None:
    """Number the names that are another source's, too: of two cameras whose passwords alone differ."""
    seen: Dict[str, int] = {}
    for source in sources:
        number = seen[source.name] = seen.get(source.name, 0) + 1
        if number > 1:
            source.name = f"{source.name} ({number})"


def _summarized(totals: StreamTotals) -> StreamSummary:
    latency_ms = np.asarray(totals.latency_ns or (0,), np.float64) / 1e6
    return StreamSummary(
        frames=totals.frames,
        dropped=totals.dropped,
        corrupt=totals.corrupt,
        reconnects=totals.reconnects,
        seconds=totals.seconds,
        latency_ms=float(np.median(latency_ms)),
        p99_ms=float(np.percentile(latency_ms, 99)),
        cpu_ms=1000 * totals.cpu_s / max(1, totals.frames),
    )
