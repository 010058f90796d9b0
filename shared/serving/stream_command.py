"""`stream`: videos, addresses, cameras or folders; a line of JSON for each frame."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, closing
from functools import partial
from types import FrameType
from typing import Callable, List, Optional, Sequence

from shared.contract.reading_lines import json_line
from shared.contract.streaming import FrameReading, StreamTotals
from shared.inference.apart import Apart, tell_apart
from shared.inference.frames import Frame, Source
from shared.inference.loaded_stream import LoadedStream
from shared.inference.loading import PipelineReader
from shared.inference.video import open_source

STOPS = (signal.SIGTERM, signal.SIGINT)

NEWEST = 1
"""Latencies that are kept: each line has its own."""

Say = Callable[[str], None]


def read_stream(loaded: LoadedStream, addresses: Sequence[str], say: Say, complain: Say) -> int:
    """Read sources to their end, or to a signal's; return how many broke off.

    Raises:
        InputProblem: a source that cannot be opened, before any is read.
    """
    with ExitStack() as stack:
        sources: List[Apart] = []
        for address in addresses:
            source = open_source(address, loaded.decoders, background=loaded.background)
            stack.callback(source.close)
            sources.append(Apart(source))
        tell_apart(sources)
        stack.callback(_at_signals(partial(_close_all, sources)))

        def told(reading: FrameReading, _: Frame) -> None:
            say(json_line(reading))

        totals = loaded.read(sources, told, NEWEST)
    problems = [source.problem for source in sources if source.problem is not None]
    for problem in problems:
        complain(str(problem))
    complain(_summary(totals))
    return len(problems)


def read_by_toolchain(reader: PipelineReader, addresses: Sequence[str], say: Say, complain: Say) -> None:
    """Read sources with a pipeline that the toolchain runs by itself, to their end or to a signal's.

    Raises:
        InputProblem: a source that cannot be opened.
        JobFailed: the pipeline ended otherwise.
    """
    with closing(reader), ExitStack() as stack:
        stack.callback(_at_signals(reader.end))
        complain(_summary(reader.read(addresses, lambda reading: say(json_line(reading)))))


def _summary(totals: StreamTotals) -> str:
    rate = totals.frames / totals.seconds if totals.seconds else 0.0
    return (
        f"{totals.frames} frames in {totals.seconds:.1f} s ({rate:.1f} a second), {totals.dropped} dropped, "
        f"{totals.corrupt} corrupt, {totals.reconnects} reconnects"
    )


def _close_all(sources: Sequence[Source]) -> None:
    for source in sources:
        source.close()


def _at_signals(close: Callable[[], None]) -> Callable[[], None]:
    """Have signals end the sources; what was taken of them is still told. Return what takes that back."""

    def begin_to_close(number: int, frame: Optional[FrameType]) -> None:
        # In a thread of its own: this one may be inside of a lock that closing needs.
        threading.Thread(target=close, daemon=True).start()

    before = [(number, signal.signal(number, begin_to_close)) for number in STOPS]

    def take_back() -> None:
        for number, handler in before:
            signal.signal(number, handler)

    return take_back
