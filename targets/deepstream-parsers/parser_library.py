"""The parsers in C++ by ctypes, for what runs without DeepStream: the same code reads the same outputs."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char, c_char_p, c_float, c_int32, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, List, Mapping, Optional, Tuple, Type

import numpy as np

from shared.inference.arrays import Array
from shared.inference.boxes import Box

BRIDGE_VERSION = 1
MOST_AXES = 8
MOST_BOXES = 100
"""Of a frame; the parsers never find more."""

TYPES: Mapping[str, int] = {"float32": 0, "float16": 1, "int8": 2, "int32": 3, "int64": 4, "uint8": 5}
"""nvinfer's number of each type; the parsers read the first two."""


class ParserError(Exception):
    """The library cannot be loaded, or a parser has refused what it was given; the message says why."""


@dataclass(frozen=True)
class ParsedBox:
    """An object as nvinfer is told of it, in pixels of the network's input."""

    left: float
    top: float
    width: float
    height: float
    confidence: float

    @property
    def box(self) -> Box:
        return self.left, self.top, self.left + self.width, self.top + self.height


@dataclass(frozen=True)
class ParsedLabel:
    """What nvinfer would attach to an object.

    Attributes:
        label: see label_text.py, whose `read_label` reads it.
        confidence: 0 to 1.
    """

    label: str
    confidence: float


class _Layer(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("data", c_void_p),
        ("bytes", c_uint64),
        ("type", c_uint32),
        ("axes", c_uint32),
        ("shape", c_uint32 * MOST_AXES),
    ]


class _Box(ctypes.Structure):
    _fields_ = [
        ("class_id", c_uint32),
        ("left", c_float),
        ("top", c_float),
        ("width", c_float),
        ("height", c_float),
        ("confidence", c_float),
    ]


class _Reading(ctypes.Structure):
    _fields_ = [("label", c_char * 128), ("confidence", c_float), ("is_sure", c_int32)]


class _Error(ctypes.Structure):
    _fields_ = [("text", c_char * 512)]


ARGUMENTS: Mapping[str, Tuple[Any, Tuple[Any, ...]]] = {
    "dockyard_bridge_version": (c_uint32, ()),
    "dockyard_open": (c_void_p, (c_char_p, c_uint64, POINTER(_Error))),
    "dockyard_close": (None, (c_void_p,)),
    "dockyard_detect": (
        c_int32,
        (
            c_void_p,
            POINTER(_Layer),
            c_uint64,
            c_uint32,
            c_uint32,
            c_float,
            POINTER(_Box),
            c_uint64,
            POINTER(_Error),
        ),
    ),
    "dockyard_read": (
        c_int32,
        (c_void_p, POINTER(_Layer), c_uint64, c_float, POINTER(_Reading), POINTER(_Error)),
    ),
}
"""What each function returns, and what it takes."""


class ParserLibrary:
    """The parsers for the networks of one outputs.txt; several threads may call them at once.

    Args:
        path: libdockyard_parser_bridge.so.
        outputs: the text of outputs.txt.

    Raises:
        ParserError: the library cannot be loaded, or the text cannot be read.
    """

    def __init__(self, path: Path, outputs: str) -> None:
        self._networks: Optional[int] = None
        self._library = _load(path)
        text, error = outputs.encode(), _Error()
        self._networks = self._library.dockyard_open(text, len(text), byref(error))
        if self._networks is None:
            raise ParserError(f"outputs.txt: {_told(error)}")

    def detect(
        self, tensors: Mapping[str, Array], size: Tuple[int, int], threshold: float = -float("inf")
    ) -> List[ParsedBox]:
        """Return the objects that the detector found, the surest first, clipped to its input.

        Args:
            tensors: its outputs for one frame, float32 or float16; an axis of 1 for the batch may lead.
            size: height and width of its input in pixels.
            threshold: nvinfer's own; the network's minimum holds where that is higher.

        Raises:
            ParserError: the outputs are not as outputs.txt says.
        """
        layers, kept = _layers_of(tensors)
        boxes, error = (_Box * MOST_BOXES)(), _Error()
        count = self._library.dockyard_detect(
            self._open(), layers, len(kept), size[1], size[0], threshold, boxes, MOST_BOXES, byref(error)
        )
        if count < 0:
            raise ParserError(_told(error))
        return [ParsedBox(b.left, b.top, b.width, b.height, b.confidence) for b in boxes[:count]]

    def read(self, tensors: Mapping[str, Array], threshold: float = 0.0) -> Optional[ParsedLabel]:
        """Return what the text recognizer or the classifier says; None where it is less sure than asked for.

        Args:
            tensors: its outputs for one object, as of `detect`.
            threshold: nvinfer's classifier-threshold.

        Raises:
            ParserError: the outputs are not as outputs.txt says.
        """
        layers, kept = _layers_of(tensors)
        reading, error = _Reading(), _Error()
        failed = self._library.dockyard_read(
            self._open(), layers, len(kept), threshold, byref(reading), byref(error)
        )
        if failed:
            raise ParserError(_told(error))
        return ParsedLabel(reading.label.decode(), reading.confidence) if reading.is_sure else None

    def close(self) -> None:
        """Free the networks, when no call is under way; a second time does nothing."""
        if self._networks is not None:
            self._library.dockyard_close(self._networks)
            self._networks = None

    def __enter__(self) -> ParserLibrary:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _open(self) -> int:
        if self._networks is None:
            raise ParserError("the parsers have been closed")
        return self._networks


def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        for name, (returned, arguments) in ARGUMENTS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = returned, arguments
    except (OSError, AttributeError) as error:
        raise ParserError(f"{path} is no library of the parsers: {error}") from None
    version = library.dockyard_bridge_version()
    if version != BRIDGE_VERSION:
        raise ParserError(f"{path} has version {version} of the bridge, this is for {BRIDGE_VERSION}")
    return library


def _layers_of(tensors: Mapping[str, Array]) -> Tuple[Any, List[Array]]:
    """Return the layers as the bridge takes them, and the arrays that must live as long as they do."""
    layers, kept = (_Layer * len(tensors))(), []
    for layer, (name, given) in zip(layers, tensors.items()):
        array = np.ascontiguousarray(given).reshape(np.shape(given))  # which makes one axis of none
        if array.dtype.name not in TYPES or not array.dtype.isnative:
            raise ParserError(f"the output '{name}' is {array.dtype}, none of {', '.join(TYPES)}")
        if array.ndim > MOST_AXES or any(size >= 1 << 32 for size in array.shape) or "\0" in name:
            raise ParserError(f"the output {name!r} of the shape {array.shape} is none that nvinfer has")
        layer.name, layer.data, layer.bytes = name.encode(), array.ctypes.data, array.nbytes
        layer.type, layer.axes = TYPES[array.dtype.name], array.ndim
        layer.shape[: array.ndim] = array.shape
        kept.append(array)
    return layers, kept


def _told(error: _Error) -> str:
    return bytes(error.text).decode("utf-8", "replace")
