"""The stages of the work, each one run of a target's entry script: what it is told and what it must bring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Mapping, Optional, Tuple, Union

from .model import Network, PipelineNode
from .streaming import Tracking


@dataclass(frozen=True)
class NetworkFiles:
    """A network, and the folder below the job's with its graph as it came or its artifact and manifest."""

    network: Network
    folder: str


@dataclass(frozen=True)
class Tracker:
    """An RPC tracker whose machines are tuned on.

    Attributes:
        address: `host:port`.
        key: what the machines are known by there.
    """

    address: str
    key: str


@dataclass(frozen=True)
class Tuning:
    """What a method that tunes has beside the network.

    Attributes:
        databases: folder below the job's with the databases so far; may be empty.
        tracker: None for this machine.
    """

    databases: str
    tracker: Optional[Tracker] = None


@dataclass(frozen=True)
class Tolerance:
    """How far outputs may be from the reference's.

    Attributes:
        reference: file below the job's folder with real inputs and the reference's outputs for them.
        limit: of the largest absolute difference, as a fraction of the reference's largest absolute value.
    """

    reference: str
    limit: float


@dataclass(frozen=True)
class Convert:
    """From a graph to the toolchain's own format; what comes out is compared with the reference.

    Attributes:
        options: of the conversion, as the target's `conversion` in target.json has them.
        tolerance: how near the converted graph has to be to the reference.
    """

    kind: ClassVar[str] = "convert"
    source: NetworkFiles
    tolerance: Tolerance
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Optimize:
    """A method, from what `convert` left.

    Attributes:
        options: the method's options, every default filled in.
        data: folder below the job's of each split that the method may see.
        tuning: None where the method does not tune.
        start: folder below the job's with the artifact of the method that this one may go on from; it is not
            there where that did not succeed. None where the recipe has no such variant.
    """

    kind: ClassVar[str] = "optimize"
    source: NetworkFiles
    options: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    tuning: Optional[Tuning] = None
    start: Optional[str] = None


@dataclass(frozen=True)
class Compile:
    """What `optimize` left, made into what runs on a device; of a toolchain that has its graphs prepared.

    Attributes:
        options: the method's options, every default filled in.
        cache: folder below the job's with what is kept of compilations on this device from one to the next.
        is_ahead_of_time: it is done on any machine, for devices that its options name.
    """

    kind: ClassVar[str] = "compile"
    source: NetworkFiles
    options: Mapping[str, Any]
    cache: str
    is_ahead_of_time: bool


@dataclass(frozen=True)
class Evaluate:
    """The quality of an artifact, or of the model as it came, on the test split.

    Attributes:
        test: folder below the job's with the test split.
        samples: the first so many; None takes all.
        tolerance: None where the method may leave the reference's outputs.
        is_reference: keep real inputs and the outputs for them, which others are compared with.
    """

    kind: ClassVar[str] = "evaluate"
    artifact: NetworkFiles
    test: str
    samples: Optional[int] = None
    tolerance: Optional[Tolerance] = None
    is_reference: bool = False


@dataclass(frozen=True)
class Predict:
    """The quality that an artifact is likely to have, by a runtime that stands in for the device's.

    Attributes:
        test: folder below the job's with the test split.
        samples: the first so many.
    """

    kind: ClassVar[str] = "predict"
    artifact: NetworkFiles
    test: str
    samples: int


@dataclass(frozen=True)
class PipelineFiles:
    """A pipeline and what its networks are loaded from.

    Attributes:
        nodes: in the order they run.
        artifacts: one of every network that a node names.
    """

    nodes: Tuple[PipelineNode, ...]
    artifacts: Tuple[NetworkFiles, ...]


@dataclass(frozen=True)
class PipelineEvaluate:
    """The quality of a pipeline on the frames of the test split, each once.

    Attributes:
        test: folder below the job's with the test split.
        images: the first so many; None takes all.
        is_reference: it is what others are compared with, and fails where it finds next to nothing.
    """

    kind: ClassVar[str] = "pipeline evaluate"
    pipeline: PipelineFiles
    test: str
    images: Optional[int] = None
    is_reference: bool = False


@dataclass(frozen=True)
class NetworkBenchmark:
    """The clock of one network, on one real input: a burst for each word of the host's.

    Attributes:
        inputs: file below the job's folder with real inputs.
        warmup: calls before the first burst, at least, and for as long as a burst.
        burst_s: seconds that a burst takes, at least.
    """

    kind: ClassVar[str] = "benchmark"
    artifact: NetworkFiles
    inputs: str
    warmup: int
    burst_s: float


@dataclass(frozen=True)
class PipelineBenchmark:
    """The clock of a pipeline; each burst goes on through the frames of the test split.

    Attributes:
        test: folder below the job's with the test split.
        warmup: frames before the first burst, at least, and for as long as a burst.
        burst_s: seconds that a burst takes, at least.
        images: the first so many; None takes all.
    """

    kind: ClassVar[str] = "pipeline benchmark"
    pipeline: PipelineFiles
    test: str
    warmup: int
    burst_s: float
    images: Optional[int] = None


