"""The delivered HTTP service, on a free port of this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from shared.serving.delivered import Delivered
from shared.serving.http.access import ApiKey
from shared.serving.http.limits import Limits
from shared.serving.http.models import warmed_models
from shared.serving.http.service import Service
from shared.serving.http.worker_pool import WorkerPool


@dataclass
class Served:
    """A service that answers.

    Attributes:
        lines: what it has logged.
    """

    port: int
    client: httpx.Client
    server: uvicorn.Server
    lines: list[dict[str, Any]] = field(default_factory=list)

    def counted(self, name: str) -> float:
        """Return a value of its metrics; 0 where there is none."""
        lines = self.client.get("/metrics").text.splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


@contextmanager
def serving(
    delivered: Delivered, limits: Limits | None = None, workers: int = 1, key: str | None = None
) -> Iterator[Served]:
    """Serve a delivery with real connections."""
    limits = limits or Limits()
    nodes = delivered.load(workers)
    models = warmed_models(nodes)
    pool = WorkerPool(nodes, limits.waiting)
    service = Service(delivered.delivery, models, pool, limits, ApiKey(key) if key else None)
    lines: list[dict[str, Any]] = []

    def log(event: str, **fields: Any) -> None:
        lines.append({"event": event, **fields})

    config = uvicorn.Config(
        service.app(log), "127.0.0.1", 0, http="h11", ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield Served(port, client, server, lines)
    finally:
        server.should_exit = True
        thread.join()
        pool.close()
