"""What a measurement is: a latency or a throughput; and what a quality is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Mapping, Optional, Tuple, Union

TOTAL = "total"
"""The step of a latency that covers the whole call."""


class Scope(str, Enum):
    """What a time covers.

    One call of a network; a pipeline from the encoded image to its last output; or a stream, from the frame
    that is asked for to the line that is written of it.
    """

    NETWORK = "network"
    PIPELINE = "pipeline"
    STREAM = "stream"


class TimingProtocol(str, Enum):
    """How a latency was taken: one input many times, or the samples of the test split in their order."""

    REPEAT = "repeat"
    DATASET = "dataset"


class Precision(str, Enum):
    """The type of the numbers that a network's products are mostly of."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


@dataclass(frozen=True)
class Yardstick:
    """A dense product of matrices, about the most that a toolchain gets out of the CPU, after each burst.

    Attributes:
        operations: multiplications and additions of one product.
        quickest_ns: nanoseconds of the quickest of some products, burst by burst.
    """

    precision: Precision
    operations: int
    quickest_ns: Tuple[int, ...]


@dataclass(frozen=True)
class Latency:
    """Raw times of calls.

    Attributes:
        samples_ns: nanoseconds of each call by step, `total` and the measured steps in their order.
        bursts: the number of calls of each burst, in the order of the samples; empty where there were none.
        yardstick: of a network that was measured in bursts, where its toolchain has one.
    """

    kind: ClassVar[str] = "latency"
    scope: Scope
    protocol: TimingProtocol
    samples_ns: Mapping[str, Tuple[int, ...]]
    bursts: Tuple[int, ...] = ()
    yardstick: Optional[Yardstick] = None

    @property
    def totals_ns(self) -> Tuple[int, ...]:
        return self.samples_ns[TOTAL]


@dataclass(frozen=True)
class Burst:
    """So many frames in so many seconds."""

    frames: int
    seconds: float


@dataclass(frozen=True)
class Throughput:
    """What came through a stream.

    Attributes:
        latency_ns: nanoseconds of each processed frame, from its arrival to its output, burst after burst.
        bursts: frames processed to their end, and seconds from the first frame asked for to the last out.
        dropped: frames that were not processed.
        steps_ns: nanoseconds by step, of all frames and threads together (`StreamTotals.steps_ns`).
        cpu_s: CPU seconds of the process in all bursts.
    """

    kind: ClassVar[str] = "throughput"
    latency_ns: Tuple[int, ...]
    bursts: Tuple[Burst, ...]
    dropped: int = 0
    steps_ns: Mapping[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0

    @property
    def frames(self) -> int:
        """Processed to their end."""
        return sum(burst.frames for burst in self.bursts)

    @property
    def seconds(self) -> float:
        """Of all bursts."""
        return sum(burst.seconds for burst in self.bursts)

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds


Measurement = Union[Latency, Throughput]


@dataclass(frozen=True)
class SampleScore:
    """One sample of the test split.

    Attributes:
        id: the image's path within the split.
        scores: by metric, 0 to 1.
        prediction: a text, or a box in pixels of the image (x_min, y_min, x_max, y_max); None where
            nothing was found.
        pixels: how many the intersection and the union of a mask and the true one have.
    """

    id: str
    scores: Mapping[str, float]
    prediction: Union[str, Tuple[float, ...], None] = None
    pixels: Optional[Tuple[int, int]] = None


@dataclass(frozen=True)
class MaskPicture:
    """A sample's masks as pictures in base64: PNG of 0 and 255.

    Of the reference there is also the true mask, and the image as JPEG.
    """

    id: str
    mask: str
    truth: Optional[str] = None
    image: Optional[str] = None


@dataclass(frozen=True)
class Quality:
    """What the test split says.

    Attributes:
        main: the name of the main metric.
        metrics: over the split, by name, 0 to 1.
    """

    main: str
    metrics: Mapping[str, float]
    samples: Tuple[SampleScore, ...]
    pictures: Tuple[MaskPicture, ...] = ()

    @property
    def value(self) -> float:
        """The main metric."""
        return self.metrics[self.main]

    def scores(self, metric: str) -> Mapping[str, float]:
        """Return the score of each sample that has the metric, by sample id."""
        return {s.id: s.scores[metric] for s in self.samples if metric in s.scores}
