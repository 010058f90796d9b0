"""Two runs of a recipe are told apart where they certainly differ, and only there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dockyard.judge.compare_runs import (
    Change,
    ComparedVariant,
    Comparison,
    changes_named,
    compare_runs,
    refuse,
)
from dockyard.judge.record_files import write_records
from dockyard.recipe.workspace import Workspace
from dockyard.report.terminal import comparison_table, print_comparison
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.measurement import Scope
from shared.contract.record import Record, Round
from tests.builders import failed, latency, quality, record, rounds, stream_record, streams
from tests.unit.test_commands import invoke

REFERENCE = record("reference")


def compared(folder: Path, a: Sequence[Record], b: Sequence[Record]) -> Comparison:
    """Two runs that are written and compared, as a user does."""
    workspace = Workspace(folder)
    for name, records in (("a", a), ("b", b)):
        write_records(records, workspace.state / "runs" / "digits" / name)
    return compare_runs(workspace, "a", "b")


def of_int8(folder: Path, a: Record, b: Record) -> ComparedVariant:
    """How one variant of two runs compares."""
    found = compared(folder, [REFERENCE, a], [REFERENCE, b])
    (one,) = [variant for variant in found.variants if variant.variant == "int8"]
    return one


SPEEDS = [
    ((1.0, 1.0, 1.0), ()),
    ((0.8, 0.8, 0.8), (Change.FASTER,)),
    ((1.25, 1.25, 1.25), (Change.SLOWER,)),
    ((1.04, 1.04, 1.04), ()),
    ((0.7, 0.9, 1.3), ()),
]


@pytest.mark.parametrize(("medians_ms", "changes"), SPEEDS)
def test_speed_has_changed_only_where_that_is_certain(
    tmp_path: Path, medians_ms: tuple[float, ...], changes: tuple[Change, ...]
) -> None:
    """A variant is faster or slower only when the interval excludes 1 and the ratio is beyond 5 %."""
    one = of_int8(tmp_path, record(), record(rounds=rounds(*medians_ms)))
    assert one.changes == changes
    assert one.ratio is not None
    assert one.ratio.estimate == pytest.approx(1 / np.exp(np.mean(np.log(medians_ms))))


def test_speed_is_taken_over_the_reference_of_its_own_run(tmp_path: Path) -> None:
    """On a machine that has become half as fast nothing has changed."""
    slow = [record("reference", rounds=rounds(8.0, 8.0, 8.0)), record(rounds=rounds(2.0, 2.0, 2.0))]
    found = compared(tmp_path, [REFERENCE, record()], slow)
    assert [one.changes for one in found.variants] == [(), ()]


QUALITIES = [
    ([1.0] * 100, ()),
    ([0.0] * 10 + [1.0] * 90, (Change.LOSSIER,)),
    ([0.0] + [1.0] * 99, ()),
    ([0.99999] * 100, ()),
]


@pytest.mark.parametrize(("scores", "changes"), QUALITIES)
def test_quality_has_changed_only_where_that_is_certain(
    tmp_path: Path, scores: list[float], changes: tuple[Change, ...]
) -> None:
    """A variant is lossier only when its paired interval excludes 0, and by what a table would show."""
    assert of_int8(tmp_path, record(), record(quality=quality(scores))).changes == changes


def test_quality_that_is_better(tmp_path: Path) -> None:
    """A variant that answers more samples rightly is better, and may be slower too."""
    worse = record(quality=quality([0.0] * 10 + [1.0] * 90))
    one = of_int8(tmp_path, worse, record(rounds=rounds(2.0, 2.0, 2.0)))
    assert one.changes == (Change.SLOWER, Change.BETTER)


HOLES: list[tuple[list[Record], list[Record], tuple[Change, ...], str]] = [
    ([record()], [], (), "only in A"),
    ([], [record()], (), "only in B"),
    ([], [failed()], (Change.FAILED,), "only in B, failed"),
    ([record()], [failed()], (Change.FAILED,), "measured in A, failed in B"),
    ([failed()], [record()], (), "failed in A, measured in B"),
    ([failed()], [failed()], (), "failed in both"),
]


@pytest.mark.parametrize(("a", "b", "changes", "remark"), HOLES)
def test_a_variant_that_one_run_lacks_is_told(
    tmp_path: Path, a: list[Record], b: list[Record], changes: tuple[Change, ...], remark: str
) -> None:
    """What is not measured in both runs is said as that, and only a new failure is a change."""
    found = compared(tmp_path, [REFERENCE, *a], [REFERENCE, *b]).variants
    (one,) = [variant for variant in found if variant.variant == "int8"]
    assert (one.changes, one.remark, one.is_compared) == (changes, remark, False)


UNLIKE: list[tuple[dict[str, Any], str]] = [
    ({"rounds": rounds(1.0, 1.0)}, "speed not compared: 2 rounds in one run, 3 are needed"),
    ({"data": {"test": "1" * 64}}, "quality not compared: other test data"),
]


@pytest.mark.parametrize(("changes", "remark"), UNLIKE)
def test_what_cannot_be_compared_is_told(tmp_path: Path, changes: dict[str, Any], remark: str) -> None:
    """Two rounds are too few for a speed, and scores on other data are no pair."""
    same = {"data": {"test": "0" * 64}}
    one = of_int8(tmp_path, record(**same), record(**{**same, **changes}))
    assert (one.changes, one.remark) == ((), remark)


def test_other_circumstances_are_told(tmp_path: Path) -> None:
    """Where device, recipe or code differ between two runs, that is told beside the figures."""
    other = record(device={"cpu": "another", "threads": 2}, identity={"code_sha256": "1"})
    recipe = {**REFERENCE.recipe, "requirements": {"max_drop": 0.5}}
    b = [replace(one, recipe=recipe) for one in (other, record("reference", device=other.device))]
    assert compared(tmp_path, [REFERENCE, record(identity={"code_sha256": "0"})], b).differences == (
        "recipe differs",
        "device differs: fake, 2 threads, fake in A, another, 2 threads, fake in B",
        "code of intel-openvino differs",
    )
    assert compared(tmp_path / "same", [REFERENCE, record()], [REFERENCE, record()]).differences == ()


def noisy(seed: int, median_ms: float) -> tuple[Round, ...]:
    """Three rounds of ten bursts, as a shared machine gives them: both rounds and bursts wander."""
    generator = np.random.default_rng(seed)
    found = []
    for number in (1, 2, 3):
        of_round = median_ms * np.exp(generator.normal(0, 0.02))
        bursts = of_round * np.exp(generator.normal(0, 0.05, 10)) * 1e6
        timed = replace(latency(*[round(burst) for burst in bursts]), bursts=(1,) * 10)
        found.append(Round(number, timed))
    return tuple(found)


def test_streams_are_compared_by_their_rates(tmp_path: Path) -> None:
    """A stream that reads more frames a second than before is faster, on the same video alone better."""
    a = [stream_record("reference"), stream_record("int8")]
    b = [a[0], replace(a[1], rounds=streams(60.0, 60.0, 60.0, latency_ms=90.0))]
    found = compared(tmp_path, a, b).variants[0]
    assert (found.variant, found.changes, found.remark) == ("int8", (Change.FASTER,), "")
    other = [replace(one, data={"clip": "1" * 64}) for one in b]
    found = compared(tmp_path / "other", a, other).variants[0]
    assert found.remark == "speed not compared: other video; quality not compared: other video"
    assert found.changes == ()


def test_a_stream_is_not_compared_with_single_images(tmp_path: Path) -> None:
    """Where a recipe's pipeline became a stream, its times are of something else, which is said."""
    images = [replace(record(variant), scope=Scope.PIPELINE) for variant in ("reference", "int8")]
    stream = [stream_record("reference"), stream_record("int8")]
    found = compared(tmp_path, images, stream)
    assert {one.remark for one in found.variants} == {
        "not compared: times of a pipeline in A, of a stream in B"
    }
    assert not any(one.is_compared for one in found.variants)


