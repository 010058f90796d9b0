"""The page says what the records say, whatever they are called, and needs nothing but itself."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dockyard.judge.results_folder import judge_results
from dockyard.judge.verdicts import judge
from dockyard.recipe.workspace import Workspace
from dockyard.report.html import page
from dockyard.report.markdown import markdown
from dockyard.report.pictures import Pictures, draw
from dockyard.report.sections import report_of
from dockyard.report.write import write_report
from shared.contract.record import Record
from shared.contract.result import Notes, Table
from tests.builders import bursts, failed, quality, record
from tests.unit.test_report import report

VOID = ("meta", "br", "img", "input", "hr", "link")


class Outline(HTMLParser):
    """What a page has: its elements, their attributes and its texts, and whether they are closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[tuple[str, str]] = []
        self.words = ""
        self.odd: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.odd += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.values += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.odd.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def page_of(*records: Record) -> str:
    rows = judge(records)
    pictures = draw(rows, {})
    return page(report_of(rows, pictures), pictures.elements)


def named(words: str) -> list[Record]:
    """Records in which everything that others write is this."""
    lossy = quality([0.0] * 5 + [1.0] * 95)
    notes = {words: Notes((words,), (Table(words, (words, "b"), ((words, "c"),), folded=True),))}
    found = []
    for one in (
        record("reference", rounds=bursts([4.0, 4.2], [4.1, 4.0], [4.0, 4.1])),
        record("a", notes=notes, warnings=(words,), rounds=bursts([1.0, 1.1], [1.0, 1.0], [1.1, 1.0])),
        record("b", quality=lossy),
        failed("c", words),
    ):
        recipe = {**one.recipe, "name": words, "description": words, "model": words}
        variant = one.variant if one.variant == "reference" else one.variant + words
        device = {"cpu": words, "threads": 2, "flags": words}
        found.append(replace(one, model=words, variant=variant, recipe=recipe, device=device, run=words))
    return found


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></svg></title><b>",
    "](javascript:alert(1))",
    "a|b`c`*d*\n# e",
    "&lt;&amp;#x27;",
    "\x00\x1b[31m\ud800",
    "'; DROP",
]
words = st.one_of(
    st.sampled_from(HOSTILE), st.text(min_size=1, max_size=12), st.text("<>&\"'/=`]|(", min_size=1)
)


@settings(max_examples=20, deadline=None)
@given(words)
def test_no_name_changes_the_page(hostile: str) -> None:
    """Whatever others call their things, the page has the same elements with the same attributes."""
    text = page_of(*named(hostile))
    text.encode()
    found, plain = Outline(text), Outline(page_of(*named("x")))
    assert found.odd == plain.odd == []
    assert found.elements == plain.elements
    followed = [value for name, value in found.values if name in ("href", "src")]
    assert [value for value in followed if re.match(r"\s*(javascript|https?|//)", value)] == []


@settings(max_examples=20, deadline=None)
@given(words)
def test_no_name_changes_the_markdown(hostile: str) -> None:
    """Whatever others call their things, Markdown has the same lines, tables and no element of theirs."""

    def shapes(name: str) -> list[tuple[int, list[str]]]:
        text = markdown(report_of(judge(named(name)), Pictures()))
        # In a line of HTML nothing is Markdown.
        pattern = r"\\.|`[^`]*`|(?<=<summary>).*(?=</summary>)"
        bare = [re.sub(pattern, "", line) for line in text.splitlines()]
        return [(line.count("|"), re.findall(r"<[\w/!?]+|\]\(", line)) for line in bare]

    assert shapes(hostile) == shapes("x")
    summaries = re.findall("<summary>(.*)</summary>", markdown(report_of(judge(named(hostile)), Pictures())))
    assert not [summary for summary in summaries if "<" in summary]


def test_the_page_needs_nothing_else() -> None:
    """The page names no other file than records; its policy lets it fetch nothing and run its one script."""
    found = Outline(page_of(record("reference"), record("int8")))
    assert [value for name, value in found.values if name in ("src", "href")] == ["#decisions"]
    (policy,) = (value for name, value in found.values if value.startswith("default-src"))
    assert "default-src 'none'" in policy
    assert len(re.findall(r"'sha256-[\w+/=]+'", policy)) == 1
    assert [tag for tag, _ in found.elements].count("script") == 1


def test_the_page_says_what_to_take_first(tmp_path: Path) -> None:
    """First comes what to take, why and what became of the rest; then the table; then all else, folded."""
    lossy = record("fp16", quality=quality([0.0] * 5 + [1.0] * 95))
    report(tmp_path, record("reference"), record("int8"), lossy, failed("bf16"))
    text = (tmp_path / "results" / "report.html").read_text()
    words = Outline(text).words
    first = words.index("take int8: the fastest within max_drop 0.02: 4.00x TensorFlow")
    assert words.index("too lossy: fp16 loses 0.0500 of accuracy, 0.02 are allowed, at 4.00x") > first
    assert words.index("not decided: bf16 failed: broken") > first
    table = words.index("Every variant of each recipe's own model")
    assert first < table < words.index("Everything else")
    assert "<summary>digits: digits</summary>" in text[text.index('id="rest"') :]


def test_each_row_leads_to_its_record(tmp_path: Path) -> None:
    """A variant's name is a link to the record that its figures are from, which is there."""
    report(tmp_path, record("reference"), record("int8@2023.3", method="int8"))
    results = tmp_path / "results"
    found = Outline((results / "report.html").read_text())
    links = {value for name, value in found.values if name == "href" and value.startswith("records/")}
    assert links == {"records/digits/digits/reference.json", "records/digits/digits/int8%402023.3.json"}
    assert "[int8@2023.3](records/digits/digits/int8%402023.3.json)" in (results / "report.md").read_text()
    assert (results / "records/digits/digits/int8@2023.3.json").is_file()


def test_rows_say_what_they_can_be_filtered_by() -> None:
    """A row has its recipe, device and verdict, and each of these is among the choices."""
    text = page_of(record("reference"), record("int8"))
    attributes = ' data-recipe="digits" data-device="fake, 2 threads" data-verdict="recommended"'
    assert f"<tr{attributes}>" in text
    for name, value in (("recipe", "digits"), ("device", "fake, 2 threads"), ("verdict", "recommended")):
        choice = text[text.index(f'id="filter-{name}"') :]
        assert f'<option value="{value}">{value}</option>' in choice[: choice.index("</select>")]


def test_a_page_of_nothing(tmp_path: Path) -> None:
    """Without records the page says what to do."""
    report(tmp_path)
    text = (tmp_path / "results" / "report.html").read_text()
    assert "Nothing has been measured yet: ./inv build" in text
    assert Outline(text).odd == []


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    """Written twice, results are the same bytes, and what is there no more has gone."""
    report(tmp_path, record("reference"), record("int8"))
    results = tmp_path / "results"

    def written() -> dict[str, Any]:
        paths = (path for path in results.rglob("*") if path.is_file() and "records" not in path.parts)
        return {path.relative_to(results).as_posix(): path.read_bytes() for path in paths}

    first = written()
    (results / "plots" / "old.svg").write_text("<svg/>")
    (results / "plots" / "old.png").write_bytes(b"")
    write_report(Workspace(tmp_path))
    assert written() == first
    assert len(judge_results(results)) == 2
