"""The report as one HTML page that needs no server and no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from dockyard.judge.assessment import Verdict
from dockyard.report.content import (
    Decision,
    ModelSection,
    Picture,
    RecipeSection,
    Remark,
    Report,
    Table,
    TableSection,
)
from dockyard.report.drawing.svg import KINDS, STYLE, escaped, opened

CSS, SCRIPT = (Path(__file__).with_name(f"page.{kind}") for kind in ("css", "js"))

FILTERS = ("recipe", "device", "verdict")
"""Columns that a reader can filter by."""

NOTHING_MEASURED = "Nothing has been measured yet: ./inv build --recipe lp_intel.json."


def page(report: Report, pictures: Mapping[str, str]) -> str:
    """Return the report as a page.

    Args:
        pictures: each as an element, by the name of its file.
    """
    script = SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The page may run this one script and may fetch nothing, whatever a record has brought into it.
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"script-src 'sha256-{digest}'"
    )
    head = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        "<title>Dockyard: results</title>",
        f"<style>{CSS.read_text(encoding='utf-8')}{STYLE}</style>",
    ]
    body = [*_body(report, pictures), f"<script>{script}</script>"]
    lines = ["<!doctype html>", '<html lang="en">', "<head>", *head, "</head>", "<body>", *body]
    return "\n".join([*lines, "</body>", "</html>", ""])


def _body(report: Report, pictures: Mapping[str, str]) -> Iterator[str]:
    yield '<a class="skip" href="#decisions">To the decisions</a>'
    yield "<header><h1>Results</h1>"
    if not report.recipes:
        yield f"</header><main>{_paragraph(NOTHING_MEASURED)}</main>"
        return
    yield from (_filters(report), "</header>", "<main>")
    yield '<section id="decisions"><h2>What to take</h2><ul class="decisions">'
    yield from map(_decision, report.decisions)
    yield '</ul></section><section id="variants"><h2>Every variant of each recipe\'s own model</h2>'
    yield from (_table(report.overview), "</section>", '<section id="rest"><h2>Everything else</h2>')
    devices = {one.group: (one.recipe, one.device) for one in report.decisions}
    for recipe in report.recipes:
        name, device = devices[recipe.group]
        yield _folded(recipe.title, _recipe(recipe, pictures), data_recipe=name, data_device=device)
    for section in report.comparisons:
        yield _folded(section.title, _table_section(section))
    yield _folded("How to read this", [_list(report.reading_help)])
    yield "</section></main>"


def _tag(name: str, content: str, /, **attributes: str) -> str:
    """Return an element with content that is markup, and attributes as `opened` takes them."""
    return f"{opened(name, **attributes)}>{content}</{name}>"


def _filters(report: Report) -> str:
    """Return a choice for each column to filter by, and where the script says how many rows show."""
    labels = []
    for name in FILTERS:
        place = report.overview.columns.index(name)
        values = {row[place] for row in report.overview.rows}
        options = [_tag("option", "all", value="")]
        options += [_tag("option", escaped(value), value=value) for value in _ordered(name, values)]
        choice = _tag("select", "".join(options), name=name, id=f"filter-{name}")
        labels.append(_tag("label", f"{name} {choice}", for_=f"filter-{name}"))
    reset = _tag("button", "show all", type="reset")
    output = '<output id="shown" aria-live="polite"></output>'
    return _tag("form", f"{''.join(labels)}{reset} {output}", id="filters", hidden="", aria_label="filter")


def _ordered(name: str, values: set[str]) -> list[str]:
    return [one.value for one in Verdict if one.value in values] if name == "verdict" else sorted(values)


def _decision(decision: Decision) -> str:
    name = _tag("b", escaped(decision.recipe)) + f' <span class="soft">{escaped(decision.device)}</span> '
    if decision.take:
        taken = _linked(_tag("b", escaped(decision.take)), decision.record)
        answer = f"take {taken}: {escaped(decision.reason)}."
    else:
        answer = f"{escaped(decision.reason)}. What to do: {escaped(decision.advice)}."
    rest = [
        _tag("li", f'<span class="soft">{heading}:</span> {"; ".join(map(_remark, remarks))}')
        for heading, remarks in decision.rest
    ]
    kind = "taken" if decision.take else "nothing"
    listed = _tag("ul", "".join(rest)) if rest else ""
    about = {"data_recipe": decision.recipe, "data_device": decision.device}
    return _tag("li", f"{name}{answer}{listed}", class_=kind, **about)


def _remark(remark: Remark) -> str:
    subject = f"{_tag('code', escaped(remark.subject))} " if remark.subject else ""
    return subject + escaped(remark.text)


def _linked(markup: str, record: str) -> str:
    return _tag("a", markup, href=quote(record)) if record else markup


def _recipe(section: RecipeSection, pictures: Mapping[str, str]) -> Iterator[str]:
    yield _tag("p", _tag("b", escaped(section.answer)))
    yield _tag("p", escaped(section.facts), class_="soft")
    for model in section.models:
        yield from _model(model, pictures)


def _model(section: ModelSection, pictures: Mapping[str, str]) -> Iterator[str]:
    yield _tag("h3", f"{escaped(section.model)} ({escaped(section.covers)})")
    yield _table(section.variants)
    yield _remarks(section.remarks)
    for picture in section.pictures:
        yield _figure(picture, pictures)
    yield _remarks(section.picture_remarks)
    for table in section.tables:
        title = f"{table.subject}: {table.title}" if table.subject else table.title
        if table.folded:
            yield _folded(title, [_table(table)])
        else:
            yield _paragraph(f"{title}:") + _table(table)


def _figure(picture: Picture, pictures: Mapping[str, str]) -> str:
    drawn = pictures.get(picture.file, "")
    caption = _tag("figcaption", escaped(picture.caption))
    return _tag("figure", drawn + caption) if drawn else ""


def _table_section(section: TableSection) -> Iterator[str]:
    yield from map(_paragraph, section.paragraphs)
    for table in section.tables:
        yield _tag("h3", escaped(table.title)) if table.title else ""
        yield _paragraph(table.lead) if table.lead else ""
        yield _table(table)


def _folded(title: str, content: Iterable[str], **attributes: str) -> str:
    return _tag("details", _tag("summary", escaped(title)) + "".join(content), **attributes)


def _paragraph(words: str) -> str:
    return _tag("p", escaped(words))


def _list(items: Sequence[str]) -> str:
    return _tag("ul", "".join(_tag("li", escaped(item)) for item in items))


def _remarks(remarks: Sequence[Remark]) -> str:
    return _tag("ul", "".join(_tag("li", _remark(one)) for one in remarks)) if remarks else ""


def _table(table: Table) -> str:
    """Return a table that can be scrolled by itself, its rows with what they can be filtered by."""
    if not table.columns:
        return ""
    heads = "".join(_tag("th", escaped(name), scope="col") for name in table.columns)
    records = table.records or ("",) * len(table.rows)
    rows = [_row(table, row, record) for row, record in zip(table.rows, records)]
    whole = _tag("thead", _tag("tr", heads)) + _tag("tbody", "".join(rows))
    region = {"class_": "scroll", "role": "region", "tabindex": "0", "aria_label": table.title or "variants"}
    left_out = _paragraph(f"... and {table.left_out} more.") if table.left_out else ""
    below = "".join(_tag("p", escaped(note), class_="soft") for note in table.footnotes)
    return _tag("div", _tag("table", whole), **region) + left_out + below


def _row(table: Table, row: Sequence[str], record: str) -> str:
    cells, about = [], {}
    for name, cell in zip(table.columns, row):
        markup = escaped(cell)
        if not table.by_toolchain and name in FILTERS:
            about[f"data_{name}"] = cell
        if not table.by_toolchain and name == "verdict":
            markup = _verdict(cell)
        if record and name == "variant":
            markup = _linked(markup, record)
        cells.append(_tag("td", markup))
    return _tag("tr", "".join(cells), **about)


def _verdict(words: str) -> str:
    kinds = {verdict.value: kind for verdict, kind in KINDS.items()}
    return _tag("span", escaped(words), class_=f"verdict v-{kinds.get(words, 'none')}")
