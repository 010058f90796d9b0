"""What a request may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Attributes:
        body_bytes: of a request's body.
        pixels: of an image, by its header, before it is decoded.
        waiting: requests that wait while all workers are busy.
        timeout_s: seconds from a request's header to its answer.
    """

    body_bytes: int = 16_000_000
    pixels: int = 50_000_000
    waiting: int = 32
    timeout_s: float = 30.0
