"""`serve`: the service on a port, until a signal; what it has accepted it answers first."""

from __future__ import annotations

import logging
import math
import signal
from pathlib import Path
from typing import Optional

import uvicorn

from shared.serving.delivered import Delivered, own_cpus
from shared.serving.http.access import read_key
from shared.serving.http.json_log import JsonHandler, log
from shared.serving.http.limits import Limits
from shared.serving.http.models import warmed_models
from shared.serving.http.service import Service
from shared.serving.http.worker_pool import WorkerPool

MOST_CONNECTIONS = 1000
"""At once; more are answered with 503."""


def serve(
    delivered: Delivered, host: str, port: int, workers: Optional[int], limits: Limits, key: Optional[Path]
) -> None:
    """Serve until SIGTERM or SIGINT; requests that were accepted are answered before this ends.

    Args:
        workers: requests at work at once; None for as many as the CPUs have room for.
        key: file with the API key; None lets everybody in.

    Raises:
        InputProblem: there is no key in the file.
        EnvironmentProblem: this machine cannot run the delivery.
    """
    api_key = read_key(key)
    nodes = delivered.load(workers or max(1, own_cpus() // delivered.threads))
    pool = WorkerPool(nodes, limits.waiting)
    service = Service(delivered.delivery, warmed_models(nodes), pool, limits, api_key)
    logging.basicConfig(level=logging.INFO, handlers=[JsonHandler()])
    config = uvicorn.Config(
        service.app(),
        host,
        port,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=math.ceil(limits.timeout_s) + 1,
    )
    # uvicorn raises the signal that it ended at once more, for whoever was there before it: here nobody is.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    log("serving", recipe=delivered.delivery.recipe, workers=len(nodes), threads=delivered.threads, port=port)
    uvicorn.Server(config).run()
    pool.close()
    log("stopped")
