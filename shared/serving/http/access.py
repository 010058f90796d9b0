"""Who may ask: whoever has the key, where there is one."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Optional

from starlette.datastructures import Headers

from shared.contract.errors import InputProblem

OPEN = frozenset(("/", "/openapi.json", "/v2/health/live", "/v2/health/ready"))
"""What takes no key: whether it runs, how it is asked, and the page, which has nothing in it by itself."""

LEAST = 16
"""Characters of a key."""


class ApiKey:
    """A key that a request has to bring, as `Authorization: Bearer KEY` or as `X-Api-Key: KEY`."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def __repr__(self) -> str:
        return "ApiKey(...)"

    def lets_in(self, path: str, headers: Headers) -> bool:
        """Tell whether a request may go on; the time that takes tells nothing of the key."""
        return path in OPEN or hmac.compare_digest(_given(headers), self._key)


def _given(headers: Headers) -> bytes:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    return given.encode()


def read_key(path: Optional[Path]) -> Optional[ApiKey]:
    """Read the key from its file. Raises InputProblem where there is none in it."""
    if path is None:
        return None
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise InputProblem(f"it cannot be read ({type(error).__name__})", str(path)) from None
    if len(key) < LEAST or not key.isascii() or len(key.split()) != 1:
        raise InputProblem("it holds no key", str(path), f"one line of {LEAST} ASCII characters or more")
    return ApiKey(key)
