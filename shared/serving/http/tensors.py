"""Tensors of the Open Inference Protocol v2: their types, and values from a list or from bytes.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any, List, Mapping, Tuple

import numpy as np

from shared.inference.arrays import Array
from shared.serving.http.refused import BAD_REQUEST, Refused

DATATYPES: Mapping[str, str] = {
    "bool": "BOOL",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    **{f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""By numpy's names."""

LARGEST_PIXEL = 255


@dataclass(frozen=True)
class TensorSpec:
    """A tensor as the protocol describes it; `dtype` is numpy's name of its type."""

    name: str
    shape: Tuple[int, ...]
    dtype: str

    @property
    def datatype(self) -> str:
        return DATATYPES[self.dtype]

    @property
    def count(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def document(self) -> Mapping[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


def from_list(data: Any, spec: TensorSpec) -> Array:
    """Return the values of a list, flat or nested as the shape is.

    Raises:
        Refused: no list of so many numbers, or numbers that the type does not have.
    """
    values = _flat(data, spec)
    if len(values) != spec.count:
        raise Refused(BAD_REQUEST, f"'{spec.name}' has {len(values)} numbers, its shape {spec.count}")
    if not set(map(type, values)) <= {int, float}:
        raise Refused(BAD_REQUEST, f"'{spec.name}' has data that is no list of numbers")
    try:
        wide = np.array(values, np.float64).reshape(spec.shape)
    except OverflowError:
        raise _not_of_type(spec) from None
    return _narrowed(wide, spec)


def _narrowed(wide: Array, spec: TensorSpec) -> Array:
    """Return float64 as what the network takes, float32 or uint8."""
    if spec.dtype == "uint8":
        if not ((wide >= 0) & (wide <= LARGEST_PIXEL) & (wide == np.floor(wide))).all():
            raise _not_of_type(spec)
    elif not (np.abs(wide) <= np.finfo(np.float32).max).all():
        raise _not_of_type(spec)
    return np.ascontiguousarray(wide, spec.dtype)


def _not_of_type(spec: TensorSpec) -> Refused:
    return Refused(BAD_REQUEST, f"'{spec.name}' has numbers that {spec.datatype} does not have")


def _flat(data: Any, spec: TensorSpec) -> List[Any]:
    """Return the numbers of a list that is flat, or nested as deep as the shape. Nothing is copied before it
    is known to be short enough.
    """
    values = data
    for _ in spec.shape:
        if not isinstance(values, list) or len(values) > spec.count:
            raise Refused(BAD_REQUEST, f"'{spec.name}' has no list of {spec.count} numbers")
        if not values or not isinstance(values[0], list):
            return values
        if not all(isinstance(each, list) for each in values) or sum(map(len, values)) > spec.count:
            raise Refused(BAD_REQUEST, f"'{spec.name}' has lists that are not nested as its shape is")
        values = list(chain.from_iterable(values))
    return list(values)


def from_bytes(data: bytes, spec: TensorSpec) -> Array:
    """Return little-endian values in the order of rows. Raises Refused where there are not so many."""
    little = np.dtype(spec.dtype).newbyteorder("<")
    wanted = spec.count * little.itemsize
    if len(data) != wanted:
        raise Refused(BAD_REQUEST, f"'{spec.name}' has {len(data)} bytes, its shape {wanted}")
    return np.frombuffer(data, little).astype(spec.dtype).reshape(spec.shape)


def to_bytes(array: Array) -> bytes:
    """Return the values of a tensor, little-endian, in the order of rows."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
