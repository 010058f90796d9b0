"""Counts and times of requests, as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from typing import Dict, Iterator, List, Tuple

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Of the histogram's buckets, in seconds."""


class Metrics:
    """What came of requests so far; touched by the one thread that serves."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: Dict[Tuple[str, int], int] = {}
        self._refused: Dict[int, int] = {}
        self._buckets: Dict[str, List[int]] = {}
        self._seconds: Dict[str, float] = {}

    def add(self, path: str, status: int, seconds: float) -> None:
        """Count a request; its path is that of a route, of which there are few."""
        self._requests[path, status] = self._requests.get((path, status), 0) + 1
        buckets = self._buckets.setdefault(path, [0] * (len(BOUNDS_S) + 1))
        buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self._seconds[path] = self._seconds.get(path, 0.0) + seconds

    def add_refused(self, status: int) -> None:
        """Count a request that was refused."""
        self._refused[status] = self._refused.get(status, 0) + 1

    def text(self) -> str:
        return "\n".join((*self._lines(), ""))

    def _lines(self) -> Iterator[str]:
        yield from _head("dockyard_requests_total", "counter", "Requests by path and status.")
        for (path, status), count in sorted(self._requests.items()):
            yield f'dockyard_requests_total{{path="{path}",status="{status}"}} {count}'
        yield from _head("dockyard_requests_refused_total", "counter", "Requests that were refused.")
        for status, count in sorted(self._refused.items()):
            yield f'dockyard_requests_refused_total{{status="{status}"}} {count}'
        yield from _head("dockyard_requests_in_flight", "gauge", "Requests that are not answered yet.")
        yield f"dockyard_requests_in_flight {self.in_flight}"
        yield from _head("dockyard_request_seconds", "histogram", "Seconds to a request's answer.")
        for path, buckets in sorted(self._buckets.items()):
            yield from self._histogram(path, buckets)

    def _histogram(self, path: str, buckets: List[int]) -> Iterator[str]:
        name, total = "dockyard_request_seconds", 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), buckets):
            total += count
            yield f'{name}_bucket{{path="{path}",le="{bound}"}} {total}'
        yield f'{name}_sum{{path="{path}"}} {self._seconds[path]:.6f}'
        yield f'{name}_count{{path="{path}"}} {total}'


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
