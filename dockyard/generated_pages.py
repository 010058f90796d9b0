"""The pages that are made and not written: the README's results, the reference of the JSON files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dockyard.judge.assessment import Assessment
from dockyard.judge.record_files import read_records
from dockyard.judge.verdicts import judge
from dockyard.recipe.documents import read_json
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.report.readme import with_results
from dockyard.report.write import reading_order
from dockyard.schema_page import schema_page

README = PRODUCT / "README.md"

MADE = "<!-- Made by ./inv docs from the schema; change that. -->"

RECIPE = f"""# recipe.json: every key

{MADE}

A recipe says what is optimized for whom. The least is a model, a target and what to try; all else has a
default. An editor completes the keys where the file begins with `"$schema": "./recipe.schema.json"`. How
to write one is in the [README](../README.md#a-recipe); what `conversion` takes is in
[Conversion](architecture.md#conversion), a method's options are in the target's `target.json`.
"""

MODEL = f"""# model.json: every key

{MADE}

A model's folder has this file beside its graph: [a network](#network), or [a pipeline](#pipeline) of
networks. The [tutorial](tutorial.md) writes one, [Add a model](../CONTRIBUTING.md#add-a-model) says what
else belongs to a model, [Data](data.md) what its data may hold.
"""

REFERENCES = (
    (PRODUCT / "recipes" / "recipe.schema.json", PRODUCT / "docs" / "recipe.md", RECIPE),
    (PRODUCT / "models" / "model.schema.json", PRODUCT / "docs" / "model-json.md", MODEL),
)
"""A schema, its page, and what stands before the tables."""


def generated_pages() -> dict[Path, str]:
    """Return the pages with what they have to hold.

    Raises:
        InputProblem: a file among the committed records that is none.
    """
    text = README.read_text(encoding="utf-8")
    pages = {README: with_results(text, _published, PRODUCT / "results" / "plots")}
    for schema, page, introduction in REFERENCES:
        pages[page] = schema_page(read_json(schema, schema.name), introduction)
    return pages


def _published(recipe: str) -> Sequence[Assessment]:
    """Return what is _published of a recipe, in the order it is read."""
    ours = Workspace(PRODUCT)
    records = read_records(ours.results / "records" / recipe, ours.display_path)
    return sorted(judge(records), key=reading_order)
