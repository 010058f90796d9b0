"""The verdict on a record follows from its figures, the reference's and the recipe's requirements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.verdicts import judge, requirement_met
from shared.contract.artifact import Artifact, ArtifactFile
from shared.contract.measurement import Quality
from shared.contract.record import Record, RecordedArtifact, RecordStatus
from shared.contract.result import Notes
from tests.builders import SHA256, artifact, bursts, failed, quality, record, requiring, rounds, streams

REFERENCE = record("reference")
FAILED, NOT_MEASURED = RecordStatus.FAILED, RecordStatus.NOT_MEASURED


def scored(wrong: int) -> Quality:
    """The quality of 100 samples, so many of them wrong."""
    return quality([0.0] * wrong + [1.0] * (100 - wrong))


def verdicts(*records: Record) -> list[str]:
    return [one.verdict.value for one in judge([REFERENCE, *records])][1:]


def only(one: Record) -> Assessment:
    return judge([REFERENCE, one])[1]


def test_fastest_that_meets_is_recommended() -> None:
    """Of the variants that meet the requirements the fastest is recommended, the others meet."""
    slow, quick = record("fp16"), record("int8", rounds=rounds(0.5, 0.5, 0.5))
    assert verdicts(slow, quick) == ["meets", "recommended"]
    assert verdicts(quick, slow) == ["recommended", "meets"]


def test_reference_is_the_reference() -> None:
    """The reference gets no verdict of its own, but its figures."""
    (one,) = judge([REFERENCE])
    assert one.verdict == Verdict.REFERENCE
    assert (one.quality, one.times and one.times.median) == (1.0, 4.0)


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [(0, "recommended"), (1, "recommended"), (2, "recommended"), (3, "too lossy"), (100, "too lossy")],
)
def test_too_lossy(wrong: int, verdict: str) -> None:
    """A drop up to the allowed one meets; one above it is too lossy, however fast the variant is."""
    assert verdicts(record(quality=scored(wrong))) == [verdict]


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [((0,), "no gain"), ((0, 0), "no gain"), ((0, 7), "recommended"), ((7,), "recommended")],
)
def test_a_method_that_quantized_nothing(counts: tuple[int, ...], verdict: str) -> None:
    """What a method that quantizes left in floating point is no 8-bit network, however fast it is."""
    notes = {f"net{number}": Notes(quantized_operations=count) for number, count in enumerate(counts)}
    one = only(record(notes=notes))
    assert one.verdict.value == verdict
    assert (one.reason == "it quantized nothing: it is no 8-bit network") is (verdict == "no gain")


def test_drop_and_flips_are_those_of_the_scores() -> None:
    """The drop, its interval and the samples that flipped are those of the paired scores."""
    one = only(record(quality=scored(1)))
    assert one.drop is not None
    assert one.drop.estimate == pytest.approx(0.01)
    assert one.drop.low <= 0.01 <= one.drop.high
    assert one.flipped == ("images/0.png",)


def test_rounds_that_disagree_decide() -> None:
    """A machine that halves and doubles between rounds does not matter where each ratio says the same."""
    reference = replace(REFERENCE, rounds=rounds(4.0, 8.0, 16.0))
    quick, slow = record(rounds=rounds(1.0, 2.2, 3.9)), record("fp16", rounds=rounds(3.0, 6.0, 12.0))
    found = judge([reference, quick, slow])
    assert [one.verdict.value for one in found] == ["reference", "recommended", "meets"]


@pytest.mark.parametrize("medians_ms", [(1, 1), (1,)])
def test_too_few_rounds(medians_ms: tuple[float, ...]) -> None:
    """Fewer than three rounds decide nothing, however clear they are, and more would."""
    one = only(record(rounds=rounds(*medians_ms)))
    assert (one.verdict, one.is_open) == (Verdict.UNDECIDED, True)
    assert one.reason == f"{len(medians_ms)} rounds were measured, and 3 are needed to decide"


@pytest.mark.parametrize(
    ("medians", "verdict", "is_open"),
    [
        ((4.0, 4.0, 4.0), "no gain", False),
        ((3.9, 3.9, 3.9), "no gain", False),
        ((5.0, 5.0, 5.0), "no gain", False),
        ((3.9, 3.7, 3.5), "recommended", False),
        ((3.9, 4.1, 3.0), "no gain", True),
    ],
    ids=["the same", "certainly small", "slower", "certainly faster", "perhaps faster"],
)
def test_no_gain(medians: tuple[float, ...], verdict: str, is_open: bool) -> None:
    """A speedup that is certainly small, or not certainly above 1, is no gain; more rounds may tell."""
    one = only(record(rounds=rounds(*medians)))
    assert (one.verdict.value, one.is_open) == (verdict, is_open)


TIE = (0.9, 1.1, 1.0)
"""Rounds that cannot be told from three of 1 ms."""


def test_ties_go_to_the_smallest_loss() -> None:
    """Of variants that cannot be told apart the one that loses least is recommended."""
    lossy = record("fast", rounds=rounds(0.9, 0.9, 0.9), quality=scored(1))
    exact = record("exact", rounds=rounds(0.8, 1.1, 1.0))
    slow = record("slow", rounds=rounds(2.0, 2.0, 2.0))
    assert verdicts(lossy, exact, slow) == ["as fast", "recommended", "meets"]


def test_ties_of_one_loss_go_to_the_smallest() -> None:
    """Of variants that cannot be told apart and lose the same the smaller one is recommended."""
    large = record("large", rounds=rounds(*TIE), artifacts=artifact(size=2_000_000, content="large"))
    assert verdicts(large, record("small")) == ["as fast", "recommended"]


def test_a_percent_is_a_tie() -> None:
    """A lead below 2 % is none where single bursts tell otherwise: the smaller loss counts."""
    fast = record(
        "fast", rounds=bursts([0.99, 0.985, 1.02], [0.99, 0.98, 0.99], [0.99, 0.98, 0.99]), quality=scored(1)
    )
    exact = record("exact", rounds=bursts([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]))
    reference = replace(REFERENCE, rounds=bursts([4.0] * 3, [4.0] * 3, [4.0] * 3))
    found = [one.verdict.value for one in judge([reference, fast, exact])]
    assert found == ["reference", "as fast", "recommended"]


def test_always_slower_is_never_recommended() -> None:
    """A variant that loses nothing gives way to one that is faster in every burst, by however little."""
    lossy = record("fast", rounds=rounds(0.98, 0.98, 0.98), quality=scored(1))
    assert verdicts(lossy, record("exact")) == ["recommended", "meets"]


def test_same_bytes_are_as_fast() -> None:
    """Two variants that are the same files are never told apart, whatever their rounds say."""
    twin = record("twin", rounds=rounds(1.2, 1.2, 1.2), artifacts=artifact(content="int8"))
    assert sorted(verdicts(record("int8"), twin)) == ["as fast", "recommended"]


def test_open_ties_ask_for_rounds() -> None:
    """More rounds are wanted while the recommended variant may still be told from one as fast."""
    unclear = judge([REFERENCE, record("a", rounds=rounds(*TIE)), record("b")])
    assert [one.is_open for one in unclear] == [False, True, True]
    clear = judge([REFERENCE, record("a", rounds=rounds(0.99, 1.01, 1.0)), record("b")])
    assert [one.is_open for one in clear] == [False, False, False]


@pytest.mark.parametrize(
    ("requirements", "verdict"),
    [
        ({"max_latency_ms": 0.9}, "no gain"),
        ({"max_latency_ms": 1.1}, "recommended"),
        ({"min_speedup": 4.5}, "no gain"),
        ({"min_speedup": 3.5}, "recommended"),
        ({"max_latency_ms": 1.1, "min_speedup": 4.5}, "no gain"),
        ({"min_fps": 1001.0}, "no gain"),
        ({"min_fps": 1000.0}, "recommended"),
        ({"min_fps": 999.0, "max_latency_ms": 0.9}, "no gain"),
    ],
)
def test_client_asks_for_speed(requirements: dict[str, float], verdict: str) -> None:
    """A variant that misses the client's latency, speedup or frames a second says so, and has no gain."""
    one = only(requiring(record(), **requirements))
    assert one.verdict.value == verdict
    assert bool(one.reason) == (verdict == "no gain")


