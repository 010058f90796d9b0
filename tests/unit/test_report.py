"""The report says what the records say: verdicts, searches, notes of toolchains, pictures, and no hole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dockyard.judge.record_files import write_records
from dockyard.judge.verdicts import judge, requirement_met
from dockyard.recipe.workspace import Workspace
from dockyard.report import content
from dockyard.report.advice import advice
from dockyard.report.csv import COLUMNS
from dockyard.report.headline import headline, runtime_of
from dockyard.report.markdown import code, escaped, markdown
from dockyard.report.pictures import draw
from dockyard.report.plot_data import plots_of
from dockyard.report.sections import report_of
from dockyard.report.terminal import print_summary, summary
from dockyard.report.write import write_report
from dockyard.workflow import BuildResult, summarize
from shared.contract.errors import EnvironmentProblem, JobFailed
from shared.contract.measurement import ObjectCounts, Quality, SampleScore, Scope, sum_of_counts
from shared.contract.record import Record, RecordStatus, Round
from shared.contract.result import Notes, Table
from tests.builders import (
    failed,
    latency,
    quality,
    record,
    requiring,
    rounds,
    stream_record,
    streams,
)

PROMISED_COLUMNS = (
    "recipe, model, target, toolchain, method, device, engine, status, verdict, metric, quality, "
    "reference_quality, drop, mean_ms, std_ms, min_ms, median_ms, p90_ms, p99_ms, max_ms, runs, rounds, "
    "stability, reference_mean_ms, speedup, pipeline_ms, fps, artifact_mb, size_ratio, optimize_s, "
    "artifact_sha256, image_digest, measured_at"
).split(", ")


def report(folder: Path, *records: Record) -> str:
    """The report of these records."""
    for one in records:
        write_records([one], folder / "results" / "records" / str(one.recipe["name"]))
    write_report(Workspace(folder))
    return (folder / "results" / "report.md").read_text()


def csv_rows(folder: Path) -> list[dict[str, str]]:
    lines = (folder / "results" / "results.csv").read_text().splitlines()
    head = lines[0].split(",")
    return [dict(zip(head, line.replace('"fake, 2 threads"', "fake").split(","))) for line in lines[1:]]


def cells(text: str, first: str) -> list[list[str]]:
    """The rows of every table whose first cell is this one."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = []
    for line in lines:
        rows.append([cell.strip() for cell in line.strip("| \n").split(" | ")])
    return [row for row in rows if row[0] == first]


def with_steps(variant: str, target: str = "intel-openvino", **steps_ms: float) -> Record:
    """A record of a pipeline that was timed in these steps."""
    total = round(sum(steps_ms.values()) * 1e6)
    steps = {step: [round(ms * 1e6)] * 3 for step, ms in steps_ms.items()}
    timed = latency(*[total] * 3, **steps)
    measured = tuple(Round(number, timed) for number in (1, 2, 3))
    return record(variant, scope=timed.scope, rounds=measured, target=target)


def test_report_has_no_hole(tmp_path: Path) -> None:
    """The report has a row for each record, failures and their reasons included."""
    text = report(
        tmp_path,
        record("reference"),
        record("int8"),
        failed("fp16"),
        record("baseline", quality=quality([0.0] * 5 + [1.0] * 95)),
    )
    assert len(csv_rows(tmp_path)) == 4
    assert "- `fp16`: failed in optimize: broken" in text
    assert "- `baseline`: too lossy: it loses 0.0500 of accuracy, 0.02 are allowed" in text
    assert cells(text, "int8")[0][1] == "**recommended**"
    assert cells(text, "fp16") == [["fp16", "failed", *["-"] * 7, "1.00"]]
    assert "![digits: digits, fake, 2 threads](plots/digits-digits.svg)" in text
    drawn = sorted(path.name for path in (tmp_path / "results" / "plots").iterdir())
    assert drawn == ["digits-digits-times.svg", "digits-digits.svg"]


def test_report_of_nothing(tmp_path: Path) -> None:
    """Without records the report says what to do."""
    assert report(tmp_path) == (
        "# Results\n\nNothing has been measured yet: `./inv build --recipe lp_intel.json`.\n"
    )
    assert (tmp_path / "results" / "results.csv").read_text().count("\n") == 1


def test_columns() -> None:
    """results.csv has the columns that others read, each once."""
    names = [name for name, _, _ in COLUMNS]
    assert set(PROMISED_COLUMNS) <= set(names)
    assert len(names) == len(set(names))


