"""The service's OpenAPI document."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence

from shared.contract.delivery import DELIVERY_VERSION, Delivery
from shared.serving.http.models import Model

Document = Dict[str, Any]

SENTENCE: Document = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}

PROBLEMS: Mapping[int, str] = {
    400: "What was sent is not as it should be",
    401: "The API key is missing, or another one",
    404: "There is no such model",
    413: "The body is too long",
    415: "The body has a Content-Encoding",
    422: "No image that is read here, too large or damaged; or an output that JSON has no numbers for",
    429: "Too many requests wait",
    503: "It took too long",
}


def openapi(delivery: Delivery, models: Mapping[str, Model], has_key: bool) -> Document:
    """Return the document of a service."""
    document: Document = {
        "openapi": "3.1.0",
        "info": {
            "title": f"{delivery.model} ({delivery.recipe}, {delivery.variant})",
            "version": str(DELIVERY_VERSION),
        },
        "paths": {
            "/v1/read": {"post": _read()},
            "/v2/health/live": {"get": _get("Whether it runs", is_open=True)},
            "/v2/health/ready": {"get": _get("Whether it answers", is_open=True)},
            "/v2": {"get": _get("What serves")},
            "/v2/models/{name}": {"get": _get("A network's tensors", models, problems=(404,))},
            "/v2/models/{name}/ready": {"get": _get("Whether it answers", models, problems=(404,))},
            "/v2/models/{name}/infer": {"post": _infer(models)},
            "/metrics": {"get": _get("Counts and times, for Prometheus")},
        },
    }
    if has_key:
        document["components"] = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}
        document["security"] = [{"key": []}]
    return document


def _get(
    summary: str,
    models: Optional[Mapping[str, Model]] = None,
    problems: Sequence[int] = (),
    is_open: bool = False,
) -> Document:
    operation: Document = {"summary": summary, "responses": _responses(problems, is_open)}
    if models is not None:
        operation["parameters"] = [_name(models)]
    if is_open:
        operation["security"] = []
    return operation


def _read() -> Document:
    binary = {"schema": {"type": "string", "format": "binary"}}
    form = {"type": "object", "properties": {"image": {"type": "string", "format": "binary"}}}
    return {
        "summary": "Read an image: boxes and what is in them, a text, a class or a mask",
        "requestBody": {
            "required": True,
            "content": {"image/*": binary, "multipart/form-data": {"schema": form}},
        },
        "responses": _responses((400, 413, 415, 422, 429, 503)),
    }


def _infer(models: Mapping[str, Model]) -> Document:
    """The protocol's own document has the schema; here is what differs from one network to another."""
    examples: Document = {}
    for name, model in models.items():
        given = {**model.input.document, "data": []}
        examples[name] = {"value": {"inputs": [given], "outputs": [{"name": n} for n in model.output_names]}}
    json_content = {"schema": {"type": "object", "required": ["inputs"]}, "examples": examples}
    return {
        "summary": "Run a network (Open Inference Protocol v2, with binary tensor data)",
        "parameters": [_name(models)],
        "requestBody": {"required": True, "content": {"application/json": json_content}},
        "responses": _responses((400, 404, 413, 415, 422, 429, 503)),
    }


def _name(models: Mapping[str, Model]) -> Document:
    return {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": sorted(models)},
    }


def _responses(problems: Sequence[int], is_open: bool = False) -> Document:
    statuses = sorted({*problems, *(() if is_open else (401,))})
    found: Document = {"200": {"description": "Done"}}
    for status in statuses:
        content = {"application/json": {"schema": SENTENCE}}
        found[str(status)] = {"description": PROBLEMS[status], "content": content}
    return found
