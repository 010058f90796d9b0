"""What is around every request: the key, the counts, a line in the log, and no page that guesses types."""

from __future__ import annotations

import time
import traceback
from typing import Any, Mapping, Optional

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.serving.http.access import ApiKey
from shared.serving.http.json_log import Log
from shared.serving.http.metrics import Metrics
from shared.serving.http.refused import CLIENT_GONE, UNAUTHORIZED

REFUSING = frozenset((401, 413, 415, 422, 429, 503))
"""The statuses that are counted as refused."""

OTHER = "other"
"""The path of what has no route, which may be anything."""


class Observed:
    """An application, observed.

    Args:
        paths: the path of each endpoint's route.
        key: None lets everybody in.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, paths: Mapping[Any, str], key: Optional[ApiKey], log: Log
    ) -> None:
        self._app, self._metrics, self._paths, self._key, self._log = app, metrics, paths, key, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started, status = time.perf_counter(), CLIENT_GONE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Content-Type-Options"] = "nosniff"
            await send(message)

        self._metrics.in_flight += 1
        fields = {}
        try:
            if self._key is None or self._key.lets_in(scope["path"], Headers(scope=scope)):
                await self._app(scope, receive, sending)
            else:
                await _unauthorized(scope, receive, sending)
        except ClientDisconnect:
            status = CLIENT_GONE
        except Exception as error:  # it has been answered with 500; its text may hold what was in the request
            fields = {"error": type(error).__name__, "at": _place(error)}
        finally:
            self._metrics.in_flight -= 1
            self._note(scope, status, time.perf_counter() - started, fields)

    def _note(self, scope: Scope, status: int, seconds: float, fields: Mapping[str, str]) -> None:
        path = self._paths.get(scope.get("endpoint"), OTHER)
        self._metrics.add(path, status, seconds)
        if status in REFUSING:
            self._metrics.add_refused(status)
        method, ms = scope["method"][:10], round(seconds * 1e3, 2)
        self._log("request", method=method, path=path, status=status, ms=ms, **fields)


def _place(error: BaseException) -> str:
    """Return where an error was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"


async def _unauthorized(scope: Scope, receive: Receive, send: Send) -> None:
    sentence = "this needs the API key, as `Authorization: Bearer KEY`"
    headers = {"WWW-Authenticate": "Bearer"}
    await JSONResponse({"error": sentence}, UNAUTHORIZED, headers)(scope, receive, send)
