"""Figures as they are written in the cells of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dockyard.judge.assessment import Assessment
from dockyard.judge.measurements import mean_step_ms, steps_of_rounds
from dockyard.judge.statistics import Interval
from dockyard.report.content import Table

NOTHING = "-"
"""What a cell says where there is nothing to say."""

Column = tuple[str, Callable[[Assessment], str]]
"""A column's name, and what it says of a variant."""


def tabulate(
    columns: Iterable[Column], rows: Sequence[Assessment], title: str = "", folded: bool = False
) -> Table:
    """Return a table with a row for each variant."""
    names, functions = zip(*columns)
    cells = []
    for one in rows:
        cells.append(tuple(function(one) for function in functions))
    records = tuple(one.record_file for one in rows)
    return Table(tuple(names), tuple(cells), title=title, folded=folded, records=records)


def ratio(figure: Interval | None) -> str:
    """Return a ratio with its 95 % interval."""
    if figure is None:
        return NOTHING
    return f"{factor(figure.estimate)} [{factor(figure.low)}, {factor(figure.high)}]"


def factor(value: float) -> str:
    """Return how many times as fast something is, to two digits; below a tenth, two that are not 0."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def difference(figure: Interval | None) -> str:
    """Return a loss or a gain of quality with its 95 % interval."""
    return f"{figure.estimate:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]" if figure else NOTHING


def metric(one: Assessment, name: str) -> str:
    """Return the value of a metric, four digits."""
    found = one.record.quality.metrics if one.record.quality else {}
    return decimals(found.get(name), 4)


def step(one: Assessment, name: str, digits: int = 2) -> str:
    """Return the mean milliseconds of a step."""
    rounds = one.record.latencies
    return decimals(mean_step_ms(rounds, name), digits) if name in steps_of_rounds(rounds) else NOTHING


def decimals(value: float | None, digits: int = 2) -> str:
    """Return a number with so many digits after the point."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def mean(one: Assessment) -> str:
    return decimals(one.times.mean if one.times else None)


def std(one: Assessment) -> str:
    return decimals(one.times.std if one.times else None)


def pace(one: Assessment) -> str:
    """Return the milliseconds from one frame to the next; of what is no stream, the median."""
    return decimals(one.pace_ms.estimate if one.pace_ms else None)


def median(one: Assessment) -> str:
    return decimals(one.times.median if one.times else None)


def median_and_spread(one: Assessment) -> str:
    """Return the median, and how far the rounds' medians lie from it."""
    return f"{one.times.median:.2f} ({one.times.stability:.0%})" if one.times else NOTHING


def one_line(text: str, limit: int | None = None) -> str:
    """Return a text on one line, cut where it is longer than the limit."""
    line = " ".join(text.split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 3]}..."
