"""Tables in Markdown, and figures as they are written in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dockyard.judge.verdicts import Judged

NOTHING = "-"
"""What a cell says where there is nothing to say."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]


def quoted(text: str, limit: int = 120) -> str:
    """Return a text that others wrote, on one line, as code that breaks no table."""
    line = " ".join(text.split()).replace("`", "'").replace("|", "\\|")
    return f"`{line if len(line) <= limit else line[: limit - 3] + '...'}`"


def spread(figure: tuple[float, float, float] | None) -> str:
    """Return a ratio with its smallest and largest round."""
    return f"{figure[0]:.2f} ({figure[1]:.2f} to {figure[2]:.2f})" if figure else NOTHING


def metrics_of(one: Judged, names: Iterable[str]) -> list[str]:
    """Return the values of these metrics, four digits each."""
    found = one.record.quality["metrics"] if one.record.quality else {}
    return [f"{found[name]:.4f}" if name in found else NOTHING for name in names]
