"""Lines of JSON on standard output: what happened, and never what was in a request.

Standard error is left to libraries that write to it themselves, of images that are damaged for one.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import Any, Callable, Dict

Log = Callable[..., None]
"""Takes an event's name, and what is to be known of it as keywords."""


def log(event: str, **fields: Any) -> None:
    """Write a line."""
    time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({"time": time, "event": event, **fields}), flush=True)


class JsonHandler(logging.Handler):
    """What libraries log, as lines of JSON."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: Dict[str, Any] = {"logger": record.name, "level": record.levelname.lower()}
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
        log("message", message=record.getMessage(), **fields)
