"""ONNX models written without the package: a detector that is exact by construction.

Field numbers are those published in onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

FLOAT, INT64 = 1, 7
"""Types of tensors."""

INTS = 7
"""The type of an attribute that is a list of whole numbers."""


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _content(field: int, content: bytes | str) -> bytes:
    packed = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(packed)) + packed


def _tensor(name: str, values: np.ndarray) -> bytes:
    kind = INT64 if values.dtype == np.int64 else FLOAT
    dims = b"".join(_number(1, size) for size in values.shape)
    return dims + _number(2, kind) + _content(8, name) + _content(9, values.tobytes())


def _node(kind: str, inputs: Iterable[str], output: str, **attributes: Sequence[int] | int) -> bytes:
    parts = [_content(1, name) for name in inputs]
    parts += [_content(2, output), _content(3, output), _content(4, kind)]
    for name, value in attributes.items():
        number, kind_of = (3, 2) if isinstance(value, int) else (8, INTS)
        values = [value] if isinstance(value, int) else value
        numbers = b"".join(_number(number, one) for one in values)
        parts.append(_content(5, _content(1, name) + numbers + _number(20, kind_of)))
    return b"".join(parts)


def _value(name: str, shape: Sequence[int]) -> bytes:
    dims = b"".join(_content(1, _number(1, size)) for size in shape)
    return _content(1, name) + _content(2, _content(1, _number(1, FLOAT) + _content(2, dims)))


def squares_detector(side: int, stride: int, height: int, width: int) -> bytes:
    """Return a detector of red and green squares whose sides and places are known.

    A convolution with the squares as its templates: its score is 1 where a square fills the template, and 0
    where it fills nine tenths of it or less. The output is [1, 6, cells], as YOLOv8 has it: centre and size
    in pixels, then a score for red and one for green.

    Args:
        side: of the squares, in pixels.
        stride: of the places that they may have.
        height, width: of the input `image`, [1, 3, height, width], RGB, 0 to 1.
    """
    share = 10.0 / side**2
    weights = np.full((2, 3, side, side), -share, np.float32)
    weights[0, 0] = weights[1, 1] = share
    rows, columns = (height - side) // stride + 1, (width - side) // stride + 1
    y, x = (stride * np.mgrid[:rows, :columns] + side / 2).reshape(2, -1)
    boxes = np.stack([x, y, np.full_like(x, side), np.full_like(x, side)])[None].astype(np.float32)
    cells = rows * columns
    constants = {
        "weights": weights,
        "bias": np.full(2, -9, np.float32),
        "zero": np.zeros((), np.float32),
        "one": np.ones((), np.float32),
        "shape": np.array([1, 2, cells], np.int64),
        "boxes": boxes,
    }
    nodes = [
        _node("Conv", ["image", "weights", "bias"], "matched", strides=[stride, stride]),
        _node("Clip", ["matched", "zero", "one"], "shares"),
        _node("Reshape", ["shares", "shape"], "scores"),
        _node("Concat", ["boxes", "scores"], "output0", axis=1),
    ]
    graph = [*(_content(1, node) for node in nodes), _content(2, "squares")]
    graph += [_content(5, _tensor(name, values)) for name, values in constants.items()]
    graph += [
        _content(11, _value("image", [1, 3, height, width])),
        _content(12, _value("output0", [1, 6, cells])),
    ]
    return b"".join(
        [_number(1, 8), _content(7, b"".join(graph)), _content(8, _content(1, "") + _number(2, 13))]
    )