@pytest.mark.parametrize(
    ("requirements", "straddled"),
    [
        ({"min_speedup": 4.0}, "its speedup of 4.00 (3.64 to 4.44) straddles the 4 that is required"),
        (
            {"max_latency_ms": 1.05},
            "its median of 1.00 ms (0.90 to 1.10) straddles the 1.05 ms that are allowed",
        ),
        (
            {"min_fps": 950},
            "its rate of 1000.00 frames a second (909.09 to 1111.11) straddles the 950 that are required",
        ),
    ],
)
def test_undecided_says_what_it_straddles(requirements: dict[str, float], straddled: str) -> None:
    """An interval with a required speed within it decides nothing, and says so."""
    one = only(requiring(record(rounds=rounds(*TIE)), **requirements))
    assert (one.verdict, one.reason, one.is_open) == (Verdict.UNDECIDED, straddled, True)


def test_speed_is_asked_of_the_pipeline_only() -> None:
    """In a recipe for a pipeline its networks are not held against the pipeline's latency."""
    one = requiring(record(), max_latency_ms=0.9, min_fps=2000.0)
    network = replace(one, recipe={**one.recipe, "model": "pipeline"})
    assert verdicts(network) == ["recommended"]
    assert not requirement_met(judge([REFERENCE, network]))


