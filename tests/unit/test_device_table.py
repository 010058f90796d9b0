"""Who does what is a live table on a terminal, and lines with their device's name elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from dockyard.device_groups import DeviceGroup
from dockyard.device_processes import Began, DeviceLine
from dockyard.device_table import DeviceTable
from dockyard.matrix import RecipeOutcome, State
from dockyard.run.live_display import AS_IT_GOES

GROUPS = [DeviceGroup("orin-1", ("a", "b", "c"), "o1"), DeviceGroup("orin-2", ("a", "b", "c"), "o2")]


def console(is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=100, color_system=None)


def told(shown: Console) -> list[str]:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue().splitlines()


def rows(table: DeviceTable) -> list[list[str]]:
    """The table as it is now, each line in words, without its frame."""
    page = console(False)
    page.print(table.table())
    return [line.strip("│┃ ").replace("│", " ").split() for line in told(page)]


def test_a_row_says_what_a_device_does() -> None:
    """Each device has its recipe, since when and what it said last; how many are left is below."""
    table = DeviceTable(GROUPS, console(False))
    table.tell(Began("orin-1", "a", "o1"))
    table.tell(Began("orin-2", "b", "o2"))
    table.tell(DeviceLine("orin-1", f"{AS_IT_GOES}round 1 3/10 (7 s)"))
    table.tell(RecipeOutcome("b", State.BUILT, "fine", "orin-2"))
    found = rows(table)
    assert ["orin-1", "a", "0:00", "round", "1", "3/10", "(7", "s)"] in found
    assert ["orin-2", "b", "built"] in found
    assert "1 of 3 recipes ended, 1 at work, 1 waiting".split() in found


def test_a_recipe_that_another_device_takes_is_that_ones() -> None:
    """What a missing device leaves to another is in one row only."""
    table = DeviceTable(GROUPS, console(False))
    table.tell(Began("orin-1", "a", "o1"))
    table.tell(DeviceLine("orin-1", "a is left to another device: no device 'o1'"))
    table.tell(Began("orin-2", "a", "o2"))
    found = rows(table)
    assert ["orin-2", "a", "0:00"] in found
    assert "orin-1 a is left to another device: no device 'o1'".split() in found
    assert "0 of 3 recipes ended, 1 at work, 2 waiting".split() in found


def test_lines_that_only_say_how_far_it_is_are_not_printed_above_the_table() -> None:
    """On a terminal the table says them; elsewhere they are lines like the others."""
    for is_terminal in (True, False):
        shown = console(is_terminal)
        with DeviceTable(GROUPS, shown) as table:
            table.tell(DeviceLine("orin-1", f"{AS_IT_GOES}round 1"))
            table.tell(DeviceLine("orin-1", "a: evaluated"))
        printed = "\n".join(told(shown))
        assert "[orin-1] a: evaluated" in printed
        assert (f"[orin-1] {AS_IT_GOES}round 1" in printed) is not is_terminal
