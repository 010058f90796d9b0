"""What a recipe asks of a variant's speed, and whether the intervals of its figures answer that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from dockyard.judge.assessment import Assessment
from dockyard.judge.statistics import Interval
from shared.contract.codec import decode
from shared.contract.recipe import Requirements

NO_GAIN_BELOW = 1.05
"""A speedup that is certainly smaller is not worth another artifact."""

MIN_ROUNDS = 3
"""Fresh processes of one variant differ, and an interval over fewer does not know by how much."""


class Answer(Enum):
    """Whether a figure is as it is asked for; OPEN where its interval straddles that."""

    YES = "yes"
    NO = "no"
    OPEN = "open"


@dataclass(frozen=True)
class Question:
    """One thing that is asked of a variant's speed.

    Attributes:
        text: what is missed or straddled; empty where it is as asked.
        is_open: more rounds could change the answer.
    """

    answer: Answer
    text: str = ""
    is_open: bool = False


def required_of(one: Assessment) -> Requirements:
    """Return what the recipe of a record requires."""
    return decode(Requirements, one.record.recipe["requirements"], "$.recipe.requirements")


def required_speeds(one: Assessment) -> Mapping[str, float]:
    """Return what the recipe of a record requires beside the drop, by the names of its keys."""
    required = one.record.recipe["requirements"].items()
    return {name: value for name, value in required if name != "max_drop" and value is not None}


def questions_of_speed(one: Assessment) -> Iterator[Question]:
    """Yield what is asked of a variant that has all figures: a gain; of the recipe's own model, a speed."""
    assert one.times is not None
    assert one.pace_ms is not None
    assert one.speedup is not None
    if one.times.rounds < MIN_ROUNDS:
        text = f"{one.times.rounds} rounds were measured, and {MIN_ROUNDS} are needed to decide"
        yield Question(Answer.OPEN, text, True)
    yield gain(one.speedup)
    if not one.is_of_recipes_model:
        return
    required = required_of(one)
    if required.max_latency_ms is not None:
        limit = f"the {required.max_latency_ms:g} ms that are allowed"
        yield _at_most(one.times.median_interval, required.max_latency_ms, "median", "ms", limit)
    if required.min_speedup is not None:
        limit = f"the {required.min_speedup:g} that is required"
        yield _at_least(one.speedup, required.min_speedup, "speedup", "", limit)
    if required.min_fps is not None:
        pace = one.pace_ms
        fps = Interval(1000 / pace.estimate, 1000 / pace.high, 1000 / pace.low)
        limit = f"the {required.min_fps:g} that are required"
        yield _at_least(fps, required.min_fps, "rate", "frames a second", limit)


def gain(speedup: Interval) -> Question:
    """Return whether a variant is certainly faster than its reference, by enough to be worth it."""
    if speedup.high < NO_GAIN_BELOW:
        return Question(Answer.NO)
    if speedup.low > 1:
        return Question(Answer.YES)
    return Question(Answer.NO, f"{_written(speedup, 'speedup', '')} is not certainly above 1", True)


def _at_least(figure: Interval, limit: float, name: str, unit: str, asked: str) -> Question:
    if figure.low >= limit:
        return Question(Answer.YES)
    if figure.high < limit:
        return Question(Answer.NO, f"{_written(figure, name, unit)} is below {asked}")
    return Question(Answer.OPEN, f"{_written(figure, name, unit)} straddles {asked}", True)


def _at_most(figure: Interval, limit: float, name: str, unit: str, asked: str) -> Question:
    if figure.high <= limit:
        return Question(Answer.YES)
    if figure.low > limit:
        return Question(Answer.NO, f"{_written(figure, name, unit)} exceeds {asked}")
    return Question(Answer.OPEN, f"{_written(figure, name, unit)} straddles {asked}", True)


def _written(figure: Interval, name: str, unit: str) -> str:
    estimate = f"{figure.estimate:.2f} {unit}".rstrip()
    return f"its {name} of {estimate} ({figure.low:.2f} to {figure.high:.2f})"
