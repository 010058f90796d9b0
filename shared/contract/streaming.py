"""A video stream through a pipeline: what is asked of it, how it is run, and what it says of each frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Tuple, Union

from .measurement import Burst
from .model import IMAGE, Network, Pipeline, PipelineNode
from .outputs import Task

READINGS_VERSION = 1
"""Of the lines that a stream writes."""

SETTINGS_FILE = "stream.json"
"""The `StreamSettings` in the artifact that `configure` leaves."""

NEWEST = 100_000
"""Frames whose latencies are kept, of sources that may be read for weeks."""

DECODE, COLOUR, TRACK, WAIT = "decode", "colour", "track", "wait"
"""The steps of a stream beside those of its nodes; `WAIT` is the time that frames spend in queues."""

REFERENCE_READINGS = "readings.truth.jsonl"
"""What the reference's stream read, as its `evaluate` leaves it: true for others where nothing else is."""

VIDEO_ENDINGS = (".mp4", ".mkv", ".mov", ".avi", ".ts", ".h264", ".264")

TRUTH_ENDING = ".truth.jsonl"
"""Of the file beside a video, with the video's name before it, that says what is true of each frame."""


@dataclass(frozen=True)
class Tracking:
    """What is done over the frames of a stream beside reading each by itself; all of it off by default.

    Attributes:
        interval: every so-manieth frame goes through the networks. In those between, the boxes are where
            their tracks have gone, with the readings that the tracks have.
        vote: the readings of one track are voted on, and each object says what the vote says so far.
    """

    interval: int = 1
    vote: bool = False

    @property
    def is_on(self) -> bool:
        return self.interval > 1 or self.vote


@dataclass(frozen=True)
class StreamSettings:
    """How a stream is run: searched on the device, and kept in the artifact.

    Attributes:
        workers: frames in the networks at once, each in a thread.
        threads: inference threads of each call.
        batch: crops in one call of a network that is given crops, at most.
        wait_ms: milliseconds that a crop waits for others, at most; of no use where `batch` is 1.
        decoders: threads that decode one source.
        folds: the networks are given 8-bit pixels, and normalize them themselves.
    """

    workers: int = 1
    threads: int = 1
    batch: int = 1
    wait_ms: float = 0.0
    decoders: int = 1
    folds: bool = False


@dataclass(frozen=True)
class Answer:
    """What a network found in the crop of an object.

    Attributes:
        text: of a text recognizer, or the name of a class.
        country: of a text recognizer that has a head for it.
        confidence: 0 to 1, of all symbols together, or of the class; None where the network has none.
    """

    text: str
    country: Optional[str] = None
    confidence: Optional[float] = None


@dataclass(frozen=True)
class Vote:
    """What the frames of a track so far say together.

    Attributes:
        confidence: the share of the votes that this answer has, 0 to 1.
        frames: that were read.
    """

    text: str
    country: Optional[str]
    confidence: float
    frames: int


@dataclass(frozen=True)
class ReadObject:
    """One object in a frame.

    Attributes:
        box: x_min, y_min, x_max, y_max in pixels of the frame.
        score: the detector's, 0 to 1; None where it has none.
        answers: by node.
        track: the number of its track in its source, from 1; None without tracking.
        vote: by node; empty without voting.
        is_tracked: the frame did not go through the networks: box and answers are those of the track.
        category: what it is, by the detector; None where that tells none apart.
    """

    box: Tuple[float, float, float, float]
    score: Optional[float] = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    track: Optional[int] = None
    vote: Mapping[str, Vote] = field(default_factory=dict)
    is_tracked: bool = False
    category: Optional[str] = None

    def said(self, node: str) -> Union[Answer, Vote, None]:
        """Return what a node says of it: what was voted, where it was."""
        return self.vote.get(node) or self.answers.get(node)


@dataclass(frozen=True)
class FrameReading:
    """One line that a stream writes: what was found in a frame, the surest object first.

    Attributes:
        source: as it was named: a file, an address, a folder.
        frame: its number in the source, from 0; of a folder, the image's place in the order of names.
        time_s: seconds from the source's first frame; of a folder, 0.
        name: of a folder's image; empty otherwise.
        latency_ms: milliseconds from its arrival to this line.
    """

    source: str
    frame: int
    time_s: float
    objects: Tuple[ReadObject, ...] = ()
    name: str = ""
    latency_ms: float = 0.0
    version: int = READINGS_VERSION


@dataclass(frozen=True)
class TrueObject:
    """What is true of an object in a frame.

    Attributes:
        box: x_min, y_min, x_max, y_max in pixels of the frame, what lies outside cut off.
        text, country: None where nobody said.
        is_whole: all of it lies inside the frame and can be read; what cannot neither counts nor costs.
    """

    box: Tuple[float, float, float, float]
    text: Optional[str] = None
    country: Optional[str] = None
    is_whole: bool = True


@dataclass(frozen=True)
class TrueFrame:
    """One line of a truth file; a frame without a line has no objects."""

    frame: int
    objects: Tuple[TrueObject, ...] = ()


@dataclass(frozen=True)
class StreamSummary:
    """What is told of a stream that has read a user's sources.

    Attributes:
        frames, dropped, corrupt, reconnects, seconds: as `StreamTotals` has them.
        latency_ms, p99_ms: the median and the 99th percentile of the newest frames.
        cpu_ms: CPU milliseconds a frame.
    """

    frames: int
    dropped: int = 0
    corrupt: int = 0
    reconnects: int = 0
    seconds: float = 0.0
    latency_ms: float = 0.0
    p99_ms: float = 0.0
    cpu_ms: float = 0.0


@dataclass(frozen=True)
class StreamTotals:
    """What came of a stream.

    Attributes:
        frames: read to their end.
        dropped: of a live source, for newer ones.
        corrupt: that could not be decoded.
        reconnects: how often a source that went away came back.
        seconds: from the first frame asked for to the last line.
        latency_ns: nanoseconds of each frame, or of the newest, from its arrival to its line.
        steps_ns: nanoseconds by step, of all frames and threads: `decode`, `colour`, the nodes' steps,
            `track`, `wait` (in queues).
        cpu_s: of the process, in seconds.
    """

    frames: int
    dropped: int = 0
    corrupt: int = 0
    reconnects: int = 0
    seconds: float = 0.0
    latency_ns: Tuple[int, ...] = ()
    steps_ns: Mapping[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0

    @property
    def burst(self) -> Burst:
        return Burst(self.frames, self.seconds)


def stream_steps(nodes: Tuple[PipelineNode, ...]) -> Tuple[str, ...]:
    """Return the steps of a stream that may be timed, in their order."""
    return (DECODE, COLOUR, *(step for node in nodes for step in node.steps), TRACK, WAIT)


def is_address(source: str) -> bool:
    """Tell whether a source is reached over a network."""
    return "://" in source


def stream_problem(pipeline: Pipeline, networks: Mapping[str, Network]) -> str:
    """Return why a stream cannot read frames with a pipeline; empty where it can.

    It runs a detector on the whole frame, then networks that read or classify what the detector has found.

    Args:
        networks: those of the pipeline's nodes, by name.
    """
    first, *others = pipeline.nodes
    if first.input != IMAGE or networks[first.network].task != Task.DETECTION:
        return f"its first node, '{first.name}', is no detector on the whole frame"
    for node in others:
        if node.input != first.name:
            return f"its node '{node.name}' is given '{node.input}', not what '{first.name}' has found"
        if networks[node.network].task not in (Task.TEXT_RECOGNITION, Task.CLASSIFICATION):
            return f"its node '{node.name}' neither reads a text nor names a class"
    return ""
