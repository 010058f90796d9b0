"""The stages of a stream: its settings found, its quality, its clock."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from shared.contract.clips import Clip, find_clip, read_truth, write_truth
from shared.contract.codec import encode
from shared.contract.errors import JobFailed
from shared.contract.measurement import Quality, Throughput
from shared.contract.model import follows_every
from shared.contract.outputs import names_country
from shared.contract.result import Notes, Result, Status, Table
from shared.contract.stages import (
    PipelineFiles,
    StreamBenchmark,
    StreamConfigure,
    StreamEvaluate,
    StreamFiles,
)
from shared.contract.streaming import (
    REFERENCE_READINGS,
    SETTINGS_FILE,
    FrameReading,
    StreamSettings,
    StreamTotals,
    TrueFrame,
)
from shared.harness.bursts import Words, at_each_word, notes_on_rest
from shared.harness.clip_runner import ClipRunner, StreamRunner
from shared.harness.clip_scoring import (
    count_different,
    frame_name,
    quality_of_frames,
    score_frame,
    truth_of,
)
from shared.harness.floors import MINIMUM
from shared.harness.object_scoring import quality_of_objects, score_objects
from shared.harness.progress import report
from shared.harness.stream_bounds import bounds_table
from shared.harness.stream_settings import Found, find_settings, in_words
from shared.harness.stream_work import StreamWork

NO_INDEX = "the video has no index: each burst read its beginning (write it to .mp4 or .mkv)"

SHOWN = 3
"""Frames that are named of those that differ."""


def configure(work: StreamWork, parameters: StreamConfigure) -> Result:
    """Find the settings that a stream is fastest with, and say what bounds it."""
    stream, streamer = parameters.stream, work.capabilities.streamer
    if streamer is not None:
        notes = streamer.configure(stream.pipeline, work.folder, work.output, stream.tracking)
        return Result(Status.DONE, notes=notes)
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
        rows.append((in_words(trial.settings), fps, ratio, chosen))
    columns = ("settings", "frames a second", "over the best before", "")
    return Table(
        "Settings of the stream that were tried, in turn with the best so far", columns, tuple(rows), True
    )


def evaluate_stream(work: StreamWork, parameters: StreamEvaluate) -> Result:
    """Read the video once, score each frame, and hold it against one frame after the other."""
    stream = parameters.stream
    node = stream.pipeline.nodes[-1].name
    clip = find_clip(work.folder / stream.clip)
    report("read the video", 0, 0)
    runner = work.runner(stream, parameters.settings)
    readings, totals = _read_once(runner, stream.frames)
    if not readings:
        raise JobFailed("the video has no frame that can be decoded", clip.video.name, "give another one")
    truth = _truth(work, parameters, clip, readings, node)
    quality = _quality(stream.pipeline, readings, truth)
    wrong = _what_is_wrong(quality, parameters, truth) if parameters.is_reference else ""
    if wrong:
        return Result(Status.FAILED, wrong, settings=runner.described)
    remarks = _source_remarks(totals)
    if parameters.is_reference:
        _leave_readings(work.output / REFERENCE_READINGS, readings, node)
    if parameters.settings is not None:
        remarks.append(_parity(work, stream, readings))
    return Result(
        Status.DONE,
        settings=runner.described,
        notes=Notes(tuple(remarks)),
        quality=quality,
        measurement=throughput_of([totals]),
    )


def _quality(
    pipeline: PipelineFiles, readings: Sequence[FrameReading], truth: Mapping[int, TrueFrame]
) -> Quality:
    """Return the quality of what was read, counted by objects where the pipeline reads every one."""
    node, is_every = pipeline.nodes[-1].name, follows_every(pipeline.nodes)
    has_country = names_country(pipeline.artifacts[-1].network.outputs)
    scores = []
    for one in readings:
        true = truth.get(one.frame, TrueFrame(one.frame))
        if is_every:
            name = frame_name(one)
            scores.append(score_objects(name, one.objects, true.objects, node, has_country))
        else:
            scores.append(score_frame(one, true, node, has_country))
    return quality_of_objects(scores) if is_every else quality_of_frames(scores)


def _read_once(runner: ClipRunner, count: Optional[int]) -> Tuple[List[FrameReading], StreamTotals]:
    """Read a video, or its first frames, and close it; return what was read frame by frame."""
    readings: List[FrameReading] = []

    def told(reading: FrameReading) -> None:
        readings.append(reading)
        if reading.frame % 100 == 0:
            report("frames of the video", reading.frame, count or 0)

    with closing(runner):
        return readings, runner.read_once(count, told)


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
    others, _ = _read_once(work.runner(stream, None), stream.frames)
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
    runner = work.runner(parameters.stream, parameters.settings)
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
        settings=runner.described,
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
