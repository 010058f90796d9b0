"""The verdict on a record follows from its figures, the reference's and the recipe's requirements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.judge.verdicts import Judged, judge, requirement_met
from shared.contract.record import Record
from tests.fakes import quality, record

REFERENCE = record("reference")


def timed(*medians_ms: float) -> list[dict[str, list[int]]]:
    """Rounds whose samples are these milliseconds."""
    return [{"total": [round(m * 1e6)] * 3} for m in medians_ms]


def requiring(one: Record, **requirements: float) -> Record:
    return replace(one, recipe={**one.recipe, "requirements": {"max_drop": 0.02, **requirements}})


def verdicts(*records: Record) -> list[str]:
    return [j.verdict for j in judge([REFERENCE, *records])][1:]


def only(one: Record) -> Judged:
    return judge([REFERENCE, one])[1]


def test_fastest_that_meets_is_recommended() -> None:
    """Of the variants that meet the requirements the fastest is recommended, the others meet."""
    slow, quick = record("fp16"), record("int8", rounds_ns=timed(0.5, 0.5, 0.5))
    assert verdicts(slow, quick) == ["meets", "recommended"]
    assert verdicts(quick, slow) == ["recommended", "meets"]


def test_reference_is_the_reference() -> None:
    """The reference gets no verdict of its own, but its figures."""
    (judged,) = judge([REFERENCE])
    assert judged.verdict == "reference"
    assert (judged.quality, judged.times and judged.times.median) == (1.0, 4.0)


@pytest.mark.parametrize(
    ("wrong", "verdict"), [(0, "recommended"), (1, "recommended"), (2, "recommended"), (3, "too lossy"), (100, "too lossy")]
)
def test_too_lossy(wrong: int, verdict: str) -> None:
    """A drop up to the allowed one meets; one above it is too lossy, however fast the variant is."""
    assert verdicts(record(quality=quality([0.0] * wrong + [1.0] * (100 - wrong)))) == [verdict]


def test_drop_and_flips_are_told() -> None:
    """The drop, its interval and the samples that flipped are those of the paired scores."""
    judged = only(record(quality=quality([0.0, 1.0] + [1.0] * 98)))
    assert judged.drop is not None
    assert judged.drop[0] == pytest.approx(0.01)
    assert judged.drop[1] <= 0.01 <= judged.drop[2]
    assert judged.flipped == ("images/0.png",)


@pytest.mark.parametrize("rounds", [(1, 1, 1.2), (1, 1), (1,)])
def test_unstable(rounds: tuple[float, ...]) -> None:
    """Rounds that disagree, or too few of them, are unstable."""
    assert verdicts(record(rounds_ns=timed(*rounds))) == ["unstable"]


@pytest.mark.parametrize(("median", "verdict"), [(4.0, "no gain"), (3.9, "no gain"), (5.0, "no gain"), (3.7, "recommended")])
def test_no_gain(median: float, verdict: str) -> None:
    """A speedup that instability could explain is no gain."""
    assert verdicts(record(rounds_ns=timed(median, median, median))) == [verdict]


@pytest.mark.parametrize(
    ("requirements", "verdict"),
    [
        ({"max_latency_ms": 0.9}, "no gain"),
        ({"max_latency_ms": 1.1}, "recommended"),
        ({"min_speedup": 4.5}, "no gain"),
        ({"min_speedup": 3.5}, "recommended"),
        ({"max_latency_ms": 1.1, "min_speedup": 4.5}, "no gain"),
    ],
)
def test_client_asks_for_speed(requirements: dict[str, float], verdict: str) -> None:
    """A variant that misses the client's latency or speedup is not recommended."""
    assert verdicts(requiring(record(), **requirements)) == [verdict]