def test_csv_has_figures_to_six_digits(tmp_path: Path) -> None:
    """A row has the record's figures, to six significant digits; what is not known is empty."""
    report(tmp_path, record("reference"), record("int8", rounds=rounds(1.23456789, 1.2, 1.3)))
    reference, int8 = csv_rows(tmp_path)
    assert (int8["median_ms"], int8["speedup"], int8["runs"], int8["rounds"]) == ("1.23457", "3.24", "9", "3")
    assert (int8["median_low"], int8["median_high"]) == ("1.2", "1.3")
    assert (int8["speedup_low"], int8["speedup_high"]) == ("3.07692", "3.33333")
    assert (int8["verdict"], int8["status"], int8["scope"]) == ("recommended", "measured", "network")
    assert (int8["pipeline_ms"], int8["fps"]) == ("", "")
    assert (reference["speedup"], reference["flipped"], reference["optimize_s"]) == ("", "0", "0")


def test_csv_of_pipelines_and_streams(tmp_path: Path) -> None:
    """A pipeline's and a stream's rows have frames a second: of the median, or those that came through."""
    stream = record("stream", rounds=streams(40.0, 41.0, 42.0, latency_ms=20.0))
    report(tmp_path, with_steps("reference", "tensorflow", decode=1.0, finder=3.0), stream)
    pipeline, found = csv_rows(tmp_path)[::-1]
    assert (pipeline["pipeline_ms"], pipeline["fps"]) == ("4", "250")
    assert (found["mean_ms"], found["pipeline_ms"], found["fps"]) == ("20", "20", "41")
    assert (found["verdict"], found["speedup"]) == ("not measured", "")


def test_another_device_has_no_speedup(tmp_path: Path) -> None:
    """What ran on another device keeps its milliseconds, says why it has no speedup, has its own picture."""
    text = report(tmp_path, record("reference"), record("int8", engine="docker:jetson"))
    assert cells(text, "int8")[0][1:6] == ["not measured", "1.00", "0.00", "1.00 (0%)", "-"]
    assert "- `int8`: not measured: it was measured on fake, 2 threads (engine docker:jetson)" in text
    assert "a speedup across devices says nothing" in text
    assert "tried in one round" not in text
    plots = list(plots_of(judge([record("reference"), record("int8", engine="docker:jetson")])))
    (first,), (second,) = (plot.places for plot in plots)
    assert (first.variant, second.variant) == ("reference", "int8")
    assert [plot.file for plot in plots] == ["digits-digits.svg", "digits-digits-2.svg"]


STEADY, RESTLESS = rounds(1.0, 1.0, 1.0), rounds(1.0, 1.0, 1.5)
UNSTEADY = [
    ({"int8": STEADY, "fp16": STEADY}, None),
    ({"int8": RESTLESS, "fp16": STEADY}, "the milliseconds of int8 hold for this run alone "),
    ({"int8": RESTLESS, "fp16": RESTLESS}, "the milliseconds hold for this run alone "),
]


@pytest.mark.parametrize(("measured", "remark"), UNSTEADY)
def test_milliseconds_have_what_they_are_worth(
    tmp_path: Path, measured: dict[str, tuple[Round, ...]], remark: str | None
) -> None:
    """A median has the spread of its rounds; beyond 5 % one remark a model says what that means."""
    records = [record(variant, rounds=found) for variant, found in measured.items()]
    text = report(tmp_path, record("reference"), *records)
    assert cells(text, "variant")[0][4] == "median (spread)"
    spread = "50%" if measured["int8"] is RESTLESS else "0%"
    assert cells(text, "int8")[0][4:6] == [f"1.00 ({spread})", cells(text, "int8")[0][5]]
    remarks = [line for line in text.splitlines() if "hold for this run alone " in line and line[:1] == "-"]
    told = [line for line in remarks if not line.startswith("- Times")]
    assert [line.startswith(f"- {remark}") for line in told] == ([True] if remark else [])


def test_missed_speed_is_told(tmp_path: Path) -> None:
    """A variant without gain for want of what the client asks says what it misses; frames have a column."""
    text = report(tmp_path, record("reference"), requiring(record("int8"), min_fps=2000.0))
    missed = "its rate of 1000.00 frames a second (1000.00 to 1000.00) is below the 2000 that are required"
    assert f"- `int8`: no gain: {missed}" in text


