"""The report says what the records say: searches, masks, reverted operations, toolchains, the thesis beside ours."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dockyard.judge.records import write_records
from dockyard.judge.verdicts import judge
from dockyard.report.overlays import FOUND, MAX_SIDE, TRUE, BadPicture, decode
from dockyard.report.plots import pareto
from dockyard.report.report import write_report
from dockyard.report.tables import quoted
from dockyard.report.thesis import thesis_section, toolchain_section
from shared.contract.record import Record
from tests.fakes import attempt, quality, record


def report(folder: Path, *records: Record) -> str:
    """The report of these records."""
    for one in records:
        write_records([one], folder / "records" / str(one.recipe["name"]))
    write_report(folder)
    return (folder / "report.md").read_text()


def cells(text: str, first: str) -> list[list[str]]:
    """The rows of every table whose first cell is this one."""
    rows = [[cell.strip() for cell in line.strip("| \n").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] == first]


def timed(*medians_ms: float, step: str = "total") -> list[dict[str, list[int]]]:
    return [{step: [round(m * 1e6)] * 3} for m in medians_ms]


def of(model: str, variant: str, name: str = "lp", toolchain: str = "2026.4", target: str = "intel-openvino", **changes: Any) -> Record:
    """A record of one of the thesis's models."""
    one = record(variant, model=model, artifacts={model: [{"path": "m", "sha256": "0" * 64, "bytes": 1_000_000}]}, **changes)
    recipe = {**one.recipe, "name": name, "model": model}
    if one.method == "reference":
        target, toolchain = "tensorflow", "2.16"
    return replace(one, toolchain=toolchain, target=target, recipe=recipe)


def searched(variant: str, **changes: Any) -> Record:
    one = record(variant, **changes)
    return replace(one, recipe={**one.recipe, "optimizations": {"search": {"time_budget_s": 60}}})


def test_search(tmp_path: Path) -> None:
    """A search's variants come in the order of their time; those it left are told apart, with the reason, not as measured."""
    left = {"status": "not measured", "reason": "off the Pareto front: int8 took 1.00 ms", "rounds_ns": timed(3.0)}
    text = report(
        tmp_path,
        searched("reference"),
        searched("slow", rounds_ns=timed(2.0, 2.0, 2.0)),
        searched("int8"),
        searched("left", **left, quality=quality([0.5] * 100)),
        searched("unsupported", status="not measured", reason="no bfloat16", quality=None, rounds_ns=[]),
    )
    order = [line.split(" ")[1] for line in text.splitlines() if line.startswith("| ")]
    assert order[:8] == ["variant", "---", "reference", "int8", "slow", "unsupported", "variant", "---"]
    assert cells(text, "left") == [["left", "3.00", "0.5000", "off the Pareto front: int8 took 1.00 ms"]]
    assert "1 more variant tried" in text
    assert "`unsupported`: not measured: no bfloat16" in text
    assert (tmp_path / "plots" / "digits-digits.png").is_file()


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_pareto(points: list[tuple[float, float]]) -> None:
    """The front has exactly the points that no other beats, from the fastest to the best."""
    front = pareto(points)
    beaten = {p for p in points if any(q[0] <= p[0] and q[1] >= p[1] and q != p for q in points)}
    assert set(front) == set(points) - beaten
    assert front == sorted(front)
    assert [q for _, q in front] == sorted({q for _, q in front})


def test_reverted_operations(tmp_path: Path) -> None:
    """How many operations went back to floating point, and what the costliest of them cost, is told; no text breaks the table."""
    costs: list[float | None] = [None, *(i / 1000 for i in range(24))]
    notes = {
        "quantized_operations": 59,
        "calibration_images": 300,
        "reverted": [{"operation": f"a|b`{i}\n", "type": "Convolution", "cost": cost} for i, cost in enumerate(costs)],
        "log": ["an older remark"],
    }
    text = report(tmp_path, record("reference"), record("int8-accuracy-aware", notes={"digits": notes}, options={"max_drop": 0.01}))
    assert "25 of 59 quantized operations of digits went back to floating point (calibrated with 300 images)" in text
    assert "an older remark" not in text
    rows = [line for line in text.splitlines() if "`Convolution`" in line]
    assert len(rows) == 20
    assert rows[0] == "| `a\\|b'24` | `Convolution` | +0.0230 |"
    assert "... and 5 more." in text


