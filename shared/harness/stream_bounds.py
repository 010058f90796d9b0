"""What bounds a stream: decoding alone and the networks alone beside the whole, in turn."""

from __future__ import annotations

import threading
from functools import partial
from statistics import median
from time import monotonic
from typing import Callable, Dict, List, Sequence

from shared.contract.result import Table
from shared.harness.bursts import come_to_rest
from shared.harness.clip_runner import EndlessVideo, OpenVideo, StreamRunner
from shared.harness.progress import report
from shared.inference.loaded_stream import LoadedStream
from shared.inference.preprocess import to_input
from shared.inference.stream import Nodes

ROUNDS, BURST_S = 3, 0.7

COLUMNS = ("what runs", "frames a second", "ms a frame")


def bounds_table(loaded: LoadedStream, open_video: OpenVideo, threads: int) -> Table:
    """Return the frames a second of a stream, and of its parts when nothing else runs.

    Decoding is as many decoders of the same video as there are CPUs, each by itself; the networks are called
    by as many threads as the stream has workers, on inputs that are ready, each network once for each frame
    that goes through them.
    """
    interval = loaded.tracking.interval
    report("what bounds it", 0, 0)
    runner = StreamRunner(loaded, open_video)
    videos = [EndlessVideo(open_video, 1) for _ in range(threads)]
    rates: Dict[str, List[float]] = {}
    decoders = [partial(_decode, video) for video in videos]
    networks = [_calls(nodes, videos[0]) for nodes in loaded.workers]
    parts: Dict[str, Callable[[int], float]] = {
        "the stream": lambda place: _rate_of(runner, place),
        "decoding alone": lambda _: _rate(decoders),
        "the networks alone": lambda _: interval * _rate(networks),
    }
    try:
        for number in range(ROUNDS):
            for video in videos:
                video.begin(number)
            for name, run in parts.items():
                come_to_rest()
                rates.setdefault(name, []).append(run(number))
    finally:
        runner.close()
        for video in videos:
            video.close()
    rows = []
    for name, each in rates.items():
        rows.append((name, f"{median(each):.1f}", f"{1000 / median(each):.2f}"))
    return Table("What bounds the stream: its parts alone, in turn with the whole", COLUMNS, tuple(rows))


def _rate_of(runner: StreamRunner, place: int) -> float:
    totals = runner.burst(BURST_S, place)
    return totals.frames / totals.seconds


def _decode(video: EndlessVideo) -> None:
    video.next()


def _calls(nodes: Nodes, video: EndlessVideo) -> Callable[[], None]:
    """Return what calls each network of a worker once, on inputs of one frame."""
    image = video.next().picture.bgr()
    inputs = [to_input(image, one.session.input)[0][:1] for one in nodes]

    def call() -> None:
        for one, tensor in zip(nodes, inputs):
            one.session.run(tensor)

    return call


def _rate(calls: Sequence[Callable[[], None]]) -> float:
    """Return how often a second calls are made, each again and again in a thread of its own."""
    counts = [0] * len(calls)
    started = monotonic()
    end = started + BURST_S

    def repeat(number: int) -> None:
        while monotonic() < end:
            calls[number]()
            counts[number] += 1

    threads = [threading.Thread(target=repeat, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (monotonic() - started)
