"""A user's own videos, addresses, cameras and folders, read line by line."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Callable, List, Mapping, Sequence

import numpy as np

from shared.contract.codec import encode
from shared.contract.errors import InputProblem
from shared.contract.job import READING_KEY
from shared.contract.result import Notes, Result, Status
from shared.contract.stages import (
    StreamRead,
)
from shared.contract.streaming import (
    NEWEST,
    FrameReading,
    StreamSummary,
    StreamTotals,
)
from shared.harness.clip_runner import described
from shared.harness.progress import report
from shared.harness.source_ends import LastWord, Until, ended_at, last_word
from shared.harness.stream_work import StreamWork
from shared.inference.apart import Apart, tell_apart
from shared.inference.frames import Frame, Source
from shared.inference.loaded_stream import LoadedStream
from shared.inference.loading import Streamer
from shared.inference.video import open_source

TOLD_EVERY = 50
"""Frames after which is told how far a stream is."""


def read_sources(work: StreamWork, parameters: StreamRead, word: LastWord = last_word) -> Result:
    """Read a user's own sources; each line is printed as it comes.

    The host's last word ends the sources; what was taken of them is read and told.

    Raises:
        InputProblem: a source that cannot be opened, before any is read.
        JobFailed: one broke off; the others were read to their ends first.
    """
    if work.capabilities.streamer is not None:
        return _read_by_toolchain(work, parameters, work.capabilities.streamer, word)
    loaded = work.stream(parameters.pipeline, parameters.tracking, work.settings(parameters.settings))
    tell = _teller()
    with ExitStack() as stack:
        sources: List[Apart] = []
        for address in parameters.sources:
            source = _opened(address, work.folder, loaded)
            stack.callback(source.close)
            sources.append(Apart(source if parameters.seconds is None else Until(source, parameters.seconds)))
        tell_apart(sources)
        stack.enter_context(ended_at(word, partial(_close_all, sources)))
        drawn = None
        if parameters.is_annotated:
            from shared.inference.annotated_video import AnnotatedVideos

            drawn = stack.enter_context(AnnotatedVideos(work.output, [one.name for one in sources]))

        def told(reading: FrameReading, frame: Frame) -> None:
            tell(reading)
            if drawn is not None:
                drawn.add(reading, frame)

        totals = loaded.read(sources, told, NEWEST)
    for one in sources:
        if one.problem is not None:
            raise one.problem
    return _summarized(totals, described(loaded))


def _read_by_toolchain(
    work: StreamWork, parameters: StreamRead, streamer: Streamer, word: LastWord
) -> Result:
    """Read a user's sources with a pipeline that the toolchain runs by itself."""
    if parameters.is_annotated:
        raise InputProblem("this target draws no videos", "--annotated", "leave it out")
    assert parameters.settings is not None, "only variants read a user's sources"
    settings = work.folder / parameters.settings
    names = {_path_of(one, work.folder): one for one in parameters.sources}
    tell = _teller()

    def told(reading: FrameReading) -> None:
        tell(replace(reading, source=names.get(reading.source, reading.source)))

    with closing(streamer.open(parameters.pipeline, work.folder, settings, parameters.tracking)) as reader:
        with ended_at(word, reader.end):
            totals = reader.read(list(names), told, seconds=parameters.seconds)
        return _summarized(totals, reader.settings)


def _path_of(source: str, folder: Path) -> str:
    """Return a source's path where it lies below the job's folder; what does not is an address, a camera."""
    return str(folder / source) if (folder / source).exists() else source


def _close_all(sources: Sequence[Source]) -> None:
    for source in sources:
        source.close()


def _teller() -> Callable[[FrameReading], None]:
    """Return what prints lines, and now and then how far a stream is."""
    counted = count()

    def tell(reading: FrameReading) -> None:
        print(json.dumps({READING_KEY: encode(reading)}), flush=True)
        read = next(counted)
        if read % TOLD_EVERY == 0:
            report("frames read", read, 0)

    return tell


def _opened(address: str, folder: Path, loaded: LoadedStream) -> Source:
    """Open a source, which lines and errors name as the job does. Raises InputProblem."""
    place = folder / address
    if not place.exists():
        return open_source(address, loaded.decoders, background=loaded.background)
    try:
        source = open_source(str(place), loaded.decoders, background=loaded.background)
    except InputProblem as problem:
        raise InputProblem(problem.what, address, problem.advice) from None
    source.name = address
    return source


def _summarized(totals: StreamTotals, settings: Mapping[str, Any]) -> Result:
    latency_ms = np.asarray(totals.latency_ns or (0,), np.float64) / 1e6
    summary = StreamSummary(
        frames=totals.frames,
        dropped=totals.dropped,
        corrupt=totals.corrupt,
        reconnects=totals.reconnects,
        seconds=totals.seconds,
        latency_ms=float(np.median(latency_ms)),
        p99_ms=float(np.percentile(latency_ms, 99)),
        cpu_ms=1000 * totals.cpu_s / max(1, totals.frames),
    )
    return Result(Status.DONE, settings=settings, notes=Notes(details=encode(summary)))