def test_speed_is_asked_of_the_pipeline_only() -> None:
    """In a recipe for a pipeline its networks are not held against the pipeline's latency."""
    one = requiring(record(), max_latency_ms=0.9)
    network = replace(one, recipe={**one.recipe, "model": "pipeline"})
    assert verdicts(network) == ["recommended"]
    assert not requirement_met(judge([REFERENCE, network]))


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"status": "failed", "reason": "broken"}, "failed"),
        ({"status": "not measured", "reason": "no bfloat16"}, "not measured"),
        ({"status": "failed", "quality": None, "rounds_ns": []}, "failed"),
        ({"quality": None}, "not measured"),
    ],
)
def test_what_was_not_measured_is_not_judged(changes: dict[str, Any], verdict: str) -> None:
    """A record that failed or was not measured keeps that verdict and gets no figures."""
    judged = only(record(**changes))
    assert (judged.verdict, judged.speedup, judged.drop) == (verdict, None, None)


def test_left_by_a_search() -> None:
    """A variant that a search left after one round keeps that round's time and quality, and is not judged."""
    judged = only(record(status="not measured", reason="off the Pareto front", rounds_ns=timed(2.0), quality=quality([0.0, 1.0])))
    assert (judged.verdict, judged.speedup, judged.drop) == ("not measured", None, None)
    assert (judged.times and judged.times.median, judged.metric, judged.quality) == (2.0, "accuracy", 0.5)
    assert not requirement_met(judge([REFERENCE, judged.record]))


@pytest.mark.parametrize("reference", [None, replace(REFERENCE, status="failed"), replace(REFERENCE, run="another")])
def test_no_reference_beside_it(reference: Record | None) -> None:
    """Without a reference measured in the same run there is no speedup and no recommendation."""
    judged = judge([r for r in (reference, record()) if r is not None])[-1]
    assert (judged.verdict, judged.speedup) == ("not measured", None)


@pytest.mark.parametrize("scores", [[], [1.0] * 99, [1.0] * 101], ids=["none", "fewer", "more"])
def test_other_samples_are_not_recommended(scores: list[float]) -> None:
    """A variant that scored other samples than the reference is not comparable with it, and never recommended."""
    claimed = {**quality([1.0, *scores]), "samples": quality([*scores, 1.0])["samples"][: len(scores)]}
    judged = only(record(quality=claimed))
    assert judged.verdict in ("failed", "not measured")


def test_requirement_is_met_by_a_recommendation() -> None:
    """The recipe is met exactly when its own model has a recommended variant."""
    assert requirement_met(judge([REFERENCE, record()]))
    assert not requirement_met(judge([REFERENCE, record(status="failed")]))
    assert not requirement_met(judge([]))


def test_size() -> None:
    """Size and its ratio are those of the artifact's files."""
    files = [{"path": "a", "sha256": "0" * 64, "bytes": 200_000}, {"path": "b", "sha256": "0" * 64, "bytes": 50_000}]
    judged = only(record(artifacts={"digits": files}))
    assert (judged.size_mb, judged.size_ratio) == (0.25, 0.25)


def order(records: Iterable[Judged]) -> list[str]:
    return [j.record.variant for j in records]


@given(st.lists(st.tuples(st.sampled_from(["measured", "failed", "not measured"]), st.integers(1, 9), st.integers(0, 5)), max_size=5))
def test_no_hole(rows: list[tuple[str, int, int]]) -> None:
    """Every record gets a verdict, in its place; at most one is recommended, and none that meets is faster."""
    records = [
        record(f"v{i}", status=status, rounds_ns=timed(ms, ms, ms), quality=quality([0.0] * wrong + [1.0] * (100 - wrong)))
        for i, (status, ms, wrong) in enumerate(rows)
    ]
    judged = judge([REFERENCE, *records])
    assert order(judged) == ["reference", *(r.variant for r in records)]
    best = [j for j in judged if j.verdict == "recommended"]
    assert len(best) <= 1
    for one in judged:
        if one.verdict == "meets":
            assert one.times
            assert best[0].times
            assert best[0].times.median <= one.times.median
