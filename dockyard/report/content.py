"""What the report says, apart from how it is written down: plain texts, tables and pictures.

No text has any markup; what is written from this escapes what its format needs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        rows: each as long as `columns`.
        subject: the variant that it is of; empty where it is of several.
        folded: shown only when a reader asks for it.
        left_out: further rows that there are.
        by_toolchain: title, columns and cells are a toolchain's own words, not ours.
        footnotes: sentences below it.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    subject: str = ""
    folded: bool = False
    left_out: int = 0
    by_toolchain: bool = False
    footnotes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remark:
    """A sentence, and the variant or sample that it is about; empty where that is in the sentence."""

    subject: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A file in plots/, and what it shows."""

    file: str
    caption: str


@dataclass(frozen=True)
class ModelSection:
    """One model of a recipe.

    Attributes:
        covers: what its times cover.
        variants: a row for each variant.
        remarks: on those.
        tables: what else is known, in the order it is read.
        picture_remarks: what the pictures could not show.
    """

    model: str
    covers: str
    variants: Table
    remarks: tuple[Remark, ...]
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    picture_remarks: tuple[Remark, ...]


@dataclass(frozen=True)
class RecipeSection:
    """One recipe.

    Attributes:
        answer: the headline: how much faster, on which hardware, at what loss.
        facts: what was required, and what it was measured on.
    """

    title: str
    answer: str
    facts: str
    models: tuple[ModelSection, ...]


@dataclass(frozen=True)
class TableSection:
    """Tables of their own, across recipes."""

    title: str
    paragraphs: tuple[str, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Report:
    """The report; without recipes nothing has been measured."""

    recipes: tuple[RecipeSection, ...]
    comparisons: tuple[TableSection, ...]
    reading_help: tuple[str, ...]