def test_nothing_reverted(tmp_path: Path) -> None:
    """An accuracy-aware variant that put nothing back says so; one with an older record says what its tool said."""
    new = record("int8-accuracy-aware", notes={"digits": {"reverted": [], "quantized_operations": 7}}, options={"max_drop": 0.01})
    old = replace(new, variant="old", notes={"digits": {"log": ["it is kept", "Elapsed 3 s"]}})
    text = report(tmp_path, record("reference"), new, old)
    assert "`int8-accuracy-aware`: 0 of 7 quantized operations of digits went back to floating point" in text
    assert "`old`: what the tool said of digits, not believed but measured: it is kept" in text


@pytest.mark.parametrize("status", ["measured", "failed"])
def test_warnings(tmp_path: Path, status: str) -> None:
    """A record's warnings are told, whatever came of it."""
    assert "- `int8`: calibrated with 3 images" in report(
        tmp_path, record("reference"), record(status=status, warnings=("calibrated with 3 images",))
    )


def test_thesis_beside_ours() -> None:
    """Each of our figures stands in its method's row and its toolchain's columns, each of theirs as the thesis has it."""
    rows = judge(
        [
            of("lp_detector", "reference"),
            of("lp_detector", "int8"),
            of("lp_detector", "int8@2023.3", toolchain="2023.3", method="int8", rounds_ns=timed(2.0, 2.0, 2.0)),
            of("lp_detector", "fp16", status="failed", rounds_ns=[], quality=None),
        ]
    )
    text = "\n".join(thesis_section(rows))
    assert "### Table 4.3 (i5), 4.4 (i7): LP detector" in text
    assert "LP reader" not in text
    theirs = ["22.07 (0.54)", "2.68", "0.6906", "8.38 (0.23)", "5.07", "0.6889"]
    assert cells(text, "quantization") == [["quantization", *theirs, "2.00 (0.00)", "2.00", "-", "1.00 (0.00)", "4.00", "-"]]
    assert cells(text, "FP16")[0][7:] == ["-", "-", "-", "failed", "-", "-"]
    assert cells(text, "accuracy-aware")[0][7:] == ["-"] * 6
    assert cells(text, "TensorFlow")[0][7:9] == ["4.00 (0.00)", "1.00"]
    assert "Ours: recipe lp, run 20260101T000000Z, fake, 2 threads." in text


def test_thesis_names_what_it_took() -> None:
    """Of two recipes the one whose run had both toolchains is taken, and each figure's recipe is named."""
    both = [
        of("lp_reader", "reference", "both"),
        of("lp_reader", "int8", "both"),
        of("lp_reader", "int8@2023.3", "both", toolchain="2023.3", method="int8"),
    ]
    alone = [of("lp_reader", v, "alone", run="20270101T000000Z", rounds_ns=timed(0.5, 0.5, 0.5)) for v in ("reference", "int8", "fp16")]
    text = "\n".join(thesis_section(judge([*alone, *both])))
    assert cells(text, "quantization")[0][10] == "1.00 (0.00)"
    assert cells(text, "FP16")[0][10] == "0.50 (0.00)"
    assert "- Ours from recipe both, run 20260101T000000Z, fake, 2 threads: TensorFlow 2023.3, quantization 2023.3" in text
    assert "- Ours from recipe alone, run 20270101T000000Z, fake, 2 threads: " in text


def test_thesis_of_another_target() -> None:
    """A target or a model that the thesis's tables are not about is not put beside them."""
    assert thesis_section(judge([of("lp_detector", v, target="shelf-cpu") for v in ("reference", "baseline")])) == []
    assert thesis_section(judge([of("lp_reader", v, target="tvm-llvm") for v in ("reference", "baseline")])) == []
    assert thesis_section(judge([record("reference"), record()])) == []


def tvm(model: str, variant: str, *medians_ms: float, **changes: Any) -> Record:
    return of(model, variant, target="tvm-llvm", toolchain="0.27", rounds_ns=timed(*medians_ms), **changes)


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
    text = "\n".join(thesis_section(rows))
    tvm_table, openvino_table = text.split("### Table 4.3")
    assert "### Table 4.2 (i5): LP detector, TVM" in tvm_table
    assert "Table 4.1" not in text
    assert cells(tvm_table, "TensorFlow") == [["TensorFlow", "59.08 (1.09)", "6.15", "1.00", "4.00 (0.00)", "2.00", "1.00", "-"]]
    assert cells(tvm_table, "not tuned") == [["not tuned", "363.40 (3.17)", "1.00", "0.16", "8.00 (0.00)", "1.00", "0.50", "-"]]
    assert cells(tvm_table, "tuned") == [["tuned", "79.44 (0.55)", "4.57", "0.74", "2.00 (0.00)", "4.00", "2.00", "-"]]
    assert "2026.4" not in tvm_table
    assert cells(openvino_table, "baseline")[0][7:9] == ["1.00 (0.00)", "4.00"]
    assert "0.27" not in openvino_table


