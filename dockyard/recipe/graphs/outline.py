"""The outline of a graph in any format, and whether model.json's names are in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dockyard.recipe.graphs import GraphOutline, Shape
from dockyard.recipe.graphs.keras import read_keras
from dockyard.recipe.graphs.onnx import read_onnx
from dockyard.recipe.graphs.tensorflow import SIGNATURE, read_frozen_graph, read_saved_model
from dockyard.recipe.graphs.tflite import read_tflite
from shared.contract.errors import InputProblem, nearest
from shared.contract.model import FORMATS, Network
from shared.contract.output_shapes import unreadable

SAVED_MODEL = "SavedModel"
FOLDERS = (SAVED_MODEL, "ONNX")
"""Formats that may be folders."""

ENDINGS = ", ".join(FORMATS)


@dataclass(frozen=True)
class Reader:
    """How the outline of a format is read.

    Attributes:
        read: takes the graph's path; raises ValueError for what it finds instead of a graph of the format.
        expected: what a user is to give, for messages.
    """

    read: Callable[[Path], GraphOutline]
    expected: str


READERS: Mapping[str, Reader] = {
    "frozen graph": Reader(
        read_frozen_graph,
        "a frozen TensorFlow graph, a binary GraphDef (.pb); of a SavedModel give the folder",
    ),
    SAVED_MODEL: Reader(
        read_saved_model,
        f"a SavedModel's folder with a signature '{SIGNATURE}', or a file that ends with {ENDINGS}",
    ),
    "Keras": Reader(
        read_keras,
        "a Functional or Sequential model in Keras's own format (.keras);"
        " of others give the SavedModel (model.export)",
    ),
    "ONNX": Reader(
        read_onnx,
        "an ONNX model in one file (onnx.save_model with save_as_external_data=False), or a folder with the"
        " ending .onnx, in it the model and its weights",
    ),
    "TFLite": Reader(
        read_tflite,
        "a TensorFlow Lite model (.tflite)",
    ),
}
"""By format, as `Network.format` has them."""


def read_outline(path: Path, format: str, where: str) -> GraphOutline:
    """Read the outline of a graph.

    Args:
        path: a file, or the folder of a SavedModel or of an ONNX model with its weights.
        format: a key of `READERS`.
        where: the path in messages.

    Raises:
        InputProblem: it is no graph of that format, or one that cannot be taken as it is.
    """
    reader = READERS[format]
    try:
        if path.is_dir() and format not in FOLDERS:
            raise ValueError(f"a folder, with the ending of a file in the format {format}")
        return reader.read(path)
    except ValueError as error:
        raise InputProblem(str(error), where, f"expected {reader.expected}") from None


def check_names(network: Network, outline: GraphOutline, where: str) -> None:
    """Check that model.json's tensors are in the graph; its input's shape and classes the graph's, if known.

    Args:
        network: as model.json has it.
        outline: of its graph.
        where: model.json's path in messages.

    Raises:
        InputProblem: naming the nearest tensor and the list, both shapes, or why an output cannot be read.
    """
    name = network.input.name
    if name not in outline.inner.union(outline.inputs):
        what = f"the graph {network.graph} has no input '{name}'"
        raise InputProblem(what, f"{where}: $.input.name", _nearest_tensor(name, outline, outline.inputs))
    _check_shape(network, outline.inputs.get(name), f"{where}: $.input.shape")
    for tensor in network.tensors:
        if not outline.has(tensor):
            what = f"the graph {network.graph} has no output '{tensor}'"
            raise InputProblem(what, f"{where}: $.outputs", _nearest_tensor(tensor, outline, outline.outputs))
    wrong = unreadable(network, {name: shape for name, shape in outline.outputs.items() if shape})
    if wrong is not None:
        raise InputProblem(wrong.what, f"{where}: $.outputs.{wrong.key}", wrong.advice)


def _check_shape(network: Network, shape: Shape, where: str) -> None:
    if shape is None:
        return
    wanted = network.input.shape
    advice = "a network's input has four sizes, batch 1"
    if len(shape) == len(wanted):
        if all(size in (-1, want) for size, want in zip(shape, wanted)):
            return
        advice = f"write {[size if size > 0 else want for size, want in zip(shape, wanted)]}"
    what = f"the input '{network.input.name}' has the shape {list(shape)} in the graph, not {list(wanted)}"
    raise InputProblem(what, where, advice)


def _nearest_tensor(name: str, outline: GraphOutline, ends: Iterable[str]) -> str:
    """Offer the graph's own inputs or outputs, and of its many inner tensors only what is nearly the name."""
    return nearest(name, {*ends, *get_close_matches(name, outline.inner, n=2)})