STREAM = replace(REFERENCE, rounds=streams(10.0, 10.0, 10.0))


def streamed(*fps: float, latency_ms: float = 20.0, **requirements: float) -> Assessment:
    """A variant whose stream processed so many frames a second, beside a reference with 10."""
    one = record(rounds=streams(*fps, latency_ms=latency_ms))
    return judge([STREAM, requiring(one, **requirements)])[1]


def test_speedup_of_streams_is_in_frames() -> None:
    """A stream is as many times faster as it processes more frames a second; its latency is its frames'."""
    one = streamed(40.0, 42.0, 41.0)
    assert one.speedup is not None
    assert one.times is not None
    assert (one.speedup.estimate, one.speedup.low, one.speedup.high) == pytest.approx((4.1, 4.0, 4.2))
    assert (one.fps, one.times.median, one.times.runs) == (pytest.approx(41.0), 20.0, 9)
    assert one.verdict == Verdict.RECOMMENDED


@pytest.mark.parametrize(
    ("requirements", "verdict"),
    [
        ({"min_fps": 40.0}, "recommended"),
        ({"min_fps": 42.1}, "no gain"),
        ({"max_latency_ms": 20.0}, "recommended"),
        ({"max_latency_ms": 19.0}, "no gain"),
    ],
)
def test_requirements_of_streams(requirements: dict[str, float], verdict: str) -> None:
    """Frames a second and latency may be asked of a stream, each of its own figure."""
    assert streamed(40.0, 42.0, 41.0, **requirements).verdict.value == verdict


def test_streams_are_undecided_by_their_rate() -> None:
    """A stream whose rate straddles what is required is undecided, whatever its latency."""
    assert streamed(40.0, 60.0, 41.0, min_fps=50.0).verdict == Verdict.UNDECIDED


def test_faster_stream_is_recommended() -> None:
    """Of two streams the one with more frames a second is recommended, though its frames wait longer."""
    many = record("int8", rounds=streams(50.0, 50.0, 50.0, latency_ms=40.0))
    few = record("fp16", rounds=streams(40.0, 40.0, 40.0, latency_ms=20.0))
    found = [one.verdict.value for one in judge([STREAM, few, many])]
    assert found == ["reference", "meets", "recommended"]


def test_streams_and_calls_are_not_compared() -> None:
    """The frames a second of a stream are no speedup over the latency of a call."""
    one = only(record(rounds=streams(50.0, 50.0, 50.0)))
    assert (one.verdict, one.speedup) == (Verdict.NOT_MEASURED, None)
    assert one.reason == "it was measured as a throughput, its reference as a latency"


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"engine": "docker:jetson"},
        {"device": {"cpu": "fake", "threads": 2, "boot_id": "b" * 36}},
    ],
    ids=["another executor", "another machine, or a restart"],
)
def test_no_speedup_across_devices(elsewhere: dict[str, Any]) -> None:
    """What was measured on another device than its reference has its milliseconds, and no speedup."""
    here = replace(REFERENCE, device={**REFERENCE.device, "boot_id": "a" * 36})
    one = judge([here, record(**elsewhere)])[1]
    assert (one.verdict, one.speedup, one.reference_times) == (Verdict.NOT_MEASURED, None, None)
    assert one.times is not None
    assert (one.times.median, one.record.status) == (1.0, RecordStatus.MEASURED)
    assert one.drop is not None
    assert "(engine fake, boot aaaaaaaa)" in one.reason
    assert f"fake, 2 threads (engine {elsewhere.get('engine', 'fake')}" in one.reason
    assert not requirement_met([one])


