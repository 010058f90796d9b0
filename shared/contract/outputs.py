"""What a network's outputs mean, task by task: the `outputs` of model.json."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar, Mapping, Optional, Tuple, Type, Union


class Task(str, Enum):
    """What a network does."""

    DETECTION = "detection"
    TEXT_RECOGNITION = "text-recognition"
    CLASSIFICATION = "classification"
    SEGMENTATION = "segmentation"


@dataclass(frozen=True)
class BoxOutput:
    """One box or many: the last axis of the tensor holds the four numbers from column `first`.

    Attributes:
        form: `xyxy` or `yxyx` (corners), `xywh` (corner and size), `cxcywh` (centre and size).
        unit: `relative` to the input's sides, or `pixels` of the input.
    """

    tensor: str
    form: str = "xyxy"
    unit: str = "relative"
    first: int = 0


@dataclass(frozen=True)
class ScoreOutput:
    """The score of each box: a tensor of its own, or a column of the box's.

    Attributes:
        minimum: below it there is no object.
    """

    tensor: Optional[str] = None
    column: Optional[int] = None
    minimum: float = 0.0


@dataclass(frozen=True)
class DetectionOutputs:
    """Outputs of a detector."""

    kind: ClassVar[str] = Task.DETECTION.value
    box: BoxOutput
    score: Optional[ScoreOutput] = None


@dataclass(frozen=True)
class SymbolsOutput:
    """The symbols of a text: one tensor of all positions, or one tensor for each position.

    Attributes:
        alphabet: the symbols in the order of the classes, the blank left out.
        decoder: `heads` (the best class of each position) or `ctc` (repeats merged, then blanks dropped).
        blank: the class of the blank; None is the last.
    """

    tensors: Tuple[str, ...]
    alphabet: str
    decoder: str = "heads"
    blank: Optional[int] = None

    @property
    def blank_class(self) -> int:
        return len(self.alphabet) if self.blank is None else self.blank


@dataclass(frozen=True)
class NamedClasses:
    """A tensor of class scores, and the classes' names in their order."""

    tensor: str
    names: Tuple[str, ...]


@dataclass(frozen=True)
class TextOutputs:
    """Outputs of a text recognizer: the symbols, and the country where it has a head for it."""

    kind: ClassVar[str] = Task.TEXT_RECOGNITION.value
    symbols: SymbolsOutput
    country: Optional[NamedClasses] = None


@dataclass(frozen=True)
class ClassificationOutputs:
    """Outputs of a classifier."""

    kind: ClassVar[str] = Task.CLASSIFICATION.value
    classes: NamedClasses


@dataclass(frozen=True)
class MaskOutput:
    """A mask: [1, height, width, channels], or [1, channels, height, width] where the layout is NCHW.

    Attributes:
        kind: `softmax` (a channel for each class) or `sigmoid` (one channel of probabilities).
        foreground: the class that is scored, for softmax.
        threshold: from which a pixel counts, for sigmoid.
        labels: the labels of the labelme polygons that count; None counts all.
        values: those of a mask file that count; None takes two values for what they are (`mask_values`).
    """

    tensor: str
    kind: str = "softmax"
    foreground: int = 1
    threshold: float = 0.5
    labels: Optional[Tuple[str, ...]] = None
    values: Optional[Tuple[int, ...]] = None


@dataclass(frozen=True)
class SegmentationOutputs:
    """Outputs of a segmenter."""

    kind: ClassVar[str] = Task.SEGMENTATION.value
    mask: MaskOutput


Outputs = Union[DetectionOutputs, TextOutputs, ClassificationOutputs, SegmentationOutputs]

OUTPUTS: Mapping[Task, Type[Outputs]] = {
    Task.DETECTION: DetectionOutputs,
    Task.TEXT_RECOGNITION: TextOutputs,
    Task.CLASSIFICATION: ClassificationOutputs,
    Task.SEGMENTATION: SegmentationOutputs,
}


def tensors_of(outputs: Outputs) -> Tuple[str, ...]:
    """Return the names of the tensors that the outputs mention, each once, in order."""
    if isinstance(outputs, DetectionOutputs):
        score = outputs.score.tensor if outputs.score else None
        names = [outputs.box.tensor, *([score] if score else [])]
    elif isinstance(outputs, TextOutputs):
        names = [*outputs.symbols.tensors, *([outputs.country.tensor] if outputs.country else [])]
    elif isinstance(outputs, ClassificationOutputs):
        names = [outputs.classes.tensor]
    else:
        names = [outputs.mask.tensor]
    return tuple(dict.fromkeys(names))


def renamed(outputs: Outputs, names: Mapping[str, str]) -> Outputs:
    """Return the outputs with other tensors in the place of those that `names` mentions."""

    def named(tensor: str) -> str:
        return names.get(tensor, tensor)

    if isinstance(outputs, DetectionOutputs):
        score = outputs.score
        if score is not None and score.tensor is not None:
            score = replace(score, tensor=named(score.tensor))
        return replace(outputs, box=replace(outputs.box, tensor=named(outputs.box.tensor)), score=score)
    if isinstance(outputs, TextOutputs):
        country = outputs.country
        if country is not None:
            country = replace(country, tensor=named(country.tensor))
        tensors = tuple(named(tensor) for tensor in outputs.symbols.tensors)
        return replace(outputs, symbols=replace(outputs.symbols, tensors=tensors), country=country)
    if isinstance(outputs, ClassificationOutputs):
        return replace(outputs, classes=replace(outputs.classes, tensor=named(outputs.classes.tensor)))
    return replace(outputs, mask=replace(outputs.mask, tensor=named(outputs.mask.tensor)))
