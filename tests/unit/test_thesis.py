"""Our figures stand beside the thesis's, and one toolchain's beside another's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dockyard.judge.assessment import Assessment
from dockyard.judge.verdicts import judge
from dockyard.report.content import Table
from dockyard.report.thesis.section import TABLES, thesis_section
from dockyard.report.toolchains import toolchain_sections
from shared.contract.measurement import Scope
from shared.contract.record import Record, RecordStatus, Round
from tests.builders import artifact, failed, latency, quality, record, rounds, stream_record, streams


def of(
    model: str,
    variant: str,
    name: str = "lp",
    toolchain: str = "2026.4",
    target: str = "intel-openvino",
    **changes: Any,
) -> Record:
    """A record of one of the thesis's models."""
    one = record(variant, model=model, artifacts=artifact(model), **changes)
    if one.method == "reference":
        target, toolchain = "tensorflow", "2.16"
    recipe = {**one.recipe, "name": name, "model": model}
    return replace(one, toolchain=toolchain, target=target, recipe=recipe)


def tvm(model: str, variant: str, *medians_ms: float, **changes: Any) -> Record:
    return of(model, variant, target="tvm-llvm", toolchain="0.27", rounds=rounds(*medians_ms), **changes)


def tables_of(assessments: Sequence[Assessment]) -> dict[str, Table]:
    """The thesis's tables, by their title up to the colon."""
    section = thesis_section(assessments)
    tables = section.tables if section else ()
    return {table.title.partition(":")[0]: table for table in tables}


def row(table: Table, first: str) -> list[str]:
    """The cells behind the only one that a row begins with."""
    (found,) = [cells for cells in table.rows if cells[0] == first]
    return list(found[1:])


def test_thesis_beside_ours() -> None:
    """Each of our figures stands in its method's row and its toolchain's columns, each of theirs as it is."""
    old = {"toolchain": "2023.3", "method": "int8", "rounds": rounds(2.0, 2.0, 2.0)}
    broken = failed("fp16", model="lp_detector")
    rows = judge(
        [
            of("lp_detector", "reference"),
            of("lp_detector", "int8"),
            of("lp_detector", "int8@2023.3", **old),
            replace(of("lp_detector", "fp16"), status=broken.status, quality=None, rounds=()),
        ]
    )
    tables = tables_of(rows)
    assert list(tables) == ["Table 4.3 (i5), 4.4 (i7)"]
    (table,) = tables.values()
    theirs = ["22.07 (0.54)", "2.68", "0.6906", "8.38 (0.23)", "5.07", "0.6889"]
    ours = ["2.00 (0.00)", "2.00", "-", "1.00 (0.00)", "4.00", "-"]
    assert row(table, "quantization") == [*theirs, *ours]
    assert row(table, "FP16")[6:] == ["-", "-", "-", "failed", "-", "-"]
    assert row(table, "accuracy-aware")[6:] == ["-"] * 6
    assert row(table, "TensorFlow")[6:8] == ["4.00 (0.00)", "1.00"]
    assert table.footnotes == ("Ours: recipe lp, run 20260101T000000Z, fake, 2 threads.",)


def test_thesis_names_what_it_took() -> None:
    """Of two recipes the one whose run had both toolchains is taken, and each figure's recipe is named."""
    both = [
        of("lp_reader", "reference", "both"),
        of("lp_reader", "int8", "both"),
        of("lp_reader", "int8@2023.3", "both", toolchain="2023.3", method="int8"),
    ]
    later = {"run": "20270101T000000Z", "rounds": rounds(0.5, 0.5, 0.5)}
    alone = [of("lp_reader", variant, "alone", **later) for variant in ("reference", "int8", "fp16")]
    (table,) = tables_of(judge([*alone, *both])).values()
    assert row(table, "quantization")[9] == "1.00 (0.00)"
    assert row(table, "FP16")[9] == "0.50 (0.00)"
    first, second = sorted(table.footnotes)
    assert first.startswith("Ours from recipe alone, run 20270101T000000Z, fake, 2 threads: ")
    run = "Ours from recipe both, run 20260101T000000Z, fake, 2 threads: "
    assert second.startswith(f"{run}TensorFlow 2023.3, quantization 2023.3")


