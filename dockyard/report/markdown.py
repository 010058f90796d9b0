"""The report as Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from dockyard.judge.assessment import Verdict
from dockyard.report.cells import one_line
from dockyard.report.content import Decision, ModelSection, RecipeSection, Remark, Report, Table, TableSection

MAX_CODE = 120
"""Characters of a text that is written as code."""

PLAIN_CELL = re.compile(r"[\w .,:+%()/-]*")
"""What a cell of a toolchain's table may hold without being written as code."""

FIGURES = re.compile(r"[\w .,:;+%()/@='-]*(\[[\d .,+%-]*\])?")
"""What a cell of our own may hold as it is: words, a figure, its interval behind it."""

NOTHING_MEASURED = "Nothing has been measured yet: `./inv build --recipe lp_intel.json`."


def markdown(report: Report) -> str:
    """Return the report as a document that ends with a newline."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from ("# Results", "")
    if not report.recipes:
        yield NOTHING_MEASURED
        return
    yield from ("## What to take", "")
    for decision in report.decisions:
        yield from _decision(decision)
    yield from ("", "## Every variant of each recipe's own model", "")
    yield from (*_grid(report.overview, are_linked=True), "", *_footnotes(report.overview.footnotes))
    yield from ("## Everything else, by recipe", "")
    is_open = len(report.recipes) == 1
    for recipe in report.recipes:
        yield from _folded(recipe.title, _recipe(recipe), is_open)
    for section in report.comparisons:
        yield from _folded(section.title, _table_section(section))
    yield from _folded("How to read this", [*(f"- {escaped(line)}" for line in report.reading_help), ""])


def _decision(decision: Decision) -> Iterator[str]:
    """Yield what to take in a line, and what became of the rest below it."""
    begin = f"- **{escaped(decision.recipe)}** ({escaped(decision.device)}): "
    if decision.take:
        taken = _linked(f"**{escaped(decision.take)}**", decision.record)
        yield f"{begin}take {taken}, {escaped(decision.reason)}."
    else:
        yield f"{begin}{escaped(decision.reason)}. What to do: {escaped(decision.advice)}."
    for heading, remarks in decision.rest:
        told = [f"{code(one.subject)} {escaped(one.text)}" for one in remarks]
        yield f"  - {heading}: {'; '.join(told)}"


def _linked(text: str, record: str) -> str:
    """Return a text that is Markdown already, as a link to a record where there is one."""
    return f"[{text}]({quote(record)})" if record else text


def _folded(title: str, lines: Iterable[str], is_open: bool = False) -> Iterator[str]:
    """Yield what is shown when a reader clicks on its title."""
    opened = "<details open>" if is_open else "<details>"
    yield from (opened, f"<summary>{html.escape(one_line(title))}</summary>", "")
    yield from lines
    yield from ("</details>", "")


def _recipe(section: RecipeSection) -> Iterator[str]:
    yield from (f"**{escaped(section.answer)}**", "", escaped(section.facts), "")
    for model in section.models:
        yield from _model(model)


def _model(section: ModelSection) -> Iterator[str]:
    yield from (f"### {escaped(section.model)} ({section.covers})", "")
    yield from (*_grid(section.variants), "")
    yield from _remarks(section.remarks)
    for picture in section.pictures:
        yield from (f"![{escaped(picture.title)}](plots/{quote(picture.file)})", "")
        yield from (escaped(picture.caption), "")
    yield from _remarks(section.picture_remarks)
    for table in section.tables:
        yield from _titled(table)


def _remarks(remarks: Sequence[Remark]) -> Iterator[str]:
    for remark in remarks:
        subject = f"{code(remark.subject)}: " if remark.subject else ""
        yield f"- {subject}{escaped(remark.text)}"
    if remarks:
        yield ""


def _table_section(section: TableSection) -> Iterator[str]:
    for paragraph in section.paragraphs:
        yield from (escaped(paragraph), "")
    for table in section.tables:
        yield from (f"### {escaped(table.title)}", "") if table.title else ()
        yield from (escaped(table.lead), "") if table.lead else ()
        yield from (*_grid(table), "", *_footnotes(table.footnotes))


def _footnotes(footnotes: Sequence[str]) -> Iterator[str]:
    """Yield one as a sentence, several as a list."""
    mark = "- " if len(footnotes) > 1 else ""
    yield from (f"{mark}{escaped(footnote)}" for footnote in footnotes)
    if footnotes:
        yield ""


def _titled(table: Table) -> Iterator[str]:
    """Yield a table below its title; a folded one opens when a reader clicks on it."""
    left_out = [f"... and {table.left_out} more.", ""] if table.left_out else []
    lines = [*_grid(table), "", *left_out]
    if table.folded:
        yield from _folded(f"{table.subject}: {table.title}" if table.subject else table.title, lines)
    else:
        subject = f"{code(table.subject)}: " if table.subject else ""
        yield from (f"{subject}{escaped(table.title)}:", "", *lines)


def _grid(table: Table, are_linked: bool = False) -> Iterator[str]:
    """Yield the lines of a table; a variant's name may be a link to its record."""
    written = _toolchains_cell if table.by_toolchain else _own_cell
    for row in (table.columns, ("---",) * len(table.columns)):
        yield f"| {' | '.join(map(written, row))} |"
    records = table.records if are_linked else ("",) * len(table.rows)
    for row, record in zip(table.rows, records):
        cells = [written(cell) for cell in row]
        if record:
            place = table.columns.index("variant")
            cells[place] = _linked(cells[place], record)
        yield f"| {' | '.join(cells)} |"


def _own_cell(text: str) -> str:
    if text == Verdict.RECOMMENDED.value:
        return f"**{text}**"
    return text if FIGURES.fullmatch(text) else escaped(text)


def _toolchains_cell(text: str) -> str:
    line = one_line(text)
    is_plain = PLAIN_CELL.fullmatch(line) and "_" not in line and len(line) <= MAX_CODE
    return line if is_plain else code(line)


def code(text: str) -> str:
    """Return a text that others wrote, on one line, as code that breaks no table."""
    line = one_line(text.replace("`", "'"), MAX_CODE)
    return "`" + line.replace("|", "\\|") + "`"


def escaped(text: str) -> str:
    """Return a text on one line, with nothing in it that Markdown or HTML would take for its own."""
    return re.sub(r"[\\`*\[\]<|]", r"\\\g<0>", one_line(text))