def test_front_goes_through_points_that_are_there() -> None:
    """Each step of the front's line is at a variant's own median and quality, the fastest first."""
    variants = {"int8": (1.0, 0.90), "fp16": (2.0, 0.96), "slow": (3.0, 0.95), "baseline": (3.5, 0.98)}
    records = [
        record(
            name,
            rounds=rounds(*[ms] * 3),
            quality=quality([1.0] * round(100 * of) + [0.0] * round(100 - 100 * of)),
        )
        for name, (ms, of) in variants.items()
    ]
    (plot,) = plots_of(judge([record("reference"), *records]))
    known = {(place.ms.estimate, place.quality.estimate): place.variant for place in plot.places}
    assert [known[point] for point in plot.line] == ["int8", "fp16", "baseline", "reference"]


def test_frames_have_a_column_where_they_are_asked_for(tmp_path: Path) -> None:
    """Frames a second stand in the table of a recipe that requires some, and in that of a stream."""
    asked = [requiring(one, min_fps=500.0) for one in (record("reference"), record("int8"))]
    text = report(tmp_path / "asked", *asked)
    assert cells(text, "variant")[0][5] == "fps"
    assert cells(text, "int8")[0][5] == "1000.0"
    stream = report(tmp_path / "stream", record("reference", rounds=streams(30.0, 30.0, 30.0)))
    assert "### digits (a stream: speed by its frames a second, latency from a frame's arrival to" in stream
    assert cells(stream, "reference")[0][2] == "30.0 [30.0, 30.0]"
    assert "fps" not in cells(report(tmp_path / "neither", record("reference")), "variant")[0]


def test_what_was_made_and_not_measured(tmp_path: Path) -> None:
    """Of a variant that was made and not measured, the report has what its toolchain says of it."""
    notes = {"digits": Notes(remarks=("predicted, not measured: accuracy 0.98",))}
    nothing = {"status": RecordStatus.NOT_MEASURED, "quality": None, "rounds": (), "notes": notes}
    text = report(tmp_path, record("reference"), record("int8", **nothing, reason="no GPU is here"))
    reason = text.index("- `int8`: not measured: no GPU is here")
    assert text.index("- `int8`: predicted, not measured: accuracy 0.98") > reason
    failed = {**nothing, "status": RecordStatus.FAILED}
    other = report(tmp_path / "failed", record("reference"), record("int8", **failed, reason="no such type"))
    assert "predicted" not in other


def searched(variant: str, **changes: Any) -> Record:
    one = record(variant, **changes)
    return replace(one, recipe={**one.recipe, "optimizations": {"search": {"time_budget_s": 60}}})


def test_search(tmp_path: Path) -> None:
    """A search's variants come in the order of their time; those it left are folded away, with the reason."""
    left = {"status": RecordStatus.NOT_MEASURED, "reason": "off the Pareto front: int8 took 1.00 ms"}
    nothing = {"status": RecordStatus.NOT_MEASURED, "quality": None, "rounds": ()}
    text = report(
        tmp_path,
        searched("reference"),
        searched("slow", rounds=rounds(2.0, 2.0, 2.0)),
        searched("int8"),
        searched("left", **left, rounds=rounds(3.0), quality=quality([0.5] * 100)),
        searched("unsupported", **nothing, reason="no bfloat16"),
    )
    section = text[text.index("### digits") :]
    order = [line.split(" ")[1] for line in section.splitlines() if line.startswith("| ")]
    expected = ["variant", "---", "reference", "int8", "slow", "unsupported", "variant", "---"]
    assert order[:8] == expected
    assert cells(text, "left") == [["left", "3.00", "0.5000", "off the Pareto front: int8 took 1.00 ms"]]
    assert "<summary>1 more variant tried in one round, not measured further</summary>" in text
    assert "- `unsupported`: not measured: no bfloat16" in text
    assert (tmp_path / "results" / "plots" / "digits-digits.svg").is_file()


def test_steps_are_those_of_the_records(tmp_path: Path) -> None:
    """A pipeline's table has a column for each step that its records timed, and none for the total."""
    text = report(
        tmp_path,
        with_steps("reference", "tensorflow", decode=1.0, finder_input=0.5, finder=2.5),
        with_steps("int8", decode=1.0, finder=1.0, sorter=2.0),
    )
    (head,) = [row for row in cells(text, "variant") if "decode" in row]
    assert head == ["variant", "decode", "finder input", "finder", "sorter", "images/s (median)"]
    assert cells(text, "reference")[1] == ["reference", "1.00", "0.50", "2.50", "-", "250.0"]
    assert cells(text, "int8")[1] == ["int8", "1.00", "-", "1.00", "2.00", "250.0"]
    assert "Mean milliseconds of each step:" in text


