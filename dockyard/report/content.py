"""What the report says, apart from how it is written down: decisions, plain texts, tables and pictures.

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
        lead: sentences above it.
        footnotes: sentences below it.
        records: of each row the record that its figures are from, as a path in results/; empty where there is
            none, or no row has one.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    subject: str = ""
    folded: bool = False
    left_out: int = 0
    by_toolchain: bool = False
    lead: str = ""
    footnotes: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remark:
    """A sentence, and the variant or sample that it is about; empty where that is in the sentence."""

    subject: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A file in plots/.

    Attributes:
        title: what it shows.
        caption: what to see in it.
    """

    file: str
    title: str
    caption: str


@dataclass(frozen=True)
class Decision:
    """What to take of one recipe on one machine, and what became of the rest; sentences without a full stop.

    Attributes:
        group: tells it from those of other recipes and machines.
        take: the recommended variant; empty where there is none.
        record: of that variant, as a path in results/; empty where it is not published.
        reason: why that one, or why none.
        as_fast: what could be taken as well.
        too_lossy: what loses too much, and how much.
        undecided: what could not be decided, was not measured or failed, and why.
        no_gain: what is not worth it.
        advice: what to do.
    """

    group: str
    recipe: str
    device: str
    take: str
    record: str
    reason: str
    as_fast: tuple[Remark, ...]
    too_lossy: tuple[Remark, ...]
    undecided: tuple[Remark, ...]
    no_gain: tuple[Remark, ...]
    advice: str

    @property
    def rest(self) -> tuple[tuple[str, tuple[Remark, ...]], ...]:
        """What became of the variants that are not taken, each kind with its heading, where there are any."""
        kinds = (
            ("as fast", self.as_fast),
            ("too lossy", self.too_lossy),
            ("not decided", self.undecided),
            ("no gain", self.no_gain),
        )
        return tuple((heading, remarks) for heading, remarks in kinds if remarks)


@dataclass(frozen=True)
class ModelSection:
    """One model of a recipe.

    Attributes:
        covers: what its times cover.
        variants: a row for each variant.
        remarks: on those.
        picture_remarks: what the pictures could not show.
        tables: what else is known, in the order it is read.
    """

    model: str
    covers: str
    variants: Table
    remarks: tuple[Remark, ...]
    pictures: tuple[Picture, ...]
    picture_remarks: tuple[Remark, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class RecipeSection:
    """One recipe on one machine.

    Attributes:
        group: as `Decision.group`.
        answer: the headline: how much faster, on which hardware, at what loss.
        facts: what was required, and what it was measured on.
    """

    group: str
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
    """The report, in the order it is read; without recipes nothing has been measured.

    Attributes:
        decisions: one for each recipe and machine: the page to decide by.
        overview: the variants of each recipe's own model.
        recipes: everything else, in the order of the decisions.
    """

    decisions: tuple[Decision, ...]
    overview: Table
    recipes: tuple[RecipeSection, ...]
    comparisons: tuple[TableSection, ...]
    reading_help: tuple[str, ...]