def test_standard_networks_of_the_thesis() -> None:
    """Each network has its rows, theirs and ours with the gain of tuning; one without records shows that there is none."""
    rows = judge(
        [
            of("zoo_resnet18", "reference"),
            tvm("zoo_resnet18", "baseline", 8.0, 8.0, 8.0),
            tvm("zoo_resnet18", "tuned", 2.0, 3.0, 1.0),
            of("zoo_alexnet", "reference", "alone"),
            tvm("zoo_alexnet", "tuned", 2.0, 2.0, 2.0, name="alone"),
        ]
    )
    text = "\n".join(thesis_section(rows))
    assert "### Table 4.1 (i5): standard networks" in text
    assert cells(text, "ResNet-18 TensorFlow")[0][1:] == ["-"] * 4 + ["4.00 (0.00)", "4.00", "4.00 to 4.00", "2.00", "1.00"]
    theirs = ["98.44 (0.20)", "98.39", "98.31 to 99.03", "1.57"]
    assert cells(text, "ResNet-18 tuned")[0][1:] == [*theirs, "2.00 (0.87)", "2.00", "1.00 to 3.00", "4.00", "2.00"]
    assert cells(text, "ResNet-18 not tuned")[0][8:] == ["1.00", "0.50"]
    assert cells(text, "AlexNet tuned")[0][5:] == ["2.00 (0.00)", "2.00", "2.00 to 2.00", "-", "2.00"]
    assert cells(text, "AlexNet not tuned")[0][5:] == ["-"] * 5
    assert cells(text, "DenseNet tuned")[0][1:] == ["170.37 (0.12)", "170.33", "170.23 to 170.63", "1.43", *["-"] * 5]
    assert "- Ours from recipe alone, run 20260101T000000Z, fake, 2 threads: AlexNet TensorFlow 0.27, AlexNet tuned 0.27." in text


@pytest.mark.parametrize("number", range(6))
def test_thesis_has_what_its_tables_show(number: int) -> None:
    """Every figure of each table is there, a median lies between smallest and largest, and each method is one of its target."""
    thesis = json.loads((Path(__file__).parents[2] / "dockyard" / "report" / "thesis.json").read_text())
    table = thesis["tables"][number]
    needed = {"ms (std)": {"ms", "std"}, "median": {"median"}, "min to max": {"min", "max"}, "quality": {"quality"}, "total s": {"total_s"}}
    keys = {key for column in table["theirs"] for key in needed.get(column, ())}
    for known in table["models"].values():
        for method, figures in [entry for cpu in table["numbers"] for entry in known[cpu].items()]:
            assert method in thesis["methods"][table["target"]]
            assert keys <= figures.keys()
            if "median" in figures:
                assert figures["min"] < figures["median"] < figures["max"]
                assert figures["min"] < figures["ms"] < figures["max"]


def test_targets_side_by_side(tmp_path: Path) -> None:
    """Where a run has variants of two targets each row says whose it is; a run of one target needs no such column."""
    other = record("baseline@shelf-cpu", method="baseline", target="shelf-cpu")
    text = report(tmp_path / "two", record("reference"), record("baseline"), other)
    assert cells(text, "variant")[0][:3] == ["variant", "target", "verdict"]
    assert [cells(text, v)[0][1] for v in ("reference", "baseline", "baseline@shelf-cpu")] == ["tensorflow", "intel-openvino", "shelf-cpu"]
    assert len({len(row) for v in ("variant", "baseline") for row in cells(text, v)}) == 1
    assert cells(report(tmp_path / "one", record("reference"), record("baseline")), "variant")[0][:2] == ["variant", "verdict"]


def test_slowest_kernels(tmp_path: Path) -> None:
    """The slowest kernels of a variant and their share of the time are told, ten at most; no name breaks the table."""
    kernels = [{"name": f"fused|conv`{i}\n", "ms": 0.5, "share": 0.05, "calls": i} for i in range(20)]
    few = [{"name": "dense", "ms": 1.25, "share": 1.0, "calls": 3}]
    text = report(
        tmp_path,
        record("reference"),
        record("baseline", notes={"digits": {"kernels": few}}),
        record("int8", notes={"digits": {"kernels": kernels}}),
    )
    assert "<summary>Where the time of digits goes in int8: the 10 slowest of 20 kernels take 50%</summary>" in text
    assert "<summary>Where the time of digits goes in baseline: its kernels</summary>" in text
    assert cells(text, "`dense`") == [["`dense`", "1.250", "100.0%", "3"]]
    rows = [line for line in text.splitlines() if line.startswith("| `fused")]
    assert rows[3] == "| `fused\\|conv'3` | 0.500 | 5.0% | 3 |"
    assert len(rows) == 10