def counted(variant: str, *images: ObjectCounts) -> Record:
    """A record of a pipeline that reads every object, with what became of those of each image."""
    samples = tuple(
        SampleScore(f"images/{number}.png", {"exact": one.exact}, counts=one)
        for number, one in enumerate(images)
    )
    timed = replace(latency(*[1_000_000] * 3, reader=[1_000_000] * 3), objects=(0, 2, 4))
    found = Quality("exact", sum_of_counts(images).metrics, samples)
    rounds = tuple(Round(number, timed) for number in (1, 2, 3))
    return record(variant, scope=Scope.PIPELINE, rounds=rounds, quality=found)


def test_objects_that_were_counted(tmp_path: Path) -> None:
    """What became of the objects stands in a table, the three shares beside the speed, the help below."""
    whole = [ObjectCounts(right=2), ObjectCounts(right=1), ObjectCounts()]
    lost = [ObjectCounts(right=1, misread=1), ObjectCounts(missed=1), ObjectCounts(invented=1)]
    text = report(tmp_path, counted("reference", *whole), counted("int8", *lost))
    (head,) = [row for row in cells(text, "variant") if "misread" in row]
    assert head[1:5] == ["right", "misread", "missed", "invented"]
    assert cells(text, "int8")[-1] == ["int8", "1", "1", "1", "1", "2.00 (0 to 4)"]
    assert {"exact", "precision", "recall"} <= set(cells(text, "variant")[0])
    assert "right on one side only: images/0.png, images/1.png, images/2.png" in text
    assert "Precision is the share of those found that are right" in text
    _, int8 = csv_rows(tmp_path)
    assert (int8["metric"], int8["flipped"]) == ("exact", "3")
    assert float(int8["drop"]) == pytest.approx(1 - 2 / 6, abs=1e-5)
    assert "Precision is" not in report(tmp_path, record("reference"), record("int8"))


def noting(*tables: Table, remarks: Sequence[str] = ()) -> Record:
    """A record whose toolchain says something of its work."""
    return record("int8", notes={"digits": Notes(tuple(remarks), tables)})


def test_remarks_of_a_toolchain(tmp_path: Path) -> None:
    """What a toolchain says is a list of remarks; no text in them breaks the page."""
    said = ["3 of 59 operations\nwent back", "tuned for a|b `c` <b>[d](e)</b> *f*", "x" * 400]
    text = report(tmp_path, record("reference"), noting(remarks=said))
    lines = [line for line in text.splitlines() if line.startswith("- `int8`: ")]
    assert lines == [
        "- `int8`: 3 of 59 operations went back",
        r"- `int8`: tuned for a\|b \`c\` \<b>\[d\](e)\</b> \*f\*",
        f"- `int8`: {'x' * 297}...",
    ]


def test_tables_of_a_toolchain(tmp_path: Path) -> None:
    """A toolchain's table has its title and first twenty rows; no text in it breaks the page."""
    rows = [(f"a|b`{number}\n", "conv_1", "+0.0230") for number in range(25)]
    table = Table("What *went* back", ("operation", "the_type", "cost"), tuple(rows))
    text = report(tmp_path, record("reference"), noting(table))
    assert r"`int8`: What \*went\* back:" in text
    assert "| operation | `the_type` | cost |" in text
    found = [line for line in text.splitlines() if "`conv_1`" in line]
    assert len(found) == 20
    assert found[0] == r"| `a\|b'0` | `conv_1` | +0.0230 |"
    assert "... and 5 more." in text


def test_folded_table_of_a_toolchain(tmp_path: Path) -> None:
    """A folded table opens on a click; a short one leaves nothing out."""
    table = Table("Where the <time> goes", ("kernel", "ms"), (("dense", "1.250"),), folded=True)
    text = report(tmp_path, record("reference"), noting(table))
    folded = text[text.index("<details>") : text.index("</details>")]
    assert "<summary>int8: Where the &lt;time&gt; goes</summary>" in folded
    assert "| dense | 1.250 |" in folded
    assert "more." not in folded


def test_notes_stand_with_their_network(tmp_path: Path) -> None:
    """The notes of a pipeline's networks stand in the networks' own sections, not once more in its own."""
    one = with_steps("int8", decode=1.0, finder=1.0)
    notes = {"finder": Notes(("said of the finder",), (Table("t", ("a",), (("b",),)),))}
    text = report(tmp_path, with_steps("reference", decode=1.0, finder=1.0), replace(one, notes=notes))
    assert "said of the finder" not in text


