"""A request that is not done as it was asked for."""

from __future__ import annotations

BAD_REQUEST, UNAUTHORIZED, NOT_FOUND, TOO_LARGE, NO_SUCH_TYPE = 400, 401, 404, 413, 415
UNPROCESSABLE, TOO_MANY, UNAVAILABLE = 422, 429, 503

CLIENT_GONE = 499
"""Nobody is there to read it: for metrics and logs."""


class Refused(Exception):
    """A request that is refused, with its status and a sentence for whoever sent it."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status, self.sentence = status, sentence
        super().__init__(sentence)