@dataclass(frozen=True)
class StreamFiles:
    """A pipeline that reads a video, and the video.

    Attributes:
        clip: folder below the job's with the video, and the file that says what is true of its frames where
            there is one.
        frames: the first so many; None takes all.
    """

    pipeline: PipelineFiles
    clip: str
    tracking: Tracking
    frames: Optional[int] = None


@dataclass(frozen=True)
class StreamConfigure:
    """How a stream runs fastest on a device: its settings are tried, and the best are the artifact.

    Attributes:
        time_budget_s: seconds that it may take.
    """

    kind: ClassVar[str] = "stream configure"
    stream: StreamFiles
    time_budget_s: int


@dataclass(frozen=True)
class StreamEvaluate:
    """The quality of a stream on the frames of its video, each once, beside the sequential pipeline's.

    Attributes:
        settings: folder below the job's with what `configure` left; None runs one frame after the other.
        truth: file below the job's folder with what counts as true where the video has no truth of its own:
            the reference's readings; None where it has, and for the reference.
        is_reference: it is what others are compared with; its readings are left for them.
    """

    kind: ClassVar[str] = "stream evaluate"
    stream: StreamFiles
    settings: Optional[str] = None
    truth: Optional[str] = None
    is_reference: bool = False


@dataclass(frozen=True)
class StreamBenchmark:
    """The clock of a stream; each burst goes on through the video, and begins it anew at its end.

    Attributes:
        settings: as of `StreamEvaluate`.
        warmup: frames before the first burst, at least, and for as long as a burst.
        burst_s: seconds in which frames are taken from the video; those taken are read to their end.
    """

    kind: ClassVar[str] = "stream benchmark"
    stream: StreamFiles
    warmup: int
    burst_s: float
    settings: Optional[str] = None


@dataclass(frozen=True)
class StreamRead:
    """Sources that a stream reads at once, each line told as it comes (`READING_KEY`).

    What came of it is in the details of its notes (`StreamSummary`).

    Attributes:
        sources: files and folders below the job's, or addresses.
        settings: as of `StreamEvaluate`.
        seconds: after which it ends; None reads every source to its end.
        is_annotated: what was read is drawn on the frames, a video for each source.
    """

    kind: ClassVar[str] = "stream read"
    pipeline: PipelineFiles
    sources: Tuple[str, ...]
    tracking: Tracking
    settings: Optional[str] = None
    seconds: Optional[float] = None
    is_annotated: bool = False


Parameters = Union[
    Convert,
    Optimize,
    Compile,
    Evaluate,
    Predict,
    PipelineEvaluate,
    NetworkBenchmark,
    PipelineBenchmark,
    StreamConfigure,
    StreamEvaluate,
    StreamBenchmark,
    StreamRead,
]


@dataclass(frozen=True)
class Stage:
    """A stage of the work.

    Attributes:
        name: as recipes' plans, job ids and records have it.
        brings: the fields of a result that a done job of it must have.
        is_cached: what it leaves is kept, and reused by the hash of everything that went in. Quality and
            speed never are.
    """

    name: str
    brings: Tuple[str, ...]
    is_cached: bool = False


CONVERT = Stage("convert", ("artifact", "differences"), is_cached=True)
OPTIMIZE = Stage("optimize", ("artifact",), is_cached=True)
COMPILE = Stage("compile", ("artifact",), is_cached=True)
PREDICT = Stage("predict", ("quality",))
EVALUATE = Stage("evaluate", ("quality", "measurement"))
BENCHMARK = Stage("benchmark", ("measurement",))
CONFIGURE = Stage("configure", ("artifact",), is_cached=True)
STREAM = Stage("stream", ("measurement",))
READ = Stage("read", ())

CLOCKED = (BENCHMARK.name, STREAM.name)
"""The stages that measure in bursts."""

STAGES: Mapping[type, Stage] = {
    Convert: CONVERT,
    Optimize: OPTIMIZE,
    Compile: COMPILE,
    Evaluate: EVALUATE,
    Predict: PREDICT,
    PipelineEvaluate: EVALUATE,
    NetworkBenchmark: BENCHMARK,
    PipelineBenchmark: BENCHMARK,
    StreamConfigure: CONFIGURE,
    StreamEvaluate: EVALUATE,
    StreamBenchmark: STREAM,
    StreamRead: READ,
}
"""The stage of each kind of parameters."""


def artifacts_of(parameters: Parameters) -> Tuple[NetworkFiles, ...]:
    """Return the networks that a job is given, each with its files."""
    if isinstance(parameters, (PipelineEvaluate, PipelineBenchmark, StreamRead)):
        return parameters.pipeline.artifacts
    if isinstance(parameters, (StreamConfigure, StreamEvaluate, StreamBenchmark)):
        return parameters.stream.pipeline.artifacts
    if isinstance(parameters, (Convert, Optimize, Compile)):
        return (parameters.source,)
    return (parameters.artifact,)
