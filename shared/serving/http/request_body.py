"""A request's body, read no further than it may be long, and an image in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Tuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from shared.serving.http.refused import BAD_REQUEST, NO_SUCH_TYPE, TOO_LARGE, Refused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_PARTS = 16
"""Of a form."""


def check_header(request: Request, most: int) -> None:
    """Refuse a body by what the request's header says of it. Raises Refused."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused(NO_SUCH_TYPE, "send the body as it is, without a Content-Encoding")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise _too_large(most)


async def read_body(request: Request, most: int) -> bytes:
    """Return a request's body.

    Raises:
        Refused: it is longer than `most` bytes, whatever the header says.
        ClientDisconnect: it was cut off.
    """
    chunks: List[bytes] = []
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > most:
            raise _too_large(most)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(most: int) -> Refused:
    return Refused(TOO_LARGE, f"the body is longer than {most} bytes, the most that is taken")


def image_in(body: bytes, content_type: str) -> bytes:
    """Return the image of a body: all of it, or the first file of a form (multipart/form-data).

    Raises:
        Refused: a form that is damaged, or without a file.
    """
    kind, options = parse_options_header(content_type)
    if kind.lower() != b"multipart/form-data":
        return body
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise Refused(BAD_REQUEST, "the form's Content-Type names no boundary")
    form = _FirstFile()
    try:
        parser = MultipartParser(boundary, form.callbacks)
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise Refused(BAD_REQUEST, "the form is damaged") from None
    if not form.is_found:
        raise Refused(BAD_REQUEST, "the form has no file in it")
    return b"".join(form.content)


class _FirstFile:
    """Takes a form part by part, and keeps the first that is a file."""

    def __init__(self) -> None:
        self.content: List[bytes] = []
        self.is_found = self._is_inside = False
        self._parts = 0
        self._header: Tuple[List[bytes], List[bytes]] = ([], [])
        self._headers: Dict[bytes, bytes] = {}
        self.callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header[0].append(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].append(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_content,
            "on_part_data": self._add,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise Refused(BAD_REQUEST, f"the form has more than {MOST_PARTS} parts")
        self._headers = {}

    def _end_header(self) -> None:
        name, value = (b"".join(part) for part in self._header)
        self._headers[name.lower()] = value
        self._header = ([], [])

    def _begin_content(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._is_inside = b"filename" in options and not self.is_found
        self.is_found = self.is_found or self._is_inside

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._is_inside:
            self.content.append(data[start:end])

    def _end(self) -> None:
        self._is_inside = False
