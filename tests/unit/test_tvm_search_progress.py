"""What a tuning says of how far it has come."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.workspace import PRODUCT

sys.path.insert(0, str(PRODUCT / "targets" / "tvm-llvm"))
from search_progress import best_ms, progress_line

BATCH = 16


@dataclass
class State:
    weight: int = 1
    trials: int = 0
    best_ms: float | None = None
    done: bool = False

    def take(self, times: list[float | None]) -> None:
        """Take over the times of a batch of candidates, None for one that could not be timed."""
        known = [time for time in [self.best_ms, *times] if time is not None]
        self.best_ms, self.trials = min(known, default=None), self.trials + len(times)


MILLISECONDS = st.floats(1e-3, 1e3)
TIMES = st.lists(st.none() | MILLISECONDS, min_size=1, max_size=BATCH)
BATCHES = st.lists(st.tuples(st.integers(0, 5), TIMES), max_size=30)
FUNCTIONS = st.builds(State, weight=st.integers(1, 9), best_ms=st.none() | MILLISECONDS)


@given(st.lists(FUNCTIONS, min_size=1, max_size=6), BATCHES)
def test_the_time_of_all_functions_never_grows(
    states: list[State], batches: list[tuple[int, list[float | None]]]
) -> None:
    """Whatever is tried in whatever order, the figure that is shown never grows, and never goes once it is
    there.
    """
    shown = best_ms(states)
    for number, times in batches:
        states[number % len(states)].take(times)
        before, shown = shown, best_ms(states)
        assert before is None or (shown is not None and shown <= before)


def test_no_sum_is_shown_until_every_function_has_a_time() -> None:
    """While functions lack a time the line counts those that have one."""
    states = [State(2, 1, 5.0), State(), State(1, 16)]
    assert progress_line(states, BATCH, 590) == "tune: 1/3 functions timed, 590 s left"


def test_functions_are_counted_as_they_are_tuned_and_done() -> None:
    """A function is tuned once it had more than a batch, or is done; its time counts as often as it is
    called.
    """
    states = [State(2, 17, 5.0), State(1, 1, 0.5), State(3, 1, 1.0, done=True)]
    assert progress_line(states, BATCH, 300) == "tune: 2/3 tuned, 1 done, 13.50 ms, 300 s left"