TUNING = {"cpu": "znver4", "database": "own", "tasks": 12, "trials": 800, "new_trials": 0, "seconds": 3.2, "stopped": "trials"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "with the database kept for this CPU: 800 trials of 12 tasks, none of them new"),
        ({"database": "portable"}, "with the portable database, for want of one of this CPU's own: 800 trials"),
        (
            {"database": "new", "new_trials": 800, "seconds": 321.6, "stopped": "early"},
            "with a new database: 800 trials of 12 tasks, 800 of them new, in 322 s, until nothing got faster any more",
        ),
        ({"new_trials": 5, "stopped": "time budget"}, "5 of them new, in 3 s, until the time for it was spent"),
        ({"new_trials": 5}, "5 of them new, in 3 s, until all trials were made"),
    ],
)
def test_tuning_is_told(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    """For which CPU a variant was tuned, from which database, how long and why it ended, is one line of plain words."""
    text = report(tmp_path, record("reference"), record("int8", notes={"digits": {"tuning": {**TUNING, **changes}}}))
    (line,) = (line for line in text.splitlines() if "was tuned" in line)
    assert line.startswith("- `int8`: digits was tuned for `znver4` ")
    assert told in line


def test_pipeline_of_the_thesis() -> None:
    """The pipeline's table has the steps that the thesis timed."""
    rounds = [{"total": [20_000_000] * 2, "detector": [8_000_000, 10_000_000], "reader": [2_000_000] * 2}] * 3
    rows = judge([of("license_plate", v, rounds_ns=rounds, scope="pipeline") for v in ("reference", "baseline")])
    text = "\n".join(thesis_section(rows))
    assert cells(text, "baseline")[0] == [
        "baseline", "53", "177.9", "27.0", "50.8", "1.38", "20.00 (0.00)", "9.0", "2.0", "1.00", "- / -",
    ]  # fmt: skip
    assert cells(text, "quantization")[0][1:6] == ["-"] * 5


def test_thesis_figures_are_those_of_its_speedups() -> None:
    """The figures that are kept give the speedups that the thesis tells: 2.62 on the i5, 3.92 on the i7, 1.46 end to end."""
    thesis = json.loads((Path(__file__).parents[2] / "dockyard" / "report" / "thesis.json").read_text())
    known = {number: (table["models"], cpu) for table in thesis["tables"] for cpu, number in table["numbers"].items()}

    def entries(number: str, model: str) -> Any:
        models, cpu = known[number]
        return models[model][cpu]

    def gain(entries: Any, key: str) -> float:
        return float(entries["reference"][key] / entries["int8-accuracy-aware"][key])

    assert gain(entries("4.3", "lp_detector"), "ms") == pytest.approx(2.62, abs=0.01)
    assert gain(entries("4.4", "lp_detector"), "ms") == pytest.approx(3.92, abs=0.01)
    assert gain(entries("4.7", "license_plate"), "total_s") == pytest.approx(1.46, abs=0.01)


def test_toolchains_against_each_other() -> None:
    """Two toolchains are compared only where one run measured both, round by round."""
    old = {"toolchain": "2023.3", "method": "int8", "rounds_ns": timed(2.0, 3.0, 1.0)}
    rows = judge(
        [
            of("lp_detector", "reference"),
            of("lp_detector", "int8"),
            replace(
                of("lp_detector", "int8@2023.3", **old), artifacts={"lp_detector": [{"path": "m", "sha256": "0" * 64, "bytes": 500_000}]}
            ),
            of("lp_reader", "int8"),
            of("lp_reader", "int8@2023.3", run="another", **old),
            of("lp_reader", "fp16@2023.3", status="failed", toolchain="2023.3", method="fp16"),
        ]
    )
    text = "\n".join(toolchain_section(rows))
    assert "## intel-openvino: 2026.4 against 2023.3" in text
    assert cells(text, "lp") == [
        ["lp", "lp_detector", "int8", "2.00", "1.00", "2.00 (1.00 to 3.00)", "0.50", "1.00", "2.00", "1.0000", "1.0000"]
    ]
    assert toolchain_section(judge([record("reference"), record()])) == []


def test_toolchains_of_two_targets_are_no_pair() -> None:
    """Releases of two targets' tools are not put against each other."""
    rows = [of("lp_detector", v) for v in ("reference", "int8")]
    assert toolchain_section(judge([*rows, tvm("lp_detector", "int8@tvm-llvm", 1.0, 1.0, 1.0, method="int8")])) == []


def encoded(pixels: Any, form: str = "PNG") -> str:
    stream = BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, form)
    return base64.b64encode(stream.getvalue()).decode()


