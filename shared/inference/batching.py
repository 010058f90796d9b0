"""Images of several threads in one call of a network, none of which waits longer than it may."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Any, List, Mapping, Optional, Sequence

import numpy as np

from shared.inference.arrays import Array
from shared.inference.session import Session, Tensors


@dataclass
class _Waiting:
    """An image that waits for its call, and what comes of it."""

    image: Array
    is_taken: bool = False
    outputs: Optional[Tensors] = None
    error: Optional[BaseException] = None

    @property
    def is_done(self) -> bool:
        return self.outputs is not None or self.error is not None


class Batches:
    """A session that several threads call with single images, of which it makes batches.

    Whoever's image fills a batch, or has waited long enough, runs the call for all that are in it.

    Args:
        sessions: whose first axis is the batch; as many calls as there are sessions run at once.
        wait_ms: milliseconds that an image waits for others, at most.
    """

    def __init__(self, sessions: Sequence[Session], wait_ms: float) -> None:
        first = sessions[0]
        self.settings: Mapping[str, Any] = first.settings
        self.input = first.input
        self.batch = first.input.shape[0]
        self._wait_s = wait_ms / 1e3
        self._free: "SimpleQueue[Session]" = SimpleQueue()
        for session in sessions:
            self._free.put(session)
        self._waiting: List[_Waiting] = []
        self._news = threading.Condition()

    def run(self, image: Array) -> Tensors:
        """Run one image, [1, ...]; its outputs have a first axis of 1 too."""
        return self.run_all([image])[0]

    def run_all(self, images: Sequence[Array]) -> List[Tensors]:
        """Run several images, each [1, ...], in as few calls as there is room for.

        Raises:
            BaseException: what the call of one of them raised, whichever thread made it.
        """
        own = [_Waiting(image) for image in images]
        deadline = monotonic() + self._wait_s
        with self._news:
            self._waiting += own
        for one in own:
            self._settle(one, deadline)
        outputs = []
        for one in own:
            if one.error is not None:
                raise one.error
            assert one.outputs is not None
            outputs.append(one.outputs)
        return outputs

    def _settle(self, one: _Waiting, deadline: float) -> None:
        """Wait until an image is done; run it, with those that wait beside it, when it is time to."""
        while True:
            with self._news:
                while not one.is_done:
                    is_due = len(self._waiting) >= self.batch or monotonic() >= deadline
                    if not one.is_taken and is_due:
                        break
                    self._news.wait(None if one.is_taken else max(0.0, deadline - monotonic()))
                if one.is_done:
                    return
                taken, self._waiting = self._waiting[: self.batch], self._waiting[self.batch :]
                for each in taken:
                    each.is_taken = True
            self._run(taken)

    def _run(self, taken: Sequence[_Waiting]) -> None:
        """Run one call; a batch that is not full is filled up with zeros."""
        session = self._free.get()
        outputs: Mapping[str, Array] = {}
        error: Optional[BaseException] = None
        try:
            images = np.zeros(session.input.shape, taken[0].image.dtype)
            for number, each in enumerate(taken):
                images[number] = each.image[0]
            outputs = session.run(images)
        except BaseException as raised:
            error = raised
        finally:
            self._free.put(session)
        with self._news:
            for number, each in enumerate(taken):
                each.error = error
                if error is None:
                    each.outputs = _part(outputs, number)
            self._news.notify_all()


def _part(outputs: Tensors, number: int) -> Tensors:
    """Return the outputs of one image of a batch."""
    return {name: tensor[number : number + 1] for name, tensor in outputs.items()}