def test_noise_is_no_change(tmp_path: Path) -> None:
    """Of 20 pairs of runs of the same thing on a noisy machine none is told apart."""
    reference = record("reference", rounds=noisy(1000, 4.0))
    a = [reference, *[record(f"v{seed}", rounds=noisy(seed, 1.0)) for seed in range(20)]]
    b = [reference, *[record(f"v{seed}", rounds=noisy(seed + 100, 1.0)) for seed in range(20)]]
    assert [one.variant for one in compared(tmp_path, a, b).variants if one.changes] == []


def test_fail_on_names_changes() -> None:
    """The list of `--fail-on` may have spaces; an unknown word is refused with the nearest."""
    assert changes_named("slower, lossier") == (Change.SLOWER, Change.LOSSIER)
    assert changes_named("") == ()
    with pytest.raises(InputProblem, match="did you mean 'slower'"):
        changes_named("faster,slow")


def test_refuse(tmp_path: Path) -> None:
    """An unwanted change is refused in one line that names the variant; others pass."""
    found = compared(tmp_path, [REFERENCE, record()], [REFERENCE, record(rounds=rounds(2.0, 2.0, 2.0))])
    refuse(found, ())
    refuse(found, (Change.LOSSIER, Change.FAILED))
    with pytest.raises(JobFailed) as caught:
        refuse(found, (Change.SLOWER,))
    assert str(caught.value) == "--fail-on: digits/int8 slower"


