"""Pages that are made of something else are what that gives, and say all of it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from dockyard.generated_pages import generated_pages
from dockyard.recipe.documents import read_json
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.report.readme import BLOCK, with_results
from dockyard.report.write import write_report
from dockyard.schema_page import schema_page
from shared.contract.model import InputSpec, PipelineNode
from shared.contract.outputs import MaskOutput, SymbolsOutput
from shared.contract.recipe import Measure, Requirements, Search, Stream

MODEL = read_json(PRODUCT / "models" / "model.schema.json", "model schema")
RECIPE = read_json(PRODUCT / "recipes" / "recipe.schema.json", "recipe schema")


def test_the_committed_pages_are_up_to_date() -> None:
    """The README's results are those of the committed records, and the reference is that of the schemas: else
    `./inv docs` writes them anew.
    """
    stale = [page.name for page, text in generated_pages().items() if page.read_text() != text]
    assert stale == []


def test_the_readme_shows_results_with_pictures() -> None:
    """The README has blocks of results, each with a table and a picture that is there."""
    text = (PRODUCT / "README.md").read_text()
    names = [line.partition("](")[2].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(names) == text.count("<!-- results of ") == text.count("<!-- end of results") > 1
    assert [name for name in names if not (PRODUCT / name).is_file()] == []
    for block in BLOCK.finditer(text):
        for variant in block["variants"].split(", "):
            assert f"| {variant} |" in block[0], f"{block['recipe']} has no {variant}"


def test_text_around_the_results_is_kept(tmp_path: Path) -> None:
    """A document without a block of results stays as it is."""

    def nothing(recipe: str) -> Any:
        raise AssertionError("no recipe was asked for")

    assert with_results("# Title\n\nText.\n", nothing, tmp_path) == "# Title\n\nText.\n"


def test_a_recipe_without_results_leaves_its_block(tmp_path: Path) -> None:
    """A block of a recipe that has no results stays as it is."""
    head, end = (
        "<!-- results of x: int8; beside the thesis's i5 -->",
        "<!-- end of results: made by ./inv docs -->",
    )
    text = f"{head}\nold\n{end}\n"
    assert with_results(text, lambda recipe: [], tmp_path) == text


def keys_of(schema: Any) -> set[str]:
    """The keys that a schema knows, anywhere in it."""
    found = set[str]()
    if isinstance(schema, dict):
        properties = schema.get("properties", {})
        found |= set(properties)
        for value in [*properties.values(), *(schema[key] for key in schema if key != "properties")]:
            found |= keys_of(value)
    elif isinstance(schema, list):
        for value in schema:
            found |= keys_of(value)
    return found


@pytest.mark.parametrize("schema", [RECIPE, MODEL], ids=["recipe", "model"])
def test_every_key_of_a_schema_is_on_its_page(schema: dict[str, Any]) -> None:
    """The page of a schema has a row for each key, with words on what it is, and its links lead somewhere."""
    page = schema_page(schema, "# Title")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert {row[0].split("`")[1] for row in rows} == keys_of(schema)
    headings = {line[3:].replace(": ", "-") for line in page.splitlines() if line.startswith("## ")}
    for row in rows:
        linked = [part.partition(")")[0] for part in row[1].split("](#")[1:]]
        assert set(linked) <= headings, row
        assert linked or row[3].strip(" |"), f"nothing is said of {row[0]}"


def test_a_schema_becomes_tables() -> None:
    """Kinds, bounds, choices, defaults and needed keys are said; an object has one table."""
    schema = {
        "required": ["size"],
        "properties": {
            "size": {"minItems": 2, "maxItems": 2, "items": {"type": "integer", "minimum": 1}},
            "unit": {"enum": ["m", "ft"], "default": "m", "description": "Of <size>, m|ft."},
            "inner": {"$ref": "#/$defs/part"},
            "outer": {"$ref": "#/$defs/part"},
            "weight": {"type": ["number", "null"], "exclusiveMinimum": 0},
        },
        "$defs": {"part": {"description": "A part.", "properties": {"name": {"type": "string"}}}},
    }
    assert schema_page(schema, "# Thing").splitlines() == [
        "# Thing",
        "",
        "| key | value | default | |",
        "| --- | --- | --- | --- |",
        "| `size` (needed) | list of whole number, from 1 (2 of them) |  |  |",
        '| `unit` | `m`, `ft` | `"m"` | Of &lt;size>, m&#124;ft. |',
        "| `inner` | [part](#part) |  |  |",
        "| `outer` | [part](#part) |  |  |",
        "| `weight` | number or null, above 0 |  |  |",
        "",
        "## part",
        "",
        "A part.",
        "",
        "| key | value | default | |",
        "| --- | --- | --- | --- |",
        "| `name` | text |  |  |",
    ]


def properties(schema: dict[str, Any], *path: str) -> dict[str, Any]:
    for name in path:
        schema = schema["properties"][name]
    return dict(schema["properties"])


SEARCH = RECIPE["properties"]["optimizations"]["else"]["then"]
NETWORK = MODEL["$defs"]["network"]


@pytest.mark.parametrize(
    ("keys", "read_as"),
    [
        (properties(RECIPE, "measure"), Measure),
        (properties(RECIPE, "stream"), Stream),
        (properties(RECIPE, "requirements"), Requirements),
        (properties(SEARCH, "search"), Search),
        (properties(NETWORK, "input"), InputSpec),
        (properties(MODEL["$defs"]["node"]), PipelineNode),
        (properties(MODEL["$defs"]["text-recognition"], "symbols"), SymbolsOutput),
        (properties(MODEL["$defs"]["segmentation"], "mask"), MaskOutput),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_defaults_that_are_told_are_those_that_hold(keys: dict[str, Any], read_as: Any) -> None:
    """What a schema calls the default of a key is what is taken where the key is left out."""
    held = {field.name: field.default for field in dataclasses.fields(read_as)}
    told = {name: key["default"] for name, key in keys.items() if "default" in key}
    assert told
    for name, default in told.items():
        assert (tuple(default) if isinstance(default, list) else default) == held[name], name


def test_a_build_keeps_the_readme_up_to_date(workspace: Workspace) -> None:
    """Results that are written anew are so in the README of their workspace, too."""
    readme, records = workspace.root / "README.md", workspace.results / "records"
    head = "<!-- results of digits: reference, int8; beside the thesis's i5 -->\n"
    readme.write_text(f"Ours.\n\n{head}old\n<!-- end of results: made by ./inv docs -->\n")
    shutil.copytree(PRODUCT / "results" / "records" / "digits", records / "digits")
    write_report(workspace)
    text = readme.read_text()
    assert text.startswith(f"Ours.\n\n{head}**digits: take ")
    assert "| digits, accuracy | int8 |" in text
    assert "old" not in text
