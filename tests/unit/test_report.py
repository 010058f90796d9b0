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

from dockyard.judge import judge
from dockyard.overlays import FOUND, MAX_SIDE, TRUE, BadPicture, decode
from dockyard.plots import pareto
from dockyard.records import write_records
from dockyard.report import write_report
from dockyard.tables import quoted
from dockyard.thesis import thesis_section, toolchain_section
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


def of(model: str, variant: str, name: str = "lp", toolchain: str = "2026.4", **changes: Any) -> Record:
    """A record of one of the thesis's models."""
    one = record(variant, model=model, artifacts={model: [{"path": "m", "sha256": "0" * 64, "bytes": 1_000_000}]}, **changes)
    target = "tensorflow" if one.method == "reference" else "intel-openvino"
    recipe = {**one.recipe, "name": name, "model": model}
    return replace(one, toolchain="2.16" if target == "tensorflow" else toolchain, target=target, recipe=recipe)


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
    """A target that the thesis's tables are not about is not put beside them."""
    tvm = [replace(of("lp_detector", v), target=t) for v, t in (("reference", "tensorflow"), ("baseline", "tvm-llvm"))]
    assert thesis_section(judge(tvm)) == []
    assert thesis_section(judge([record("reference"), record()])) == []


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
    thesis = json.loads((Path(__file__).parents[2] / "dockyard" / "thesis.json").read_text())
    detector, pipeline = (thesis["models"][m] for m in ("lp_detector", "license_plate"))

    def gain(entries: Any, key: str) -> float:
        return float(entries["reference"][key] / entries["int8-accuracy-aware"][key])

    assert gain(detector["i5"], "ms") == pytest.approx(2.62, abs=0.01)
    assert gain(detector["i7"], "ms") == pytest.approx(3.92, abs=0.01)
    assert gain(pipeline["i5"], "total_s") == pytest.approx(1.46, abs=0.01)


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
    assert "## 2026.4 against 2023.3" in text
    assert cells(text, "lp") == [
        ["lp", "lp_detector", "int8", "2.00", "1.00", "2.00 (1.00 to 3.00)", "0.50", "1.00", "2.00", "1.0000", "1.0000"]
    ]
    assert toolchain_section(judge([record("reference"), record()])) == []


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