def stream_of(variant: str, name: str = "lp_stream", **settings: Any) -> Record:
    """A record of the licence-plate pipeline reading a video."""
    one = stream_record(variant, quality=quality([1.0] * 100, "exact"))
    stream = of("license_plate", variant, name, scope=one.scope, rounds=one.rounds, quality=one.quality)
    return replace(stream, recipe={**stream.recipe, "stream": {"interval": 1, "vote": False, **settings}})


def test_stream_beside_deepstream() -> None:
    """Our stream stands beside the thesis's DeepStream by its time per frame, and in no pipeline's table."""
    images = [of("license_plate", variant, scope=Scope.PIPELINE) for variant in ("reference", "int8")]
    tracked = [stream_of(variant, "lp_tracked", interval=3) for variant in ("reference", "baseline")]
    later = [replace(one, run="20270101T000000Z") for one in tracked]
    tables = tables_of(judge([*images, stream_of("reference"), stream_of("int8"), *later]))
    assert list(tables) == ["Table 4.7 (i5)", "Table 4.11 to 4.13 (i5, Jetson)"]
    of_images, of_streams = tables.values()
    assert row(of_images, "TensorFlow")[5] == "4.00 (0.00)"
    assert row(of_streams, "TensorFlow") == [
        *("266.85", "1.00", "-", "-"),
        *("100.00", "10.0", "1.00", "1.0000 / -"),
    ]
    assert row(of_streams, "quantization") == ["-"] * 4 + ["25.00", "40.0", "4.00", "1.0000 / -"]
    assert row(of_streams, "DeepStream") == ["-", "-", "32.15", "8.30", *["-"] * 4]
    assert row(of_streams, "baseline")[4:] == ["-"] * 4


def test_thesis_of_another_target() -> None:
    """A target or a model that the thesis's tables are not about is not put beside them."""
    variants = ("reference", "baseline")
    assert thesis_section(judge([of("lp_detector", v, target="shelf-cpu") for v in variants])) is None
    assert thesis_section(judge([of("lp_reader", v, target="tvm-llvm") for v in variants])) is None
    assert thesis_section(judge([record("reference"), record()])) is None


def test_each_table_of_the_thesis_has_its_target() -> None:
    """Two targets measured in one run stand each in the tables of its own."""
    rows = judge(
        [
            of("lp_detector", "reference"),
            tvm("lp_detector", "baseline", 8.0, 8.0, 8.0),
            tvm("lp_detector", "tuned", 2.0, 2.0, 2.0),
            of("lp_detector", "baseline@intel-openvino", method="baseline"),
        ]
    )
    tables = tables_of(rows)
    assert list(tables) == ["Table 4.2 (i5)", "Table 4.3 (i5), 4.4 (i7)"]
    of_tvm, of_openvino = tables.values()
    assert row(of_tvm, "TensorFlow") == ["59.08 (1.09)", "6.15", "1.00", "4.00 (0.00)", "2.00", "1.00", "-"]
    assert row(of_tvm, "not tuned") == ["363.40 (3.17)", "1.00", "0.16", "8.00 (0.00)", "1.00", "0.50", "-"]
    assert row(of_tvm, "tuned") == ["79.44 (0.55)", "4.57", "0.74", "2.00 (0.00)", "4.00", "2.00", "-"]
    assert not [column for column in of_tvm.columns if "2026.4" in column]
    assert row(of_openvino, "baseline")[6:8] == ["1.00 (0.00)", "4.00"]
    assert not [column for column in of_openvino.columns if "0.27" in column]


