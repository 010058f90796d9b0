"""What a network's outputs mean, task by task: the `outputs` of model.json."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Callable, ClassVar, Mapping, Optional, Tuple, Type, Union


class Task(str, Enum):
    """What a network does."""

    DETECTION = "detection"
    TEXT_RECOGNITION = "text-recognition"
    CLASSIFICATION = "classification"
    SEGMENTATION = "segmentation"


@dataclass(frozen=True)
class Anchors:
    """The boxes that a network's own are relative to, as SSD has them.

    centre = anchor's centre + centre x variance x anchor's size; size = anchor's size x exp(size x variance).
    Source: Liu et al., SSD: Single Shot MultiBox Detector, 2016; the variances are its authors' code's.

    Attributes:
        file: beside model.json, an anchor for each box of the output in its order: four numbers a line with
            commas between (.csv), or [boxes, 4] as numpy writes it (.npy).
        form: of the four numbers, as of `BoxOutput`; their unit is the box's.
        variances: of the centre and of the size.
        values: what the file holds, little-endian float32 in base64; there once model.json has been loaded.
    """

    file: str
    form: str = "cxcywh"
    variances: Tuple[float, float] = (0.1, 0.2)
    values: str = ""


@dataclass(frozen=True)
class BoxOutput:
    """One box or many: the last axis of the tensor holds the four numbers from column `first`.

    Attributes:
        form: `xyxy` or `yxyx` (corners), `xywh` (corner and size), `cxcywh` or `cycxhw` (centre and size).
        unit: `relative` to the input's sides, or `pixels` of the input.
        columns_first: the last axis but one holds the columns, and the last the boxes.
        strides: in pixels of the input, of the grids whose cells the boxes are relative to, grid after grid
            and row by row: centre = (centre + cell) x stride, size = exp(size) x stride. None where they are
            relative to none. Source: Ge et al., YOLOX: Exceeding YOLO Series in 2021.
        anchors: None where the boxes are relative to none.
    """

    tensor: str
    form: str = "xyxy"
    unit: str = "relative"
    first: int = 0
    columns_first: bool = False
    strides: Optional[Tuple[int, ...]] = None
    anchors: Optional[Anchors] = None


@dataclass(frozen=True)
class ScoreOutput:
    """The score of each box: a tensor of its own, or a column of the box's.

    Attributes:
        minimum: below it there is no object.
        activation: `sigmoid` where the graph ends before it.
    """

    tensor: Optional[str] = None
    column: Optional[int] = None
    minimum: float = 0.0
    activation: Optional[str] = None


@dataclass(frozen=True)
class BoxClasses:
    """The class of each box: in a tensor of its own, or in the box's from a column on.

    Attributes:
        names: in the order of the classes.
        kind: `scores` (one for each class: the best one counts, times the box's own score where it has one)
            or `number` (of the class).
        numbered_from: the number of the first name.
        activation: `sigmoid` or `softmax` over the classes, where the graph ends before it.
        background: which of the scores is of no object; None where none is.
    """

    names: Tuple[str, ...]
    tensor: Optional[str] = None
    column: Optional[int] = None
    kind: str = "scores"
    numbered_from: int = 0
    activation: Optional[str] = None
    background: Optional[int] = None

    @property
    def width(self) -> int:
        """How many numbers of a box are about its class."""
        return 1 if self.kind == "number" else len(self.names) + (self.background is not None)


@dataclass(frozen=True)
class ObjectsOutput:
    """Says that every object of an image is to be found, and how.

    Attributes:
        nms_iou: of two boxes of one class that overlap by more, the surer one counts (non-maximum
            suppression); None where the graph has seen to it.
        classes: None for a detector of one kind of objects.
        count: a tensor with how many boxes count, the first ones; None where all do.
    """

    nms_iou: Optional[float]
    classes: Optional[BoxClasses] = None
    count: Optional[str] = None

    @property
    def names(self) -> Tuple[str, ...]:
        """The names of the classes; one without a name where all objects are of one kind."""
        return self.classes.names if self.classes else ("",)


@dataclass(frozen=True)
class DetectionOutputs:
    """Outputs of a detector.

    Attributes:
        objects: every object of an image is to be found; None takes the best box alone.
        category: of the annotations, which objects count; None counts all.
    """

    kind: ClassVar[str] = Task.DETECTION.value
    box: BoxOutput
    score: Optional[ScoreOutput] = None
    objects: Optional[ObjectsOutput] = None
    category: Optional[str] = None

    @property
    def finds_many(self) -> bool:
        return self.objects is not None

    @property
    def tensors(self) -> Tuple[Optional[str], ...]:
        """The tensors of the box, the score, the classes and the count, None for those that there are not."""
        classes = self.objects.classes if self.objects else None
        return (
            self.box.tensor,
            self.score.tensor if self.score else None,
            classes.tensor if classes else None,
            self.objects.count if self.objects else None,
        )


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


def names_country(outputs: Outputs) -> bool:
    """Tell whether the outputs say which country a text is of."""
    return isinstance(outputs, TextOutputs) and outputs.country is not None


def tensors_of(outputs: Outputs) -> Tuple[str, ...]:
    """Return the names of the tensors that the outputs mention, each once, in order."""
    if isinstance(outputs, DetectionOutputs):
        names = [name for name in outputs.tensors if name is not None]
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
        return _renamed_detection(outputs, named)
    if isinstance(outputs, TextOutputs):
        country = outputs.country
        if country is not None:
            country = replace(country, tensor=named(country.tensor))
        tensors = tuple(named(tensor) for tensor in outputs.symbols.tensors)
        return replace(outputs, symbols=replace(outputs.symbols, tensors=tensors), country=country)
    if isinstance(outputs, ClassificationOutputs):
        return replace(outputs, classes=replace(outputs.classes, tensor=named(outputs.classes.tensor)))
    return replace(outputs, mask=replace(outputs.mask, tensor=named(outputs.mask.tensor)))


def _renamed_detection(outputs: DetectionOutputs, named: Callable[[str], str]) -> DetectionOutputs:
    score, objects = outputs.score, outputs.objects
    if score is not None and score.tensor is not None:
        score = replace(score, tensor=named(score.tensor))
    if objects is not None and objects.classes is not None and objects.classes.tensor is not None:
        objects = replace(objects, classes=replace(objects.classes, tensor=named(objects.classes.tensor)))
    if objects is not None and objects.count is not None:
        objects = replace(objects, count=named(objects.count))
    box = replace(outputs.box, tensor=named(outputs.box.tensor))
    return replace(outputs, box=box, score=score, objects=objects)
