"""Which device builds which recipes of a matrix: as the recipes name it, or as a fleet has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dockyard.engines.choice import device_behind
from dockyard.matrix import RecipeOutcome, State
from dockyard.recipe.fleet import THIS_MACHINE, Device, devices_for, load_fleet
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import EnvironmentProblem, InputProblem


@dataclass(frozen=True)
class DeviceGroup:
    """Recipes that may be measured on one device, one after the other; the first free device takes each.

    Attributes:
        device: its name in the fleet, else the Docker context that the first of them names; `here` for none.
        context: of a fleet's device, in place of what each recipe names.
    """

    device: str
    recipes: tuple[str, ...]
    context: str | None = None

    @property
    def reached_by(self) -> str | None:
        """The Docker context that leads to it; None where that is this machine."""
        return self.context or (None if self.device == THIS_MACHINE else self.device)


def groups_asked_for(
    workspace: Workspace, names: Sequence[str], engine: str, context: str, fleet: str
) -> tuple[list[DeviceGroup], list[RecipeOutcome]]:
    """Group recipes by the devices of a fleet, for a context, or by the devices that they name.

    Args:
        engine: that is asked for.
        context, fleet: of which one at most is given; `fleet` is the path of its file.

    Returns:
        The groups, and of the recipes for which the fleet has no device, that they are skipped.

    Raises:
        InputProblem: the fleet's file is wrong, or something is asked for beside it that it excludes.
    """
    if fleet and (context or engine == "venv"):
        what, advice = "a fleet's devices are Docker contexts", "leave --context and --engine venv out"
        raise InputProblem(what, "--fleet", advice)
    if fleet:
        return groups_of_fleet(workspace, names, load_fleet(workspace, Path(fleet)))
    if context:
        return [DeviceGroup(context, tuple(names))], []
    return groups_of(workspace, names, lambda one: key_of_device(engine, one)), []


Identify = Callable[[str | None], str]
"""Returns what tells the device of a Docker context, or of none, from others."""


def groups_of(workspace: Workspace, names: Sequence[str], identify: Identify) -> list[DeviceGroup]:
    """Group recipes by device, in the order of each group's first one.

    Two contexts may lead to one device. A recipe that cannot be read, whose error is told in its turn, is
    this machine's.
    """
    contexts = {name: _context_of(workspace, name) for name in names}
    keys = {}
    if len(set(contexts.values())) > 1:  # else nothing has to be asked
        keys = {context: identify(context) for context in set(contexts.values())}
    groups: dict[str, list[str]] = {}
    for name, context in contexts.items():
        groups.setdefault(keys.get(context, ""), []).append(name)
    return [DeviceGroup(contexts[group[0]] or THIS_MACHINE, tuple(group)) for group in groups.values()]


def groups_of_fleet(
    workspace: Workspace, names: Sequence[str], fleet: Sequence[Device]
) -> tuple[list[DeviceGroup], list[RecipeOutcome]]:
    """Group recipes by the devices of a fleet that do for each, and skip those for which none does.

    What names no device, and what cannot be read, whose error is told in its turn, is this machine's.
    """
    found: dict[str, list[str]] = {device.name: [] for device in fleet}
    here, skipped = [], []
    for name in names:
        if _context_of(workspace, name) is None:
            here.append(name)
            continue
        try:
            for device in devices_for(fleet, load_recipe(workspace, name)):
                found[device.name].append(name)
        except InputProblem as problem:
            skipped.append(RecipeOutcome(name, State.SKIPPED, str(problem)))
    groups = [DeviceGroup(THIS_MACHINE, tuple(here))]
    groups += [DeviceGroup(device.name, tuple(found[device.name]), device.context) for device in fleet]
    return [group for group in groups if group.recipes], skipped


def first_where_begun(groups: Sequence[DeviceGroup], begun: Mapping[str, str]) -> list[DeviceGroup]:
    """Return groups of which each begins with the recipe that was begun on it, and before the others do.

    Args:
        begun: the device, by recipe.
    """

    def ordered(group: DeviceGroup) -> DeviceGroup:
        def rank(recipe: str) -> int:
            return 1 if recipe not in begun else 0 if begun[recipe] == group.device else 2

        return replace(group, recipes=tuple(sorted(group.recipes, key=rank)))

    first = sorted(groups, key=lambda group: group.device not in begun.values())
    return [ordered(group) for group in first]


def _context_of(workspace: Workspace, name: str) -> str | None:
    try:
        return load_recipe(workspace, name).device
    except InputProblem:
        return None


def key_of_device(engine: str, context: str | None) -> str:
    """Identify a device; one that is not there, of which each of its recipes tells, is known by its context.

    Args:
        engine: that is asked for.
    """
    if engine == "venv":  # which is of this machine alone
        return ""
    try:
        return device_behind(context)
    except EnvironmentProblem:
        return context or ""
