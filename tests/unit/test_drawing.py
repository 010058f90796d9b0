"""The pictures show what was measured: every sample, the paired ratios, the parts, what is required."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dockyard.judge.assessment import Assessment
from dockyard.judge.verdicts import judge
from dockyard.report.drawing.distributions import distribution
from dockyard.report.drawing.drift import drift
from dockyard.report.drawing.parts import parts, steps_ms
from dockyard.report.drawing.plane import plane
from dockyard.report.drawing.samples import answered, caption_of, samples_sheet
from dockyard.report.drawing.svg import STYLE, Drawing, Scale, number
from dockyard.report.pictures import draw, sheet_file
from dockyard.report.plot_data import plots_of
from shared.contract.coco import TrueObject
from shared.contract.dataset import Sample
from shared.contract.measurement import ObjectTruth, Quality, SampleScore
from shared.contract.record import Record
from tests.builders import bursts, quality, record, requiring, rounds, stream_record
from tests.unit.test_report_page import HOSTILE, named

SVG = "{http://www.w3.org/2000/svg}"


def drawn(drawing: Drawing | None) -> ElementTree.Element:
    assert drawing is not None
    return ElementTree.fromstring(drawing.document)


def words_of(drawing: Drawing | None) -> list[str]:
    return ["".join(found.itertext()) for found in drawn(drawing).iterfind(f".//{SVG}text")]


def classes(drawing: Drawing | None) -> list[str]:
    return [found.get("class", "") for found in drawn(drawing).iter()]


def rows(*records: Record) -> list[Assessment]:
    return judge([record("reference", rounds=bursts([4.0] * 5, [4.0] * 5, [4.0] * 5)), *records])


def test_a_distribution_has_every_call() -> None:
    """The histogram's bars stand for all calls of all rounds, and what lies beyond the edge is counted."""
    tail = bursts([1.0] * 40, [1.0] * 40, [1.0] * 39 + [50.0])
    found = distribution(rows(record("int8", rounds=tail)), "a.svg", "t")
    assert found is not None
    calls = 3 * 5 * 5 + 3 * 40 * 5
    assert f"all calls of all rounds ({calls} in the picture)" in found.caption
    assert "5 that took longer are counted at the right edge." in found.caption
    assert {"reference", "int8", "1.00 / 1.00"} <= set(words_of(found))


def test_drift_shows_ratios_and_milliseconds_on_one_scale() -> None:
    """Where the machine slows both alike milliseconds wander, the ratios do not, and the caption says so."""
    slowed = [1.0, 1.0, 2.0, 2.0, 1.0]
    both = [
        record("reference", rounds=bursts(*[[4 * pace for pace in slowed]] * 3)),
        record("int8", rounds=bursts(*[slowed] * 3)),
    ]
    found = drift(judge(both), "a.svg", "t")
    assert found is not None
    assert "within a factor of 2.00 and 2.00" in found.caption
    assert "the ratio of the two bursts of each cycle, within 1.00" in found.caption
    for kind, lines in (("reference", 1), ("recommended", 2)):
        markers = [one.get("d", "") for one in drawn(found).iter() if one.get("class") == kind]
        assert [points.count("M") for points in markers] == [15] * lines
    assert [word for word in words_of(found) if word.startswith("round ")] == [
        "round 1",
        "round 2",
        "round 3",
    ] * 2


def test_drift_needs_pairs() -> None:
    """Without cycles, a reference or a variant there is no drift to show."""
    assert drift(judge([record("reference"), record("int8")]), "a.svg", "t") is None
    assert drift(rows(), "a.svg", "t") is None
    assert drift(judge([record("int8", rounds=bursts([1.0] * 5))]), "a.svg", "t") is None


def test_parts_are_those_of_the_records() -> None:
    """A stream's bar has each of its steps in their order, as wide as their time, and their sum behind it."""
    records = judge([stream_record("reference"), stream_record("int8")])
    found = parts(records, "a.svg", "t")
    bars = [bar for bar in drawn(found).iter(f"{SVG}rect") if bar.find(f"{SVG}title") is not None]
    steps = steps_ms(records[1])
    titles = [bar.findtext(f"{SVG}title", "").partition(":")[0] for bar in bars]
    assert titles == [*steps] * 2
    widths = [float(bar.get("width", 0)) + 1 for bar in bars[len(steps) :]]
    share = widths[3] / sum(widths)
    assert share == pytest.approx(steps["finder"] / sum(steps.values()), abs=0.02)
    assert "10.00 ms" in words_of(found)
    assert parts(judge([record("reference")]), "a.svg", "t") is None


