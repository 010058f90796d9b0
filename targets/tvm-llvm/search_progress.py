"""How far a tuning has come. Needs no vendor package."""

from __future__ import annotations

from typing import Optional, Protocol, Sequence


class FunctionState(Protocol):
    """What is known of a function so far; the attributes are those of `databases.Task`."""

    weight: int
    trials: int
    best_ms: Optional[float]
    done: bool


def best_ms(states: Sequence[FunctionState]) -> Optional[float]:
    """Return the milliseconds that the functions take in a run of the network, each at its best.

    None while one of them has no time: a sum over the others would grow with every function that gets one.
    """
    times = [state.weight * state.best_ms for state in states if state.best_ms is not None]
    return sum(times) if len(times) == len(states) else None


def progress_line(states: Sequence[FunctionState], batch: int, seconds_left: int) -> str:
    """Return how many functions have a time, or were tuned and are done, and what they take at their best.

    Args:
        states: of all functions that are tuned.
        batch: candidates that a function has had at least when it counts as tuned.
        seconds_left: of the time budget.
    """
    total = best_ms(states)
    if total is None:
        timed = sum(state.best_ms is not None for state in states)
        return f"tune: {timed}/{len(states)} functions timed, {seconds_left} s left"
    tuned = sum(state.done or state.trials > batch for state in states)
    done = sum(state.done for state in states)
    return f"tune: {tuned}/{len(states)} tuned, {done} done, {total:.2f} ms, {seconds_left} s left"