@pytest.mark.parametrize("one", [record(), failed()], ids=["measured", "failed"])
def test_warnings(tmp_path: Path, one: Record) -> None:
    """A record's warnings are told, whatever came of it."""
    warned = replace(one, warnings=("calibrated with 3 images",))
    assert "- `int8`: calibrated with 3 images" in report(tmp_path, record("reference"), warned)


def test_targets_side_by_side(tmp_path: Path) -> None:
    """Where a run has variants of two targets each row says whose it is; one target needs no such column."""
    other = record("baseline@shelf-cpu", method="baseline", target="shelf-cpu")
    text = report(tmp_path / "two", record("reference"), record("baseline"), other)
    assert cells(text, "variant")[0][:3] == ["variant", "target", "verdict"]
    variants = ("reference", "baseline", "baseline@shelf-cpu")
    targets = [cells(text, variant)[0][1] for variant in variants]
    assert targets == ["tensorflow", "intel-openvino", "shelf-cpu"]
    assert len(cells(text, "variant")[0]) == len(cells(text, "baseline")[0])
    alone = report(tmp_path / "one", record("reference"), record("baseline"))
    assert cells(alone, "variant")[0][:2] == ["variant", "verdict"]


def answer(*records: Record) -> str:
    return headline(judge(records))


def test_headline_answers_the_question() -> None:
    """The headline says how much faster, on which hardware and at what loss, or that nothing meets."""
    found = answer(record("reference"), record("int8"))
    assert found == (
        "digits: take int8, 4.00x TensorFlow (95 % interval 4.00 to 4.00; 1.00 ms) on fake, 2 threads, "
        "accuracy 1.0000 (drop +0.0000, 95 % interval +0.0000 to +0.0000)."
    )
    nothing = answer(record("reference"), failed("int8"))
    assert nothing == "No variant of digits is recommended for digits: none was measured."
    broken = answer(failed("reference"), failed("int8"))
    assert broken == "No variant of digits is recommended for digits: the reference of digits failed."


def without_device(variant: str) -> Record:
    """A record of a recipe whose device was not there."""
    one = record(variant, rounds=(), status=RecordStatus.NOT_MEASURED, reason="no device 'board'")
    return replace(one, recipe={**one.recipe, "device": "board"})


def test_a_missing_device_is_told(tmp_path: Path) -> None:
    """Where the device was not there, headline, facts and advice say so, and name none as measured."""
    records = [without_device("reference"), without_device("int8")]
    found = answer(*records)
    assert found == ("No variant of digits is recommended for digits: none was measured, no device 'board'.")
    text = report(tmp_path, *records)
    assert "Not measured on 'board'; run 20260101T000000Z." in text
    assert "Device:" not in text
    assert "build again when the device 'board' is there" in advice(judge(records))


def test_a_prediction_is_called_one(tmp_path: Path) -> None:
    """What was predicted without the device is a remark that says so, and no figure of the table."""
    lossy = replace(without_device("int8"), quality=None, predicted=quality([1.0] * 99 + [0.0]))
    text = report(tmp_path, record("reference", quality=quality([1.0] * 100)), lossy)
    assert "`int8`: predicted without its device: accuracy 0.9900 on 100 samples, drop +0.0100 " in text
    worse = replace(lossy, predicted=quality([1.0] * 50 + [0.0] * 50))
    text = report(tmp_path / "b", record("reference", quality=quality([1.0] * 100)), worse)
    assert "more than the 0.02 that are allowed; the device decides" in text
    assert cells(text, "int8")[0][1:4] == ["not measured", "-", "-"]


def test_a_stream_has_its_own_figures(tmp_path: Path) -> None:
    """A stream's section has rates, latencies, CPU time, memory, where the time goes and how it is run."""
    parity = "parity: in all 100 frames it read what the sequential pipeline reads"
    text = report(tmp_path, stream_record("reference"), stream_record("int8", warnings=(parity,)))
    names, figures = cells(text, "variant")[0], cells(text, "int8")
    assert names[2:8] == [
        "fps [95 %]",
        "speedup [95 %]",
        "latency ms: median (spread)",
        "p99",
        "CPU ms a frame",
        "peak MB",
    ]
    rate, speedup = "40.0 [40.0, 40.0]", "4.00 [4.00, 4.00]"
    assert figures[0][1:8] == ["**recommended**", rate, speedup, "45.00 (0%)", "45.00", "9.50", "321"]
    steps = cells(text, "variant")[1]
    assert steps[1:3] + steps[-3:] == ["decode", "colour", "track", "wait", "together"]
    assert figures[1][1:] == [
        "1.00 (10%)",
        "0.50 (5%)",
        "0.50 (5%)",
        "6.00 (60%)",
        "0.50 (5%)",
        "0.10 (1%)",
        "1.40 (14%)",
        "10.00",
    ]
    assert figures[2][1:] == ["3", "1", "1", "-", "2", "before the network"]
    assert cells(text, "reference")[2][1:] == ["one after the other", *["-"] * 5]
    assert f"- `int8`: {parity}" in text
    assert "- `int8`: the search ended with its time" in text
    assert "<summary>int8: Settings tried</summary>" in text
    assert "A stream's speed is its frames a second." in text


