"""What a network reaches is held against the best that its CPU gave in the same cycle, by precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.judge.roofline import Roofline, roofline
from dockyard.judge.verdicts import judge
from dockyard.report.roofline_table import roofline_table
from shared.contract.measurement import Latency, Precision, Yardstick
from shared.contract.record import Record, Round
from shared.contract.result import NetworkWork, Notes
from tests.builders import bursts, record

WORK = NetworkWork(operations=8_000_000, weights=300_000, activations=100_000)


def held(rounds: Sequence[Round], precision: Precision, *quickest_ns: int) -> tuple[Round, ...]:
    """Give each round a yardstick of a million operations."""
    found = []
    for one in rounds:
        assert isinstance(one.measured, Latency)
        yardstick = Yardstick(precision, 1_000_000, quickest_ns)
        found.append(replace(one, measured=replace(one.measured, yardstick=yardstick)))
    return tuple(found)


def measured(variant: str, ms: Sequence[float], precision: Precision, *quickest_ns: int) -> Record:
    return record(variant, rounds=held(bursts(*[ms] * 3), precision, *quickest_ns))


def judged(*records: Record) -> Roofline | None:
    first, *more = records
    return roofline(judge([replace(first, notes={"digits": Notes(work=WORK)}), *more]))


def test_a_share_of_the_best() -> None:
    """A float network is held against the best float yardstick of all variants, int8 against int8."""
    found = judged(
        measured("reference", [2.0, 2.0], Precision.FLOAT32, 10_000, 10_000),
        measured("baseline", [0.4, 0.4], Precision.FLOAT32, 20_000, 20_000),
        measured("int8", [0.1, 0.1], Precision.INT8, 2_500, 2_500),
    )
    assert found is not None
    told = [(one.variant, round(one.gops), round(one.peak_gops)) for one in found.reached]
    assert told == [("reference", 4, 100), ("baseline", 20, 100), ("int8", 80, 400)]
    assert [one.share.estimate for one in found.reached] == pytest.approx([0.04, 0.2, 0.2])
    assert found.operations_per_byte(Precision.FLOAT32) == 5
    assert found.operations_per_byte(Precision.INT8) == 20


def test_a_machine_that_slows_down() -> None:
    """Where the machine is half as fast in half of the cycles, the share is what it would be at rest."""
    found = judged(
        measured("reference", [2.0, 4.0], Precision.FLOAT32, 10_000, 20_000),
        measured("int8", [0.1, 0.2], Precision.INT8, 2_500, 5_000),
    )
    assert found is not None
    for one in found.reached:
        assert one.share.low == one.share.high == pytest.approx(one.share.estimate)


def test_what_nobody_counted() -> None:
    """Without a count of its work, or without a yardstick, nothing is said of a network."""
    reference = measured("reference", [2.0], Precision.FLOAT32, 10_000)
    assert roofline(judge([reference])) is None
    assert judged(record("reference"), record("int8")) is None


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=4), st.integers(1, 10**7))
def test_a_share_scales_with_the_clock(quickest_ns: list[int], factor: int) -> None:
    """On a machine that is slower throughout, network and yardstick alike, the share is the same."""

    def share(slower: int) -> float:
        ms = [0.5 * slower] * len(quickest_ns)
        times = [each * slower for each in quickest_ns]
        found = judged(measured("reference", ms, Precision.FLOAT32, *times))
        assert found is not None
        return found.reached[0].share.estimate

    assert share(factor) == pytest.approx(share(1), rel=1e-5)


def test_the_report_shows_it() -> None:
    """The report tells a network's work, and for each variant what it reaches and how much is left."""
    records = [
        replace(measured("reference", [2.0], Precision.FLOAT32, 10_000), notes={"digits": Notes(work=WORK)}),
        measured("int8", [0.1], Precision.INT8, 2_500),
    ]
    (table,) = roofline_table(judge(records))
    assert "8.0 million operations" in table.lead
    assert "5 operations for each byte" in table.lead
    assert table.rows == (
        ("reference", "float32", "4", "100", "4% [4%, 4%]", "25.0x"),
        ("int8", "int8", "80", "400", "20% [20%, 20%]", "5.0x"),
    )