def test_nothing_to_compare_is_no_success(tmp_path: Path) -> None:
    """Where nothing can be compared, a list of unwanted changes is not met without a word."""
    found = compared(tmp_path, [failed("reference")], [failed("reference")])
    with pytest.raises(JobFailed, match="nothing that can be compared"):
        refuse(found, (Change.SLOWER,))


def test_table_of_two_runs(tmp_path: Path) -> None:
    """Each variant has both speedups, their ratio and the change; below stands how many changed."""
    slower = record(rounds=rounds(2.0, 2.0, 2.0), quality=quality([0.0] * 10 + [1.0] * 90))
    found = compared(tmp_path, [REFERENCE, record(), record("fp16")], [REFERENCE, slower])
    head = comparison_table(found)
    assert head.columns[:5] == ("model", "variant", "speedup A", "speedup B", "B / A [95 %]")
    reference, int8, fp16 = head.rows
    assert reference[2:5] == ("-", "-", "-")
    assert fp16[2:] == ("4.00x", "-", "-", "-", "only in A")
    assert int8[2:5] == ("4.00x", "2.00x", "0.50 [0.50, 0.50]")
    assert int8[6] == "slower; other quality (lossier)"
    console = Console(width=40, file=StringIO(), record=True)
    print_comparison(found, console)
    text = console.export_text()
    assert "slower; other quality (lossier)" in text
    assert text.splitlines()[-1] == "2 compared, 1 of them changed; 1 could not be compared"


def test_command_ends_with_the_change(tmp_path: Path) -> None:
    """`compare --fail-on` ends with 1 for an unwanted change, with 2 for an unknown one, else with 0."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "models").mkdir()
    compared(tmp_path, [REFERENCE, record()], [REFERENCE, record(rounds=rounds(2.0, 2.0, 2.0))])

    def ends(*arguments: str) -> tuple[int, str]:
        done = invoke("compare", "a", "b", "--workspace", str(tmp_path), *arguments)
        return done.returncode, done.stderr

    assert ends() == (0, "")
    assert ends("--fail-on", "faster,lossier") == (0, "")
    assert ends("--fail-on", "slower") == (1, "error: --fail-on: digits/int8 slower\n")
    code, message = ends("--fail-on", "slowr")
    assert (code, message.splitlines()[0]) == (2, "error: --fail-on: there is no change 'slowr'")