def test_a_stream_says_what_tracks_do(tmp_path: Path) -> None:
    """A stream that leaves out frames, or lets a track's vote, says so where it says how it is run."""
    one = stream_record("reference")
    tracked = replace(one, recipe={**one.recipe, "stream": {"interval": 3, "vote": True}})
    text = report(tmp_path, tracked)
    assert "How the stream is run (one frame in 3 goes through the networks, between them tracks do; " in text
    assert "the readings of a track are voted on)" in text


HOSTILE: list[Any] = [None, 3, "x", {"workers": "many"}, {"workers": 1, "<b>": 2}, {"one_by_one": "<b>"}]


@pytest.mark.parametrize("settings", HOSTILE)
def test_settings_that_are_none(tmp_path: Path, settings: Any) -> None:
    """What a container says in the place of a stream's settings breaks no report, and is not written."""
    odd = stream_record("int8", settings={"stream": settings})
    text = report(tmp_path, stream_record("reference"), odd)
    assert "How the stream is run:" in text
    assert "<b>" not in text
    assert "many" not in cells(text, "int8")[2]


def test_a_stream_that_failed_leaves_no_hole(tmp_path: Path) -> None:
    """A stream whose settings could not be found has its row and its reason."""
    broken = failed("int8", "no frame can be decoded", scope=Scope.STREAM, stage="configure", settings={})
    text = report(tmp_path, stream_record("reference"), broken)
    assert cells(text, "int8") == [["int8", "failed", *["-"] * 9, "1.00"]]
    assert "- `int8`: failed in configure: no frame can be decoded" in text


def test_streams_are_drawn_by_their_rate() -> None:
    """In the plane of time and quality a stream lies where its rate puts it, whatever its frames wait."""
    (plot,) = plots_of(judge([stream_record("reference"), stream_record("int8")]))
    assert plot.time == "time per frame"
    assert [place.ms.estimate for place in plot.places] == [pytest.approx(100.0), pytest.approx(25.0)]


def test_summary_of_a_stream_has_its_rate() -> None:
    """On the terminal a stream has its frames a second, and nothing else has a column for them."""
    found = summary(judge([record("reference"), *map(stream_record, ("reference", "int8"))]))
    rates = [row[found.columns.index("fps")] for row in found.rows]
    assert rates == ["-", "10.0", "40.0"]
    assert "fps" not in summary(judge([record("reference")])).columns


def test_headline_of_a_stream() -> None:
    """A stream's headline has its frames a second."""
    reference = record("reference", rounds=streams(10.0, 10.0, 10.0))
    found = answer(reference, record(rounds=streams(40.0, 40.0, 40.0)))
    assert "4.00x TensorFlow (95 % interval 4.00 to 4.00; 40.0 frames a second)" in found


RUNTIMES = [
    ({"runtime": "ONNX Runtime 1.22"}, "ONNX Runtime 1.22"),
    (
        {"finder": {"runtime": "TensorFlow"}, "reader": {"runtime": "TensorFlow Lite"}},
        "TensorFlow and TensorFlow Lite",
    ),
    ({"finder": {"runtime": "TensorFlow"}, "reader": {"runtime": "TensorFlow"}}, "TensorFlow"),
    ({"threads": 2}, "tensorflow"),
    ({}, "tensorflow"),
]


@pytest.mark.parametrize(("settings", "name"), RUNTIMES)
def test_report_names_what_the_reference_ran_in(tmp_path: Path, settings: Any, name: str) -> None:
    """The speedup is over the runtime that the reference ran in; where that is not said, over its target."""
    reference = record("reference", settings=settings)
    assert runtime_of(reference) == name
    text = report(tmp_path, reference, record("int8"))
    assert f"4.00x {name} (95 % interval 4.00 to 4.00; 1.00 ms)" in text
    assert "TensorFlow" in name or "TensorFlow" not in text
    missed = answer(reference, requiring(record("int8"), min_speedup=5.0))
    assert f"the nearest is int8, 4.00x {name} (95 % interval 4.00 to 4.00), drop" in missed


