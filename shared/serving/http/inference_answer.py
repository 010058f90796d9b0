"""The answer to a request for inference, protocol v2, with bytes behind the JSON where they are asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping

import numpy as np

from shared.inference.arrays import Array
from shared.inference.session import Tensors
from shared.serving.http.inference_request import JSON_LENGTH, InferenceRequest
from shared.serving.http.refused import UNPROCESSABLE, Refused
from shared.serving.http.tensors import TensorSpec, to_bytes


@dataclass(frozen=True)
class Content:
    """A body, and what its headers say of it."""

    body: bytes
    headers: Mapping[str, str]


def answer(model: str, request: InferenceRequest, tensors: Tensors) -> Content:
    """Write an answer.

    Raises:
        Refused: an output, asked for as JSON, has values that JSON has no number for.
    """
    outputs: List[Mapping[str, Any]] = []
    parts: List[bytes] = []
    for name, is_binary in request.outputs:
        tensor = np.asarray(tensors[name])
        document: Dict[str, Any] = dict(TensorSpec(name, tensor.shape, tensor.dtype.name).document)
        if is_binary:
            parts.append(to_bytes(tensor))
            document["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            document["data"] = _list(name, tensor)
        outputs.append(document)
    named = {} if request.id is None else {"id": request.id}
    text = json.dumps({"model_name": model, **named, "outputs": outputs}).encode()
    if not parts:
        return Content(text, {"Content-Type": "application/json"})
    headers = {"Content-Type": "application/octet-stream", JSON_LENGTH: str(len(text))}
    return Content(b"".join((text, *parts)), headers)


def _list(name: str, tensor: Array) -> List[Any]:
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        what = f"the output '{name}' has values that are no numbers; ask for it with 'binary_data'"
        raise Refused(UNPROCESSABLE, what)
    values: List[Any] = tensor.ravel().tolist()
    return values
