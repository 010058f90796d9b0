"""Images of several threads in one call: each gets its own answer, and none waits too long."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.model import InputSpec
from shared.inference.batching import Batches


class Doubling:
    """A network for batches whose output is twice its input, which notes how many images each call had."""

    def __init__(self, batch: int, fails: bool = False) -> None:
        self.input = InputSpec("i", (batch, 1, 1, 3))
        self.settings: dict[str, Any] = {}
        self.calls: list[int] = []
        self._fails = fails

    def run(self, images: Any) -> dict[str, Any]:
        if self._fails:
            raise RuntimeError("no memory")
        self.calls.append(int(np.count_nonzero(images[:, 0, 0, 0])))
        return {"o": 2 * images}


def image(value: float) -> Any:
    return np.full((1, 1, 1, 3), value, np.float32)


@settings(deadline=None, max_examples=20)
@given(
    batch=st.integers(2, 5),
    threads=st.integers(1, 6),
    each=st.integers(1, 6),
    wait_ms=st.sampled_from([0.0, 1.0, 5.0]),
)
def test_everyone_gets_their_own_answer(batch: int, threads: int, each: int, wait_ms: float) -> None:
    session = Doubling(batch)
    batches = Batches([session], wait_ms)
    wrong: list[float] = []

    def work(thread: int) -> None:
        for number in range(each):
            value = 1 + thread * 100 + number
            outputs = batches.run(image(value))
            if outputs["o"].shape != (1, 1, 1, 3) or outputs["o"][0, 0, 0, 0] != 2 * value:
                wrong.append(value)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(10)
    assert not any(worker.is_alive() for worker in workers)
    assert not wrong
    assert sum(session.calls) == threads * each
    assert max(session.calls) <= batch


def test_images_of_one_frame_go_in_one_call() -> None:
    session = Doubling(4)
    outputs = Batches([session], 1000.0).run_all([image(value) for value in (1, 2, 3, 4)])
    assert session.calls == [4]
    assert [float(one["o"][0, 0, 0, 0]) for one in outputs] == [2, 4, 6, 8]


def test_more_images_than_a_call_holds() -> None:
    session = Doubling(2)
    outputs = Batches([session], 1.0).run_all([image(value) for value in (1, 2, 3, 4, 5)])
    assert [float(one["o"][0, 0, 0, 0]) for one in outputs] == [2, 4, 6, 8, 10]
    assert sum(session.calls) == 5


def test_an_image_alone_waits_no_longer_than_it_may() -> None:
    begun = time.monotonic()
    Batches([Doubling(8)], 30.0).run(image(1))
    assert 0.02 <= time.monotonic() - begun < 2


def test_no_image_gives_no_call() -> None:
    session = Doubling(4)
    assert Batches([session], 1.0).run_all([]) == []
    assert session.calls == []


def test_an_error_reaches_everyone_in_the_call() -> None:
    batches = Batches([Doubling(2, fails=True)], 200.0)
    errors: list[str] = []

    def work() -> None:
        try:
            batches.run(image(1))
        except RuntimeError as error:
            errors.append(str(error))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(10)
    assert errors == ["no memory", "no memory"]
    with pytest.raises(RuntimeError):
        batches.run(image(1))