def test_headline_has_the_options_that_a_name_lacks() -> None:
    """A variant that is numbered, or a combination of networks, is recommended with its options."""
    reference = record("reference")
    numbered = record("int8-2", method="int8", options={"preset": "mixed"})
    assert 'take int8-2 (preset "mixed"), 4.00x' in answer(reference, numbered)
    assert "take int8, 4.00x" in answer(reference, record("int8", options={"preset": "mixed"}))
    both = record("int8+fp16", options={"finder": {"method": "int8"}, "reader": {"method": "fp16"}})
    expected = 'take int8+fp16 (finder {"method": "int8"}, reader {"method": "fp16"}), 4.00x'
    assert expected in answer(reference, both)


def test_headline_of_what_is_undecided() -> None:
    """Where nothing is recommended the headline has the nearest variant and what its interval straddles."""
    undecided = requiring(record("int8", rounds=rounds(1.0, 1.0, 1.5)), min_speedup=3.0)
    found = answer(record("reference"), undecided, failed("fp16"))
    assert found == (
        "No variant of digits is recommended for digits: the nearest is int8, 4.00x TensorFlow (95 % "
        "interval 2.67 to 4.00), drop +0.0000, on fake, 2 threads: undecided, its speedup of 4.00 (2.67 to "
        "4.00) straddles the 3 that is required."
    )


LOSSY = record("int8", quality=quality([0.0] * 5 + [1.0] * 95))
SLOW = record("baseline", rounds=rounds(5.0, 5.0, 5.0))
WANDERING = rounds(1.0, 1.0, 1.5)
ADVICE: list[tuple[list[Record], bool, str]] = [
    ([record()], True, "deliver what was measured, the files that the record digits/int8.json names"),
    (
        [requiring(record(rounds=WANDERING), min_speedup=3.0)],
        False,
        "more rounds (measure.max_rounds, now 6)",
    ),
    ([requiring(record(rounds=rounds(1.0, 1.0)), min_speedup=3.0)], False, "measure at least 3 rounds"),
    (
        [LOSSY],
        False,
        "allow a larger drop (requirements.max_drop, now 0.02), or try an accuracy-aware method",
    ),
    ([SLOW], True, "keep TensorFlow, or try other optimizations, another target or other hardware"),
    ([SLOW, LOSSY], True, "or other hardware; int8 is 4.00x and drops 0.0500"),
    ([record(rounds=rounds(3.5, 3.9, 4.3))], True, "or a calmer machine may still show a gain"),
    ([requiring(record(), min_speedup=5.0)], False, "it is faster, but the recipe requires min_speedup 5: "),
    ([failed()], False, "read the reason of each variant in the report"),
]


@pytest.mark.parametrize(("variants", "is_met", "line"), ADVICE)
def test_advice_fits_the_reason(variants: list[Record], is_met: bool, line: str) -> None:
    """What is to do next is one line that fits the answer; only what is required can be missed."""
    rows = judge([record("reference"), *(measured_by(one, max_rounds=6) for one in variants)])
    assert line in advice(rows)
    assert "\n" not in advice(rows)
    assert requirement_met(rows) == is_met


def measured_by(one: Record, **measure: int) -> Record:
    return replace(one, recipe={**one.recipe, "measure": {**one.recipe["measure"], **measure}})


def test_advice_on_a_failed_reference() -> None:
    """Where the reference failed, it is the samples and the model that are to be looked at."""
    assert "look at the test samples and at model.json" in advice(judge([failed("reference"), record()]))


def test_summary_has_no_hole() -> None:
    """The terminal's table has each variant with its verdict, and the answer below it."""
    rows = judge([record("reference"), record("int8"), failed("fp16")])
    assert summary(rows).rows[1:] == (
        ("digits", "int8", "recommended", "1.00 (0%)", "4.00 [4.00, 4.00]", "1.0000", "+0.0000"),
        ("digits", "fp16", "failed", "-", "-", "-", "-"),
    )
    console = Console(width=100, record=True, file=StringIO())
    print_summary(rows, console)
    lines = console.export_text().splitlines()
    assert lines[-2:] == [headline(rows), f"what to do: {advice(rows)}"]


