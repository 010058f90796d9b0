"""Who does what while a matrix goes on: a live table on a terminal; elsewhere lines, each with its device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from dockyard.device_groups import DeviceGroup
from dockyard.device_processes import Began, DeviceLine, News, prefix
from dockyard.matrix import RecipeOutcome
from dockyard.run.live_display import AS_IT_GOES


class DeviceTable:
    """A row for each device: its recipe, since when, and what it said last. A context manager."""

    def __init__(self, groups: Sequence[DeviceGroup], console: Console) -> None:
        self._console = console
        self._recipes = {recipe for group in groups for recipe in group.recipes}
        self._at_work: dict[str, tuple[str, float]] = {}
        self._last = {group.device: "" for group in groups}
        self._ended = 0
        self._live = Live(console=console, get_renderable=self.table, refresh_per_second=1, transient=True)

    def __enter__(self) -> DeviceTable:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def tell(self, news: News) -> None:
        """Show what came of a device; on a terminal, how far a step is stands in the table alone."""
        if isinstance(news, Began):
            left_to_it = [device for device, (recipe, _) in self._at_work.items() if recipe == news.recipe]
            for device in left_to_it:
                del self._at_work[device]
            self._at_work[news.device] = news.recipe, time.monotonic()
            self._last[news.device] = ""
        elif isinstance(news, RecipeOutcome):
            self._at_work.pop(news.device, None)
            self._last[news.device] = f"{news.recipe} {news.state.value}"
            self._ended += 1
        else:
            self._say(news)

    def _say(self, line: DeviceLine) -> None:
        self._last[line.device] = line.text.removeprefix(AS_IT_GOES).strip() or self._last[line.device]
        if not (self._console.is_terminal and line.text.startswith(AS_IT_GOES)):
            text = f"{prefix(line.device)}{line.text}"
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def table(self) -> Table:
        """Return the table as it is now."""
        at_work = len(self._at_work)
        waiting = len(self._recipes) - self._ended - at_work
        counts = f"{self._ended} of {len(self._recipes)} recipes ended, {at_work} at work, {waiting} waiting"
        table = Table("device", "recipe", "for", "what it does", caption=counts, expand=True)
        for device, last in self._last.items():
            recipe, since = self._at_work.get(device, ("", 0.0))
            table.add_row(device, recipe, _duration(time.monotonic() - since) if recipe else "", last)
        for column, is_whole in zip(table.columns, (True, True, True, False)):
            column.no_wrap, column.overflow = True, "fold" if is_whole else "ellipsis"
        return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
