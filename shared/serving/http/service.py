"""The routes of the service: the Open Inference Protocol v2 for each network, and images read as a whole.

https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Callable, Mapping, Optional

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.contract.dataset import MAX_SIDE
from shared.contract.delivery import Delivery
from shared.contract.errors import nearest
from shared.inference.image_files import UnreadableImage
from shared.inference.stream import Nodes
from shared.serving.http.access import ApiKey
from shared.serving.http.image_size import FORMATS, image_size
from shared.serving.http.inference_answer import Content, answer
from shared.serving.http.inference_request import JSON_LENGTH, parse_request
from shared.serving.http.json_log import Log, log
from shared.serving.http.limits import Limits
from shared.serving.http.metrics import CONTENT_TYPE, Metrics
from shared.serving.http.models import Model, session_of
from shared.serving.http.observed import Observed
from shared.serving.http.openapi import openapi
from shared.serving.http.page import PAGE, PAGE_HEADERS
from shared.serving.http.refused import (
    CLIENT_GONE,
    NOT_FOUND,
    TOO_MANY,
    UNAVAILABLE,
    UNPROCESSABLE,
    Refused,
)
from shared.serving.http.request_body import check_header, image_in, read_body
from shared.serving.http.worker_pool import WorkerPool
from shared.serving.image_reading import read_image

Work = Callable[[bytes, Nodes], Content]
"""What a thread does with a request's body."""


@dataclass(frozen=True)
class Service:
    """What the routes answer with.

    Attributes:
        models: by name.
        key: that requests have to bring; None lets everybody in.
    """

    delivery: Delivery
    models: Mapping[str, Model]
    pool: WorkerPool
    limits: Limits
    key: Optional[ApiKey] = None
    metrics: Metrics = field(default_factory=Metrics)

    def app(self, log: Log = log) -> ASGIApp:
        """Return the application."""
        routes = [
            Route("/", self._page),
            Route("/openapi.json", self._openapi),
            Route("/metrics", self._metrics),
            Route("/v1/read", self._read, methods=["POST"]),
            Route("/v2/health/live", self._live),
            Route("/v2/health/ready", self._ready),
            Route("/v2", self._server),
            Route("/v2/models/{name}", self._model),
            Route("/v2/models/{name}/ready", self._model_ready),
            Route("/v2/models/{name}/infer", self._infer, methods=["POST"]),
        ]
        handlers: Mapping[Any, Any] = {
            Refused: _refused,
            HTTPException: _http_error,
            ClientDisconnect: _gone,
            Exception: _failed,
        }
        paths = {route.endpoint: route.path for route in routes}
        return Observed(
            Starlette(routes=routes, exception_handlers=handlers), self.metrics, paths, self.key, log
        )

    async def _page(self, request: Request) -> Response:
        return Response(PAGE, headers=PAGE_HEADERS)

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(openapi(self.delivery, self.models, self.key is not None))

    async def _metrics(self, request: Request) -> Response:
        return Response(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, request: Request) -> Response:
        """The networks are loaded, and have run, before anything is listened for."""
        return JSONResponse({"ready": True})

    async def _server(self, request: Request) -> Response:
        version = f"{self.delivery.recipe} {self.delivery.variant} {self.delivery.run}"
        return JSONResponse({"name": "dockyard", "version": version, "extensions": ["binary_tensor_data"]})

    async def _model(self, request: Request) -> Response:
        platform = f"{self.delivery.target} {self.delivery.toolchain}"
        return JSONResponse(self._asked(request).document(platform))

    async def _model_ready(self, request: Request) -> Response:
        return JSONResponse({"name": self._asked(request).name, "ready": True})

    def _asked(self, request: Request) -> Model:
        """Return the network that a path names. Raises Refused where there is none."""
        model = self.models.get(request.path_params["name"])
        if model is None:
            raise Refused(NOT_FOUND, f"there is no such model; {nearest('', self.models)}")
        return model

    async def _infer(self, request: Request) -> Response:
        model, json_length = self._asked(request), request.headers.get(JSON_LENGTH)

        def work(body: bytes, nodes: Nodes) -> Content:
            asked = parse_request(body, json_length, model.input, model.output_names)
            return answer(model.name, asked, session_of(nodes, model.name).run(asked.image))

        return await self._answered(request, work)

    async def _read(self, request: Request) -> Response:
        content_type, most = request.headers.get("content-type", ""), self.limits.pixels

        def work(body: bytes, nodes: Nodes) -> Content:
            return _reading_of(image_in(body, content_type), nodes, self.delivery.model, most)

        return await self._answered(request, work)

    async def _answered(self, request: Request, work: Work) -> Response:
        """Let a request in, read its body and do its work in a thread, all in the time that it may take.

        Raises:
            Refused: too many are at work, its body is too long, it took too long, or `work` refuses it.
        """
        check_header(request, self.limits.body_bytes)
        with self.pool.place() as place:

            async def whole() -> Content:
                body = await read_body(request, self.limits.body_bytes)
                return await place.run(lambda nodes: work(body, nodes))

            try:
                content = await asyncio.wait_for(whole(), self.limits.timeout_s)
            except asyncio.TimeoutError:
                raise Refused(UNAVAILABLE, f"it was not done in {self.limits.timeout_s:g} seconds") from None
        return Response(content.body, headers=dict(content.headers))


def _reading_of(encoded: bytes, nodes: Nodes, model: str, most: int) -> Content:
    """Read an image.

    Args:
        most: pixels.

    Raises:
        Refused: it is no image, or one that is too large.
    """
    size = image_size(encoded)
    if size is None:
        raise Refused(UNPROCESSABLE, f"this is no image that is read here ({FORMATS})")
    if size[0] * size[1] > most or max(size) > MAX_SIDE:
        limit = f"{most} pixels, and {MAX_SIDE} a side, may be"
        raise Refused(UNPROCESSABLE, f"the image has {size[0]}x{size[1]} pixels; {limit}")
    started = perf_counter()
    try:
        reading = read_image(nodes, encoded, "that was sent")
    except UnreadableImage:
        raise Refused(UNPROCESSABLE, "the image is damaged") from None
    document = {
        "model": model,
        "width": reading.width,
        "height": reading.height,
        "found": reading.found,
        "ms": round((perf_counter() - started) * 1e3, 2),
    }
    text = json.dumps(document, ensure_ascii=False).encode()
    return Content(text, {"Content-Type": "application/json"})


async def _refused(request: Request, error: Refused) -> Response:
    headers = {"Retry-After": "1"} if error.status in (TOO_MANY, UNAVAILABLE) else None
    return JSONResponse({"error": error.sentence}, error.status, headers)


async def _http_error(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "this has failed here; the log says where"}, 500)
