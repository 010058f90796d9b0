"""What a measurement is: a latency or a throughput; and what a quality is."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from enum import Enum
from typing import ClassVar, Dict, Iterable, List, Mapping, Optional, Tuple, Union

TOTAL = "total"
"""The step of a latency that covers the whole call."""

OBJECTS_METRIC = "ap"
"""Of one image: how good a detector's objects are (`shared.harness.detection_scoring`)."""

MEAN_AP, MEAN_AP_50 = "mAP", "mAP50"
"""Of a whole split: the mean average precision of objects at an IoU of 0.5 to 0.95, and at 0.5."""


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
    """Dense products of matrices, about the most that a toolchain gets out of the CPU, after each burst.

    Attributes:
        operations: multiplications and additions of one run of them.
        quickest_ns: nanoseconds of the quickest of some runs, burst by burst.
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
        objects: how many objects were read in each call, of a pipeline that reads every one; else empty.
    """

    kind: ClassVar[str] = "latency"
    scope: Scope
    protocol: TimingProtocol
    samples_ns: Mapping[str, Tuple[int, ...]]
    bursts: Tuple[int, ...] = ()
    yardstick: Optional[Yardstick] = None
    objects: Tuple[int, ...] = ()

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
class ObjectCounts:
    """What became of the objects of an image, or of all images of a split, end to end.

    An object is read right when its box was found (IoU 0.5) and its text is the true one, symbol by symbol:
    the end-to-end criterion of Wang, Babenko and Belongie, End-to-End Scene Text Recognition, ICCV 2011, and
    of Karatzas et al., ICDAR 2015 Competition on Robust Reading, 2015, from which the three shares are.

    Attributes:
        right: found and read right.
        misread: found, and read wrong.
        missed: not found.
        invented: found where there is none.
    """

    right: int = 0
    misread: int = 0
    missed: int = 0
    invented: int = 0

    @property
    def found(self) -> int:
        return self.right + self.misread + self.invented

    @property
    def true(self) -> int:
        return self.right + self.misread + self.missed

    @property
    def precision(self) -> float:
        """right / found; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """right / true; 1 where there is nothing to find."""
        return self.right / self.true if self.true else 1.0

    @property
    def exact(self) -> float:
        """The harmonic mean of both, 2 right / (found + true); 1 where there are none of either."""
        both = self.found + self.true
        return 2 * self.right / both if both else 1.0

    @property
    def metrics(self) -> Dict[str, float]:
        """The three by their names, the main one first."""
        return {"exact": self.exact, "precision": self.precision, "recall": self.recall}


def sum_of_counts(counts: Iterable[ObjectCounts]) -> ObjectCounts:
    """Return the counts of several images together."""
    rows = [astuple(one) for one in counts]
    return ObjectCounts(*map(sum, zip(*rows))) if rows else ObjectCounts()


@dataclass(frozen=True)
class SampleScore:
    """One sample of the test split.

    Attributes:
        id: the image's path within the split.
        scores: by metric, 0 to 1.
        prediction: a text; a box in pixels of the image (x_min, y_min, x_max, y_max); the objects of a
            detector of many, the surest first, each a box, its score and the number of its class; None where
            nothing was found.
        pixels: how many the intersection and the union of a mask and the true one have.
        counts: of a pipeline that reads every object, what became of the image's.
    """

    id: str
    scores: Mapping[str, float]
    prediction: Union[str, Tuple[float, ...], Tuple[Tuple[float, ...], ...], None] = None
    pixels: Optional[Tuple[int, int]] = None
    counts: Optional[ObjectCounts] = None

    @property
    def boxes(self) -> Tuple[Tuple[float, ...], ...]:
        """The box that was found, or each of the objects; none where it is a text."""
        if not self.prediction or isinstance(self.prediction, str):
            return ()
        objects = tuple(one for one in self.prediction if isinstance(one, tuple))
        return objects or (tuple(one for one in self.prediction if not isinstance(one, tuple)),)


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
class ObjectTruth:
    """What is true of the samples of a detector of many objects.

    Attributes:
        classes: their names, in the order of their numbers.
        objects: by sample id, each a box (x_min, y_min, x_max, y_max in pixels), the number of its class, and
            1 for a crowd, which counts neither for nor against, else 0.
    """

    classes: Tuple[str, ...]
    objects: Mapping[str, Tuple[Tuple[float, ...], ...]]


@dataclass(frozen=True)
class Quality:
    """What the test split says.

    Attributes:
        main: the name of the main metric.
        metrics: over the split, by name, 0 to 1.
        truth: what the host holds the samples' objects against; None of all others.
    """

    main: str
    metrics: Mapping[str, float]
    samples: Tuple[SampleScore, ...]
    pictures: Tuple[MaskPicture, ...] = ()
    truth: Optional[ObjectTruth] = None

    @property
    def value(self) -> float:
        """The main metric."""
        return self.metrics[self.main]

    @property
    def sample_metric(self) -> str:
        """The metric that says of a single sample how good it is: the main one, where samples have it."""
        return OBJECTS_METRIC if self.truth is not None else self.main

    def scores(self, metric: str) -> Mapping[str, float]:
        """Return the score of each sample that has the metric, by sample id."""
        return {s.id: s.scores[metric] for s in self.samples if metric in s.scores}

    @property
    def counts(self) -> List[ObjectCounts]:
        """Return what became of the objects of each sample; empty where objects are not counted."""
        return [s.counts for s in self.samples if s.counts is not None]