def test_the_plane_has_what_is_required() -> None:
    """The lowest quality and the longest time that the recipe allows are lines, for its own model alone."""
    (plot,) = plots_of(judge([requiring(one.record, min_fps=500.0) for one in rows(record("int8"))]))
    assert (plot.allowed, plot.slowest) == (pytest.approx(0.98), pytest.approx(2.0))
    assert classes(plane(plot)).count("limit") == 2
    (bare,) = plots_of(rows(record("int8")))
    assert bare.slowest is None
    assert classes(plane(bare)).count("limit") == 1


LIMITS = [
    ({"max_latency_ms": 3.0}, 3.0),
    ({"min_speedup": 2.0}, 2.0),
    ({"min_speedup": 2.0, "max_latency_ms": 1.5}, 1.5),
]


@pytest.mark.parametrize(("required", "slowest"), LIMITS)
def test_the_strictest_speed_is_the_line(required: dict[str, float], slowest: float) -> None:
    """Of several speeds that are required the line is at the strictest, in milliseconds."""
    records = [requiring(one.record, **required) for one in rows(record("int8"))]
    (plot,) = plots_of(judge(records))
    assert plot.slowest == pytest.approx(slowest)


def test_the_plane_says_what_to_see() -> None:
    """The caption names the front and what is too lossy; every variant has its name in the picture."""
    lossy = record("fp16", quality=quality([0.0] * 5 + [1.0] * 95), rounds=rounds(0.5, 0.5, 0.5))
    (plot,) = plots_of(rows(record("int8"), lossy))
    found = plane(plot)
    assert "Nothing beats what is ringed: int8, fp16." in found.caption
    assert "Below the dashed line is too lossy: fp16." in found.caption
    assert {"reference", "int8", "fp16"} <= set(words_of(found))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_pictures_are_xml_whatever_things_are_called(hostile: str) -> None:
    """Each picture is well-formed, its file's name has no way out of its folder, and no id is there twice."""
    pictures = draw(judge(named(hostile)), {})
    assert len(pictures.files) >= 3
    ids: list[str] = []
    for name, document in pictures.files.items():
        assert re.fullmatch(r"[\w-][\w.-]*\.svg", name)
        elements = list(ElementTree.fromstring(document).iter())
        ids += [one.get("id", "") for one in elements if one.get("id")]
        assert not [one.tag for one in elements if one.tag == f"{SVG}script"]
        assert not [key for one in elements for key in one.attrib if key.startswith("on")]
    assert len(ids) == len(set(ids))


def test_pictures_follow_the_readers_scheme() -> None:
    """A picture by itself has both schemes' colours; in a page it has none, and takes those of the page."""
    (plot,) = plots_of(rows(record("int8")))
    found = plane(plot)
    assert "prefers-color-scheme:dark" in found.document
    assert "<style>" not in found.element


TRUE_BOX = (10.0, 10.0, 50.0, 30.0)


def scored(variant: str, predictions: dict[str, tuple[object, float]], metric: str) -> Record:
    """A record of these answers, each with its score."""
    samples = tuple(SampleScore(name, {metric: score}, one) for name, (one, score) in predictions.items())  # type: ignore[arg-type]
    mean = sum(score for _, score in predictions.values()) / len(predictions)
    return record(variant, quality=Quality(metric, {metric: mean}, samples))


def pictured(folder: Path, *names: str, **truth: object) -> dict[str, Sample]:
    found = {}
    for name in names:
        Image.new("RGB", (120, 90), "gray").save(folder / name)
        found[name] = Sample(name, folder / name, **truth)  # type: ignore[arg-type]
    return found


def test_boxes_are_drawn_over_the_true_ones(tmp_path: Path) -> None:
    """Samples that flipped come first, each with the true box, what was found, its score."""
    good, bad = (TRUE_BOX, 0.9), ((60.0, 60.0, 80.0, 80.0), 0.1)
    columns = answered(
        judge(
            [
                scored("reference", {"a.png": good, "b.png": good}, "iou"),
                scored("int8", {"a.png": good, "b.png": bad}, "iou"),
            ]
        )
    )
    found = samples_sheet(columns, pictured(tmp_path, "a.png", "b.png", box=TRUE_BOX), "a.svg", "t")
    assert words_of(found)[-4:] == ["iou 0.90", "✗ iou 0.10", "iou 0.90", "iou 0.90"]
    cells = drawn(found).findall(f"{SVG}svg")
    assert [len(cell.findall(f"{SVG}path")) for cell in cells] == [4] * 4
    dashed = [path for path in cells[0].findall(f"{SVG}path") if path.get("stroke-dasharray")]
    assert len(dashed) == 1
    assert "the 1 that flipped first" in caption_of(columns)