def test_standard_networks_of_the_thesis() -> None:
    """Each network has its rows, theirs and ours with the gain of tuning; one without records shows none."""
    rows = judge(
        [
            of("zoo_resnet18", "reference"),
            tvm("zoo_resnet18", "baseline", 8.0, 8.0, 8.0),
            tvm("zoo_resnet18", "tuned", 2.0, 3.0, 1.0),
            of("zoo_alexnet", "reference", "alone"),
            tvm("zoo_alexnet", "tuned", 2.0, 2.0, 2.0, name="alone"),
        ]
    )
    (table,) = tables_of(rows).values()
    assert table.title == "Table 4.1 (i5): standard networks"
    ours = ["4.00 (0.00)", "4.00", "4.00 to 4.00", "2.00", "1.00"]
    assert row(table, "ResNet-18 TensorFlow") == ["-"] * 4 + ours
    theirs = ["98.44 (0.20)", "98.39", "98.31 to 99.03", "1.57"]
    assert row(table, "ResNet-18 tuned") == [*theirs, "2.00 (0.87)", "2.00", "1.00 to 3.00", "4.00", "2.00"]
    assert row(table, "ResNet-18 not tuned")[7:] == ["1.00", "0.50"]
    assert row(table, "AlexNet tuned")[4:] == ["2.00 (0.00)", "2.00", "2.00 to 2.00", "-", "2.00"]
    assert row(table, "AlexNet not tuned")[4:] == ["-"] * 5
    assert row(table, "DenseNet tuned") == ["170.37 (0.12)", "170.33", "170.23 to 170.63", "1.43", *["-"] * 5]
    alone = "Ours from recipe alone, run 20260101T000000Z, fake, 2 threads: "
    assert f"{alone}AlexNet TensorFlow 0.27, AlexNet tuned 0.27." in table.footnotes


def test_reference_that_ran_in_something_else() -> None:
    """Where our reference did not run in TensorFlow, as the thesis's did, its row says in what."""
    settings = {"runtime": "ONNX Runtime 1.22"}
    rows = [of("zoo_resnet18", "reference", settings=settings), tvm("zoo_resnet18", "tuned", 2.0, 2.0, 2.0)]
    (table,) = tables_of(judge(rows)).values()
    assert row(table, "ResNet-18 TensorFlow (ours: ONNX Runtime 1.22)")[4] == "4.00 (0.00)"
    unsaid = [of("zoo_resnet18", "reference", settings={}), tvm("zoo_resnet18", "tuned", 2.0, 2.0, 2.0)]
    (table,) = tables_of(judge(unsaid)).values()
    assert row(table, "ResNet-18 TensorFlow")[4] == "4.00 (0.00)"


@pytest.mark.parametrize("number", range(6))
def test_thesis_has_what_its_tables_show(number: int) -> None:
    """Every figure of each table is there, a median lies between smallest and largest, methods are known."""
    thesis = json.loads(TABLES.read_text())
    table = thesis["tables"][number]
    needed = {
        "ms (std)": {"ms", "std"},
        "median": {"median"},
        "min to max": {"min", "max"},
        "quality": {"quality"},
        "total s": {"total_s"},
    }
    keys = {key for column in table["theirs"] for key in needed.get(column, ())}
    for known in table["models"].values():
        for method, figures in [entry for cpu in table["numbers"] for entry in known[cpu].items()]:
            assert method in thesis["methods"][table["target"]]
            assert keys <= figures.keys()
            if "median" in figures:
                assert figures["min"] < figures["median"] < figures["max"]
                assert figures["min"] < figures["ms"] < figures["max"]


def test_pipeline_of_the_thesis() -> None:
    """The pipeline's table has the steps that the thesis timed."""
    steps = {"detector": [8_000_000, 10_000_000], "reader": [2_000_000] * 2}
    timed = latency(20_000_000, 20_000_000, **steps)
    changes = {"rounds": tuple(Round(number, timed) for number in (1, 2, 3)), "scope": timed.scope}
    (table,) = tables_of(
        judge([of("license_plate", variant, **changes) for variant in ("reference", "baseline")])
    ).values()
    theirs = ["53", "177.9", "27.0", "50.8", "1.38"]
    assert row(table, "baseline") == [*theirs, "20.00 (0.00)", "9.0", "2.0", "1.00", "- / -"]
    assert row(table, "quantization")[:5] == ["-"] * 5


def test_thesis_figures_are_those_of_its_speedups() -> None:
    """The figures give the speedups of the thesis: 2.62 on the i5, 3.92 on the i7, 1.46 end to end."""
    thesis = json.loads(TABLES.read_text())
    known: dict[str, Any] = {}
    for table in thesis["tables"]:
        for cpu, number in table["numbers"].items():
            known[number] = {model: entry[cpu] for model, entry in table["models"].items()}

    def gain(entries: Any, key: str) -> float:
        return float(entries["reference"][key] / entries["int8-accuracy-aware"][key])

    assert gain(known["4.3"]["lp_detector"], "ms") == pytest.approx(2.62, abs=0.01)
    assert gain(known["4.4"]["lp_detector"], "ms") == pytest.approx(3.92, abs=0.01)
    assert gain(known["4.7"]["license_plate"], "total_s") == pytest.approx(1.46, abs=0.01)


