"""nvinfer's configurations of a pipeline's networks: a detector, and what reads or classifies its objects.

The outputs are read by functions of Dockyard's own parser library, which drop what is below the minimum and,
of what overlaps, all but the surest: nvinfer is told to leave them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from nvinfer_entries import Config, Entry
from nvinfer_input import input_entries, number
from nvinfer_keys import is_before, release_facts, table

from shared.contract.errors import InputProblem, nearest
from shared.contract.model import Network
from shared.contract.outputs import ClassificationOutputs, DetectionOutputs, TextOutputs
from shared.contract.streaming import Tracking

PRECISIONS = {"fp32": 0, "int8": 1, "fp16": 2, "best": 3}
"""The values of `network-mode`, which are not in the order of the bits."""

DETECTOR_PARSER, READER_PARSER = "NvDsInferParseCustomDetector", "NvDsInferParseCustomReader"
"""The functions of the parser library."""

OBJECT_CLASSES = (0,)
"""Of a detector: its networks find objects of one kind, see `DetectionOutputs`."""

ALL_CLASSES = "class-attrs-all"
"""The group with what holds for all classes."""

FLOOR_PX, LEAST_CROP_PX = 16, 2
"""The side below which some releases skip an object; the smallest crop whose sides are even."""


@dataclass(frozen=True)
class Element:
    """What an nvinfer element is given beside its network.

    Attributes:
        name: of the pipeline's node.
        gie_id: its number, from 1, another one for each element.
        release: of DeepStream, as `7.1`.
        onnx_file, parser_library: relative to the configuration's folder.
        batch: frames or objects in one call.
        precision: `fp32`, `fp16` or `int8`; `best` leaves it to TensorRT. An `int8` engine has to be there
            before the stream: nvinfer builds FP16 where it finds no calibration cache, and none is named.
        is_typed: the ONNX has the precisions in it.
    """

    name: str
    gie_id: int
    release: str
    onnx_file: str
    parser_library: str
    batch: int = 1
    precision: str = "fp32"
    is_typed: bool = False

    @property
    def engine_file(self) -> str:
        """The engine as nvinfer names it when it builds one, beside the ONNX."""
        return engine_name(self.onnx_file, self.batch, self.precision)

    @property
    def label_file(self) -> str:
        return f"{self.name}_labels.txt"


def engine_name(onnx_file: str, batch: int, precision: str, device: str = "gpu0") -> str:
    """Return the file in which nvinfer keeps the engine that it has built (nvinfer's source, release 9.1)."""
    return f"{onnx_file}_b{batch}_{device}_{precision}.engine"


def detector_config(network: Network, element: Element, tracking: Tracking) -> Config:
    """Return the configuration of a detector on whole frames.

    A score of exactly 0 does not survive nvinfer's last, strict comparison, so that a detector without scores
    has to give 1.

    Raises:
        InputProblem: the network is no detector, or nvinfer cannot run it so.
    """
    outputs = network.outputs
    if not isinstance(outputs, DetectionOutputs):
        raise _wrong_task(network, "a detector")
    if outputs.objects is not None and outputs.objects.classes is not None:
        advice = (
            "leave the classes out of model.json where one kind is enough, or build it for another target"
        )
        raise InputProblem(
            "the parser library knows one kind of objects", "$.outputs.objects.classes", advice
        )
    minimum = outputs.score.minimum if outputs.score else 0.0
    pauses = str(tracking.interval - 1)
    entries = (
        Entry("process-mode", "1", "the first node: whole frames"),
        Entry("network-type", "0", f"model.json task: {network.task.value}"),
        *_element_entries(element),
        Entry("interval", pauses, "the stream's tracking: batches between two that are detected in"),
        *input_entries(network.input),
        *_output_entries(network, element, "parse-bbox-func-name", DETECTOR_PARSER),
        Entry("num-detected-classes", str(len(OBJECT_CLASSES)), "model.json outputs: objects of one kind"),
        Entry("labelfile-path", element.label_file, "one line for each class"),
        Entry("cluster-mode", "4", "the parser leaves one box for each object by itself"),
        # The parser keeps `score >= minimum`, and nvinfer removes `score < threshold` with the same float32.
        Entry("pre-cluster-threshold", number(minimum), "model.json outputs.score.minimum", ALL_CLASSES),
    )
    return Config(entries)


def reader_config(network: Network, element: Element, tracking: Tracking, detector_gie_id: int) -> Config:
    """Return the configuration of a network that reads or classifies the objects of a detector.

    nvinfer crops the object as it is: a pipeline's crop_margin is for whoever makes the detector's boxes.

    Raises:
        InputProblem: the network does neither, or nvinfer cannot run it so.
    """
    if not isinstance(network.outputs, (TextOutputs, ClassificationOutputs)):
        raise _wrong_task(network, "a text recognizer or classifier")
    classes = ";".join(map(str, OBJECT_CLASSES))
    has_labels = bool(label_lines(network))
    labels = Entry("labelfile-path", element.label_file, "model.json outputs.classes.names, one line")
    entries = (
        Entry("process-mode", "2", "the node's input: objects of the detector"),
        Entry("network-type", "1", f"model.json task: {network.task.value}"),
        *_element_entries(element),
        Entry("operate-on-gie-id", str(detector_gie_id), "the detector's gie-unique-id"),
        Entry("operate-on-class-ids", classes, "the detector's classes"),
        *_object_entries(element.release),
        Entry("secondary-reinfer-interval", str(tracking.interval), "the stream's tracking: frames"),
        *input_entries(network.input),
        Entry("scaling-compute-hw", "1", "GPU: the VIC ends a stream that enlarges over 16 times"),
        *_output_entries(network, element, "parse-classifier-func-name", READER_PARSER),
        *((labels,) if has_labels else ()),
        Entry("classifier-async-mode", "0", "an object's reading belongs to its own frame"),
        Entry("classifier-threshold", "0", "every reading is told, with how sure it is"),
    )
    return Config(entries)


def label_lines(network: Network) -> Tuple[str, ...]:
    """Return the lines of the label file; empty where the network needs none.

    A detector has a line for each class. A classifier has one line, its names with semicolons between. The
    parser knows the symbols of a text recognizer.

    Raises:
        InputProblem: a name that the file cannot hold.
    """
    if isinstance(network.outputs, DetectionOutputs):
        return (network.name,)
    if not isinstance(network.outputs, ClassificationOutputs):
        return ()
    names = network.outputs.classes.names
    for name in names:
        if ";" in name or not name.isprintable() or not name.strip():
            advice = "name the class without semicolons and line ends"
            raise InputProblem(f"a label file cannot hold {name!r}", "$.outputs.classes.names", advice)
    return (";".join(names),)


def _element_entries(element: Element) -> Tuple[Entry, ...]:
    """Return who the element is, and what it runs."""
    release_facts(element.release)
    if element.precision not in PRECISIONS:
        raise InputProblem(f"no precision '{element.precision}'", "", nearest(element.precision, PRECISIONS))
    typed = table().keys["strongly-typed"].first
    has_types = typed is not None and not is_before(element.release, typed)
    entries = (
        Entry("gie-unique-id", str(element.gie_id), f"the node {element.name}"),
        Entry("gpu-id", "0", "a Jetson has one"),
        Entry("batch-size", str(element.batch), "the variant's batch"),
        Entry("network-mode", str(PRECISIONS[element.precision]), f"the variant: {element.precision}"),
        Entry("onnx-file", element.onnx_file, "the build"),
        Entry("model-engine-file", element.engine_file, "the name that nvinfer gives what it builds"),
    )
    said = Entry("strongly-typed", "1", "the precisions are in the ONNX")
    return (*entries, said) if element.is_typed and has_types else entries


def _object_entries(release: str) -> Tuple[Entry, ...]:
    """Return the least size of an object: what the release skips is said, everything else is read."""
    has_floor = release_facts(release).floor_on_gpu
    least, why = LEAST_CROP_PX, "the smallest crop whose sides are even"
    if has_floor:
        least, why = FLOOR_PX, f"DeepStream {release} skips what is smaller whatever scales"
    return tuple(Entry(f"input-object-min-{side}", str(least), why) for side in ("width", "height"))


def _output_entries(network: Network, element: Element, key: str, function: str) -> Tuple[Entry, ...]:
    """Return which outputs there are and what reads them."""
    names = network.tensors
    if any(";" in name for name in names):
        raise InputProblem("the name of an output has a semicolon", "$.outputs", "rename it in the graph")
    return (
        Entry("output-blob-names", ";".join(names), "model.json outputs"),
        Entry("custom-lib-path", element.parser_library, "the build, for this release of DeepStream"),
        Entry(key, function, "the library's function"),
    )


def _wrong_task(network: Network, wanted: str) -> InputProblem:
    what = f"the task of {network.name} is {network.task.value}"
    return InputProblem(what, "$.task", f"this configuration is for {wanted}")
