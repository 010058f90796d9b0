"""What a measurement is: a latency or a throughput; and what a quality is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Mapping, Optional, Tuple, Union

TOTAL = "total"
"""The step of a latency that covers the whole call."""


class Scope(str, Enum):
    """What a time covers: one call of a network, or a pipeline from the encoded image to its last output."""

    NETWORK = "network"
    PIPELINE = "pipeline"


class TimingProtocol(str, Enum):
    """How a latency was taken: one input many times, or the samples of the test split in their order."""

    REPEAT = "repeat"
    DATASET = "dataset"


@dataclass(frozen=True)
class Latency:
    """Raw times of calls.

    Attributes:
        samples_ns: nanoseconds of each call by step, `total` and the measured steps in their order.
        bursts: the number of calls of each burst, in the order of the samples; empty where there were none.
    """

    kind: ClassVar[str] = "latency"
    scope: Scope
    protocol: TimingProtocol
    samples_ns: Mapping[str, Tuple[int, ...]]
    bursts: Tuple[int, ...] = ()

    @property
    def totals_ns(self) -> Tuple[int, ...]:
        return self.samples_ns[TOTAL]


@dataclass(frozen=True)
class Throughput:
    """What came through a stream.

    Attributes:
        frames: processed to their end.
        dropped: frames that were not processed.
        seconds: from the first frame in to the last frame out.
        latency_ns: nanoseconds of each processed frame, from its arrival to its output.
    """

    kind: ClassVar[str] = "throughput"
    frames: int
    dropped: int
    seconds: float
    latency_ns: Tuple[int, ...]

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