OLD: dict[str, Any] = {"toolchain": "2023.3", "method": "int8", "rounds": rounds(2.0, 3.0, 1.0)}


def test_toolchains_against_each_other() -> None:
    """Two toolchains are compared only where one run measured both, round by round."""
    smaller = replace(of("lp_detector", "int8@2023.3", **OLD), artifacts=artifact("lp_detector", 500_000))
    rows = judge(
        [
            of("lp_detector", "reference"),
            of("lp_detector", "int8"),
            smaller,
            of("lp_reader", "int8"),
            of("lp_reader", "int8@2023.3", run="another", **OLD),
            replace(of("lp_reader", "fp16@2023.3", **{**OLD, "method": "fp16"}), status=failed().status),
        ]
    )
    (section,) = toolchain_sections(rows)
    assert section.title == "intel-openvino: 2026.4 against 2023.3"
    times = ["2.00", "1.00", "2.00 [1.00, 3.00]"]
    sizes = ["0.50", "1.00", "2.00"]
    (table,) = section.tables
    assert table.rows == (("lp", "lp_detector", "int8", *times, *sizes, "1.0000", "1.0000"),)
    assert toolchain_sections(judge([record("reference"), record()])) == []


def test_toolchains_of_two_targets_are_no_pair() -> None:
    """Releases of two targets' tools are not put against each other."""
    rows = [of("lp_detector", variant) for variant in ("reference", "int8")]
    other = tvm("lp_detector", "int8@tvm-llvm", 1.0, 1.0, 1.0, method="int8")
    assert toolchain_sections(judge([*rows, other])) == []


def test_toolchains_on_two_devices_are_no_pair() -> None:
    """Toolchains that were measured on two devices have no ratio."""
    rows = [of("lp_detector", variant) for variant in ("reference", "int8")]
    elsewhere = of("lp_detector", "int8@2023.3", engine="docker:jetson", **OLD)
    assert toolchain_sections(judge([*rows, elsewhere])) == []


def test_a_device_that_is_not_there_has_its_column() -> None:
    """Beside the thesis's Jetson stands ours, which was not measured, and why; each of its three kinds of
    hardware has its figures where it ran something.
    """
    recipe = {"device": "jetson"}
    missing = {"status": RecordStatus.NOT_MEASURED, "rounds": (), "quality": None}
    reason = "no device 'jetson' (there is no Docker context 'jetson')"
    records = []
    for variant in ("reference", "fp16"):
        one = of("lp_detector", variant, target="l4t-tensorrt", toolchain="10.3")
        records.append(replace(one, recipe={**one.recipe, **recipe}, reason=reason, **missing))
    tables = tables_of(judge(records))
    assert list(tables) == ["Table 4.9 and 4.10 (i5, i7, Jetson)"]
    (table,) = tables.values()
    absent = "not measured: no device 'jetson'"
    assert row(table, "detector: TensorFlow") == ["59.08", "42.47", "-", absent, "-"]
    assert row(table, "detector: TensorRT, float16") == ["-", "-", "-", absent, "-"]
    assert row(table, "detector: TensorRT, no precision named") == ["-", "-", "5.16", "-", "-"]
    assert row(table, "reader: OpenVINO, accuracy-aware") == ["47.95", "18.39", "-", "-", "-"]
    assert table.footnotes == ()


def test_streams_of_two_toolchains_stand_by_their_rates() -> None:
    """A stream on two toolchains is compared by its time from frame to frame, and says so."""
    old = stream_record("int8@2023.3", method="int8", toolchain="2023.3")
    slow = {"rounds": streams(20.0, 20.0, 20.0)}
    rows = judge([stream_record("reference"), stream_record("int8"), replace(old, **slow)])
    (section,) = toolchain_sections(rows)
    (found,) = section.tables[0].rows
    assert found[1:6] == ("digits (stream, ms a frame)", "int8", "25.00", "50.00", "0.50 [0.50, 0.50]")