def test_unknown_start_of_a_device_is_no_other_device() -> None:
    """Records of machines that do not say when they were started are compared as before."""
    here = replace(REFERENCE, device={**REFERENCE.device, "boot_id": "a" * 36})
    assert judge([here, record()])[1].verdict == Verdict.RECOMMENDED


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (record(status=FAILED, reason="broken"), "failed"),
        (record(status=NOT_MEASURED, reason="no bfloat16", quality=None, rounds=()), "not measured"),
        (failed(), "failed"),
        (record(quality=None), "not measured"),
        (record(rounds=()), "not measured"),
    ],
)
def test_what_was_not_measured_is_not_judged(one: Record, verdict: str) -> None:
    """A record that failed or was not measured keeps that verdict and its reason, and gets no figures."""
    found = only(one)
    assert (found.verdict.value, found.reason) == (verdict, one.reason)
    assert (found.speedup, found.drop, found.times) == (None, None, None)


def test_left_by_a_search() -> None:
    """A variant that a search left after one round keeps that round's time and quality, and is not judged."""
    left = record(status=NOT_MEASURED, reason="off the Pareto front", rounds=rounds(2.0), quality=scored(50))
    one = only(left)
    assert one.was_left
    assert (one.verdict, one.speedup, one.drop) == (Verdict.NOT_MEASURED, None, None)
    assert (one.times and one.times.median, one.metric, one.quality) == (2.0, "accuracy", 0.5)
    assert not requirement_met(judge([REFERENCE, left]))


@pytest.mark.parametrize(
    "reference", [None, replace(REFERENCE, status=FAILED), replace(REFERENCE, run="another")]
)
def test_no_reference_beside_it(reference: Record | None) -> None:
    """Without a reference measured in the same run there is no speedup and no recommendation, and why."""
    one = judge([*([reference] if reference else []), record()])[-1]
    assert (one.verdict, one.speedup) == (Verdict.NOT_MEASURED, None)
    assert "reference was not measured" in one.reason


@pytest.mark.parametrize("number", [0, 99, 101], ids=["none", "fewer", "more"])
def test_other_samples_are_not_recommended(number: int) -> None:
    """A variant that scored other samples than the reference is not comparable with it: it has failed."""
    samples = quality([1.0] * 101).samples[:number]
    one = only(record(quality=replace(quality([1.0]), samples=samples)))
    assert (one.verdict, one.record.status) == (Verdict.FAILED, FAILED)
    assert one.reason == "it scored other samples than the reference"


def test_requirement_is_met_by_a_recommendation() -> None:
    """The recipe is met exactly when its own model has a recommended variant."""
    assert requirement_met(judge([REFERENCE, record()]))
    assert not requirement_met(judge([REFERENCE, failed()]))
    assert not requirement_met(judge([]))


def test_size() -> None:
    """Size and its ratio are those of the artifact's files."""
    files = Artifact((ArtifactFile("a", SHA256, 200_000), ArtifactFile("b", SHA256, 50_000)))
    one = only(record(artifacts={"digits": RecordedArtifact(files)}))
    assert (one.size_mb, one.size_ratio) == (0.25, 0.25)


def order(assessments: Iterable[Assessment]) -> list[str]:
    return [one.record.variant for one in assessments]


@given(
    st.lists(st.tuples(st.sampled_from(list(RecordStatus)), st.integers(1, 9), st.integers(0, 5)), max_size=5)
)
def test_no_hole(rows: list[tuple[RecordStatus, int, int]]) -> None:
    """Every record gets a verdict in its place; none that meets is faster than the recommended one."""
    records = []
    for number, (status, ms, wrong) in enumerate(rows):
        records.append(record(f"v{number}", status=status, rounds=rounds(ms, ms, ms), quality=scored(wrong)))
    assessments = judge([REFERENCE, *records])
    assert order(assessments) == ["reference", *(one.variant for one in records)]
    best = [one for one in assessments if one.verdict == Verdict.RECOMMENDED]
    assert len(best) <= 1
    for one in assessments:
        if one.verdict == Verdict.MEETS:
            assert one.times
            assert best[0].times
            assert best[0].times.median <= one.times.median
