"""The committed page, looked at in a headless Chromium; skipped where there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockyard.judge.verdicts import judge
from dockyard.recipe.workspace import PRODUCT
from dockyard.report.html import page
from dockyard.report.pictures import draw
from dockyard.report.sections import report_of
from tests.browser import PROGRAM, Browser, browser
from tests.unit.test_report_page import HOSTILE, named

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium")

PAGE = PRODUCT / "results" / "report.html"
MAX_PRINTED = 2
MIN_CONTRAST = 4.5
"""Of a text with what is behind it. Source: Web Content Accessibility Guidelines 2.2, criterion 1.4.3."""

ROWS = "[...document.querySelectorAll('#variants tbody tr')]"
SHOWN = f"{ROWS}.filter((row) => !row.hidden)"

CONTRASTS = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const parts = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [red, green, blue] = parts(colour).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (one) => {
    const plot = one.closest('svg.plot');
    if (plot) return getComputedStyle(plot.querySelector('.paper')).fill;
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (parts(colour)[3] === 255) return colour;
    }
    return 'white';
  };
  const found = {};
  for (const one of document.querySelectorAll('body *')) {
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    if (['SCRIPT', 'STYLE', 'OPTION', 'title'].includes(one.tagName)) continue;
    const style = getComputedStyle(one);
    const [own, under] = [one.closest('svg.plot') ? style.fill : style.color, behind(one)];
    const [first, second] = [light(own), light(under)];
    found[`${own} on ${under}`] = (Math.max(first, second) + 0.05) / (Math.min(first, second) + 0.05);
  }
  return found;
})()
"""


@pytest.fixture(scope="module")
def shared_browser() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def seen(shared_browser: Browser) -> Browser:
    """A browser that has just loaded the page."""
    shared_browser.complaints.clear()
    shared_browser.open(PAGE)
    return shared_browser


def tab_to(page_seen: Browser, selector: str) -> None:
    """Press Tab until an element that matches has the focus."""
    for _ in range(400):
        if page_seen.value(f"document.activeElement.matches({selector!r})"):
            return
        page_seen.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def column(page_seen: Browser, number: int) -> list[str]:
    found: list[str] = page_seen.value(f"{SHOWN}.map((row) => row.cells[{number}].textContent)")
    return found


def test_nothing_is_complained_of(seen: Browser) -> None:
    """The page loads without a word on the console, with every section opened."""
    seen.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert seen.value("document.querySelectorAll('svg.plot').length") > 50
    assert seen.complaints == []


def test_sorting_by_keyboard(seen: Browser) -> None:
    """A column's head sorts by its figures when Enter is pressed on it, and the other way round again."""
    heads: list[str] = seen.value(
        "[...document.querySelectorAll('#variants th')].map((one) => one.innerText)"
    )
    place = next(number for number, head in enumerate(heads) if head.startswith("speedup"))
    tab_to(seen, f"#variants th:nth-child({place + 1}) button")
    for direction, name in ((1, "ascending"), (-1, "descending")):
        seen.press("Enter")
        told = [cell for cell in column(seen, place) if cell != "-"]
        figures = [float(cell.split(" ")[0]) for cell in told]
        assert figures == sorted(figures, reverse=direction < 0)
        assert len(set(figures)) > 10
        assert column(seen, place)[len(told) :] == ["-"] * (len(column(seen, place)) - len(told))
        assert seen.value(f"document.querySelectorAll('#variants th')[{place}].ariaSort") == name


def test_filtering_by_keyboard(seen: Browser) -> None:
    """A choice of verdict, device and recipe leaves the rows, decisions and sections that are of it."""
    every = len(column(seen, 0))
    tab_to(seen, "#filter-verdict")
    while seen.value("document.activeElement.value") != "recommended":
        seen.press("ArrowDown")
    assert set(column(seen, 3)) == {"recommended"}
    told = seen.value("document.getElementById('shown').textContent")
    assert told == f"{len(column(seen, 3))} of {every} variants"
    tab_to(seen, "#filters button")
    seen.press("Space")
    seen.value("new Promise((done) => setTimeout(done, 50))")
    assert len(column(seen, 0)) == every
    seen.value("document.getElementById('filter-recipe').focus()")
    seen.press("ArrowDown")
    chosen = seen.value("document.activeElement.value")
    assert set(column(seen, 0)) == {chosen}
    for part in ("#decisions li[data-recipe]", "#rest > details[data-recipe]"):
        shown = f"[...document.querySelectorAll({part!r})].filter((one) => !one.hidden)"
        assert set(seen.value(f"{shown}.map((one) => one.dataset.recipe)")) == {chosen}


def test_keyboard_opens_sections(seen: Browser) -> None:
    """Tab reaches the decisions' links and each section, which Enter opens."""
    tab_to(seen, "#decisions a")
    seen.value("document.querySelector('#rest summary').focus()")
    seen.press("Enter")
    assert seen.value("document.querySelector('#rest details').open")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(seen: Browser, scheme: str) -> None:
    """Every text can be read on what is behind it, pictures included, in light and in dark."""
    seen.prefer(scheme)
    seen.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found: dict[str, float] = seen.value(CONTRASTS)
    assert len(found) >= 4
    assert {pair: ratio for pair, ratio in found.items() if ratio < MIN_CONTRAST} == {}
    background = seen.value("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_it_prints_on_two_pages(seen: Browser) -> None:
    """What to take and the table fit two sheets of A4; everything else stays on the screen."""
    printed = seen.printed()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= MAX_PRINTED


def test_no_picture_is_wider_than_a_narrow_screen(shared_browser: Browser) -> None:
    """On a narrow screen the page itself is not scrolled sideways: tables and pictures are, by themselves."""
    shared_browser.open(PAGE, width=420)
    shared_browser.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert shared_browser.value("document.documentElement.scrollWidth") <= 420


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_runs_anything(shared_browser: Browser, tmp_path: Path, hostile: str) -> None:
    """Whatever a record calls its things, nothing of it runs, and nothing is fetched."""
    rows = judge(named(hostile))
    pictures = draw(rows, {})
    path = tmp_path / "report.html"
    path.write_text(page(report_of(rows, pictures), pictures.elements), encoding="utf-8")
    shared_browser.complaints.clear()
    shared_browser.open(path)
    assert shared_browser.complaints == []
    assert shared_browser.value("document.scripts.length") == 1