def test_many_objects_are_drawn(tmp_path: Path) -> None:
    """Of a detector of many objects all true boxes are drawn, and the surest that were found alone."""
    objects = tuple(TrueObject(box, "x") for box in (TRUE_BOX, (60.0, 10.0, 90.0, 40.0)))
    rows_of = {"a.png": tuple((*one.box, 0.0, 0.0) for one in objects)}
    truth = ObjectTruth(("x",), rows_of)

    def said(variant: str, count: int, ap: float) -> Record:
        found = tuple((*TRUE_BOX, 0.9 - number / 100, 0.0) for number in range(count))
        samples = (SampleScore("a.png", {"ap": ap}, found),)
        return record(variant, quality=Quality("mAP", {"mAP": ap}, samples, truth=truth))

    columns = answered(judge([said("reference", 2, 1.0), said("int8", 50, 0.2)]))
    found = samples_sheet(columns, pictured(tmp_path, "a.png", objects=objects), "a.svg", "t")
    assert words_of(found)[-2:] == ["ap 1.00", "✗ ap 0.20"]
    shapes = [len(cell.findall(f"{SVG}path")) for cell in drawn(found).findall(f"{SVG}svg")]
    assert shapes == [2 * (2 + 2), 2 * (2 + 2 + 3)]
    assert "true objects" in caption_of(columns)


def test_readings_that_flipped_are_shown(tmp_path: Path) -> None:
    """A reader's sheet has each sample that one side alone read right, with the truth and what each read."""
    columns = answered(
        judge(
            [
                scored("reference", {"a.png": ("AB1", 1.0), "b.png": ("CD2", 1.0)}, "exact"),
                scored("int8", {"a.png": ("AB1", 1.0), "b.png": ("C02", 0.0)}, "exact"),
            ]
        )
    )
    truth = {"reading": "CD2", "country": "D"}
    found = samples_sheet(columns, pictured(tmp_path, "a.png", "b.png", **truth), "a.svg", "t")
    assert words_of(found)[-3:] == ["CD2 D", "CD2", "✗ C02"]
    assert len(drawn(found).findall(f"{SVG}svg")) == 3
    same = answered(judge([columns[0].record, replace(columns[0].record, variant="fp16", method="fp16")]))
    assert samples_sheet(same, {}, "a.svg", "t") is None


def test_samples_are_shown_upright(tmp_path: Path) -> None:
    """An image that its EXIF data turns is shown as the networks saw it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (90, 60), "gray").save(tmp_path / "a.jpg", exif=exif)
    said = [
        scored("reference", {"a.jpg": ("A", 1.0)}, "exact"),
        scored("int8", {"a.jpg": ("B", 0.0)}, "exact"),
    ]
    sample = Sample("a.jpg", tmp_path / "a.jpg", reading="A")
    found = samples_sheet(answered(judge(said)), {"a.jpg": sample}, "a.svg", "t")
    assert {cell.get("viewBox") for cell in drawn(found).findall(f"{SVG}svg")} == {"0 0 60 90"}


def test_a_sheet_is_of_its_run() -> None:
    """A kept sheet is shown for the run that it was drawn of, as an image in which nothing runs."""
    found = rows(record("int8"))
    sheet = sheet_file(found)
    pictures = draw(found, {sheet: "<svg/>"})
    assert pictures.elements[sheet].startswith('<img alt="digits: what digits said of samples" src="data:')
    other = [replace(one, record=replace(one.record, run="20260202T000000Z")) for one in found]
    assert sheet not in draw(other, {sheet: "<svg/>"}).files


@given(st.floats(-1e4, 1e4))
def test_coordinates(value: float) -> None:
    """A coordinate is written to a tenth of a pixel, without an exponent."""
    assert re.fullmatch(r"-?\d+(\.\d)?", number(value))
    assert float(number(value)) == pytest.approx(value, abs=0.051)


@given(st.floats(0.001, 1000), st.floats(1.01, 1000), st.booleans())
def test_ticks_lie_within(low: float, factor: float, is_log: bool) -> None:
    """A scale has a handful of ticks, within its figures, and puts its ends where they belong."""
    scale = Scale(low, low * factor, 10, 110, is_log)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 40
    assert all(9.9 <= scale(tick) <= 110.1 for tick in ticks)
    assert (scale(low), scale(low * factor)) == (pytest.approx(10), pytest.approx(110))


LIGHT, _, DARK = STYLE.partition("@media screen and (prefers-color-scheme:dark)")


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_mark_stands_out(scheme: str) -> None:
    """What shows a figure has a contrast of 3 and more on its paper, as WCAG 2.2, 1.4.11 asks; a grid shows
    none.
    """
    colours = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", scheme))
    paper = colours.pop("paper")
    del colours["grid"]
    assert len(colours) >= 20
    assert [name for name, colour in colours.items() if contrast(colour, paper) < 3] == []


def contrast(one: str, other: str) -> float:
    """Return WCAG's ratio of the luminances of two colours."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of an sRGB colour, 0 to 1 (WCAG 2.2)."""
    total = 0.0
    for weight, start in ((0.2126, 1), (0.7152, 3), (0.0722, 5)):
        share = int(colour[start : start + 2], 16) / 255
        total += weight * (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)
    return total
