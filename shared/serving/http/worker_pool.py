"""Threads that run the networks, each with sessions of its own, and how many requests may wait for one."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Callable, Iterator, Optional, Sequence, TypeVar

from shared.inference.stream import Nodes
from shared.serving.http.refused import TOO_MANY, Refused

T = TypeVar("T")


class Place:
    """A request that was let in."""

    def __init__(self, threads: ThreadPoolExecutor, own: threading.local) -> None:
        self._threads, self._own = threads, own
        self.job: "Optional[Future[object]]" = None

    async def run(self, work: Callable[[Nodes], T]) -> T:
        """Do work in the next thread that is free, with its nodes.

        Cancelled while it waits, it is not begun; one that has begun goes on to its end.
        """
        job = self._threads.submit(lambda: work(self._own.nodes))
        self.job = job  # type: ignore[assignment]
        return await asyncio.wrap_future(job)


class WorkerPool:
    """A fixed number of threads, and a bound on what waits for them.

    Args:
        workers: the nodes of each thread, which no other calls.
        waiting: requests beside those at work, at most.
    """

    def __init__(self, workers: Sequence[Nodes], waiting: int) -> None:
        self._most = len(workers) + waiting
        self._taken, self._taking = 0, threading.Lock()
        self._own = threading.local()
        nodes: "SimpleQueue[Nodes]" = SimpleQueue()
        for each in workers:
            nodes.put(each)
        self._threads = ThreadPoolExecutor(len(workers), "inference", lambda: self._begin(nodes))

    def _begin(self, nodes: "SimpleQueue[Nodes]") -> None:
        self._own.nodes = nodes.get_nowait()

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Let a request in, until it is answered and its work is done.

        Raises:
            Refused: there are as many as there may be.
        """
        with self._taking:
            if self._taken >= self._most:
                raise Refused(TOO_MANY, f"{self._most} requests are at work or wait; try again later")
            self._taken += 1
        place = Place(self._threads, self._own)
        try:
            yield place
        finally:
            if place.job is None:
                self._give_back()
            else:  # what nobody waits for any more still keeps its thread
                place.job.add_done_callback(lambda _: self._give_back())

    def _give_back(self) -> None:
        with self._taking:
            self._taken -= 1

    def close(self) -> None:
        """End the threads when their work is done."""
        self._threads.shutdown()