GRAY = np.full((60, 80, 3), 128)
LEFT, RIGHT = np.zeros((30, 40)), np.zeros((30, 40))
LEFT[:, :20] = RIGHT[:, 20:] = 255


def pictured(variant: str, **pictures: str) -> Record:
    """A record that keeps pictures of one sample."""
    scored = quality([0.5, 1.0], "iou")
    return record(variant, quality={**scored, "pictures": [{"id": "images/0.png", **pictures}]})


REFERENCE = pictured("reference", mask=encoded(LEFT), truth=encoded(LEFT), image=encoded(GRAY, "JPEG"))
OVERLAYS = "digits-digits-overlays.png"


def test_overlays(tmp_path: Path) -> None:
    """The picture has the image, the truth and each variant's mask side by side, in their colours, and the report links it."""
    text = report(tmp_path, REFERENCE, pictured("int8", mask=encoded(RIGHT)))
    assert f"(plots/{OVERLAYS})" in text
    with Image.open(tmp_path / "plots" / OVERLAYS) as drawn:
        pixels = np.asarray(drawn.convert("RGB")).astype(int)
    columns = np.array_split(pixels[-80:-40], 4, axis=1)
    mixed = {"truth": (np.array(TRUE) + 128) / 2, "found": (np.array(FOUND) + 128) / 2, "image": np.full(3, 128)}

    def middle(column: int, part: float) -> Any:
        place = round(columns[column].shape[1] * part)
        return columns[column][:20, place - 6 : place + 6].mean((0, 1))

    for column, wanted in enumerate([("image", "image"), ("truth", "image"), ("found", "image"), ("image", "found")]):
        for part, what in zip((0.25, 0.75), wanted):
            assert np.abs(middle(column, part) - mixed[what]).max() < 12, (column, what)


@pytest.mark.parametrize(
    "mask", ["", "AAAA", "no base64!", encoded(LEFT)[:60], encoded(GRAY, "JPEG"), encoded(np.zeros((1, MAX_SIDE + 1)))]
)
def test_picture_that_cannot_be_shown(tmp_path: Path, mask: str) -> None:
    """A mask that cannot be decoded, or is too large, is left out with a remark; the rest of the picture is drawn."""
    text = report(tmp_path, REFERENCE, pictured("int8", mask=mask))
    assert "- `int8` on `images/0.png` cannot be shown: " in text
    assert (tmp_path / "plots" / OVERLAYS).is_file()


def test_image_that_cannot_be_shown(tmp_path: Path) -> None:
    """Without its image a sample is left out with a remark; the report is written all the same."""
    text = report(tmp_path, pictured("reference", mask=encoded(LEFT), truth=encoded(LEFT)), pictured("int8", mask=encoded(LEFT)))
    assert "`images/0.png` cannot be shown: no JPEG picture" in text
    assert OVERLAYS not in text
    assert not (tmp_path / "plots" / OVERLAYS).exists()


@given(st.integers(0, 200), st.binary(max_size=3), st.sampled_from(["PNG", "JPEG"]))
def test_damaged_pictures(cut: int, other: bytes, form: str) -> None:
    """However a picture is damaged, it is decoded or refused in one way."""
    whole = bytearray(base64.b64decode(encoded(GRAY if form == "JPEG" else LEFT, form)))
    whole[cut : cut + len(other)] = other
    found, problem = attempt(BadPicture, decode, base64.b64encode(whole).decode(), form)
    assert (found is None) == (problem is not None)
    assert found is None or (found.dtype == np.uint8 and max(found.shape[:2]) <= MAX_SIDE)


@given(st.text(max_size=300))
def test_quoted(text: str) -> None:
    """A text that others wrote is one line of code that breaks no table."""
    line = quoted(text)
    assert len(line.splitlines()) == 1
    assert line.count("`") == 2
    assert not re.search(r"(?<!\\)\|", line)
