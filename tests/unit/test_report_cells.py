"""Figures in the cells of tables."""

from __future__ import annotations

import pytest

from dockyard.judge.statistics import Interval
from dockyard.report.cells import NOTHING, ratio


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Interval(3.236, 2.74, 3.381), "3.24 [2.74, 3.38]"),
        (Interval(0.0034, 0.00289, 0.1), "0.0034 [0.0029, 0.10]"),
        (None, NOTHING),
    ],
)
def test_a_ratio_is_never_nothing(figure: Interval | None, text: str) -> None:
    """What is a thousand times slower is told apart from what is ten thousand times slower."""
    assert ratio(figure) == text
