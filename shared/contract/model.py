"""What `model.json` says of a network or of a pipeline of networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Dict, List, Mapping, Tuple, Union

FORMS = {".pb": "frozen graph", ".keras": "Keras", ".onnx": "ONNX", ".tflite": "TFLite"}
"""The form of a graph by its file's ending; a folder is a SavedModel."""


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
        interpolation: `area` averages where the image shrinks in both directions (slower, no aliasing), `linear`.
        dtype: `float32`, or `uint8` for a network that takes the pixels as they are.
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

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "InputSpec":
        """Build a specification from JSON that a schema has accepted, or that `to_json` wrote."""
        given: Dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}
        return InputSpec(**given)

    def to_json(self) -> Dict[str, Any]:
        return dict(vars(self))

    @property
    def size(self) -> Tuple[int, int]:
        """Height and width in pixels."""
        axes = (1, 2) if self.layout == "NHWC" else (2, 3)
        return self.shape[axes[0]], self.shape[axes[1]]

    @property
    def channel_count(self) -> int:
        return self.shape[3 if self.layout == "NHWC" else 1]


@dataclass(frozen=True)
class Network:
    """One network: its graph, its input, how its outputs are read and scored.

    `outputs` is the task's own part of model.json (see `model.schema.json`); `tensors` are the names that
    it mentions, in order.
    """

    name: str
    task: str
    description: str
    graph: str
    sha256: str
    input: InputSpec
    outputs: Mapping[str, Any]
    data: Mapping[str, Any]

    @property
    def form(self) -> str:
        """`frozen graph`, `SavedModel`, `Keras`, `ONNX` or `TFLite`."""
        return FORMS.get(PurePosixPath(self.graph).suffix, "SavedModel")

    @property
    def tensors(self) -> List[str]:
        return output_tensors(self.task, self.outputs)

    def adapted(self, conversion: Mapping[str, Any]) -> "Network":
        """Return the network as a recipe's `conversion` has it run, reference included.

        That is another input shape, an input or outputs cut at other tensors of the graph, and other values for
        mean and scale. What else a conversion says changes the converted network alone.
        """
        changes: Dict[str, Any] = {key: tuple(conversion[key]) for key in ("shape", "mean", "scale") if key in conversion}
        if "input" in conversion:
            changes["name"] = conversion["input"]
        outputs = _renamed(self.outputs, conversion.get("outputs", {}))
        return replace(self, input=replace(self.input, **changes), outputs=outputs)

    @staticmethod
    def from_json(name: str, document: Mapping[str, Any]) -> "Network":
        """Build a network from a model.json that the schema has accepted."""
        return Network(
            name=name,
            task=document["task"],
            description=document.get("description", ""),
            graph=document["graph"]["file"],
            sha256=document["graph"]["sha256"],
            input=InputSpec.from_json(document["input"]),
            outputs=document["outputs"],
            data=document["data"],
        )

    def to_json(self) -> Dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "task": self.task,
            "description": self.description,
            "graph": {"file": self.graph, "sha256": self.sha256},
            "input": self.input.to_json(),
            "outputs": dict(self.outputs),
            "data": dict(self.data),
        }


@dataclass(frozen=True)
class Pipeline:
    """A detector whose best box is cropped, enlarged by a margin, and read by a reader.

    Attributes:
        networks: names of the detector and of the reader, folders under models/.
        crop_margin: share of the box's width and height added on each side.
        data: the data set of whole frames with readings.
    """

    name: str
    description: str
    networks: Tuple[str, str]
    crop_margin: float
    data: Mapping[str, Any]

    @staticmethod
    def from_json(name: str, document: Mapping[str, Any]) -> "Pipeline":
        """Build a pipeline from a model.json that the schema has accepted."""
        detector, reader = document["pipeline"]
        return Pipeline(name, document.get("description", ""), (detector, reader), document.get("crop_margin", 0.0), document["data"])


Model = Union[Network, Pipeline]


def _renamed(outputs: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(outputs, Mapping):
        return outputs
    found: Dict[str, Any] = {}
    for key, value in outputs.items():
        if key == "tensor":
            found[key] = names.get(value, value)
        elif key == "tensors":
            found[key] = [names.get(name, name) for name in value]
        else:
            found[key] = _renamed(value, names)
    return found


def output_tensors(task: str, outputs: Mapping[str, Any]) -> List[str]:
    """Return the names of the tensors that a task's `outputs` mention, each once, in order."""
    if task == "detection":
        names = [outputs["box"]["tensor"]]
        if "score" in outputs and "tensor" in outputs["score"]:
            names.append(outputs["score"]["tensor"])
    elif task == "reading":
        names = list(outputs["symbols"]["tensors"])
        if "country" in outputs:
            names.append(outputs["country"]["tensor"])
    elif task == "classification":
        names = [outputs["classes"]["tensor"]]
    else:
        names = [outputs["mask"]["tensor"]]
    return list(dict.fromkeys(names))
