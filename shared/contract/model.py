"""What `model.json` says of a network or of a pipeline of networks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional, Sequence, Tuple, Union

from .codec import decode
from .outputs import OUTPUTS, Outputs, Task, renamed, tensors_of

FORMATS = {".pb": "frozen graph", ".keras": "Keras", ".onnx": "ONNX", ".tflite": "TFLite"}
"""The format of a graph by its file's ending; a folder is a SavedModel."""

FED_TYPES = {"float32": "float32", "float16": "float32", "scaled int8": "float32", "uint8": "uint8"}
"""What an input is fed, by the type that the graph has for it."""

FLOAT32, FLOAT16, EIGHT_BITS = "float32", "float16", "8 bits"
"""What graphs compute in, the coarsest that one has."""

IMAGE = "image"
"""The input of a pipeline's node that takes the whole image."""

BEST, EVERY = "best", "every"
"""Which of the objects that a pipeline's node finds are followed: the surest, or all of them."""


@dataclass(frozen=True)
class InputSpec:
    """How an image becomes the network's input.

    Attributes:
        name: the tensor's name in the graph, without `:0`.
        shape: four sizes, batch 1, in the order `layout` tells.
        layout: `NHWC` or `NCHW`.
        resize: `stretch` to the input size, or `letterbox` (aspect ratio kept, the rest filled with `pad`).
        channels: `RGB`, `BGR` or `GRAY`.
        mean, scale: one value for each channel; the input is (pixel - mean) / scale, pixels 0 to 255.
        pad: the fill of a letterbox, 0 to 255.
        placed: where a letterbox has the image, in the `centre` or in the top left `corner`, as YOLOX has it.
        interpolation: `area` averages where the image shrinks in both directions (slower, no aliasing);
            `linear`.
        dtype: what it is fed: `float32`, or `uint8` for a network that takes the pixels as they are. A graph
            whose own type is another kind of real number gets it from float32, by a first step of its own.
        background: `black` or `white`, what an image is laid over where it is transparent; of a pipeline the
            first network's counts.
    """

    name: str
    shape: Tuple[int, int, int, int]
    layout: str = "NHWC"
    resize: str = "stretch"
    channels: str = "RGB"
    mean: Tuple[float, ...] = (0.0,)
    scale: Tuple[float, ...] = (1.0,)
    pad: int = 0
    interpolation: str = "area"
    dtype: str = "float32"
    background: str = "black"
    placed: str = "centre"

    @property
    def size(self) -> Tuple[int, int]:
        """Height and width in pixels."""
        axes = (1, 2) if self.layout == "NHWC" else (2, 3)
        return self.shape[axes[0]], self.shape[axes[1]]

    @property
    def channel_count(self) -> int:
        return self.shape[3 if self.layout == "NHWC" else 1]

    def in_layout(self, layout: str) -> InputSpec:
        """Return the same input with its axes in the order of a layout."""
        channels, size = (self.channel_count,), self.size
        inner = (*channels, *size) if layout == "NCHW" else (*size, *channels)
        return replace(self, layout=layout, shape=(self.shape[0], *inner))


@dataclass(frozen=True)
class DataLocation:
    """Where a data set is: the set of a generator (a folder under models/), or a folder beside model.json."""

    generator: Optional[str] = None
    set: Optional[str] = None
    folder: Optional[str] = None