def test_summary_keeps_names_whole() -> None:
    """However narrow the output is, no name, verdict or figure in the table is folded or cut."""
    stream = StringIO()
    rows = judge([record("reference"), record("int8-accuracy-aware@a-target-with-a-long-name")])
    print_summary(rows, Console(width=30, file=stream))
    for cell in [*summary(rows).columns, *summary(rows).rows[1]]:
        assert f" {cell} " in stream.getvalue()


def built(folder: Path, *records: Record) -> BuildResult:
    """A build that came to these records."""
    return BuildResult(Workspace(folder), judge(records), folder / "run", host_s=52.4, jobs_s=689.7)


def test_build_ends_with_how_long_it_took(tmp_path: Path) -> None:
    """The last line of a build says how long it took, and of that its jobs and the clock in them."""
    console = Console(width=30, record=True, file=StringIO())
    times = rounds(4000.0, 4000.0, 4000.0)
    summarize(built(tmp_path, record("reference", rounds=times), record()), console)
    last = console.export_text().splitlines()[-1]
    assert last == "took 742 s: 690 s in jobs (36 s of them under the clock), 52 s in between"


ENDS = [
    ([record(), failed("fp16")], "digits/fp16: 1 of 3 variants failed; first: broken"),
    ([LOSSY], "digits: what the recipe requires was not reached"),
]


@pytest.mark.parametrize(("variants", "message"), ENDS)
def test_build_fails_for_what_failed_or_was_missed(
    tmp_path: Path, variants: list[Record], message: str
) -> None:
    """A build ends with exit code 1 for failed jobs and for what the recipe requires and was not reached."""
    with pytest.raises(JobFailed) as caught:
        summarize(built(tmp_path, record("reference"), *variants), Console(file=StringIO()))
    assert str(caught.value).splitlines()[0] == message


def test_build_without_its_device_is_no_success(tmp_path: Path) -> None:
    """A build whose device was not there ends with exit code 3, what is kept and what to type next."""
    records = [without_device("reference"), without_device("int8")]
    result = replace(built(tmp_path, *records), missing_device="no device 'board'")
    with pytest.raises(EnvironmentProblem) as caught:
        summarize(result, Console(file=StringIO()))
    assert str(caught.value).splitlines() == [
        "digits: not measured: no device 'board'",
        "  what needs no device is made and kept; where one is: ./inv build --recipe digits",
    ]


def test_build_of_what_cannot_run_here_is_no_success(tmp_path: Path) -> None:
    """A build of which this hardware can run no variant ends with exit code 3 and says why."""
    not_here = {"status": RecordStatus.NOT_MEASURED, "reason": "no GPU", "stage": "evaluate"}
    declined = record(rounds=(), quality=None, **not_here)
    with pytest.raises(EnvironmentProblem, match="digits: not measured: no GPU"):
        summarize(built(tmp_path, record("reference"), declined), Console(file=StringIO()))
    too_lossy = replace(LOSSY, variant="fp16")
    with pytest.raises(JobFailed, match="was not reached"):
        summarize(built(tmp_path, record("reference"), declined, too_lossy), Console(file=StringIO()))


def test_content_has_no_markup() -> None:
    """What the report says is plain text, so that another format than Markdown can say the same."""
    rows = judge([record("reference"), record("int8", warnings=("a `b`",)), failed("fp16")])
    found = report_of(rows, draw(rows, {}))
    (recipe,) = found.recipes
    (model,) = recipe.models
    own = [recipe.title, recipe.answer, recipe.facts, *found.reading_help, model.covers]
    assert not [text for text in own if re.search(r"[`*|<]|\]\(", text)]
    parts = ["decisions", "overview", "recipes", "comparisons", "reading_help"]
    assert [field.name for field in fields(content.Report)] == parts
    assert model.pictures[0].file == "digits-digits.svg"
    assert model.remarks[0].text == "a `b`"
    assert r"- `int8`: a \`b\`" in markdown(found)


@given(st.text(max_size=300))
def test_code(text: str) -> None:
    """A text that others wrote is one line of code that breaks no table."""
    line = code(text)
    assert len(line.splitlines()) == 1
    assert line.count("`") == 2
    assert not re.search(r"(?<!\\)\|", line)


@given(st.text("ab\\`*[]<|_ \n", max_size=40))
def test_escaped(text: str) -> None:
    """An escaped text is one line, and says the same without its escapes."""
    line = escaped(text)
    assert "\n" not in line
    assert re.sub(r"\\(.)", r"\1", line) == " ".join(text.split())
    assert not re.search(r"[`*\[\]<|]", re.sub(r"\\.", "", line))
