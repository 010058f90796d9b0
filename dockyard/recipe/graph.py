"""A look into a model's graph without the framework that wrote it: is it what it claims to be, and what are its tensors called?"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from dockyard.recipe import protobuf
from dockyard.recipe.flatbuffer import Table
from dockyard.recipe.places import shown
from shared.contract.errors import InputProblem, nearest
from shared.contract.model import FORMS, Network

Shape = tuple[int, ...] | None
"""Sizes, -1 where the graph leaves one open; None where it tells no shape."""

SIGNATURE = "serving_default"
KERAS_CONFIG_BYTES = 64 << 20
KERAS_BYTES = 16 << 30
"""Of a Keras file unpacked; what claims more is to fill a disk."""


@dataclass(frozen=True)
class GraphOutline:
    """The tensors of a graph, by the names that model.json may use.

    Attributes:
        inputs: what the graph takes, with the shape.
        outputs: what it gives, as far as that can be told.
        inner: tensors at which a conversion may cut.
    """

    inputs: Mapping[str, Shape]
    outputs: tuple[str, ...]
    inner: frozenset[str] = frozenset()


def read_outline(path: Path, form: str) -> GraphOutline:
    """Read the outline of a graph.

    Args:
        path: a file, or a SavedModel's folder.
        form: as `Network.form` tells.

    Raises:
        InputProblem: it is no graph of that form, or one that cannot be taken as it is.
    """
    read, expected = READERS[form]
    try:
        if path.is_dir() and form != "SavedModel":
            raise ValueError(f"a folder, with the ending of a file in the form {form}")
        return read(path)
    except ValueError as error:
        raise InputProblem(str(error), shown(path), f"expected {expected}") from None


def check_names(network: Network, outline: GraphOutline, where: str) -> None:
    """Check that model.json's tensors are in the graph and that its input shape fits the graph's, where that is told.

    Raises:
        InputProblem: naming the nearest tensor and the list, or both shapes.
    """
    name = network.input.name
    if name not in outline.inner.union(outline.inputs):
        raise InputProblem(
            f"the graph {network.graph} has no input '{name}'", f"{where}: $.input.name", _nearest(name, outline, outline.inputs)
        )
    shape = outline.inputs.get(name)
    if shape is not None and not (len(shape) == 4 and all(have in (-1, want) for have, want in zip(shape, network.input.shape))):
        raise InputProblem(
            f"the input '{name}' has the shape {list(shape)} in the graph, not {list(network.input.shape)}",
            f"{where}: $.input.shape",
            f"write {[s if s > 0 else w for s, w in zip(shape, network.input.shape)]}" if len(shape) == 4 else "four sizes, batch 1",
        )
    for tensor in network.tensors:
        if tensor not in outline.inner.union(outline.outputs):
            advice = _nearest(tensor, outline, outline.outputs)
            raise InputProblem(f"the graph {network.graph} has no output '{tensor}'", f"{where}: $.outputs", advice)


def _nearest(name: str, outline: GraphOutline, ends: Mapping[str, Shape] | tuple[str, ...]) -> str:
    return nearest(name, {*ends, *get_close_matches(name, outline.inner, n=2)})


def _frozen_graph(path: Path) -> GraphOutline:
    graph = _protobuf("Graph", path)
    ops = {node.name: node.op for node in graph.node}
    if not ops or not all(ops.values()):
        raise ValueError("a protobuf, but no graph: it has no named nodes")
    inputs = {node.name: _attribute_shape(node) for node in graph.node if node.op == "Placeholder"}
    read = {name.lstrip("^").partition(":")[0] for node in graph.node for name in node.input}
    ends = tuple(name for name, op in ops.items() if name not in read and op not in ("Placeholder", "Const", "NoOp"))
    return GraphOutline(inputs, ends, frozenset(ops))


def _attribute_shape(node: Any) -> Shape:
    return next((_shape(attr.value.shape) for attr in node.attr if attr.key == "shape"), None)


def _shape(shape: Any) -> Shape:
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


def _saved_model(path: Path) -> GraphOutline:
    if not path.is_dir():
        raise ValueError("no folder, and no ending of a graph's file")
    link = next((p for p in sorted(path.rglob("*")) if p.is_symlink()), None)
    if link is not None:
        raise ValueError(f"the link {link.relative_to(path)}, which may lead out of the folder")
    if not (path / "saved_model.pb").is_file():
        raise ValueError("a folder without saved_model.pb")
    model = _protobuf("SavedModel", path / "saved_model.pb")
    signatures = {entry.key: entry.value for graph in model.meta_graph for entry in graph.signature}
    if SIGNATURE not in signatures:
        raise ValueError(f"no signature '{SIGNATURE}' (its signatures: {', '.join(sorted(signatures)) or 'none'})")
    signature = signatures[SIGNATURE]
    return GraphOutline({i.key: _shape(i.value.shape) for i in signature.input}, tuple(sorted(o.key for o in signature.output)))


def _onnx(path: Path) -> GraphOutline:
    model = _protobuf("OnnxModel", path)
    graph = model.graph
    if model.ir_version <= 0 or not graph.node or not all(node.op for node in graph.node):
        raise ValueError("a protobuf, but no ONNX model: it has no operators")
    if any(tensor.data_location for tensor in _onnx_constants(graph)):
        raise ValueError("an ONNX model whose weights lie in other files")
    constants = {tensor.name for tensor in graph.initializer}
    return GraphOutline(
        {_plain(value.name): _onnx_shape(value) for value in graph.input if value.name not in constants},
        tuple(_plain(value.name) for value in graph.output),
        frozenset(_plain(name) for node in graph.node for name in node.output if name),
    )


def _onnx_constants(graph: Any) -> Iterator[Any]:
    """Yield the constants of a graph, with those in its nodes and in the bodies of its branches and loops."""
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from (attribute.tensor, *attribute.tensors)
        for body in (attribute.graph, *attribute.graphs):
            yield from _onnx_constants(body)


def _onnx_shape(value: Any) -> Shape:
    if not value.type.tensor.HasField("shape"):
        return None
    return tuple(dim.size or -1 for dim in value.type.tensor.shape.dim)


def _tflite(path: Path) -> GraphOutline:
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError("no TFLite flatbuffer")
    try:
        graph = Table.root(content).tables(2)[0]
        tensors = graph.tables(0)
        inputs, outputs = ([tensors[index] for index in graph.numbers(field)] for field in (1, 2))
        return GraphOutline(
            {_plain(tensor.text(3)): tensor.numbers(7) or tensor.numbers(0) for tensor in inputs},
            tuple(_plain(tensor.text(3)) for tensor in outputs),
        )
    except (ValueError, IndexError):
        raise ValueError("a TFLite flatbuffer that is damaged") from None


def _keras(path: Path) -> GraphOutline:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for name in (member.filename for member in members):
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                    raise ValueError(f"an archive with the path '{name}'")
            if sum(member.file_size for member in members) > KERAS_BYTES:
                raise ValueError(f"an archive of more than {KERAS_BYTES >> 30} GiB unpacked")
            if archive.getinfo("config.json").file_size > KERAS_CONFIG_BYTES:
                raise ValueError(f"an archive whose config.json is larger than {KERAS_CONFIG_BYTES >> 20} MiB")
            config = json.loads(archive.read("config.json"))
    except KeyError:
        raise ValueError("an archive without config.json") from None
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError) as error:
        raise ValueError(f"no zip archive that can be read ({error})") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError("an archive whose config.json is no JSON") from None
    kind = config.get("class_name") if isinstance(config, dict) else None
    if kind not in ("Functional", "Sequential"):
        raise ValueError(f"a Keras model of the class {kind}, which only its own Python code can make")
    try:
        return _keras_outline(config["config"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError):
        raise ValueError("a Keras file whose config.json does not list its layers") from None


def _keras_outline(config: Any) -> GraphOutline:
    layers = {str(layer["config"]["name"]): layer for layer in config["layers"]}
    starts = {name: layer["config"] for name, layer in layers.items() if layer["class_name"] == "InputLayer"}
    shapes = {name: start.get("batch_shape") or start["batch_input_shape"] for name, start in starts.items()}
    ends = _layer_names(config["output_layers"]) if "output_layers" in config else [list(layers)[-1]]
    return GraphOutline(
        {name: tuple(-1 if size is None else int(size) for size in shape) for name, shape in shapes.items()}, tuple(ends), frozenset(layers)
    )


def _layer_names(entries: Any) -> list[str]:
    """Return the layers of `output_layers`: [layer, node, tensor], or lists or an object of those."""
    if isinstance(entries, list) and isinstance(entries[0], str):
        return [entries[0]]
    return [name for entry in (entries.values() if isinstance(entries, dict) else entries) for name in _layer_names(entry)]


def _protobuf(message: str, path: Path) -> Any:
    try:
        return protobuf.parse(message, path.read_bytes())
    except ValueError:
        raise ValueError("not a protobuf") from None


def _plain(name: str) -> str:
    return name[: -len(":0")] if name.endswith(":0") else name


READERS: Mapping[str, tuple[Callable[[Path], GraphOutline], str]] = {
    "frozen graph": (_frozen_graph, "a frozen TensorFlow graph, a binary GraphDef (.pb); of a SavedModel give the folder"),
    "SavedModel": (_saved_model, f"a SavedModel's folder with a signature '{SIGNATURE}', or a file that ends with {', '.join(FORMS)}"),
    "Keras": (_keras, "a Functional or Sequential model in Keras's own format (.keras); of others give the SavedModel (model.export)"),
    "ONNX": (_onnx, "an ONNX model in one file (onnx.save_model with save_as_external_data=False)"),
    "TFLite": (_tflite, "a TensorFlow Lite model (.tflite)"),
}
"""What reads the outline of each form, and what it expects; it raises ValueError for what it finds instead."""
