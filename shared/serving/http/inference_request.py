"""A request for inference, protocol v2: JSON, and with the binary extension the input's values behind it.

The extension's header says how long the JSON is; what comes after it is the input's values.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

from shared.inference.arrays import Array
from shared.serving.http.refused import BAD_REQUEST, TOO_LARGE, Refused
from shared.serving.http.tensors import TensorSpec, from_bytes, from_list

JSON_LENGTH = "Inference-Header-Content-Length"

LONGEST_NUMBER, ROOM = 32, 65_536
"""Bytes of JSON that a number of the input takes at most, with what is between numbers, and of all the rest.
Parsing more would hold up everybody else for seconds.
"""

LONGEST_ID = 200
"""Characters of a request's id, which the answer repeats."""


@dataclass(frozen=True)
class InferenceRequest:
    """What is asked for.

    Attributes:
        outputs: name of each tensor that is wanted, and whether as bytes; in the order of the answer.
    """

    image: Array
    outputs: Tuple[Tuple[str, bool], ...]
    id: Optional[str] = None


def parse_request(
    body: bytes, json_length: Optional[str], spec: TensorSpec, outputs: Tuple[str, ...]
) -> InferenceRequest:
    """Read a request's body.

    Args:
        json_length: the extension's header; None without it.
        spec: the network's input.
        outputs: the names of its outputs.

    Raises:
        Refused: what is not as the protocol and the network have it, in a sentence.
    """
    text, binary = _parted(body, json_length)
    most = spec.count * LONGEST_NUMBER + ROOM
    if len(text) > most:
        raise Refused(TOO_LARGE, f"the JSON is longer than {most} bytes; '{spec.name}' does not need so many")
    document = _object(_json(text), "the body")
    name = document.get("id")
    if name is not None and not (isinstance(name, str) and len(name) <= LONGEST_ID):
        raise _wrong(f"'id' is no text of at most {LONGEST_ID} characters")
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise _wrong(f"'inputs' is no list of the one input '{spec.name}'")
    image = _image(_object(inputs[0], "the input"), binary, spec)
    return InferenceRequest(image, _wanted(document, outputs), name)


def _parted(body: bytes, json_length: Optional[str]) -> Tuple[bytes, Optional[bytes]]:
    """Return the JSON, and with the extension what is behind it."""
    if json_length is None:
        return body, None
    if not (json_length.isascii() and json_length.isdecimal() and int(json_length[:20]) <= len(body)):
        raise _wrong(f"{JSON_LENGTH} is no number of bytes that the body has")
    length = int(json_length)
    return body[:length], body[length:]


def _json(text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _wrong("the body is no JSON") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(f"{what} is no JSON object")
    return value


def _parameters(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(document.get("parameters", {}), "'parameters'")


def _image(given: Mapping[str, Any], binary: Optional[bytes], spec: TensorSpec) -> Array:
    """Return the one input's values, in its shape."""
    if given.get("name") != spec.name:
        raise _wrong(f"the input is named otherwise than '{spec.name}'")
    if given.get("datatype") != spec.datatype:
        raise _wrong(f"'{spec.name}' is {spec.datatype}, and nothing else")
    if not _is_shape(given.get("shape"), spec.shape):
        raise _wrong(f"'{spec.name}' has the shape {list(spec.shape)}, and no other")
    size = _parameters(given).get("binary_data_size")
    if binary is None:
        if size is not None:
            raise _wrong(f"'binary_data_size' needs the header {JSON_LENGTH}")
        return from_list(given.get("data"), spec)
    if "data" in given:
        if binary:
            raise _wrong("there are bytes behind the JSON, and 'data' in it")
        return from_list(given["data"], spec)
    if type(size) is not int or size != len(binary):
        raise _wrong(f"'binary_data_size' is not {len(binary)}, the bytes behind the JSON")
    return from_bytes(binary, spec)


def _is_shape(given: Any, shape: Tuple[int, ...]) -> bool:
    return isinstance(given, list) and all(type(size) is int for size in given) and given == list(shape)


def _wanted(document: Mapping[str, Any], outputs: Tuple[str, ...]) -> Tuple[Tuple[str, bool], ...]:
    """Return the outputs that are asked for; all where none is named."""
    default = _flag(_parameters(document).get("binary_data_output", False), "binary_data_output")
    asked = document.get("outputs")
    if asked is None:
        return tuple((name, default) for name in outputs)
    if not isinstance(asked, list) or not 0 < len(asked) <= len(outputs):
        raise _wrong(f"'outputs' is no list of 1 to {len(outputs)} outputs")
    found = []
    for each in asked:
        wanted = _object(each, "an output")
        name = wanted.get("name")
        if not isinstance(name, str) or name not in outputs:
            raise _wrong(f"an output is none of {', '.join(outputs)}")
        found.append((name, _flag(_parameters(wanted).get("binary_data", default), "binary_data")))
    return tuple(found)


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(f"'{name}' is neither true nor false")
    return value


def _wrong(sentence: str) -> Refused:
    return Refused(BAD_REQUEST, sentence)