@dataclass(frozen=True)
class Network:
    """One network: its graph, its input, how its outputs are read and scored.

    Attributes:
        graph: the file or folder of the graph, relative to the model's folder.
        sha256: the file's, or one over the folder's files.
        expect: the least that the main metric has on the model's own data, 0 to 1; None where nobody said.
        constants: what the graph's inputs beside the image are fed, always: a number, a bool or lists of
            them. They become part of what is converted.
        arithmetic: what the graph computes in as it came, `FLOAT32`, `FLOAT16` or `EIGHT_BITS`; read from it.
    """

    name: str
    task: Task
    description: str
    graph: str
    sha256: str
    input: InputSpec
    outputs: Outputs
    data: DataLocation
    expect: Optional[float] = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    arithmetic: str = FLOAT32

    @property
    def is_quantized(self) -> bool:
        return self.arithmetic == EIGHT_BITS

    @property
    def format(self) -> str:
        """`frozen graph`, `SavedModel`, `Keras`, `ONNX` or `TFLite`."""
        return FORMATS.get(PurePosixPath(self.graph).suffix, "SavedModel")

    @property
    def tensors(self) -> Tuple[str, ...]:
        """The names of the output tensors, each once, in order."""
        return tensors_of(self.outputs)

    def adapted(self, conversion: Mapping[str, Any]) -> Network:
        """Return the network as a recipe's `conversion` has it run, reference included.

        That is another input shape, an input or outputs cut at other tensors of the graph, and other values
        for mean and scale. What else a conversion says changes the converted network alone.
        """
        changes: Dict[str, Any] = {}
        for key in ("shape", "mean", "scale"):
            if key in conversion:
                changes[key] = tuple(conversion[key])
        if "input" in conversion:
            # What the graph's own input takes says nothing of a tensor within it.
            changes.update(name=conversion["input"], dtype="float32")
        outputs = renamed(self.outputs, conversion.get("outputs", {}))
        return replace(self, input=replace(self.input, **changes), outputs=outputs)

    @staticmethod
    def from_model_json(name: str, document: Mapping[str, Any]) -> Network:
        """Build a network from a model.json that the schema has accepted; its graph is not looked at."""
        task, expect = Task(document["task"]), document.get("expect")
        spec = decode(InputSpec, document["input"], "$.input")
        return Network(
            name=name,
            task=task,
            description=document.get("description", ""),
            graph=document["graph"]["file"],
            sha256=document["graph"]["sha256"],
            input=replace(spec, dtype=FED_TYPES[spec.dtype]),
            outputs=decode(OUTPUTS[task], document["outputs"], "$.outputs"),
            data=decode(DataLocation, document["data"], "$.data"),
            expect=None if expect is None else float(expect),
            constants=document.get("constants", {}),
        )


@dataclass(frozen=True)
class PipelineNode:
    """One network of a pipeline.

    Attributes:
        name: the node's name, which its steps in timings begin with, for example `detector`.
        network: a folder under models/.
        input: `image` for the whole image, or an earlier node that detects: its boxes are cropped.
        crop_margin: share of the box's width and height added on each side before the crop.
        objects: of a node that detects, which of its boxes later nodes are given: the `best` or `every`.
    """

    name: str
    network: str
    input: str = IMAGE
    crop_margin: float = 0.0
    objects: str = BEST

    @property
    def steps(self) -> Tuple[str, str, str]:
        """What is timed of it: its input prepared, the network itself, its outputs read."""
        return f"{self.name}_input", self.name, f"{self.name}_output"


@dataclass(frozen=True)
class Pipeline:
    """Networks that feed one another; the last one's prediction is the pipeline's.

    Attributes:
        nodes: in the order they run.
        data: the data set of whole images, annotated for the last network's task.
        clip: the folder with the video that it reads where a recipe is for a stream and names none (see
            `shared.contract.clips`); None where it has none.
    """

    name: str
    description: str
    nodes: Tuple[PipelineNode, ...]
    data: DataLocation
    clip: Optional[DataLocation] = None

    @property
    def networks(self) -> Tuple[str, ...]:
        """The names of the networks, each once, in the order they run."""
        return tuple(dict.fromkeys(node.network for node in self.nodes))

    @staticmethod
    def from_model_json(name: str, document: Mapping[str, Any]) -> Pipeline:
        """Build a pipeline from a model.json that the schema has accepted."""
        return Pipeline(
            name=name,
            description=document.get("description", ""),
            nodes=tuple(_nodes(document["pipeline"])),
            data=decode(DataLocation, document["data"], "$.data"),
            clip=decode(DataLocation, document["clip"], "$.clip") if "clip" in document else None,
        )


def _nodes(documents: Iterable[Any]) -> Iterator[PipelineNode]:
    for number, document in enumerate(documents):
        yield decode(PipelineNode, document, f"$.pipeline[{number}]")


def steps_of(nodes: Tuple[PipelineNode, ...]) -> Tuple[str, ...]:
    """Return the steps of a pipeline that are timed, in their order: decoding, then those of each node."""
    return ("decode", *(step for node in nodes for step in node.steps))


def follows_every(nodes: Sequence[PipelineNode]) -> bool:
    """Tell whether a pipeline reads every object that its first node, a detector, finds."""
    return nodes[0].objects == EVERY


Model = Union[Network, Pipeline]
