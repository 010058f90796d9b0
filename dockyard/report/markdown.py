"""The report as Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from dockyard.judge.assessment import Verdict
from dockyard.report.cells import one_line
from dockyard.report.content import ModelSection, RecipeSection, Remark, Report, Table, TableSection

MAX_CODE = 120
"""Characters of a text that is written as code."""

PLAIN_CELL = re.compile(r"[\w .,:+%()/-]*")
"""What a cell of a toolchain's table may hold without being written as code."""

NOTHING_MEASURED = "Nothing has been measured yet: `./inv build --recipe lp_intel.json`."


def markdown(report: Report) -> str:
    """Return the report as a document that ends with a newline."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from ("# Results", "")
    if not report.recipes:
        yield NOTHING_MEASURED
        return
    for recipe in report.recipes:
        yield from _recipe(recipe)
    for section in report.comparisons:
        yield from _table_section(section)
    yield from ("## How to read this", "")
    yield from (f"- {escaped(line)}" for line in report.reading_help)


def _recipe(section: RecipeSection) -> Iterator[str]:
    yield from (f"## {section.title}", "", f"**{section.answer}**", "", section.facts, "")
    for model in section.models:
        yield from _model(model)


def _model(section: ModelSection) -> Iterator[str]:
    yield from (f"### {section.model} ({section.covers})", "")
    yield from (*_grid(section.variants), "")
    yield from _remarks(section.remarks)
    for table in section.tables:
        yield from _titled(table)
    for picture in section.pictures:
        yield from (f"![{picture.caption}](plots/{picture.file})", "")
    yield from _remarks(section.picture_remarks)


def _remarks(remarks: Sequence[Remark]) -> Iterator[str]:
    for remark in remarks:
        subject = f"{code(remark.subject)}: " if remark.subject else ""
        yield f"- {subject}{escaped(remark.text)}"
    if remarks:
        yield ""


def _table_section(section: TableSection) -> Iterator[str]:
    yield from (f"## {section.title}", "")
    for paragraph in section.paragraphs:
        yield from (paragraph, "")
    for table in section.tables:
        yield from (f"### {table.title}", "") if table.title else ()
        yield from (*_grid(table), "", *_footnotes(table.footnotes))


def _footnotes(footnotes: Sequence[str]) -> Iterator[str]:
    """Yield one as a sentence, several as a list."""
    mark = "- " if len(footnotes) > 1 else ""
    yield from (f"{mark}{footnote}" for footnote in footnotes)
    if footnotes:
        yield ""


def _titled(table: Table) -> Iterator[str]:
    """Yield a table below its title; a folded one opens when a reader clicks on it."""
    if table.folded:
        subject = f"{table.subject}: " if table.subject else ""
        yield from ("<details>", f"<summary>{html.escape(subject + one_line(table.title))}</summary>", "")
    else:
        subject = f"{code(table.subject)}: " if table.subject else ""
        yield from (f"{subject}{escaped(table.title)}:", "")
    yield from (*_grid(table), "")
    if table.left_out:
        yield from (f"... and {table.left_out} more.", "")
    if table.folded:
        yield from ("</details>", "")


def _grid(table: Table) -> Iterator[str]:
    """Yield the lines of a table."""
    written = _toolchains_cell if table.by_toolchain else _own_cell
    for row in (table.columns, ("---",) * len(table.columns), *table.rows):
        yield f"| {' | '.join(map(written, row))} |"


def _own_cell(text: str) -> str:
    if text == Verdict.RECOMMENDED.value:
        return f"**{text}**"
    return text.replace("|", "\\|")


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
